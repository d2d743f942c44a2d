package video

import (
	"context"
	"slices"
)

// crew is what runs for a Source. It belongs to Run.
type crew struct {
	*Source
	workers map[*lane]*task // one for each lane in use
	camera  *task           // while there are any
	sign    *task           // beside the camera
	lookout *task           // while the camera is off
}

// follow has the crew run for the lanes in use, and for no others.
func (c *crew) follow(ctx context.Context, use []*lane) {
	for _, l := range use {
		if c.workers[l] == nil {
			c.workers[l] = start(ctx, l.run)
		}
	}
	switch {
	case len(use) > 0 && c.camera == nil:
		c.turnOn(ctx)
	case len(use) == 0 && c.camera != nil:
		c.turnOff()
	}
	if c.camera == nil && c.lookout == nil && c.cfg.Find != nil {
		c.lookout = start(ctx, c.look)
	}
	for l, w := range c.workers {
		if !slices.Contains(use, l) {
			w.stop()
			delete(c.workers, l)
		}
	}
}

// turnOn opens the camera, which nobody has to look for then.
func (c *crew) turnOn(ctx context.Context) {
	c.on.Store(true)
	c.presence.begin()
	c.light.begin()
	c.lookout.stop()
	c.lookout = nil
	c.camera, c.sign = start(ctx, c.runCamera), start(ctx, c.standIn)
}

// turnOff closes the camera, and turns its lamp off with it.
func (c *crew) turnOff() {
	c.sign.stop()
	c.camera.stop()
	c.camera, c.sign = nil, nil
	if c.light.end() {
		c.cfg.Lamp(false)
	}
	c.on.Store(false)
}

// end waits until nobody runs any more.
func (c *crew) end() {
	c.turnOff()
	c.lookout.stop()
	for _, w := range c.workers {
		w.stop()
	}
}

// task is one of the crew; nil: it does not run.
type task struct {
	cancel context.CancelFunc
	done   chan error // of capacity 1
}

func start(ctx context.Context, run func(context.Context) error) *task {
	ctx, cancel := context.WithCancel(ctx)
	t := &task{cancel, make(chan error, 1)}
	go func() { t.done <- run(ctx) }()
	return t
}

func (t *task) stop() {
	if t == nil {
		return
	}
	t.cancel()
	<-t.done
}
