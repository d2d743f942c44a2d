package video

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"intercom/capture"
)

// finder is a camera that is there or not.
type finder struct {
	*camera
	absent atomic.Bool
	looks  atomic.Int64
}

var errAbsent = errors.New("no such camera")

func (f *finder) Find() error {
	f.looks.Add(1)
	if f.absent.Load() {
		return errAbsent
	}
	return nil
}

func (f *finder) Run(ctx context.Context, out func(*capture.Frame)) error {
	if f.absent.Load() {
		return errAbsent
	}
	return f.camera.Run(ctx, out)
}

// newFinder is a bench whose camera is not there at first. It is called in a bubble.
func newFinder(t *testing.T) (*bench, *finder) {
	f := &finder{}
	f.absent.Store(true)
	b := newBench(t, func(c *Config) {
		f.camera = c.Camera.(*camera)
		c.Camera, c.Find = f, f.Find
	})
	return b, f
}

func (b *bench) wantReports(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Equal(slices.Compact(slices.Clone(b.reports)), want) {
		t.Errorf("reports %q, want %q", b.reports, want)
	}
}

// TestAbsentCameraIsReported before anybody wants to see something, without it being opened.
func TestAbsentCameraIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, f := newFinder(t)
		defer b.stop()
		b.wantReports(t, "camera: no such camera")
		f.absent.Store(false)
		time.Sleep(lookEvery)
		b.wantReports(t, "camera: no such camera", "well")
		f.absent.Store(true)
		time.Sleep(lookEvery)
		b.wantReports(t, "camera: no such camera", "well", "camera: no such camera")
		if b.On() {
			t.Error("the camera is on")
		}
	})
}

// TestLookedForWhileOff: in a call the pictures tell, and what they tell stays.
func TestLookedForWhileOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, f := newFinder(t)
		defer b.stop()
		f.absent.Store(false) // unseen: the call sees it first
		feed := b.open(t, capture.VP8)
		next(t, feed)
		b.wantReports(t, "camera: no such camera", "well")
		looks := f.looks.Load()
		time.Sleep(10 * lookEvery)
		if n := f.looks.Load(); n != looks {
			t.Errorf("%d looks while the camera is on", n-looks)
		}
		b.camera.fail <- errors.New("stalled") // and is there
		synctest.Wait()
		feed.Close()
		time.Sleep(10*lookEvery + time.Second) // and no more at the time of a look
		b.wantReports(t, "camera: no such camera", "well", "camera: stalled")
		f.absent.Store(true) // unplugged and
		time.Sleep(lookEvery)
		synctest.Wait()       // a look is due at this very moment
		f.absent.Store(false) // plugged in again
		time.Sleep(lookEvery)
		b.wantReports(t, "camera: no such camera", "well", "camera: stalled", "camera: no such camera", "well")
	})
}
