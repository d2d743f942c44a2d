package station

import (
	"context"
	"errors"
	"fmt"
	"time"

	"intercom/hw"
)

// stuck is how long a button must be held until it is called stuck: longer than any visitor
// leans on it.
const stuck = 30 * time.Second

// readButtons hands edges to the loop. A reader that fails is tried again: the other parts of
// the door still work. What is held while the station starts presses nothing: a button that is
// stuck would call the residents whenever the power comes back.
func (s *Station) readButtons(ctx context.Context, edges chan<- hw.Edge) error {
	held := fingers{}
	for levels := len(s.cfg.Buttons) + len(s.cfg.Keypad); ; {
		e, err := s.nextEdge(ctx, held)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.health.Report("buttons", err)
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
			continue
		}
		held.follow(e)
		if !e.Active {
			s.health.Report(buttonCondition(e.Line), nil)
		}
		if levels > 0 { // Next tells them first
			levels--
			continue
		}
		select {
		case edges <- e:
		case <-ctx.Done():
		}
	}
}

// nextEdge waits for an edge, and meanwhile reports buttons that have been held for too long.
func (s *Station) nextEdge(ctx context.Context, held fingers) (hw.Edge, error) {
	for {
		wait, cancel := ctx, context.CancelFunc(func() {})
		if first, ok := held.first(); ok {
			wait, cancel = context.WithDeadline(ctx, first.Add(stuck))
		}
		e, err := s.inputs.Next(wait)
		late := wait.Err() != nil && ctx.Err() == nil
		cancel()
		if !late || !errors.Is(err, context.DeadlineExceeded) {
			return e, err
		}
		for _, b := range held.longer(stuck) {
			s.health.Report(buttonCondition(b), fmt.Errorf("it has been pressed for %v: it is stuck, or its line's wiring, active_low or pull is wrong", stuck))
		}
	}
}

func buttonCondition(name string) string { return "button " + name }

// fingers are the buttons that are held, and since when.
type fingers map[string]time.Time

func (f fingers) follow(e hw.Edge) {
	if e.Active {
		f[e.Line] = time.Now()
	} else {
		delete(f, e.Line)
	}
}

// first returns the earliest time.
func (f fingers) first() (first time.Time, ok bool) {
	for _, since := range f {
		if !ok || since.Before(first) {
			first, ok = since, true
		}
	}
	return first, ok
}

// longer takes out those that have been held for this long, and returns them.
func (f fingers) longer(d time.Duration) []string {
	var names []string
	for name, since := range f {
		if time.Since(since) >= d {
			names = append(names, name)
			delete(f, name)
		}
	}
	return names
}
