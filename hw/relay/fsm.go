package relay

import (
	"slices"
	"time"
)

// state is what the guard knows of all its locks. It begins as rules.begin says.
type state struct {
	locks  []lock // in the order of the rules
	box    box
	inputs string // why they cannot be read
}

// What happens to a guard.
type (
	input interface{ input() }
	asked struct { // somebody wants a lock open
		lock   int
		length time.Duration // 0: the usual time
	}
	shut   struct{ lock int } // somebody wants it safe
	exited struct{ lock int } // the button inside was pressed
	wrote  struct {           // the last drive of a lock, as it ended
		lock int
		err  error
	}
	contact struct { // the level of a contact
		lock   int
		closed bool
	}
	cased    struct{ open bool } // the level of the case's contact
	restored struct {            // what the file says at the beginning
		left time.Duration
		err  error
	}
	saved struct{ err error } // the last save, as it ended
	blind struct{ err error } // the inputs cannot be read; nil: they can again
	wake  struct{}            // the time that next asked for, or another
)

func (asked) input()    {}
func (shut) input()     {}
func (exited) input()   {}
func (wrote) input()    {}
func (contact) input()  {}
func (cased) input()    {}
func (restored) input() {}
func (saved) input()    {}
func (blind) input()    {}
func (wake) input()     {}

// What a guard does about it.
type (
	effect interface{ effect() }
	drive  struct { // write the level, before all else; a wrote follows
		lock int
		open bool
	}
	grant  struct{}            // whoever asked is told that it was done
	refuse struct{ err error } // or why not
	notify struct {            // the world is told
		kind   Kind
		lock   int // everywhere: the case
		exit   bool
		reason string
	}
	report struct { // what is wrong with a part; "": nothing
		part string
		err  string
	}
	save struct{ left time.Duration } // write the file; a saved follows
)

func (drive) effect()  {}
func (grant) effect()  {}
func (refuse) effect() {}
func (notify) effect() {}
func (report) effect() {}
func (save) effect()   {}

// everywhere is the number of no lock.
const everywhere = -1

// begin is the state before anything is known.
func (r *rules) begin() state { return state{locks: make([]lock, len(r.locks))} }

// next is the whole guard. The time is when wake is due; zero if never.
func (s state) next(r *rules, now time.Time, in input) (state, []effect, time.Time) {
	s.locks = slices.Clone(s.locks)
	n := &step{state: s, rules: r, now: now}
	switch in := in.(type) {
	case asked:
		n.asked(in.lock, in.length)
	case shut:
		n.shut(in.lock)
	case exited:
		n.exited(in.lock)
	case wrote:
		n.wrote(in.lock, in.err)
	case contact:
		n.contact(in.lock, in.closed)
	case cased:
		n.cased(in.open)
	case restored:
		n.restored(in)
	case saved:
		n.saved(in.err)
	case blind:
		n.blind(in.err)
	case wake:
		for i := range n.locks {
			n.wakeLock(i)
			n.wakeDoor(i)
		}
		n.wakeBox()
	}
	return n.state, n.effects, n.due()
}

// step is one call of next.
type step struct {
	state
	rules   *rules
	now     time.Time
	effects []effect
}

func (n *step) do(e effect) { n.effects = append(n.effects, e) }

// blind takes whether the inputs can be read. What they told is history if not.
func (n *step) blind(err error) {
	text := ""
	if err != nil {
		text = err.Error()
		for i := range n.locks {
			n.locks[i].door.known = false
		}
		n.box.known = false
	}
	if text != n.inputs {
		n.inputs = text
		n.do(report{part: InputsPart, err: text})
	}
}

// due is the earliest time at which something is to be done.
func (n *step) due() (first time.Time) {
	sooner := func(t time.Time) {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for i := range n.locks {
		switch l := &n.locks[i]; l.phase {
		case open:
			sooner(l.until)
		case unsure:
			sooner(l.again)
		}
		sooner(n.heldDue(i))
	}
	for _, t := range n.box.due() {
		sooner(t)
	}
	return first
}

// show is the state for those who look.
func (s state) show(locks []Lock) *State {
	out := &State{Case: s.box.open, Blocked: s.box.until}
	for i, l := range s.locks {
		st := LockState{Name: locks[i].Line.Name, Open: l.maybeOpen(), Since: l.since, Fault: l.cause}
		switch {
		case l.door.known && l.door.open:
			st.Door = Ajar
		case l.door.known:
			st.Door = Closed
		}
		out.Locks = append(out.Locks, st)
	}
	return out
}
