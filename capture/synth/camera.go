package synth

import (
	"context"
	"fmt"
	"time"

	"intercom/capture"
)

// maxSide and maxFPS bound what is asked for and what a file may claim.
const (
	maxSide = 4096
	maxFPS  = 120
)

// CameraConfig is the picture of a Camera.
type CameraConfig struct {
	Width, Height int // pixels, even; 0: 640x480
	FPS           int // frames a second; 0: 20
}

// Camera is a test picture: colour bars, a square that moves, the number of the frame and
// the time of day, and the number once more for machines (see ReadCounter).
type Camera struct {
	format capture.Format
	layout layout
}

// NewCamera checks the configuration.
func NewCamera(cfg CameraConfig) (*Camera, error) {
	if cfg.Width == 0 && cfg.Height == 0 {
		cfg.Width, cfg.Height = 640, 480
	}
	if cfg.FPS == 0 {
		cfg.FPS = 20
	}
	// The clock must fit.
	if cfg.Width < 96 || cfg.Height < 96 || cfg.Width > maxSide || cfg.Height > maxSide || cfg.Width%2 != 0 || cfg.Height%2 != 0 {
		return nil, fmt.Errorf("test camera: size %dx%d is not even, or not within 96 to %d", cfg.Width, cfg.Height, maxSide)
	}
	if cfg.FPS < 1 || cfg.FPS > maxFPS {
		return nil, fmt.Errorf("test camera: %d frames a second is not within 1 to %d", cfg.FPS, maxFPS)
	}
	return &Camera{
		format: capture.Format{Pixel: capture.I420, Width: cfg.Width, Height: cfg.Height, FPS: cfg.FPS},
		layout: newLayout(cfg.Width, cfg.Height),
	}, nil
}

// Format is what the camera delivers.
func (c *Camera) Format() capture.Format { return c.format }

// Run delivers frames, numbered from 0, until ctx ends; the error is the context's.
func (c *Camera) Run(ctx context.Context, out func(*capture.Frame)) error {
	pool := capture.NewFramePool(c.format.Width, c.format.Height, c.format.FPS)
	// Each buffer gets its background once.
	painted := make(map[*capture.Frame]bool)
	n := 0
	return tick(ctx, c.format.FPS, func(now time.Time) error {
		f := pool.Get()
		defer f.Release()
		if !painted[f] {
			if len(painted) > 64 { // buffers that the pool gave up
				clear(painted)
			}
			painted[f] = true
			c.layout.background(f)
		}
		f.Time = now
		c.layout.update(f, n, now)
		n++
		out(f)
		return nil
	})
}

// tick calls frame at a rate until it fails or ctx ends. Frames for which there was no
// time are left out.
func tick(ctx context.Context, fps int, frame func(now time.Time) error) error {
	t := time.NewTicker(time.Second / time.Duration(fps))
	defer t.Stop()
	for ctx.Err() == nil {
		if err := frame(time.Now()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-t.C:
		}
	}
	return ctx.Err()
}
