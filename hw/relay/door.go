package relay

import "time"

// grace is how long after an opening somebody may still pull the door: latches are slow.
const grace = 2 * time.Second

// door is what a contact, and the button inside, have told.
type door struct {
	heard bool      // it has told something
	known bool      // it can be read
	open  bool      // what it told last
	since time.Time // of open
	alarm bool      // held open for too long: said so
	used  bool      // it was opened in this opening of the lock

	pressed time.Time // the button
}

func (d *door) closed() bool { return d.known && !d.open }

// contact takes the level of a contact, which may be the one that is known already.
func (n *step) contact(i int, closed bool) {
	l, r := &n.locks[i], &n.rules.locks[i]
	first, was := !l.door.heard, l.door.open
	l.door.heard, l.door.known, l.door.open = true, true, !closed
	if l.door.open == was {
		return
	}
	l.door.since, l.door.alarm = n.now, false
	if closed {
		n.do(notify{kind: DoorClosed, lock: i})
		if r.relock && l.door.used {
			n.end(i)
		}
		return
	}
	n.do(notify{kind: DoorOpened, lock: i})
	switch {
	case l.phase == open || l.phase == opening:
		l.door.used = true
	case r.forced && !first && !(l.phase == safe && !l.ready.IsZero() && n.now.Before(l.since.Add(grace))):
		n.do(notify{kind: Forced, lock: i})
	}
	for _, j := range r.others {
		n.end(j)
	}
}

// heldDue is when an open door is one that is held open; zero: it is none, or said so. The
// time counts from the end of the lock's opening.
func (n *step) heldDue(i int) time.Time {
	l, r := &n.locks[i], &n.rules.locks[i]
	if r.held == 0 || !l.door.open || !l.door.known || l.door.alarm || l.phase == open || l.phase == opening {
		return time.Time{}
	}
	from := l.door.since
	if l.phase == safe && l.since.After(from) {
		from = l.since
	}
	return from.Add(r.held)
}

func (n *step) wakeDoor(i int) {
	if due := n.heldDue(i); !due.IsZero() && !n.now.Before(due) {
		n.locks[i].door.alarm = true
		n.do(notify{kind: HeldOpen, lock: i})
	}
}
