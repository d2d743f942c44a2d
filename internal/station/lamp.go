package station

import (
	"context"
	"time"

	"intercom/door"
	"intercom/hw"
)

// blink is a light that is on or off for a time; 0: for good.
type blink struct {
	lit  bool
	time time.Duration
}

const ms = time.Millisecond

// patterns are what one light shows, again and again: the states can be told apart by who
// sees nothing but a lamp.
var patterns = map[door.LightState][]blink{
	door.LightIdle:    {{false, 0}},
	door.LightCalling: {{true, 500 * ms}, {false, 500 * ms}},
	door.LightTalking: {{true, 0}},
	door.LightOpened:  {{true, 120 * ms}, {false, 120 * ms}},
	door.LightFault:   {{true, 80 * ms}, {false, 180 * ms}, {true, 80 * ms}, {false, 2660 * ms}},
}

// lightRetry is how soon a line that could not be driven is tried again.
const lightRetry = time.Second

// lamp drives the status light's line.
type lamp struct {
	line   hw.Output
	report func(error)
	shows  chan door.LightState // the newest
}

func newLamp(line hw.Output, report func(error)) *lamp {
	return &lamp{line: line, report: report, shows: make(chan door.LightState, 1)}
}

// show has the lamp show something else. It has one caller.
func (l *lamp) show(s door.LightState) {
	select {
	case <-l.shows:
	default:
	}
	l.shows <- s
}

// run drives the line until ctx ends; then it is off.
func (l *lamp) run(ctx context.Context) error {
	shows, i := door.LightIdle, 0
	for {
		b := patterns[shows][i%len(patterns[shows])]
		err := l.line.Set(b.lit)
		l.report(err)
		var next <-chan time.Time
		switch {
		case err != nil:
			next = time.After(lightRetry)
		case b.time > 0:
			next = time.After(b.time)
			i++
		}
		select {
		case s := <-l.shows:
			if s != shows {
				shows, i = s, 0
			}
		case <-next:
		case <-ctx.Done():
			l.report(l.line.Set(false))
			return ctx.Err()
		}
	}
}
