package station

import (
	"context"
	"fmt"
	"time"

	"intercom/hw"
	"intercom/internal/control"
)

// darkened tells everybody that it has become dark before the camera, or light again.
func (s *Station) darkened(dark bool) {
	luma, _, _ := s.video.Brightness()
	e := control.Event{Type: control.GotLight, Name: "camera", Text: fmt.Sprintf("it is light before the camera (brightness %d)", luma)}
	if dark {
		e.Type, e.Text = control.GotDark, fmt.Sprintf("it is dark before the camera (brightness %d)", luma)
	}
	s.publish(e)
}

// nightLamp drives the line of an infrared lamp, or of what moves its filter away.
type nightLamp struct {
	line   hw.Output
	report func(error)
	wants  chan bool // the newest
}

// takeNight takes the line, if there is one.
func (s *Station) takeNight() error {
	if s.cfg.Night.Name == "" {
		return nil
	}
	line, err := s.cfg.Lines.Output(s.cfg.Night, false)
	if err != nil {
		return fmt.Errorf("take the line of the night light: %w", err)
	}
	s.night = &nightLamp{line: line, report: s.report("night light"), wants: make(chan bool, 1)}
	return nil
}

// lamp is what the camera switches; nil: there is nothing.
func (s *Station) lamp() func(bool) {
	if s.night == nil {
		return nil
	}
	return s.night.want
}

// want has the line driven. The camera's goroutines call it, one at a time.
func (l *nightLamp) want(on bool) {
	select {
	case <-l.wants:
	default:
	}
	l.wants <- on
}

// run drives the line until ctx ends; then it is off.
func (l *nightLamp) run(ctx context.Context) error {
	on := false
	for {
		err := l.line.Set(on)
		l.report(err)
		var again <-chan time.Time
		if err != nil {
			again = time.After(lightRetry)
		}
		select {
		case on = <-l.wants:
		case <-again:
		case <-ctx.Done():
			l.report(l.line.Set(false))
			return ctx.Err()
		}
	}
}
