// Package loglimit bounds what a log can be made to say. Much of what a station logs is caused
// by somebody else: a stranger who sends it signals, a peer whose candidates are wrong, a
// server that comes and goes. A handler of this package passes a number of lines of each kind
// on in a minute, counts the others, and says how many there were. It does not decide what is
// worth a line. It has no goroutines: what was left out is told with the next line of any kind.
package loglimit

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// The limits. A kind is a message's text; a line is about the peer that its attribute PeerKey
// names, if it has one. Lines of a level below Info are for who looks for something, and pass.
const (
	Window   = time.Minute
	OfPeer   = 10  // lines of one kind about one peer in a window
	OfKind   = 30  // of one kind about whomever
	OfAll    = 300 // of all kinds together
	MostText = 300 // bytes of one value; the rest of it is cut off
	PeerKey  = "peer"

	mostKinds = 100 // kinds that are told apart; pion's messages have numbers in them
	mostPeers = 20  // peers of one kind that are
)

// LeftOut is the message of the line that says how many were: its attributes are the kind, as
// "of", and the number, as "lines".
const LeftOut = "lines left out of the log"

// Logger returns a logger that writes through l's handler, bounded. One that is bounded already
// is returned as it is.
func Logger(l *slog.Logger) *slog.Logger {
	if _, bounded := l.Handler().(*handler); bounded {
		return l
	}
	return slog.New(&handler{next: l.Handler(), counts: &counts{}})
}

// handler is one logger's; those derived from it share its counts.
type handler struct {
	next   slog.Handler
	counts *counts
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.next.WithAttrs(attrs), h.counts}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.next.WithGroup(name), h.counts}
}

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelInfo {
		return h.next.Handle(ctx, r)
	}
	peer := ""
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == PeerKey {
			peer = cut(a.Value.String())
		}
		return true
	})
	over, pass := h.counts.take(time.Now(), r.Message, peer)
	for _, o := range over {
		told := slog.NewRecord(r.Time, slog.LevelWarn, LeftOut, 0)
		told.AddAttrs(slog.String("of", cut(o.kind)), slog.Int("lines", o.left))
		if err := h.next.Handle(ctx, told); err != nil {
			return err
		}
	}
	if !pass {
		return nil
	}
	short := slog.NewRecord(r.Time, r.Level, cut(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		a.Value = shorten(a.Value.Resolve())
		short.AddAttrs(a)
		return true
	})
	return h.next.Handle(ctx, short)
}

// shorten cuts what a peer may have made long.
func shorten(v slog.Value) slog.Value {
	switch v.Kind() {
	case slog.KindString:
	case slog.KindAny:
		switch v.Any().(type) {
		case error, interface{ String() string }:
		default:
			return v
		}
	default:
		return v
	}
	if text := v.String(); len(text) > MostText {
		return slog.StringValue(cut(text))
	}
	return v
}

func cut(text string) string {
	if len(text) <= MostText {
		return text
	}
	n := MostText
	for n > MostText-utf8.UTFMax && !utf8.RuneStart(text[n]) {
		n--
	}
	return strings.Clone(text[:n]) + "…" // the rest may be large
}

// counts are what has passed in the present window, and what has not.
type counts struct {
	mu    sync.Mutex
	since time.Time
	all   int
	kinds map[string]*kind
}

type kind struct {
	lines, left int
	peers       map[string]int
}

// over is a kind of which lines were left out in the window before.
type over struct {
	kind string
	left int
}

// take counts a line, and says whether it passes. If it is the first one of a window it returns
// what was left out in the last one.
func (c *counts) take(now time.Time, message, peer string) (before []over, pass bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := now.Sub(c.since); age < 0 || age >= Window {
		for name, k := range c.kinds {
			if k.left > 0 {
				before = append(before, over{name, k.left})
			}
		}
		c.since, c.all, c.kinds = now, 0, map[string]*kind{}
	}
	k := c.kinds[message]
	if k == nil && len(c.kinds) >= mostKinds {
		message = others
		k = c.kinds[message]
	}
	if k == nil {
		k = &kind{peers: map[string]int{}}
		c.kinds[strings.Clone(message)] = k
	}
	ofPeer := 0
	if _, known := k.peers[peer]; peer != "" && (known || len(k.peers) < mostPeers) {
		ofPeer = k.peers[peer]
		k.peers[peer]++
	}
	if ofPeer >= OfPeer || k.lines >= OfKind || c.all >= OfAll {
		k.left++
		return before, false
	}
	k.lines++
	c.all++
	return before, true
}

// others is the kind of what is one kind too many.
const others = "other messages"
