package video

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"intercom/capture"
)

// TestView: what the status tells of a camera that is off, on, away and back.
func TestView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := &comesAndGoes{camera: newCamera()}
		b := newBench(t, func(c *Config) { c.Camera = away })
		defer b.stop()
		want := func(when string, state State, fps float64) {
			t.Helper()
			v := b.View()
			if v.State != state || math.Abs(v.FPS-fps) > 0.6 {
				t.Errorf("%s: %+v, want %s with %v pictures a second", when, v, state, fps)
			}
			if known := v.Format == vga; known != (state == Delivering || state == Absent) {
				t.Errorf("%s: format %+v", when, v.Format)
			}
		}
		want("at first", Off, 0)
		f := b.open(t, capture.VP8)
		synctest.Wait()
		want("at once", Opening, 0)
		paced(t, f, time.Second)
		want("after a second", Delivering, 20)
		paced(t, f, 6*time.Second)
		want("later", Delivering, 20)
		away.away.Store(true)
		paced(t, f, 2*time.Second)
		want("unplugged", Absent, 0)
		away.away.Store(false)
		paced(t, f, 10*time.Second)
		want("plugged in", Delivering, 20)
		f.Close()
		synctest.Wait()
		want("at the end", Off, 0)
	})
}

// spoils is a camera that leaves some pictures out, and counts them.
type spoils struct {
	*camera
	every   atomic.Int64 // so many pictures one is spoiled; 0: none
	spoiled atomic.Int64
}

func (c *spoils) Spoiled() int64 { return c.spoiled.Load() }

func (c *spoils) Run(ctx context.Context, out func(*capture.Frame)) error {
	n := int64(0)
	return c.camera.Run(ctx, func(f *capture.Frame) {
		if every := c.every.Load(); every > 0 && n%every == 0 {
			c.spoiled.Add(1)
		} else {
			out(f)
		}
		n++
	})
}

// TestSpoiled: a camera with a bad cable is reported, until it is well.
func TestSpoiled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := &spoils{camera: newCamera()}
		b := newBench(t, func(c *Config) { c.Camera = bad })
		defer b.stop()
		f := b.open(t, capture.VP8)
		defer f.Close()
		bad.every.Store(40) // one every two seconds is a bad moment
		paced(t, f, 20*time.Second)
		if n := b.Stats().Spoiled; n < 8 || len(b.reports) != 0 {
			t.Errorf("%d spoiled, reports %q, want none", n, b.reports)
		}
		bad.every.Store(4)
		paced(t, f, 12*time.Second)
		if len(b.reports) == 0 || !strings.HasPrefix(b.reports[0], "pictures: ") || !strings.Contains(b.reports[0], "cable") {
			t.Fatalf("reports %q, want that pictures are spoiled", b.reports)
		}
		bad.every.Store(0)
		paced(t, f, 12*time.Second)
		if r := b.reports[len(b.reports)-1]; r != "well" {
			t.Errorf("the last report is %q", r)
		}
	})
}

// TestSpoiledUnits: what a camera that codes has broken reaches nobody, and neither do the
// pictures that build on it.
func TestSpoiledUnits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cam := &units{next: make(chan []byte)}
		b := newBench(t, func(c *Config) {
			c.Camera, c.Format = cam, coded().Format
			c.Encoders = map[capture.Codec]capture.NewEncoder{capture.H264: Passthrough}
		})
		defer b.stop()
		f := b.open(t, capture.H264)
		defer f.Close()
		key := slices.Concat(sps, pps, idr)
		for _, unit := range [][]byte{key, slice, slice[:4], slice, {0xde, 0xad}, key, slice} {
			cam.next <- unit
			synctest.Wait()
		}
		var got []bool
		for range 4 {
			_, k := next(t, f)
			got = append(got, k)
		}
		if !slices.Equal(got, []bool{true, false, true, false}) {
			t.Errorf("key frames %v, want those of the pictures that can be decoded", got)
		}
		if s := b.Stats(); s.Spoiled != 2 || s.Frames != 5 {
			t.Errorf("%+v, want 2 spoiled of 7", s)
		}
	})
}

// units is a camera that codes, and delivers what it is told to.
type units struct{ next chan []byte }

func (c *units) Run(ctx context.Context, out func(*capture.Frame)) error {
	for {
		select {
		case u := <-c.next:
			out(coded(u))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func TestSliceHeader(t *testing.T) {
	for name, tt := range map[string]struct {
		unit []byte
		ok   bool
	}{
		"a slice":            {slice, true},
		"in two slices":      {slices.Concat(slice, []byte{0, 0, 1, 0x41, 0x00, 0x80, 0x9a}), true},
		"a slice of no type": {[]byte{0, 0, 1, 0x41, 0x80 | 0x05, 0x80}, false},
		"cut off":            {[]byte{0, 0, 1, 0x65, 0x10}, false},
		"far outside":        {[]byte{0, 0, 1, 0x41, 0, 0, 0x10, 0xff, 0xff, 0xff}, false},
	} {
		if isSpoiled(tt.unit) == tt.ok {
			t.Errorf("%s: spoiled %v, want %v", name, !tt.ok, tt.ok)
		}
	}
}

func FuzzSpoiled(f *testing.F) {
	f.Add(slices.Concat(aud, sps, pps, idr))
	f.Add(slice)
	f.Fuzz(func(t *testing.T, unit []byte) {
		if !isSpoiled(unit) && len(unit) < 4 {
			t.Errorf("% x is taken", unit)
		}
	})
}
