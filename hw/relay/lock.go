package relay

import (
	"fmt"
	"time"
)

// phase is what the guard knows about a line.
type phase uint8

const (
	unsure  phase = iota // not known to be safe: not taken yet, or a write failed
	safe                 // at its safe level
	opening              // being opened: the write has not ended
	open                 // open until a time
)

var phaseNames = [...]string{unsure: "unsure", safe: "safe", opening: "opening", open: "open"}

func (p phase) String() string { return phaseNames[p] }

// retry is how long after a failed write the line is driven safe again. The door may be
// open meanwhile.
const retry = 200 * time.Millisecond

// lock is the state of one lock; its zero value is that before the line is taken.
type lock struct {
	phase  phase
	since  time.Time // of being open, or being safe
	opened time.Time // the first moment of the opening; zero: there is none
	until  time.Time // open until then, never beyond opened+most
	ready  time.Time // no opening before
	again  time.Time // when it is unsure: drive it safe again then
	cause  string    // and why
	exit   bool      // opened by the button inside
	ending bool      // somebody waits for the end of the opening
	door   door
}

// maybeOpen: open, or it was when a write failed.
func (l *lock) maybeOpen() bool { return !l.opened.IsZero() && l.phase != opening }

func (l *lock) wrong() error { return fmt.Errorf("the line is not in order: %s", l.cause) }

// refusal is why a lock does not open for reasons outside itself; nil: none.
func (n *step) refusal(i int) error {
	if n.rules.block > 0 {
		switch {
		case n.box.blocks():
			return fmt.Errorf("%w; again in %v", ErrTampered, n.box.left(n.now, n.rules.block).Round(time.Second))
		case !n.box.known:
			return errBlind
		}
	}
	for _, j := range n.rules.locks[i].others {
		other, name := &n.locks[j], n.rules.locks[j].name
		switch {
		case other.phase == unsure:
			return fmt.Errorf("%w: lock %q is not known to be safe", ErrInterlock, name)
		case other.phase != safe:
			return fmt.Errorf("%w: lock %q is open", ErrInterlock, name)
		case n.rules.locks[j].contact && !other.door.closed():
			return fmt.Errorf("%w: the door of lock %q is not known to be closed", ErrInterlock, name)
		}
	}
	return nil
}

// try opens a lock, or says why not. If that takes no write, done is true.
func (n *step) try(i int, length time.Duration, exit bool) (done bool, err error) {
	if err := n.refusal(i); err != nil {
		return true, err
	}
	l, r := &n.locks[i], &n.rules.locks[i]
	length = min(length, r.most)
	last := l.opened.Add(r.most)
	switch {
	case l.phase == unsure:
		return true, l.wrong()
	case l.phase == opening:
		return true, errBusy
	case l.phase == safe && n.now.Before(l.ready):
		return true, fmt.Errorf("%w; again in %v", ErrTooSoon, l.ready.Sub(n.now).Round(100*time.Millisecond))
	case l.phase == open && !n.now.Before(last):
		return true, fmt.Errorf("%w; it has been open for %v", ErrTooSoon, r.most)
	case l.phase == open:
		// A longer opening, but the first moment counts.
		end := n.now.Add(length)
		if end.After(last) {
			end = last
		}
		if end.After(l.until) {
			l.until = end
		}
		return true, nil
	}
	l.phase, l.opened, l.until, l.exit, l.door.used = opening, n.now, n.now.Add(length), exit, false
	n.do(drive{lock: i, open: true})
	return false, nil
}

func (n *step) asked(i int, length time.Duration) {
	if r := &n.rules.locks[i]; length <= 0 {
		if length = r.onTime; r.hold {
			length = r.most
		}
	}
	done, err := n.try(i, length, false)
	switch {
	case err != nil:
		n.do(refuse{err})
	case done:
		n.do(grant{})
	}
}

// exitRest is how long presses of a button inside are one: its contacts bounce, or are
// made to.
const exitRest = 500 * time.Millisecond

// exited is a press of the button inside. It is a convenience: leaving does not depend on
// it, and its wires end in the case, so that what blocks others blocks it, too.
func (n *step) exited(i int) {
	d := &n.locks[i].door
	if n.now.Before(d.pressed.Add(exitRest)) {
		return
	}
	d.pressed = n.now
	e := notify{kind: Exit, lock: i}
	if _, err := n.try(i, n.rules.locks[i].onTime, true); err != nil {
		e.reason = err.Error()
	}
	n.do(e)
}

// shut ends an opening at somebody's wish.
func (n *step) shut(i int) {
	switch l := &n.locks[i]; l.phase {
	case open:
		l.ending = true
		n.end(i)
	case unsure:
		n.do(refuse{l.wrong()})
	case safe:
		n.do(grant{})
	case opening:
		n.do(refuse{errBusy})
	}
}

// end has an opening end now.
func (n *step) end(i int) {
	if l := &n.locks[i]; l.phase == open {
		l.until = n.now
		n.do(drive{lock: i})
	}
}

func (n *step) wakeLock(i int) {
	l := &n.locks[i]
	if l.phase == unsure && !n.now.Before(l.again) || l.phase == open && !n.now.Before(l.until) {
		n.do(drive{lock: i})
	}
}

func (n *step) wrote(i int, err error) {
	l := &n.locks[i]
	switch l.phase {
	case opening:
		n.wroteOpen(i, err)
	case open, unsure:
		n.wroteSafe(i, err)
	case safe:
		// A late word.
	}
}

func (n *step) wroteOpen(i int, err error) {
	l := &n.locks[i]
	if err != nil {
		// Nobody knows what a failed write did.
		l.phase, l.since, l.cause, l.again = unsure, n.now, err.Error(), n.now
		n.do(drive{lock: i})
		if !l.exit {
			n.do(refuse{err})
		}
		n.do(report{part: n.rules.locks[i].name, err: l.cause})
		return
	}
	l.phase, l.since = open, n.now
	n.do(notify{kind: Opened, lock: i, exit: l.exit})
	if !l.exit {
		n.do(grant{})
	}
	if n.refusal(i) != nil { // it was decided a moment ago
		n.end(i)
	}
}

func (n *step) wroteSafe(i int, err error) {
	l := &n.locks[i]
	if l.ending {
		l.ending = false
		if err == nil {
			n.do(grant{})
		} else {
			n.do(refuse{err})
		}
	}
	if err != nil {
		known := l.phase == unsure && l.cause == err.Error()
		l.phase, l.cause, l.again = unsure, err.Error(), n.now.Add(retry)
		if !known {
			n.do(report{part: n.rules.locks[i].name, err: l.cause})
		}
		return
	}
	if l.phase == unsure {
		n.do(report{part: n.rules.locks[i].name})
	}
	opened := !l.opened.IsZero()
	*l = lock{phase: safe, since: n.now, door: l.door}
	if opened {
		l.ready = n.now.Add(n.rules.locks[i].pause)
		n.do(notify{kind: Safe, lock: i})
	}
}
