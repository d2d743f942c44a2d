package capturetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"intercom/capture"
)

// patience is for a device that does nothing at all.
const patience = 10 * time.Second

// Camera is the contract of a capture.Camera that delivers frames of this format. newCamera
// is called once; the camera is opened several times.
func Camera(t *testing.T, format capture.Format, newCamera func(testing.TB) capture.Camera) {
	c := newCamera(t)
	t.Run("delivers", func(t *testing.T) { testDelivers(t, c, format) })
	t.Run("stops", func(t *testing.T) { testStops(t, c) })
	t.Run("leaves kept frames alone", func(t *testing.T) { testKept(t, c) })
}

// run has a camera deliver n frames. The error of Run must be the context's or nil,
// as the camera was told to stop.
func run(t *testing.T, c capture.Camera, n int, see func(f *capture.Frame)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	seen, over := 0, false
	err := c.Run(ctx, func(f *capture.Frame) {
		if over {
			t.Error("a frame after Run returned")
			return
		}
		if seen < n {
			see(f)
		}
		if seen++; seen == n {
			cancel()
		}
	})
	over = true
	if seen < n {
		t.Fatalf("%d frames within %v, want %d; Run: %v", seen, patience, n, err)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Run was told to stop and returned %v", err)
	}
}

func testDelivers(t *testing.T, c capture.Camera, format capture.Format) {
	start, last, n := time.Now(), time.Time{}, 0
	run(t, c, 10, func(f *capture.Frame) {
		if f.Format != format {
			t.Errorf("frame %d is %+v, want %+v", n, f.Format, format)
		}
		if f.Pixel == capture.I420 {
			if err := f.CheckI420(format.Width, format.Height); err != nil {
				t.Errorf("frame %d: %v", n, err)
			}
		} else if len(f.Planes[0]) == 0 {
			t.Errorf("frame %d has no bytes", n)
		}
		if !f.Time.After(last) {
			t.Errorf("frame %d of %v is not later than the one before, of %v", n, f.Time, last)
		}
		if f.Time.Before(start) || time.Since(f.Time) > time.Second {
			t.Errorf("frame %d was captured at %v, and it is %v", n, f.Time, time.Now())
		}
		last = f.Time
		n++
	})
	// Ten frames are nine intervals; the device may have had some ready.
	if took, want := last.Sub(start), 9*time.Second/time.Duration(format.FPS); took < want/2 {
		t.Errorf("10 frames in %v, want about %v: not in real time", took, want)
	}
}

func testStops(t *testing.T, c capture.Camera) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Run(ctx, func(*capture.Frame) {}); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Run with a context that is over: %v", err)
	}
	for range 3 { // it can be opened again
		run(t, c, 1, func(*capture.Frame) {})
	}
}

func testKept(t *testing.T, c capture.Camera) {
	type kept struct {
		frame *capture.Frame
		luma  []byte
	}
	var all []kept
	run(t, c, 6, func(f *capture.Frame) {
		if len(all) < 3 {
			f.Retain()
			all = append(all, kept{f, slices.Clone(f.Planes[0])})
		}
	})
	for i, k := range all {
		if !slices.Equal(k.frame.Planes[0], k.luma) {
			t.Errorf("frame %d was painted over while it was kept", i)
		}
		k.frame.Release()
	}
}

// Duplex is the contract of a capture.Duplex.
func Duplex(t *testing.T, newDuplex func(testing.TB) capture.Duplex) {
	d := newDuplex(t)
	t.Run("keeps time", func(t *testing.T) { testPeriods(t, d) })
	t.Run("opens again", func(t *testing.T) { testPeriods(t, d) })
	t.Run("stops", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := d.Run(ctx, func(_, _ []int16) {}); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("Run with a context that is over: %v", err)
		}
	})
}

func testPeriods(t *testing.T, d capture.Duplex) {
	const periods = 25
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	n, over, start := 0, false, time.Now()
	err := d.Run(ctx, func(mic, speaker []int16) {
		if over {
			t.Error("a period after Run returned")
			return
		}
		if len(mic) != capture.PeriodSamples || len(speaker) != capture.PeriodSamples {
			t.Errorf("period of %d and %d samples, want %d", len(mic), len(speaker), capture.PeriodSamples)
		}
		for i := range speaker {
			speaker[i] = int16(i)
		}
		if n++; n == periods {
			cancel()
		}
	})
	over = true
	took := time.Since(start)
	if n < periods {
		t.Fatalf("%d periods within %v, want %d; Run: %v", n, patience, periods, err)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Run was told to stop and returned %v", err)
	}
	if want := periods * capture.Period; took < want/2 {
		t.Errorf("%d periods in %v, want about %v: not in real time", n, took, want)
	}
}
