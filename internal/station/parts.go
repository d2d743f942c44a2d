package station

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// part is something that runs for as long as the station does.
type part struct {
	name string
	run  func(context.Context) error
}

// parts are those that the loop does not know: devices, the calls, and what looks after
// things outside of the station.
func (s *Station) parts() []part {
	all := []part{{"camera", s.video.Run}, {"sound", s.sound.Run}, {"calls", s.calls.Run}}
	if s.night != nil {
		all = append(all, part{"night light", s.night.run})
	}
	if s.cfg.WatchNetwork != nil {
		all = append(all, part{"network", func(ctx context.Context) error { return s.cfg.WatchNetwork(ctx, s.calls.NetworkChanged) }})
	}
	if s.cfg.WatchLock != nil {
		all = append(all, part{"watch on the locks' guard", func(ctx context.Context) error { return s.cfg.WatchLock(ctx, s.report("lock guard")) }})
	}
	if s.cfg.WatchInputs != nil {
		all = append(all, part{"watch on input devices", func(ctx context.Context) error { return s.cfg.WatchInputs(ctx, s.report("input devices")) }})
	}
	if s.cfg.ClockSet != nil {
		all = append(all, part{"watch on the clock", s.watchClock})
	}
	return all
}

// group are parts that end with one context. One that ends before is why the station does.
type group struct {
	running sync.WaitGroup
	fail    context.CancelCauseFunc
}

// errEnded is why Run returns although nobody asked it to.
var errEnded = errors.New("it is not expected to end by itself")

func (g *group) start(ctx context.Context, p part) {
	g.running.Go(func() {
		err := p.run(ctx)
		if ctx.Err() == nil {
			g.fail(fmt.Errorf("%s ended: %w", p.name, errors.Join(err, errEnded)))
		}
	})
}
