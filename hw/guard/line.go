package guard

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"intercom/hw"
)

// line is one lock's; the loop owns it.
type line struct {
	Lock
	guard *Guard
	claim claim

	out   hw.Output     // nil while the line is not ours
	fault error         // why the line is not known to be safe; then again is set
	again time.Time     // when it is driven safe again
	wait  time.Duration // until then; it grows

	owner  *conn     // the one who may open
	opened time.Time // zero: it is safe, or meant to be
	ended  time.Time // of the last opening
	shut   error     // why it was made safe under its owner, who has not said so since
}

// isOpen tells whether the line is open on purpose; one at fault is being driven safe.
func (o *line) isOpen() bool { return !o.opened.IsZero() && o.fault == nil }

// due does what its time has come for, and says when there is more; zero: never.
func (o *line) due(now time.Time) time.Time {
	if o.isOpen() && !now.Before(o.opened.Add(o.Max)) {
		o.shut = fmt.Errorf("its guard made it safe after %v, its longest opening", o.Max)
		o.log(slog.LevelWarn, "made safe", o.shut)
		_ = o.safe() // it is tried again
	}
	if o.fault != nil && !now.Before(o.again) {
		_ = o.safe()
	}
	switch {
	case o.fault != nil:
		return o.again
	case o.isOpen():
		return o.opened.Add(o.Max)
	}
	return time.Time{}
}

// take makes a client the owner, of a line that is safe.
func (o *line) take(from *conn, c claim) error {
	switch {
	case o.owner != nil && o.owner != from:
		return errTaken
	case c != o.claim:
		return errors.New("the guard takes another level for the safe one: restart it with the present configuration")
	}
	if err := o.safe(); err != nil {
		return err
	}
	if o.owner == nil {
		o.log(slog.LevelInfo, "a station has the lock", nil)
	}
	o.owner, o.shut = from, nil
	return nil
}

// wanted makes the line safe at anybody's wish. The owner who has not wished it is told.
func (o *line) wanted(from *conn) error {
	if o.owner == from {
		o.shut = nil
	} else if !o.opened.IsZero() {
		o.shut = errors.New("it was made safe by somebody else")
		o.log(slog.LevelWarn, "made safe", errors.New("somebody asked for it"))
	}
	return o.safe()
}

// released has the line without an owner.
func (o *line) released(how verb) error {
	o.owner, o.shut = nil, nil
	switch {
	case !o.opened.IsZero():
		o.log(slog.LevelWarn, "made safe", errors.New("its station is gone"))
	case how == gone:
		o.log(slog.LevelWarn, "its station is gone; the line stays safe", nil)
	default:
		o.log(slog.LevelInfo, "its station has left", nil)
	}
	return o.safe()
}

// open opens the line, unless something speaks against it. An open one stays open, but
// not for longer.
func (o *line) open(now time.Time) error {
	switch {
	case o.fault != nil:
		return o.fault
	case o.shut != nil:
		return o.shut
	case !o.opened.IsZero():
		return nil
	case !o.ended.IsZero() && now.Before(o.ended.Add(o.Pause)):
		return fmt.Errorf("was opened a moment ago; again in %v", o.ended.Add(o.Pause).Sub(now).Round(100*time.Millisecond))
	}
	o.opened = now
	if err := o.out.Set(!o.Safe); err != nil {
		_ = o.safe() // nobody knows what a failed write did
		return err
	}
	return nil
}

// safe drives the line safe. A line that is not ours, or does not obey, is taken anew.
// While that fails the line is at fault, and the attempt is repeated.
func (o *line) safe() error {
	err := o.drive()
	now := time.Now()
	if err != nil {
		o.wait = min(max(2*o.wait, firstRetry), retry)
		o.again = now.Add(o.wait)
		if o.fault == nil || o.fault.Error() != err.Error() {
			o.log(slog.LevelError, "the line is not in order", err)
		}
		o.fault = err
		return err
	}
	if o.fault != nil {
		o.log(slog.LevelInfo, "the line is in order", nil)
	}
	o.fault, o.wait = nil, 0
	if !o.opened.IsZero() {
		o.opened, o.ended = time.Time{}, now
	}
	return nil
}

func (o *line) drive() error {
	if o.out != nil {
		if o.out.Set(o.Safe) == nil {
			return nil
		}
		o.out.Close()
		o.out = nil
	}
	out, err := o.guard.cfg.Lines.Output(o.Line, o.Safe)
	if err != nil {
		return err
	}
	o.out = out
	return nil
}
