package measure

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/capture"
)

// scene is a camera with pictures of one shade, or of two in halves.
type scene struct {
	width, height int
	every         time.Duration
	left, right   byte
	pixel         capture.Pixel // 0: I420
	stop          int           // it is silent after so many pictures; 0: never
	err           error         // it ends with this after them
}

func (c scene) Run(ctx context.Context, out func(*capture.Frame)) error {
	pool := capture.NewFramePool(c.width, c.height, 20)
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for n := 0; ; n++ {
		if n == c.stop && c.err != nil {
			return c.err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if c.stop > 0 && n >= c.stop {
			continue
		}
		f := pool.Get()
		if c.pixel != 0 {
			f.Pixel = c.pixel
		}
		for i := range f.Planes[0] {
			f.Planes[0][i] = c.left
			if i%c.width >= c.width/2 {
				f.Planes[0][i] = c.right
			}
		}
		out(f)
		f.Release()
	}
}

func TestCamera(t *testing.T) {
	asked := capture.Format{Pixel: capture.I420, Width: 320, Height: 240, FPS: 20}
	for _, test := range []struct {
		name    string
		camera  scene
		fps     float64
		verdict Verdict
		says    string
	}{
		{"as asked for", scene{width: 320, height: 240, every: 50 * time.Millisecond, left: 60, right: 180}, 20, Good, "20.0 pictures a second"},
		{"slower", scene{width: 320, height: 240, every: 80 * time.Millisecond, left: 60, right: 180}, 12.5, Notice, "set camera.fps to 12"},
		{"much slower", scene{width: 320, height: 240, every: 200 * time.Millisecond, left: 60, right: 180}, 5, Wrong, "only 5.0"},
		{"slow in the dark", scene{width: 320, height: 240, every: 80 * time.Millisecond, left: 20, right: 60}, 12.5, Notice, "exposes longer"},
		{"other pictures", scene{width: 160, height: 120, every: 50 * time.Millisecond, left: 60, right: 180}, 20, Notice, "160x120 and not 320x240"},
		{"a lens cap", scene{width: 320, height: 240, every: 50 * time.Millisecond, left: 18, right: 18}, 20, Wrong, "cap"},
		{"night", scene{width: 320, height: 240, every: 50 * time.Millisecond, left: 16, right: 30}, 20, Wrong, "almost black"},
		{"against the sun", scene{width: 320, height: 240, every: 50 * time.Millisecond, left: 235, right: 215}, 20, Wrong, "almost white"},
		{"coded", scene{width: 320, height: 240, every: 50 * time.Millisecond, pixel: capture.AVC}, 20, Good, "20.0 pictures"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, frames, err := Camera(t.Context(), test.camera, asked, 4*time.Second)
				if err != nil {
					t.Fatal(err)
				}
				if math.Abs(p.FPS-test.fps) > 0.2 || p.Width != test.camera.width || len(frames) != keptFrames {
					t.Errorf("got %+v and %d pictures, want %v a second", p, len(frames), test.fps)
				}
				if want := float64(test.camera.every / time.Millisecond); p.Opening != want || p.Gap != want {
					t.Errorf("got %+v, want the first picture after %v ms, and so the others", p, want)
				}
				check(t, p.Findings(), test.verdict, test.says)
			})
		})
	}
}

func TestCameraFails(t *testing.T) {
	asked := capture.Format{Pixel: capture.I420, Width: 320, Height: 240, FPS: 20}
	gone := errors.New("unplugged")
	for _, test := range []struct {
		camera scene
		want   string
	}{
		{scene{width: 320, height: 240, every: time.Hour}, "no picture within"},
		{scene{width: 320, height: 240, every: 50 * time.Millisecond, stop: 5}, "5 pictures and no more"},
		{scene{width: 320, height: 240, every: 50 * time.Millisecond, stop: 5, err: gone}, "unplugged"},
	} {
		synctest.Test(t, func(t *testing.T) {
			if _, _, err := Camera(t.Context(), test.camera, asked, 4*time.Second); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// coder is an encoder that takes a time for each picture.
type coder struct {
	takes  time.Duration
	err    error
	silent bool
	out    func(*capture.Packet)
	pool   capture.PacketPool
	target capture.Target
	closed bool
}

func (c *coder) Encode(*capture.Frame) error {
	time.Sleep(c.takes)
	if c.err != nil || c.silent {
		return c.err
	}
	p := c.pool.Get(10)
	c.out(p)
	p.Release()
	return nil
}
func (c *coder) Set(t capture.Target) error { c.target = t; return nil }
func (c *coder) Close() error               { c.closed = true; return nil }

func TestEncoder(t *testing.T) {
	pool := capture.NewFramePool(320, 240, 20)
	frames := []*capture.Frame{pool.Get(), pool.Get()}
	run := func(t *testing.T, c *coder) (Speed, error) {
		open := func(f capture.Format, out func(*capture.Packet)) (capture.Encoder, error) { c.out = out; return c, nil }
		s, err := Encoder(t.Context(), capture.VP8, open, frames, capture.Target{BitRate: 500_000}, time.Second)
		if c.target.BitRate != 500_000 || !c.closed {
			t.Errorf("asked for %+v, closed %v", c.target, c.closed)
		}
		return s, err
	}
	for _, test := range []struct {
		takes   time.Duration
		fps     float64
		verdict Verdict
	}{{5 * time.Millisecond, 200, Good}, {40 * time.Millisecond, 25, Wrong}} {
		synctest.Test(t, func(t *testing.T) {
			s, err := run(t, &coder{takes: test.takes})
			if err != nil || math.Abs(s.FPS-test.fps) > 1 || s.Needed != 20 || s.Longest != float64(test.takes/time.Millisecond) {
				t.Errorf("got %+v, %v, want %v pictures a second", s, err, test.fps)
			}
			check(t, s.Findings(), test.verdict, "VP8")
		})
	}
	synctest.Test(t, func(t *testing.T) {
		wedged := errors.New("wedged")
		if _, err := run(t, &coder{err: wedged}); !errors.Is(err, wedged) {
			t.Errorf("got %v, want the encoder's error", err)
		}
		if _, err := run(t, &coder{silent: true}); err == nil || !strings.Contains(err.Error(), "nothing of a picture") {
			t.Errorf("got %v of an encoder without packets", err)
		}
	})
	check(t, Speed{Codec: capture.H264, FPS: 40, Needed: 20, CPU: 0.8}.Findings(), Notice, "80 %")
}
