package station

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"intercom/door"
	"intercom/hw"
	"intercom/hw/relay"
	"intercom/internal/control"
)

// reportLock takes from the guard of the locks what is wrong with a part.
func (s *Station) reportLock(part string, err error) {
	if slices.ContainsFunc(s.cfg.Locks.Locks, func(l relay.Lock) bool { return l.Line.Name == part }) {
		part = "lock " + part
	}
	s.health.Report(part, err)
}

// locks are the locks for the status.
func (s *Station) locks() []control.Lock {
	var all []control.Lock
	for _, l := range s.guard.State().Locks {
		all = append(all, control.Lock{Name: l.Name, Open: l.Open, Door: doorWords[l.Door]})
	}
	return all
}

// besideLock tells whether a line is that of an exit, of a contact or of the case.
func (s *Station) besideLock(name string) bool {
	is := func(l *hw.Line) bool { return l != nil && l.Name == name }
	t := s.cfg.Locks.Tamper
	return t != nil && is(&t.Line) || slices.ContainsFunc(s.cfg.Locks.Locks, func(l relay.Lock) bool { return is(l.Exit) || is(l.Contact) })
}

var doorWords = map[relay.Door]string{relay.Closed: "closed", relay.Ajar: "open"}

// lockEvent translates what the guard of the locks reports.
func (l *loop) lockEvent(ctx context.Context, e relay.Event) {
	switch e.Kind {
	case relay.Opened:
		l.take(ctx, door.LockChanged{Lock: e.Lock, Open: true, Exit: e.Exit})
	case relay.Safe:
		l.take(ctx, door.LockChanged{Lock: e.Lock})
	case relay.DoorOpened:
		l.tell(control.Event{Type: control.DoorOpened, Name: e.Lock, Text: fmt.Sprintf("door %q was opened", e.Lock)})
		l.take(ctx, door.Contact{Lock: e.Lock, State: door.ContactOpen})
	case relay.DoorClosed:
		l.tell(control.Event{Type: control.DoorClosed, Name: e.Lock, Text: fmt.Sprintf("door %q was closed", e.Lock)})
		l.take(ctx, door.Contact{Lock: e.Lock, State: door.ContactClosed})
	case relay.Forced:
		l.take(ctx, door.Contact{Lock: e.Lock, State: door.ContactForced})
	case relay.HeldOpen:
		l.take(ctx, door.Contact{Lock: e.Lock, State: door.ContactHeld})
	case relay.Exit:
		if e.Reason != "" && l.rations.take(control.Event{Time: e.At, Type: exitRefused, Name: e.Lock}) {
			l.tell(control.Event{Type: control.Refused, Name: e.Lock, Reason: e.Reason, Text: fmt.Sprintf("the button inside does not open lock %q: %s", e.Lock, e.Reason)})
		}
	case relay.Tampered:
		l.tampered(ctx, l.guard.State(), e.Reason)
	case relay.TamperOver:
		l.tamperOver(ctx)
	}
	if e.Lost > 0 {
		l.locksAre(ctx, e)
	}
}

// locksAre makes up for events that were lost: a contact that bounces can tell more than is
// read. The guard knows how everything is, and nothing is opened by saying so.
func (l *loop) locksAre(ctx context.Context, e relay.Event) {
	l.log.Warn("the locks told more than could be read", "lost", e.Lost)
	for _, s := range e.Now.Locks {
		l.take(ctx, door.LockIs{Lock: s.Name, Open: s.Open, At: e.At})
		if s.Door == relay.Closed {
			l.take(ctx, door.Contact{Lock: s.Name, State: door.ContactClosed})
		}
	}
	switch blocked := e.Now.Case || !e.Now.Blocked.IsZero(); {
	case blocked && !l.state.Blocked():
		l.tampered(ctx, *e.Now, "")
	case !blocked && l.state.Blocked():
		l.tamperOver(ctx)
	}
}

// exitRefused is what presses of the button inside count as that open nothing: they are no
// attempts of anybody's to get in.
const exitRefused = "refused from inside"

// caseCondition is what is wrong while nothing opens because of the station's case.
const caseCondition = "case"

func (l *loop) tamperOver(ctx context.Context) {
	l.health.Report(caseCondition, nil)
	l.take(ctx, door.Tamper{})
}

func (l *loop) tampered(ctx context.Context, state relay.State, reason string) {
	text := "somebody has opened it: no lock opens"
	if reason != "" {
		text += " (" + reason + ")"
	}
	l.health.Report(caseCondition, errors.New(text))
	until := state.Blocked
	if state.Case {
		until = time.Time{} // nobody knows: it counts from when it is closed
	}
	l.take(ctx, door.Tamper{Blocked: true, Until: until})
}
