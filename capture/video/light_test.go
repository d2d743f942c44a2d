package video

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"intercom/capture"
)

// street is a camera before which it is as bright as it is told, and brighter by a lamp. It
// notes what it is told of both.
type street struct {
	*camera
	lamp byte // how much brighter

	mu     sync.Mutex
	luma   byte
	lit    bool
	turned []bool
	at     time.Time // last
	told   []bool    // dark, or not
}

func (s *street) Run(ctx context.Context, out func(*capture.Frame)) error {
	return s.camera.Run(ctx, func(f *capture.Frame) {
		s.mu.Lock()
		luma := s.luma
		if s.lit {
			luma = byte(min(int(luma)+int(s.lamp), 235))
		}
		s.mu.Unlock()
		for i := range f.Planes[0] {
			f.Planes[0][i] = luma
		}
		out(f)
	})
}

func (s *street) turn(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lit, s.turned, s.at = on, append(s.turned, on), time.Now()
}

func (s *street) tell(dark bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, dark)
}

// become sets how bright it is, and forgets how the lamp was turned.
func (s *street) become(luma byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.luma, s.turned = luma, nil
}

// seen returns what was noted.
func (s *street) seen() (lit bool, turned, told []bool, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lit, slices.Clone(s.turned), slices.Clone(s.told), s.at
}

// newNight is a bench before a street.
func newNight(t *testing.T, luma, lamp byte) (*bench, *street) {
	s := &street{camera: newCamera(), luma: luma, lamp: lamp}
	return newBench(t, func(c *Config) { c.Camera, c.Lamp, c.Dark = s, s.turn, s.tell }), s
}

// TestLamp: the lamp is lit within two seconds at night and stays lit although it makes the
// picture bright; it is off when the camera is, by day, and when the day breaks in a call.
func TestLamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newNight(t, 20, 120) // with the lamp, brighter than many a day
		defer b.stop()
		call := func(what string, luma byte, turns, tells int) {
			t.Helper()
			s.become(luma)
			start := time.Now()
			f := b.open(t, capture.VP8)
			paced(t, f, time.Minute)
			_, turned, told, at := s.seen()
			if len(turned) != turns || len(told) != tells {
				t.Errorf("%s: the lamp was turned %v, told %v; want %d times and %d", what, turned, told, turns, tells)
			}
			if turns > 0 && at.Sub(start) > 2*time.Second {
				t.Errorf("%s: the lamp was lit after %v", what, at.Sub(start))
			}
			f.Close()
			synctest.Wait()
			if lit, _, _, _ := s.seen(); lit {
				t.Errorf("%s: the lamp is lit, and the camera off", what)
			}
		}
		call("night", 20, 1, 1)
		call("the same night", 20, 1, 1)
		call("day", 130, 0, 2)
		call("dusk", 60, 0, 2)
	})
}

// TestLampAtDawn: somebody switches the stairs' light on in a call, and off again.
func TestLampAtDawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newNight(t, 20, 50)
		defer b.stop()
		f := b.open(t, capture.VP8)
		defer f.Close()
		step := func(what string, luma byte, during time.Duration, lit bool, turns int) {
			t.Helper()
			s.become(luma)
			paced(t, f, during)
			if now, turned, _, _ := s.seen(); now != lit || len(turned) != turns {
				t.Errorf("%s: lit %v, turned %v, want %v and %d times", what, now, turned, lit, turns)
			}
		}
		step("night", 20, 20*time.Second, true, 1)
		step("headlights", 200, 3*time.Second, true, 0)
		step("night again", 20, 20*time.Second, true, 0)
		step("a little lighter", 50, 20*time.Second, true, 0)
		step("the stairs' light", 100, 20*time.Second, false, 1)
		step("off", 20, 20*time.Second, true, 1)
	})
}

// TestNoLamp: without one, the brightness of the picture is what counts.
func TestNoLamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &street{camera: newCamera(), luma: 20}
		b := newBench(t, func(c *Config) { c.Camera, c.Dark = s, s.tell })
		defer b.stop()
		f := b.open(t, capture.VP8)
		defer f.Close()
		paced(t, f, 5*time.Second)
		s.become(90)
		paced(t, f, 10*time.Second)
		if _, _, told, _ := s.seen(); !slices.Equal(told, []bool{true, false}) {
			t.Errorf("told %v, want dark, then light", told)
		}
	})
}
