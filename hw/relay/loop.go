package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"intercom/hw"
	"intercom/internal/failsafe"
)

// loop is the guard at work; one goroutine owns it, but for what its comments say.
type loop struct {
	*Guard
	notices chan notice
	news    chan input         // from the goroutines that read and keep
	saves   chan time.Duration // to the one that keeps: the newest counts
	lines   map[string]line    // of the inputs; never changed

	outs   []hw.Output // nil while a line is not ours
	now    state
	wakeAt time.Time
	asker  chan<- error // of whoever the effects of this step are about; nil: nobody
}

func newLoop(g *Guard) *loop {
	return &loop{
		Guard: g, notices: make(chan notice, 64), news: make(chan input), saves: make(chan time.Duration, 1),
		lines: g.cfg.inputLines(), outs: make([]hw.Output, len(g.cfg.Locks)), now: g.rules.begin(),
	}
}

func (l *loop) guard(ctx context.Context) (err error) {
	// Deferred, so that it is done when something in here panics, too.
	defer func() {
		if left := l.leave(); left != nil {
			err = left
		}
	}()
	l.step(wake{})
	if t := l.cfg.Tamper; t != nil {
		left, err := loadBlock(t.File)
		l.step(restored{left, err})
	}
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
		case <-l.panics.Seen():
			return errors.New("relay: a part of the guard has panicked")
		case <-due:
		case in := <-l.news:
			l.step(in)
		case a := <-l.asks:
			l.take(ctx, a)
		}
	}
	return nil
}

// take carries out a request. Who does not wait any more must not be surprised by an open
// door.
func (l *loop) take(ctx context.Context, a ask) {
	if ctx.Err() != nil {
		return // the loop ends, and its end is the answer
	}
	if err := a.ctx.Err(); err != nil {
		a.answer <- err
		return
	}
	l.asker = a.answer
	l.step(a.what)
	l.asker = nil
}

// step lets one thing happen, and what follows from it.
func (l *loop) step(in input) {
	for queue := []input{in}; len(queue) > 0; queue = queue[1:] {
		now := time.Now()
		var effects []effect
		l.now, effects, l.wakeAt = l.now.next(&l.rules, now, queue[0])
		for _, e := range effects {
			if d, ok := e.(drive); ok {
				queue = append(queue, wrote{lock: d.lock, err: l.drive(d.lock, d.open)})
			}
		}
		l.state.Store(l.now.show(l.cfg.Locks))
		for _, e := range effects {
			l.carryOut(now, e)
		}
	}
}

// carryOut does what is not driving.
func (l *loop) carryOut(now time.Time, e effect) {
	switch e := e.(type) {
	case grant:
		l.answer(nil)
	case refuse:
		l.answer(e.err)
	case notify:
		l.notify(Event{At: now, Kind: e.kind, Lock: l.name(e.lock), Exit: e.exit, Reason: e.reason})
	case report:
		offer(l.notices, notice{part: e.part, fault: e.err})
	case save:
		offer(l.saves, e.left)
	}
}

func (l *loop) answer(err error) {
	if l.asker != nil {
		l.asker <- err
		l.asker = nil
	}
}

func (l *loop) notify(e Event) {
	l.offerEvent(e, l.state.Load())
	offer(l.notices, notice{event: e})
}

func (l *loop) name(i int) string {
	if i == everywhere {
		return ""
	}
	return l.cfg.Locks[i].Line.Name
}

// drive opens a line or makes it safe. One that is not ours, or does not obey, is taken
// anew for the latter, which is how a device that was gone for a moment comes back.
func (l *loop) drive(i int, open bool) error {
	lock := &l.cfg.Locks[i]
	if open {
		return l.outs[i].Set(!lock.Safe)
	}
	if l.outs[i] != nil {
		if l.outs[i].Set(lock.Safe) == nil {
			return nil
		}
		l.outs[i].Close()
		l.outs[i] = nil
	}
	out, err := l.cfg.Lines.Output(lock.Line, lock.Safe)
	if err != nil {
		return err
	}
	l.outs[i] = out
	return nil
}

// leave drives all lines safe for the last time and gives them back.
func (l *loop) leave() error {
	var errs []error
	left := failsafe.Leave(len(l.outs), func(i int) error { return l.drive(i, false) })
	last, now := l.now.show(l.cfg.Locks), time.Now()
	var ended []int
	for i, err := range left {
		if err != nil {
			errs = append(errs, fmt.Errorf("lock %q: not known to be safe: %w", l.name(i), err))
			continue
		}
		if last.Locks[i].Open {
			last.Locks[i].Open, last.Locks[i].Since = false, now
			ended = append(ended, i)
		}
		if err := l.outs[i].Close(); err != nil {
			errs = append(errs, fmt.Errorf("lock %q: %w", l.name(i), err))
		}
	}
	l.state.Store(last)
	for _, i := range ended {
		l.notify(Event{At: now, Kind: Safe, Lock: l.name(i)})
	}
	return errors.Join(errs...)
}
