// Package press says what edges of buttons and keys mean: a press, one that lasts, one that is
// repeated, a button that is stuck, a storm of presses. It is a pure table for any number of
// buttons: time comes with the edges. It reads no lines, and does not know what a button is for.
//
// A button goes through these states:
//
//	up --edge--> down --Long--> long --Repeat--> long ... --Stuck--> stuck --edge--> up
//
// and is stuck, without a word before Stuck has passed, when it is held as its line is opened:
// a button that is stuck would ring whenever the power comes back. Presses that come faster
// than fingers do are a storm: they are swallowed until it has been calm for a while.
//
// It has no goroutines, and is not safe for use by several.
package press

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"intercom/hw"
)

// Config says how long is long. Zero values mean the defaults.
type Config struct {
	Long   time.Duration // held for this long, a press is a long one; default 1 s
	Repeat time.Duration // from then on it is repeated this often; default 250 ms
	Stuck  time.Duration // longer than any visitor leans on a button; default 30 s
	// More than Burst presses of one button within Within are a storm, which is over when
	// there was none for Calm. Defaults: 12 in 3 s, which nobody types, and 5 s.
	Burst  int
	Within time.Duration
	Calm   time.Duration
}

// maxBurst bounds what is remembered of a button.
const maxBurst = 1000

func (c Config) withDefaults() (Config, error) {
	c.Long, c.Repeat, c.Stuck = cmp.Or(c.Long, time.Second), cmp.Or(c.Repeat, 250*time.Millisecond), cmp.Or(c.Stuck, 30*time.Second)
	c.Burst, c.Within, c.Calm = cmp.Or(c.Burst, 12), cmp.Or(c.Within, 3*time.Second), cmp.Or(c.Calm, 5*time.Second)
	switch {
	case c.Long < 0 || c.Repeat < 0 || c.Within < 0 || c.Calm < 0:
		return c, fmt.Errorf("press: a time is negative: %+v", c)
	case c.Stuck <= c.Long:
		return c, fmt.Errorf("press: stuck after %v, which is not after a long press of %v", c.Stuck, c.Long)
	case c.Burst < 1 || c.Burst > maxBurst:
		return c, fmt.Errorf("press: a burst of %d presses, 1 to %d can be", c.Burst, maxBurst)
	}
	return c, nil
}

// Kind is what happened.
type Kind uint8

// The kinds.
const (
	Pressed     Kind = iota // a finger came
	LongPressed             // and stayed; once for each press
	Repeated                // and stays, again and again
	Stuck                   // for too long: it is ignored until it is released; reported once
	Freed                   // what was stuck is released
	Storm                   // more presses than there can be: they are swallowed from this one on
	Calm                    // the storm is over; Count presses were swallowed
)

var kindNames = [...]string{"pressed", "long pressed", "repeated", "stuck", "freed", "storm", "calm"}

// String is for people.
func (k Kind) String() string { return kindNames[k] }

// Event is something that happened to a button.
type Event struct {
	Kind  Kind
	Line  string
	At    time.Time
	Count int // of Calm
}

// Panel is a set of buttons.
type Panel struct {
	cfg     Config
	buttons map[string]*button
}

// button is the state of one.
type button struct {
	line    string
	known   bool // its level was told
	down    bool
	stuck   bool      // and reported
	since   time.Time // of down
	next    time.Time // of what comes while it is held; zero: nothing does
	presses []time.Time
	storm   time.Time // the last press of it; zero: there is none
	lost    int       // presses that it swallowed
}

// New returns a panel with these lines, of which the first edge of each is its level.
func New(cfg Config, lines ...string) (*Panel, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Panel{cfg: cfg, buttons: make(map[string]*button, len(lines))}
	for _, l := range lines {
		if p.buttons[l] != nil {
			return nil, fmt.Errorf("press: line %q is named twice", l)
		}
		p.buttons[l] = &button{line: l}
	}
	return p, nil
}

// Take takes an edge and returns what it and the time until it mean. An edge of a line that the
// panel has not means nothing.
func (p *Panel) Take(e hw.Edge) []Event {
	events := p.Tick(e.At)
	b := p.buttons[e.Line]
	if b == nil {
		return events
	}
	return append(events, b.edge(&p.cfg, e)...)
}

// Tick returns what has happened by a time, in the order of it.
func (p *Panel) Tick(now time.Time) []Event {
	var events []Event
	for _, b := range p.buttons {
		events = append(events, b.tick(&p.cfg, now)...)
	}
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Line, b.Line)) })
	return events
}

// Wake returns when the next Tick is due; zero: none is before the next edge.
func (p *Panel) Wake() time.Time {
	var first time.Time
	for _, b := range p.buttons {
		for _, t := range []time.Time{b.next, b.calm(&p.cfg)} {
			if !t.IsZero() && (first.IsZero() || t.Before(first)) {
				first = t
			}
		}
	}
	return first
}

func (b *button) event(k Kind, at time.Time) Event { return Event{Kind: k, Line: b.line, At: at} }

// edge takes a change of the button's line, or its first level.
func (b *button) edge(cfg *Config, e hw.Edge) []Event {
	first := !b.known
	b.known = true
	if !e.Active {
		return b.up(e.At)
	}
	if b.down && e.Lost == 0 {
		return nil // it is known
	}
	// Held already, and edges were lost: it was released and pressed again.
	var events []Event
	if b.down {
		events = b.up(e.At)
	}
	b.down, b.since = true, e.At
	b.next = e.At.Add(cfg.Stuck)
	if first {
		return nil
	}
	if swallowed, more := b.count(cfg, e.At); swallowed {
		return append(events, more...)
	}
	b.next = e.At.Add(cfg.Long)
	return append(events, b.event(Pressed, e.At))
}

func (b *button) up(at time.Time) []Event {
	stuck := b.stuck
	b.down, b.stuck, b.next = false, false, time.Time{}
	if stuck {
		return []Event{b.event(Freed, at)}
	}
	return nil
}

// count says whether a press belongs to a storm, and that one begins.
func (b *button) count(cfg *Config, at time.Time) (swallowed bool, events []Event) {
	if !b.storm.IsZero() {
		b.storm = at
		b.lost++
		return true, nil
	}
	b.presses = slices.DeleteFunc(b.presses, func(t time.Time) bool { return at.Sub(t) >= cfg.Within })
	if len(b.presses) < cfg.Burst {
		b.presses = append(b.presses, at)
		return false, nil
	}
	b.storm, b.lost, b.presses = at, 1, b.presses[:0]
	return true, []Event{b.event(Storm, at)}
}

// calm returns when a storm is over; zero: there is none, or it is held.
func (b *button) calm(cfg *Config) time.Time {
	if b.storm.IsZero() {
		return time.Time{}
	}
	return b.storm.Add(cfg.Calm)
}

// tick returns what has happened to a button that nobody touched until now.
func (b *button) tick(cfg *Config, now time.Time) []Event {
	var events []Event
	if t := b.calm(cfg); !t.IsZero() && !t.After(now) {
		events = append(events, Event{Kind: Calm, Line: b.line, At: t, Count: b.lost})
		b.storm, b.lost = time.Time{}, 0
	}
	for !b.next.IsZero() && !b.next.After(now) {
		at, stuck := b.next, b.since.Add(cfg.Stuck)
		switch {
		case !at.Before(stuck):
			b.stuck, b.next = true, time.Time{}
			events = append(events, b.event(Stuck, stuck))
			continue
		case at.Equal(b.since.Add(cfg.Long)):
			events = append(events, b.event(LongPressed, at))
		default:
			events = append(events, b.event(Repeated, at))
		}
		if b.next = at.Add(cfg.Repeat); b.next.After(stuck) {
			b.next = stuck
		}
	}
	return events
}
