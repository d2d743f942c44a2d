package video

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"intercom/capture"
)

// paced reads whatever a feed has for some time and returns when packets came.
func paced(t *testing.T, f capture.Feed, during time.Duration) (at []time.Time) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), during)
	defer cancel()
	for {
		p, err := f.Next(ctx)
		if err != nil {
			synctest.Wait()
			return at
		}
		p.Release()
		at = append(at, time.Now())
	}
}

// TestSignWhileAway: a camera that is lost, or silent, is replaced by the sign within a
// second, and the encoder goes on.
func TestSignWhileAway(t *testing.T) {
	for name, silent := range map[string]bool{"lost": false, "silent": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				away := &comesAndGoes{camera: newCamera(), silent: silent}
				b := newBench(t, func(c *Config) { c.Camera = away })
				defer b.stop()
				f := b.open(t, capture.VP8)
				defer f.Close()
				paced(t, f, 3*time.Second)
				if len(b.reports) != 0 || b.Stats().Frames < 50 {
					t.Fatalf("%d frames, reports %q", b.Stats().Frames, b.reports)
				}
				away.away.Store(true)
				start := time.Now()
				at := paced(t, f, 10*time.Second)
				if len(at) < 40 {
					t.Errorf("%d pictures in the 10 s that the camera was away, want the sign", len(at))
				}
				last := start
				for _, a := range at {
					if a.Sub(last) > time.Second {
						t.Errorf("no picture for %v", a.Sub(last))
					}
					last = a
				}
				if len(b.reports) == 0 || !strings.HasPrefix(b.reports[0], "camera: ") {
					t.Errorf("reports %q", b.reports)
				}
				away.away.Store(false)
				frames := b.Stats().Frames
				paced(t, f, 10*time.Second)
				if n := b.Stats().Frames - frames; n < 60 {
					t.Errorf("%d frames after the camera came back", n)
				}
				if r := b.reports[len(b.reports)-1]; r != "well" {
					t.Errorf("the last report is %q", r)
				}
				if n := len(b.encoders[capture.VP8]); n != 1 {
					t.Errorf("%d encoders, want the one that runs", n)
				}
			})
		})
	}
}

// comesAndGoes is a camera that is away now and then: it fails, or says nothing.
type comesAndGoes struct {
	*camera
	silent bool
	away   atomic.Bool
}

func (c *comesAndGoes) Run(ctx context.Context, out func(*capture.Frame)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if c.away.Load() && !c.silent {
		return errors.New("unplugged")
	}
	err := c.camera.Run(ctx, func(f *capture.Frame) {
		switch {
		case !c.away.Load():
			out(f)
		case !c.silent:
			cancel(errors.New("unplugged"))
		}
	})
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func TestSignPainted(t *testing.T) {
	for _, size := range [][2]int{{2, 2}, {32, 32}, {640, 480}, {480, 640}} {
		f := capture.NewFramePool(size[0], size[1], 10).Get()
		paintSign(f)
		ink := 0
		for _, p := range f.Planes[0] {
			if p == signInk {
				ink++
			}
		}
		if share := float64(ink) / float64(size[0]*size[1]); size[0] > 2 && (share < 0.03 || share > 0.3) {
			t.Errorf("%v: the sign covers %.2f of the picture", size, share)
		}
	}
}

func TestLight(t *testing.T) {
	f := capture.NewFramePool(64, 64, 10).Get()
	var l light
	now := time.Now()
	show := func(luma byte, during time.Duration) (changes int) {
		for i := range f.Planes[0] {
			f.Planes[0][i] = luma
		}
		for end := now.Add(during); now.Before(end); now = now.Add(100 * time.Millisecond) {
			if changed, _, _, _ := l.see(f, now); changed {
				changes++
			}
		}
		return changes
	}
	for i, tt := range []struct {
		luma    byte
		during  time.Duration
		changes int
		dark    bool
	}{
		{120, 10 * time.Second, 0, false}, {60, 10 * time.Second, 0, false}, {20, 3 * time.Second, 0, false}, {120, time.Second, 0, false},
		{20, 10 * time.Second, 1, true}, {60, 10 * time.Second, 0, true}, {200, 3 * time.Second, 0, true}, {20, time.Second, 0, true},
		{120, 10 * time.Second, 1, false},
	} {
		if n := show(tt.luma, tt.during); n != tt.changes || l.dark != tt.dark || l.luma != int(tt.luma) {
			t.Errorf("step %d: %d changes, dark %v, luma %d; want %+v", i, n, l.dark, l.luma, tt)
		}
	}
}

func TestSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.stop()
		if _, err := b.Snapshot(t.Context()); !errors.Is(err, capture.ErrNotRunning) {
			t.Errorf("snapshot with the camera off: %v", err)
		}
		f := b.open(t, capture.VP8)
		defer f.Close()
		synctest.Wait()
		for range 3 {
			p, err := b.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if p.Width != vga.Width || time.Since(p.Time) > time.Second {
				t.Errorf("a picture of %dx%d, %v", p.Width, p.Height, p.Time)
			}
			p.Release()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := b.Snapshot(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("snapshot in no time: %v", err)
		}
		paced(t, f, time.Second) // and nobody holds what came after
	})
}
