package hwtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"intercom/hw"
	"intercom/hw/press"
)

// pressTimes are short, and longer than a busy machine pauses.
var pressTimes = press.Config{
	Long: bounce, Repeat: bounce / 2, Stuck: 5 * bounce,
	Burst: 5, Within: time.Minute, Calm: 3 * bounce,
}

// fingers reads lines as a panel's buttons.
type fingers struct {
	hw.Inputs
	panel *press.Panel
	ready []press.Event
}

// fingers takes all lines as buttons and reads their levels.
func (r Rig) fingers() (*fingers, error) {
	panel, err := press.New(pressTimes, r.Names[:]...)
	if err != nil {
		return nil, err
	}
	in, err := r.Lines.Inputs(r.line(0), r.line(1), r.line(2))
	if err != nil {
		return nil, err
	}
	f := &fingers{Inputs: in, panel: panel}
	for range r.Names {
		e, err := next(in)
		if err != nil {
			return nil, errors.Join(err, in.Close())
		}
		f.ready = append(f.ready, panel.Take(e)...)
	}
	return f, nil
}

// event returns the next thing that happens to a button, if any does in time.
func (f *fingers) event(within time.Duration) (press.Event, bool, error) {
	limit := time.Now().Add(within)
	for len(f.ready) == 0 {
		until := limit
		if w := f.panel.Wake(); !w.IsZero() && w.Before(until) {
			until = w
		}
		ctx, cancel := context.WithDeadline(context.Background(), until)
		e, err := f.Next(ctx)
		cancel()
		switch {
		case err == nil:
			f.ready = f.panel.Take(e)
		case !errors.Is(err, context.DeadlineExceeded):
			return press.Event{}, false, err
		default:
			now := time.Now()
			if f.ready = f.panel.Tick(now); len(f.ready) == 0 && !now.Before(limit) {
				return press.Event{}, false, nil
			}
		}
	}
	e := f.ready[0]
	f.ready = f.ready[1:]
	return e, true, nil
}

// expect compares what happens next, written as "pressed a".
func (f *fingers) expect(want ...string) error {
	for i, w := range want {
		e, ok, err := f.event(patience)
		if err != nil {
			return err
		}
		if got := e.Kind.String() + " " + e.Line; !ok || got != w {
			return fmt.Errorf("%d of %s: got %s (anything: %t)", i+1, strings.Join(want, ", "), got, ok)
		}
	}
	return nil
}

// nothing says that no button does anything for a while.
func (f *fingers) nothing(d time.Duration) error {
	e, ok, err := f.event(d)
	if ok {
		return fmt.Errorf("%s %s, want nothing", e.Kind, e.Line)
	}
	return err
}

// presses: one short, of any button, while another is held.
func presses(r Rig) error {
	f, err := r.fingers()
	if err != nil {
		return err
	}
	defer f.Close()
	a, b, c := r.Names[0], r.Names[1], r.Names[2]
	for _, name := range []string{a, b, a, c} {
		r.Drive(name, true)
		if err := f.expect("pressed " + name); err != nil {
			return err
		}
		r.Drive(name, false)
	}
	return f.nothing(2 * bounce)
}

// longPress is repeated, and stuck in the end; it works again when it is released.
func longPress(r Rig) error {
	f, err := r.fingers()
	if err != nil {
		return err
	}
	defer f.Close()
	a, b := r.Names[0], r.Names[1]
	r.Drive(a, true)
	want := []string{"pressed " + a, "long pressed " + a}
	for t := pressTimes.Long + pressTimes.Repeat; t < pressTimes.Stuck; t += pressTimes.Repeat {
		want = append(want, "repeated "+a)
	}
	if err := f.expect(append(want, "stuck "+a)...); err != nil {
		return err
	}
	r.Drive(b, true)
	if err := f.expect("pressed " + b); err != nil {
		return err
	}
	r.Drive(b, false)
	if err := f.nothing(2 * bounce); err != nil {
		return err
	}
	r.Drive(a, false)
	if err := f.expect("freed " + a); err != nil {
		return err
	}
	r.Drive(a, true)
	if err := f.expect("pressed " + a); err != nil {
		return err
	}
	r.Drive(a, false)
	return f.nothing(2 * bounce)
}

// heldBefore: who is held as the lines are taken presses nothing.
func heldBefore(r Rig) error {
	a, b := r.Names[0], r.Names[1]
	r.Drive(a, true)
	f, err := r.fingers()
	if err != nil {
		return err
	}
	defer f.Close()
	r.Drive(b, true)
	if err := f.expect("pressed " + b); err != nil {
		return err
	}
	r.Drive(b, false)
	if err := f.expect("stuck " + a); err != nil {
		return err
	}
	r.Drive(a, false)
	if err := f.expect("freed " + a); err != nil {
		return err
	}
	r.Drive(a, true)
	return f.expect("pressed " + a)
}

// storm: of presses that no finger makes some count, and then none until it is calm.
func storm(r Rig) error {
	f, err := r.fingers()
	if err != nil {
		return err
	}
	defer f.Close()
	a, b := r.Names[0], r.Names[1]
	for i := range 2 * pressTimes.Burst {
		r.Drive(a, true)
		if i < pressTimes.Burst {
			if err := f.expect("pressed " + a); err != nil {
				return err
			}
		}
		r.Drive(a, false)
	}
	if err := f.expect("storm " + a); err != nil {
		return err
	}
	r.Drive(b, true)
	if err := f.expect("pressed " + b); err != nil {
		return err
	}
	r.Drive(b, false)
	if err := f.expect("calm " + a); err != nil {
		return err
	}
	r.Drive(a, true)
	return f.expect("pressed " + a)
}
