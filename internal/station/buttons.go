package station

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"intercom/door"
	"intercom/hw"
	"intercom/hw/press"
	"intercom/internal/control"
)

// inputLines are the lines of all buttons and keys.
func (s *Station) inputLines() []hw.Line {
	var lines []hw.Line
	for _, b := range s.cfg.Buttons {
		lines = append(lines, b.Line)
	}
	for _, k := range s.cfg.Keypad {
		lines = append(lines, k.Line)
	}
	return lines
}

// newPanel makes what tells presses from edges.
func (s *Station) newPanel() error {
	var names []string
	for _, l := range s.inputLines() {
		names = append(names, l.Name)
	}
	var err error
	s.panel, err = press.New(s.cfg.Presses, names...)
	return err
}

// readButtons hands presses to the loop. A reader that fails is tried again: the other parts of
// the door still work. A button that is stuck or pressed in a storm is reported, and means
// nothing until that is over.
func (s *Station) readButtons(ctx context.Context, presses chan<- press.Event) error {
	for {
		events, err := s.nextPresses(ctx)
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
		for _, e := range events {
			if s.reportButton(e) {
				continue
			}
			select {
			case presses <- e:
			case <-ctx.Done():
			}
		}
	}
}

// nextPresses waits for an edge, or for what becomes of a button that is held.
func (s *Station) nextPresses(ctx context.Context) ([]press.Event, error) {
	wait, cancel := ctx, context.CancelFunc(func() {})
	if wake := s.panel.Wake(); !wake.IsZero() {
		wait, cancel = context.WithDeadline(ctx, wake)
	}
	defer cancel()
	e, err := s.inputs.Next(wait)
	switch {
	case err == nil:
		return s.panel.Take(e), nil
	case errors.Is(err, context.DeadlineExceeded):
		return s.panel.Tick(time.Now()), nil
	}
	return nil, err
}

// reportButton reports what is wrong with a button, and that it is well again.
func (s *Station) reportButton(e press.Event) bool {
	switch e.Kind {
	case press.Stuck:
		s.health.Report(buttonCondition(e.Line), errStuck)
	case press.Freed:
		s.health.Report(buttonCondition(e.Line), nil)
	case press.Storm:
		s.health.Report(stormCondition(e.Line), errStorm)
	case press.Calm:
		s.publish(control.Event{Type: control.Ignored, Name: e.Line, Reason: errStorm.Error(), Text: fmt.Sprintf("%d presses of %q were ignored", e.Count, e.Line)})
		s.health.Report(stormCondition(e.Line), nil)
	default:
		return false
	}
	return true
}

var (
	errStuck = errors.New("it has been pressed for too long: it is stuck, or its line's wiring, active_low or pull is wrong")
	errStorm = errors.New("it is pressed more often than fingers can: it is ignored until that ends; a contact is loose, or debounce is too short")
)

func buttonCondition(name string) string { return fmt.Sprintf("button %s", name) }
func stormCondition(name string) string  { return fmt.Sprintf("presses of %s", name) }

// press gives the door a press of a button or of a key; a key that is held is pressed once.
func (l *loop) press(ctx context.Context, e press.Event) {
	key := slices.IndexFunc(l.cfg.Keypad, func(k Key) bool { return k.Line.Name == e.Line })
	switch {
	case e.Kind == press.Pressed && key >= 0:
		l.pressed = e.At
		l.take(ctx, door.Key{Symbol: l.cfg.Keypad[key].Symbol})
	case e.Kind == press.Pressed:
		l.pressed = e.At
		l.take(ctx, door.Pressed{Button: e.Line})
	case e.Kind == press.LongPressed && key < 0:
		l.take(ctx, door.Pressed{Button: e.Line, Long: true})
	}
}
