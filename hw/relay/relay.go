// Package relay guards the locks of a door station. Each line is taken at its safe level,
// is open for as long as an opening lasts, and never for longer than a hard maximum, counted
// from the first moment, whatever anybody asks for meanwhile. With the locks go what is wired
// beside them: buttons by which one leaves, contacts that tell whether a door is closed, and a
// contact that tells that somebody opens the case. When its context ends, when one of its
// goroutines panics and when a write fails, the guard drives the lines safe, again and again
// until that succeeds.
//
// It does not decide who may open: that is door's. It is not a defence against the death
// of its own process either: a released line has no guaranteed level, so where
// it is real another process has it, with hw/guard. All its goroutines live inside Run: one
// owns the lines and the state of all locks, so that two of them cannot open in the same
// moment; the others read the inputs, keep the file and tell, so that nothing slow is ever
// done on the one that owns.
package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"intercom/hw"
	"intercom/internal/failsafe"
)

// Defaults of a Lock and of a Tamper.
const (
	DefaultOnTime = 3 * time.Second
	DefaultMax    = 10 * time.Second
	DefaultPause  = 2 * time.Second
	DefaultBlock  = 10 * time.Minute
)

// Errors that Open and Shut wrap; any other one is that of the line.
var (
	ErrTooSoon   = errors.New("was opened a moment ago")
	ErrInterlock = errors.New("another door comes first")
	ErrTampered  = errors.New("somebody has opened the case")
	ErrUnknown   = errors.New("there is no such lock")
	ErrEnded     = errors.New("its guard has ended")

	errBusy  = errors.New("is being opened")
	errBlind = errors.New("nobody knows whether the case is closed: its line cannot be read")
)

// Config says which locks there are.
type Config struct {
	Lines  hw.Lines
	Locks  []Lock  // at least one
	Tamper *Tamper // nil: nothing watches the case

	// Report is told what is wrong with a part, and nil when it is well again. The part is a
	// lock's name, or InputsPart or TamperPart. It is called from one goroutine, which is not
	// the one that guards.
	Report func(part string, err error)
	Logger *slog.Logger // nil discards
}

// The parts that Config.Report names beside the locks.
const (
	InputsPart = "lock inputs" // the lines of exits, contacts and tamper
	TamperPart = "tamper"      // the file that outlives the process
)

// Lock is one lock, and what is wired beside it.
type Lock struct {
	Line hw.Line // its name is the lock's

	// Safe is the state of the line in which the door is shut: false (not energised) for
	// a strike that opens under power, true for a magnet that holds under power.
	Safe bool

	OnTime time.Duration // one opening, unless asked otherwise; 0 means DefaultOnTime
	Max    time.Duration // no opening lasts longer; 0 means DefaultMax; never below OnTime
	Pause  time.Duration // between the end of an opening and the next; 0 means DefaultPause
	Hold   bool          // an opening lasts until Shut, or Max, unless asked otherwise

	// Interlock names locks that are never open together with this one; it counts for both.
	// While one of them is open, is not known to be safe, or has a contact that does not
	// tell that its door is closed, this one does not open. When their door is opened by
	// other means, an opening of this one ends.
	Interlock []string

	Exit *hw.Line // button inside: a press opens for OnTime; nil: there is none

	Contact  *hw.Line      // active: the door is closed; nil: there is none
	HeldOpen time.Duration // after this a door that is not closed is an alarm; 0: never
	Forced   bool          // a door that opens without its lock is an alarm; not where people leave by a handle
	Relock   bool          // the opening ends when the door has been opened and closed again
}

// Tamper is a contact of the station's case. When it becomes active all locks are shut and
// none opens, from then on and for Block after it is active no more. The time for which the
// station is off does not count, whatever its clock says.
type Tamper struct {
	Line  hw.Line       // active: somebody opens the case
	Block time.Duration // 0 means DefaultBlock
	File  string        // outlives the process; a damaged one counts as a block that has just begun
}

// Event is something that happened to a lock.
type Event struct {
	At     time.Time
	Kind   Kind
	Lock   string // empty for the case
	Exit   bool   // Opened: by the button inside
	Reason string // why an Exit opens nothing, or what is to be known of a Tampered

	// Lost is how many events before this one were forgotten, because nobody read them in
	// time. Then Now is what the guard knew just after this one: it stands for all of them.
	Lost int
	Now  *State
}

// Kind is what happened.
type Kind uint8

// The kinds of events.
const (
	Opened     Kind = iota + 1 // the line was driven open
	Safe                       // and is safe again
	DoorOpened                 // says the contact
	DoorClosed                 // likewise
	Forced                     // follows a DoorOpened: the lock was safe
	HeldOpen                   // the door is open for longer than it should be; DoorClosed ends it
	Tampered                   // the case is opened: nothing opens, and a restart changes nothing
	TamperOver                 // locks open again
	Exit                       // the button inside was pressed; an Opened follows, or Reason says why not
)

var kindNames = [...]string{
	Opened: "opened", Safe: "safe", DoorOpened: "door opened", DoorClosed: "door closed", Forced: "forced",
	HeldOpen: "held open", Tampered: "tampered", TamperOver: "tamper over", Exit: "exit",
}

// String returns the kind in words.
func (k Kind) String() string { return kindNames[k] }

// State is what the guard knows.
type State struct {
	Locks   []LockState // in the order of Config.Locks
	Case    bool        // is open: nothing opens
	Blocked time.Time   // nothing opens until then, or longer; zero: nothing blocks
}

// LockState is what the guard knows of a lock.
type LockState struct {
	Name  string
	Open  bool      // or may be: a write failed while it was
	Since time.Time // of Open; zero before the line was taken
	Fault string    // why the line is not in order; "": it is
	Door  Door
}

// Door is what a contact says of its door.
type Door uint8

// What a contact says.
const (
	Unknown Door = iota // there is none, or it cannot be read
	Closed
	Ajar // not closed
)

// Guard guards the locks of a station.
type Guard struct {
	cfg    Config
	rules  rules
	asks   chan ask
	events chan Event
	state  atomic.Pointer[State]
	began  atomic.Bool
	ended  chan struct{}
	panics *failsafe.Panics
	store  func(path string, left time.Duration) error // storeBlock, but in a test
}

// ask is a call of Open or Shut on its way to the loop.
type ask struct {
	ctx    context.Context
	what   input
	answer chan error // holds one
}

// New checks the configuration. It touches no line and no file.
func New(c Config) (*Guard, error) {
	if c.Report == nil {
		c.Report = func(string, error) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Locks = slices.Clone(c.Locks)
	if c.Tamper != nil {
		t := *c.Tamper
		c.Tamper = &t
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	g := &Guard{
		cfg: c, rules: c.rules(), asks: make(chan ask), events: make(chan Event, 64),
		ended: make(chan struct{}), store: storeBlock,
	}
	g.panics = failsafe.NewPanics(g.ended)
	g.state.Store(g.rules.begin().show(g.cfg.Locks))
	return g, nil
}

// Open opens a lock for a time, at most its Max; zero means its OnTime, or its Max if it is
// one to hold. If it is open already it stays open for that time from now on, but never
// longer than Max since it was opened. A nil error says that the line was driven. One that
// wraps ErrTooSoon says that it was open a moment ago, or for all of Max. Before Run it waits
// for Run.
func (g *Guard) Open(ctx context.Context, lock string, length time.Duration) error {
	if length < 0 {
		return fmt.Errorf("lock %q: an opening of %v", lock, length)
	}
	return g.ask(ctx, lock, func(i int) input { return asked{lock: i, length: length} })
}

// Shut ends an opening; a nil error says that the line was driven safe. It is no error if
// there is none.
func (g *Guard) Shut(ctx context.Context, lock string) error {
	return g.ask(ctx, lock, func(i int) input { return shut{lock: i} })
}

func (g *Guard) ask(ctx context.Context, lock string, what func(int) input) error {
	i := slices.IndexFunc(g.cfg.Locks, func(l Lock) bool { return l.Line.Name == lock })
	if i < 0 {
		return fmt.Errorf("lock %q: %w", lock, ErrUnknown)
	}
	a := ask{ctx: ctx, what: what(i), answer: make(chan error, 1)}
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
		return fmt.Errorf("lock %q: %w", lock, err)
	}
	return nil
}

// State returns what the guard knows now.
func (g *Guard) State() State { return *g.state.Load() }

// Events returns what happens, in order. Who does not read loses the oldest but 64, and is
// told so by a later one. The channel is closed when Run has ended.
func (g *Guard) Events() <-chan Event { return g.events }

// Run takes the lines and guards them until ctx ends; then it drives the locks safe and gives
// them back. A line that cannot be had is reported and tried again. The error says which
// could not be driven safe at the end. A guard runs once.
func (g *Guard) Run(ctx context.Context) error {
	if g.began.Swap(true) {
		return errors.New("relay: the guard of the locks ran before")
	}
	ctx, cancel := context.WithCancel(ctx)
	l := newLoop(g)
	var readers, tellers sync.WaitGroup
	tellers.Go(g.panics.Wrap(func() { g.tell(l.notices) }))
	defer tellers.Wait()
	defer close(l.notices)
	defer close(g.events)
	defer readers.Wait()
	defer cancel()
	defer close(g.ended)
	if g.cfg.Tamper != nil {
		readers.Go(g.panics.Wrap(func() { l.keep(ctx) }))
	}
	if len(l.lines) > 0 {
		readers.Go(g.panics.Wrap(func() { l.read(ctx) }))
	}
	return l.guard(ctx)
}

// notice is something to be logged, and reported if it is about a part.
type notice struct {
	event Event
	part  string // "": it is an event
	fault string
}

// tell logs and reports beside the loop: a full disk must not hold a door open.
func (g *Guard) tell(notices <-chan notice) {
	log := g.cfg.Logger
	for n := range notices {
		switch {
		case n.part == "" && n.event.Reason != "":
			log.Info("lock: "+n.event.Kind.String(), "lock", n.event.Lock, "reason", n.event.Reason)
		case n.part == "":
			log.Info("lock: "+n.event.Kind.String(), "lock", n.event.Lock)
		case n.fault == "":
			log.Info("lock: in order", "part", n.part)
			g.cfg.Report(n.part, nil)
		default:
			log.Error("lock: not in order", "part", n.part, "cause", n.fault)
			g.cfg.Report(n.part, errors.New(n.fault))
		}
	}
}

// offerEvent puts an event into its queue. If that is full the oldest is forgotten, and this
// one has state to make up for it: whatever is forgotten later, the last one that was put in
// place of another tells how things are.
func (g *Guard) offerEvent(e Event, state *State) {
	for {
		select {
		case g.events <- e:
			return
		default:
		}
		select {
		case old := <-g.events:
			e.Lost, e.Now = e.Lost+old.Lost+1, state
		default:
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
