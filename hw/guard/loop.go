package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"intercom/hw"
)

// When a guard ends it tries this often to leave the line safe, as hw/relay does.
const (
	lastTries = 5
	lastRetry = 100 * time.Millisecond
)

// loop owns the line.
type loop struct {
	*Guard
	out   hw.Output // nil while the line is not ours
	fault error     // why the line is not known to be safe; then again is set
	again time.Time // when it is driven safe again

	owner  *conn     // the one who may open
	opened time.Time // zero: it is safe, or meant to be
	ended  time.Time // of the last opening
	shut   error     // why it was made safe under its owner, who has not said so since

	alive time.Time // when the next sign of life is due
	over  bool      // a station told this guard to end
}

func (l *loop) guard(ctx context.Context) (err error) {
	// Deferred, so that it is done when something in here panics, too.
	defer func() {
		if left := l.leave(); left != nil {
			err = left
		}
	}()
	l.safe()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil && !l.over {
		// What is due comes first: requests may come in floods.
		wake := l.due(time.Now())
		var due <-chan time.Time
		if !wake.IsZero() {
			timer.Reset(time.Until(wake))
			due = timer.C
		}
		select {
		case <-ctx.Done():
		case <-due:
		case a := <-l.asks:
			err := l.carryOut(time.Now(), a.from, a.what)
			a.answer <- err
		}
	}
	return nil
}

// due does what its time has come for, and says when there is more.
func (l *loop) due(now time.Time) (wake time.Time) {
	soonest := func(t time.Time) {
		if wake.IsZero() || t.Before(wake) {
			wake = t
		}
	}
	if l.isOpen() && !now.Before(l.opened.Add(l.cfg.Max)) {
		l.shut = fmt.Errorf("its guard made it safe after %v, its longest opening", l.cfg.Max)
		l.log(slog.LevelWarn, "made safe", l.shut)
		l.safe()
	}
	if l.fault != nil && !now.Before(l.again) {
		l.safe()
	}
	if l.isOpen() {
		soonest(l.opened.Add(l.cfg.Max))
	}
	if l.fault != nil {
		soonest(l.again)
	}
	if l.cfg.Alive != nil {
		if !now.Before(l.alive) {
			l.alive = now.Add(aliveEvery)
			select {
			case l.notices <- notice{alive: true}:
			default:
			}
		}
		soonest(l.alive)
	}
	return wake
}

// isOpen tells whether the line is open on purpose; one at fault is being driven safe.
func (l *loop) isOpen() bool { return !l.opened.IsZero() && l.fault == nil }

// Refusals that are not about the line.
var (
	errNotOwner = errors.New("it is not yours to open: take it first")
	errTaken    = errors.New("another station has it")
	errStays    = errors.New("no station started this guard; its service manager ends it")
)

// carryOut does what a client wants. Nothing but open, by the owner, opens.
func (l *loop) carryOut(now time.Time, from *conn, r request) error {
	owner := l.owner == from
	switch r.verb {
	case take:
		return l.take(from, r.claim)
	case open:
		if !owner {
			return errNotOwner
		}
		return l.open(now)
	case safe:
		if owner {
			l.shut = nil
		} else if !l.opened.IsZero() {
			l.shut = errors.New("it was made safe by somebody else")
			l.log(slog.LevelWarn, "made safe", errors.New("somebody asked for it"))
		}
		return l.safe()
	case ping:
		if owner && l.fault == nil {
			return l.shut
		}
		return l.fault
	case release, gone:
		if !owner {
			return nil
		}
		return l.released(r.verb)
	case end:
		switch {
		case l.owner != nil && !owner:
			return errTaken
		case !l.cfg.Child:
			return errStays
		}
		l.over = true
		return l.safe()
	}
	return errForeign
}

// take makes a client the owner, of a line that is safe.
func (l *loop) take(from *conn, c claim) error {
	switch {
	case l.owner != nil && l.owner != from:
		return errTaken
	case c.name != l.claim.name:
		return fmt.Errorf("the guard has line %q: end it, or name its socket", l.claim.name)
	case c != l.claim:
		return errors.New("the guard takes another level for the safe one: restart it with the present configuration")
	}
	if err := l.safe(); err != nil {
		return err
	}
	if l.owner == nil {
		l.log(slog.LevelInfo, "a station has the lock", nil)
	}
	l.owner, l.shut = from, nil
	return nil
}

// released has the line without an owner.
func (l *loop) released(how verb) error {
	l.owner, l.shut = nil, nil
	switch {
	case !l.opened.IsZero():
		l.log(slog.LevelWarn, "made safe", errors.New("its station is gone"))
	case how == gone:
		l.log(slog.LevelWarn, "its station is gone; the line stays safe", nil)
	default:
		l.log(slog.LevelInfo, "its station has left", nil)
	}
	return l.safe()
}

// open opens the line, unless something speaks against it. An open one stays open, but
// not for longer.
func (l *loop) open(now time.Time) error {
	switch {
	case l.fault != nil:
		return l.fault
	case l.shut != nil:
		return l.shut
	case !l.opened.IsZero():
		return nil
	case !l.ended.IsZero() && now.Before(l.ended.Add(l.cfg.Pause)):
		return fmt.Errorf("was opened a moment ago; again in %v", l.ended.Add(l.cfg.Pause).Sub(now).Round(100*time.Millisecond))
	}
	l.opened = now
	if err := l.out.Set(!l.cfg.Safe); err != nil {
		l.safe() // nobody knows what a failed write did
		return err
	}
	return nil
}

// safe drives the line safe. A line that is not ours, or does not obey, is taken anew.
// While that fails the line is at fault, and the attempt is repeated.
func (l *loop) safe() error {
	err := l.drive()
	now := time.Now()
	if err != nil {
		l.again = now.Add(retry)
		if l.fault == nil || l.fault.Error() != err.Error() {
			l.log(slog.LevelError, "the line is not in order", err)
		}
		l.fault = err
		return err
	}
	if l.fault != nil {
		l.log(slog.LevelInfo, "the line is in order", nil)
	}
	l.fault = nil
	if !l.opened.IsZero() {
		l.opened, l.ended = time.Time{}, now
	}
	return nil
}

func (l *loop) drive() error {
	if l.out != nil {
		if l.out.Set(l.cfg.Safe) == nil {
			return nil
		}
		l.out.Close()
		l.out = nil
	}
	out, err := l.cfg.Lines.Output(l.cfg.Line, l.cfg.Safe)
	if err != nil {
		return err
	}
	l.out = out
	return nil
}

// leave drives the line safe for the last time and gives it back.
func (l *loop) leave() error {
	var err error
	for try := range lastTries {
		if try > 0 {
			time.Sleep(lastRetry)
		}
		if err = l.safe(); err == nil {
			return l.out.Close()
		}
	}
	return fmt.Errorf("lock %q: not known to be safe: %w", l.cfg.Line.Name, err)
}
