// Package relay guards the one line that opens a door. The line is taken at its safe
// level, is open for as long as an opening lasts, and never for longer than a hard
// maximum, counted from the first moment, whatever anybody asks for meanwhile. When its
// context ends, when it panics and when a write fails, the guard drives the line safe,
// again and again until that succeeds.
//
// It does not decide who may open: that is door's. It is not a defence against the death
// of its own process either: a released line has no guaranteed level, so where
// it is real another process has it, with hw/guard. All its goroutines live inside Run;
// one owns the line, and nothing slow (a log, a report) is ever done on it.
package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"intercom/hw"
)

// Defaults of a Config.
const (
	DefaultOnTime = 3 * time.Second
	DefaultMax    = 10 * time.Second
	DefaultPause  = 2 * time.Second
)

// Errors that Open wraps; any other one is that of the line.
var (
	ErrTooSoon = errors.New("was opened a moment ago")
	ErrEnded   = errors.New("its guard has ended")

	errBusy = errors.New("is being opened")
)

// Config says which line opens the door, and for how long.
type Config struct {
	Lines hw.Lines
	Line  hw.Line

	// Safe is the state of the line in which the door is shut: false (not energised) for
	// a strike that opens under power, true for a magnet that holds under power.
	Safe bool

	OnTime time.Duration // one opening, unless asked otherwise; 0 means DefaultOnTime
	Max    time.Duration // no opening lasts longer; 0 means DefaultMax; never below OnTime
	Pause  time.Duration // between the end of an opening and the next; 0 means DefaultPause

	// Report is told what is wrong with the line, and nil when it is well again. It is
	// called from one goroutine, which is not the one that guards the line.
	Report func(error)
	Logger *slog.Logger // nil discards
}

// Event is a change of the lock.
type Event struct {
	At   time.Time
	Open bool // opened; else it is safe again
}

// State is what the guard knows of the lock.
type State struct {
	Open  bool      // or may be: a write failed while it was
	Since time.Time // of Open; zero before the line was taken
	Fault string    // why the line is not in order; "": it is
}

// Guard guards one line.
type Guard struct {
	cfg    Config
	limits limits
	asks   chan ask
	events chan Event
	state  atomic.Pointer[State]
	began  atomic.Bool
	ended  chan struct{}
}

// ask is a call of Open on its way to the loop.
type ask struct {
	ctx    context.Context
	length time.Duration
	answer chan error // holds one
}

// New checks the configuration. It touches no line.
func New(c Config) (*Guard, error) {
	orDefault := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	orDefault(&c.OnTime, DefaultOnTime)
	orDefault(&c.Max, max(DefaultMax, c.OnTime))
	orDefault(&c.Pause, DefaultPause)
	switch {
	case c.Lines == nil:
		return nil, errors.New("relay: no lines")
	case c.Line.Name == "":
		return nil, errors.New("relay: the line has no name")
	case c.OnTime < 0 || c.Pause < 0 || c.Max < 0:
		return nil, fmt.Errorf("relay: lock %q: a time is negative", c.Line.Name)
	case c.OnTime > c.Max:
		return nil, fmt.Errorf("relay: lock %q: one opening lasts %v, longer than the longest, %v", c.Line.Name, c.OnTime, c.Max)
	}
	if c.Report == nil {
		c.Report = func(error) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Guard{
		cfg:    c,
		limits: limits{onTime: c.OnTime, most: c.Max, pause: c.Pause},
		asks:   make(chan ask),
		events: make(chan Event, 64),
		ended:  make(chan struct{}),
	}
	g.state.Store(&State{})
	return g, nil
}

// Open opens the lock for a time, at most Max; zero means OnTime. If it is open already
// it stays open for that time from now on, but never longer than Max since it was opened.
// A nil error says that the line was driven. One that wraps ErrTooSoon says that it was
// open a moment ago, or for all of Max. Before Run it waits for Run.
func (g *Guard) Open(ctx context.Context, length time.Duration) error {
	if length < 0 {
		return fmt.Errorf("lock %q: an opening of %v", g.cfg.Line.Name, length)
	}
	a := ask{ctx: ctx, length: length, answer: make(chan error, 1)}
	var err error
	select {
	case g.asks <- a:
		select {
		case err = <-a.answer:
		case <-g.ended:
			if err = ErrEnded; len(a.answer) > 0 {
				err = <-a.answer
			}
		}
	case <-ctx.Done():
		err = ctx.Err()
	case <-g.ended:
		err = ErrEnded
	}
	if err != nil {
		return fmt.Errorf("lock %q: %w", g.cfg.Line.Name, err)
	}
	return nil
}

// State returns what the guard knows now.
func (g *Guard) State() State { return *g.state.Load() }

// Events returns each opening and each return to safety, in order. Who does not read
// loses the oldest but 64. The channel is closed when Run has ended.
func (g *Guard) Events() <-chan Event { return g.events }

// Run takes the line and guards it until ctx ends; then it drives the line safe and gives
// it back. A line that cannot be had is reported and tried again. The error says that the
// line could not be driven safe at the end. A guard runs once.
func (g *Guard) Run(ctx context.Context) error {
	if g.began.Swap(true) {
		return fmt.Errorf("lock %q: its guard ran before", g.cfg.Line.Name)
	}
	l := &loop{Guard: g, notices: make(chan notice, 16)}
	var notifier sync.WaitGroup
	notifier.Go(func() { g.tell(l.notices) })
	defer notifier.Wait()
	defer close(l.notices)
	defer close(g.events)
	defer close(g.ended)
	return l.guard(ctx)
}

// notice is something to be logged, and reported if it is about the line.
type notice struct {
	event  Event
	fault  string
	report bool
}

// tell logs and reports beside the loop: a full disk must not hold a door open.
func (g *Guard) tell(notices <-chan notice) {
	log := g.cfg.Logger.With("lock", g.cfg.Line.Name)
	for n := range notices {
		switch {
		case !n.report && n.event.Open:
			log.Info("lock opened")
		case !n.report:
			log.Info("lock safe")
		case n.fault == "":
			log.Info("lock line in order")
			g.cfg.Report(nil)
		default:
			log.Error("lock line not in order", "cause", n.fault)
			g.cfg.Report(fmt.Errorf("lock %q: %s", g.cfg.Line.Name, n.fault))
		}
	}
}

// offer puts v into a bounded queue in place of the oldest if it is full. The caller is
// its only writer.
func offer[T any](queue chan T, v T) {
	for {
		select {
		case queue <- v:
			return
		default:
		}
		select {
		case <-queue:
		default:
		}
	}
}
