package relay

import (
	"context"
	"fmt"
	"time"

	"intercom/hw"
)

// When the guard ends, it tries this often to leave the line safe. More would keep the
// service manager waiting, which has means of its own.
const (
	lastTries = 5
	lastRetry = 100 * time.Millisecond
)

// loop is the guard at work; one goroutine owns it.
type loop struct {
	*Guard
	notices chan notice
	out     hw.Output // nil while the line is not ours
	pulse   pulse
	wakeAt  time.Time
	asker   ask // whom the effects of this step are about
}

func (l *loop) guard(ctx context.Context) (err error) {
	// Deferred, so that it is done when something in here panics, too.
	defer func() {
		if left := l.leave(); left != nil {
			err = left
		}
	}()
	l.step(wake{})
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		var due <-chan time.Time
		if !l.wakeAt.IsZero() {
			left := time.Until(l.wakeAt)
			if left <= 0 { // first of all: select is fair, and requests may come in floods
				l.step(wake{})
				continue
			}
			timer.Reset(left)
			due = timer.C
		}
		select {
		case <-ctx.Done():
		case <-due:
		case a := <-l.asks:
			if ctx.Err() != nil {
				return nil
			}
			// Who does not wait any more must not be surprised by an open door.
			if err := a.ctx.Err(); err != nil {
				a.answer <- err
				continue
			}
			l.asker = a
			l.step(asked{length: a.length})
			l.asker = ask{}
		}
	}
	return nil
}

// step lets one thing happen, and what follows from it.
func (l *loop) step(in input) {
	for queue := []input{in}; len(queue) > 0; queue = queue[1:] {
		now := time.Now()
		var effects []effect
		l.pulse, effects, l.wakeAt = l.pulse.next(l.limits, now, queue[0])
		for _, e := range effects {
			switch e := e.(type) {
			case drive:
				queue = append(queue, wrote{err: l.drive(e.open)})
			case grant:
				l.asker.answer <- nil
			case refuse:
				l.asker.answer <- e.err
			case notify:
				l.state.Store(&State{Open: e.open, Since: now})
				offer(l.events, Event{At: now, Open: e.open})
				offer(l.notices, notice{event: Event{At: now, Open: e.open}})
			case report:
				s := l.State()
				if s.Fault = e.err; s.Since.IsZero() && e.err == "" {
					s.Since = now
				}
				l.state.Store(&s)
				offer(l.notices, notice{report: true, fault: e.err})
			}
		}
	}
}

// drive opens the line or makes it safe. A line that is not ours, or does not obey, is
// taken anew for the latter, which is how a device that was gone for a moment comes back.
func (l *loop) drive(open bool) error {
	if open {
		return l.out.Set(!l.cfg.Safe)
	}
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
		if err = l.drive(false); err == nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("lock %q: not known to be safe: %w", l.cfg.Line.Name, err)
	}
	if s := l.State(); s.Open {
		now := time.Now()
		l.state.Store(&State{Since: now})
		offer(l.events, Event{At: now})
		offer(l.notices, notice{event: Event{At: now}})
	}
	return l.out.Close()
}
