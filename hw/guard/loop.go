package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"intercom/internal/failsafe"
)

// loop owns the lines.
type loop struct {
	*Guard
	lines []*line
	alive time.Time // when the next sign of life is due
	over  bool      // a station told this guard to end
}

func newLoop(g *Guard) *loop {
	l := &loop{Guard: g}
	for i := range g.cfg.Locks {
		lock := g.cfg.Locks[i]
		l.lines = append(l.lines, &line{Lock: lock, guard: g, claim: claimOf(lock.Line, lock.Safe)})
	}
	return l
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
		case <-l.panics.Seen():
			return errors.New("guard: a part of it has panicked")
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
		if !t.IsZero() && (wake.IsZero() || t.Before(wake)) {
			wake = t
		}
	}
	for _, one := range l.lines {
		soonest(one.due(now))
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

// Refusals that are not about a line.
var (
	errNotOwner = errors.New("it is not yours to open: take it first")
	errTaken    = errors.New("another station has it")
	errStays    = errors.New("no station started this guard; its service manager ends it")
)

// carryOut does what a client wants. Nothing but open, by the owner, opens.
func (l *loop) carryOut(now time.Time, from *conn, r request) error {
	switch r.verb {
	case ping:
		return l.ping(from)
	case gone:
		for _, one := range l.lines {
			if one.owner == from {
				_ = one.released(gone) // who would hear of it has gone; it is tried again
			}
		}
		return nil
	case end:
		return l.end(from)
	case safe:
		if r.claim.name == "" {
			return l.each(func(one *line) error { return one.wanted(from) })
		}
	}
	i := slices.IndexFunc(l.lines, func(one *line) bool { return one.claim.name == r.claim.name })
	if i < 0 {
		return fmt.Errorf("the guard has no line %q: end it, or name its socket", r.claim.name)
	}
	one := l.lines[i]
	switch r.verb {
	case take:
		return one.take(from, r.claim)
	case open:
		if one.owner != from {
			return errNotOwner
		}
		return one.open(now)
	case safe:
		return one.wanted(from)
	case release:
		if one.owner != from {
			return nil
		}
		return one.released(release)
	}
	return errForeign
}

// ping says what is wrong with the lines of a client, or with any if it has none.
func (l *loop) ping(from *conn) error {
	owner := slices.ContainsFunc(l.lines, func(one *line) bool { return one.owner == from })
	return l.each(func(one *line) error {
		switch {
		case one.owner == from && one.fault == nil:
			return one.shut
		case one.owner == from || !owner:
			return one.fault
		}
		return nil
	})
}

// end ends the guard of a station, unless another one has it.
func (l *loop) end(from *conn) error {
	switch {
	case slices.ContainsFunc(l.lines, func(one *line) bool { return one.owner != nil && one.owner != from }):
		return errTaken
	case !l.cfg.Child:
		return errStays
	}
	l.over = true
	return l.safe()
}

// safe drives all lines safe.
func (l *loop) safe() error { return l.each((*line).safe) }

// each does something with every line; the error has all of theirs in one line of text.
func (l *loop) each(f func(*line) error) error {
	text := ""
	for _, one := range l.lines {
		if err := f(one); err != nil {
			if text != "" {
				text += "; "
			}
			if len(l.lines) > 1 {
				text += one.claim.name + ": "
			}
			text += err.Error()
		}
	}
	if text == "" {
		return nil
	}
	return errors.New(text)
}

// leave drives the lines safe for the last time and gives them back.
func (l *loop) leave() error {
	left := failsafe.Leave(len(l.lines), func(i int) error { return l.lines[i].safe() })
	var errs []error
	for i, one := range l.lines {
		if left[i] != nil {
			errs = append(errs, fmt.Errorf("line %q: not known to be safe: %w", one.claim.name, left[i]))
		} else if err := one.out.Close(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// log is how a line has something logged.
func (o *line) log(level slog.Level, text string, cause error) {
	o.guard.log(o.claim.name, level, text, cause)
}
