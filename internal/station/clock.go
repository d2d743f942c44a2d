package station

import (
	"context"
	"errors"
	"time"

	"intercom/door"
)

// clockEvery is how often the clock is looked at: a board without one gets the time from
// the network, some time after the station has begun.
const clockEvery = 10 * time.Second

// watchClock tells the door whether the time is known. Without it quiet hours are ignored:
// a door that rings at night is better than one that does not ring.
func (s *Station) watchClock(ctx context.Context) error {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	for known := true; ; {
		set := s.cfg.ClockSet()
		var wrong error
		if !set {
			wrong = errors.New("the clock is not set: until it is, quiet hours are ignored, and who may open at certain hours only cannot")
		}
		s.health.Report("clock", wrong)
		if set != known {
			if err := s.ask(ctx, door.ClockChanged{Set: set}); err != nil {
				return err
			}
			known = set
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
