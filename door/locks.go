package door

import (
	"fmt"
	"slices"
	"time"

	"intercom/door/access"
)

// lock returns what is known of a lock; nil if there is no such one.
func (n *step) lock(name string) *lock {
	if i := slices.IndexFunc(n.cfg.Locks, func(l Lock) bool { return l.Name == name }); i >= 0 {
		return &n.locks[i]
	}
	return nil
}

func (n *step) pause(l *lock) time.Duration {
	for i := range n.cfg.Locks {
		if l == &n.locks[i] {
			return n.cfg.Locks[i].Pause
		}
	}
	return 0
}

// lockChanged takes what the guard of a lock says. What opened without being asked to was
// opened from inside.
func (n *step) lockChanged(in LockChanged) {
	l := n.lock(in.Lock)
	if l == nil || in.Open == l.open {
		return
	}
	l.open, l.by = in.Open, 0
	if !in.Open {
		n.note(Note{Type: NoteLocked, Name: in.Lock, Text: fmt.Sprintf("lock %q is closed again", in.Lock)})
		return
	}
	by := l.opening
	if in.Exit || by == (request{}) {
		n.note(Note{Type: NoteOpened, Name: in.Lock, Reason: ReasonExit, Text: fmt.Sprintf("lock %q was opened from inside", in.Lock)})
	}
	if by == (request{}) {
		return
	}
	l.opening, l.by = request{}, by.user // also if somebody inside was quicker: there is no other answer
	n.note(Note{Type: NoteOpened, Call: by.call, User: by.user, Name: in.Lock, Reason: string(by.way), Text: fmt.Sprintf("lock %q was opened by %s", in.Lock, n.name(by.user)) + by.how()})
	n.play(CueOpened)
	n.answer(by, map[string]string{"event": "opened", "lock": in.Lock})
	if n.Phase == Talking && !n.ending && by.call == n.Call {
		n.after(timerLeave, n.cfg.AfterOpening)
	}
}

// lockIs makes up for word of a lock that was lost. Who asked for an opening before had it,
// whole, if the lock is shut now: it had not failed.
func (n *step) lockIs(in LockIs) {
	l := n.lock(in.Lock)
	if l == nil {
		return
	}
	if l.opening != (request{}) && !in.At.Before(l.last) {
		n.lockChanged(LockChanged{Lock: in.Lock, Open: true})
	}
	n.lockChanged(LockChanged{Lock: in.Lock, Open: in.Open})
}

func (n *step) lockFailed(in LockFailed) {
	l := n.lock(in.Lock)
	if l == nil || l.opening == (request{}) {
		return
	}
	by := l.opening
	l.opening = request{}
	if by.way == access.WayPIN {
		n.play(CueRefused)
	}
	n.refuse(by, in.Lock, in.Reason, fmt.Sprintf("lock %q did not open for %s: %s", in.Lock, n.name(by.user), in.Reason))
}

// contactRest is how long the same alarm of a door is one: a contact that is loose, or made to
// flap, shall not ring phones all night.
const contactRest = time.Minute

// rests tells whether an alarm was told a moment ago; if not, it is told now.
func (n *step) rests(told *time.Time) bool {
	if !told.IsZero() && n.now.Sub(*told) < contactRest {
		return true
	}
	*told = n.now
	return false
}

// contact notes what nobody may do to a door, and that it is over.
func (n *step) contact(in Contact) {
	l := n.lock(in.Lock)
	if l == nil {
		return
	}
	switch in.State {
	case ContactForced:
		if n.rests(&l.forced) {
			return
		}
		l.alarm = true
		n.note(Note{Type: NoteForced, Name: in.Lock, Text: fmt.Sprintf("door %q was opened and its lock was not", in.Lock)})
		n.warn(request{}, in.Lock, ReasonForced)
	case ContactHeld:
		if n.rests(&l.held) {
			return
		}
		l.alarm = true
		n.note(Note{Type: NoteHeldOpen, Name: in.Lock, Text: fmt.Sprintf("door %q stands open for too long", in.Lock)})
		n.warn(request{}, in.Lock, ReasonHeldOpen)
	case ContactClosed:
		if l.alarm {
			l.alarm = false
			n.note(Note{Type: NoteShut, Name: in.Lock, Text: fmt.Sprintf("door %q is shut", in.Lock)})
		}
	}
}

func (n *step) tamper(in Tamper) {
	if in.Blocked == n.blocked {
		return
	}
	if n.blocked = in.Blocked; n.blocked {
		n.warn(request{}, "", ReasonTampered)
	}
	switch {
	case !in.Blocked:
		n.note(Note{Type: NoteTamperOver, Text: "the locks can be opened again"})
	case in.Until.IsZero():
		n.note(Note{Type: NoteTampered, Text: "somebody tampers with the station: no lock opens"})
	default:
		n.note(Note{Type: NoteTampered, Text: "somebody tampers with the station: no lock opens before " + in.Until.UTC().Format(time.RFC3339)})
	}
}
