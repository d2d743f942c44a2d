package video

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"intercom/capture"
)

const (
	// lightGap is between measurements of brightness.
	lightGap = 500 * time.Millisecond
	// lightStep is how far apart the pixels are that are measured, in both directions.
	lightStep = 16
	// duskLuma and dawnLuma are far apart, as lamps that are switched on at dusk must not
	// count as dawn at once; nor may headlights: it must stay so for lightHold.
	duskLuma  = 45
	dawnLuma  = 80
	lightHold = 5 * time.Second
)

// light follows the brightness of the camera's pictures.
type light struct {
	mu       sync.Mutex
	at       time.Time // of the last measurement
	luma     int
	known    bool
	dark     bool
	crossing time.Time // since when it has been otherwise; zero: it is not

	since   time.Time // of the first picture since the camera was turned on; zero: there was none
	decided bool      // whether it is dark was decided since then

	lamp   bool // there is one, which is lit while it is dark: see Config.Lamp
	lit    bool
	litAt  time.Time
	litBy  int  // the brightness that it makes
	litFor bool // litBy is known
}

const (
	// firstLook is how long the camera looks before the first decision: it finds its
	// exposure meanwhile. How bright it was in another call tells little.
	firstLook = time.Second
	// lampSettle is how long the camera takes to get used to the lamp, and lampMargin how
	// much brighter than by the lamp it must be to count as day. Beyond lampMost a picture
	// is white, lamp or not.
	lampSettle = 3 * time.Second
	lampMargin = 40
	lampMost   = 215
)

// begin says that the camera is being turned on.
func (l *light) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since, l.decided, l.crossing = time.Time{}, false, time.Time{}
}

// see measures a picture now and then. changed tells that dark is another one, lamp that the
// lamp has to be switched to lit.
func (l *light) see(f *capture.Frame, now time.Time) (changed, dark, lamp, lit bool) {
	if f.Pixel == capture.AVC {
		return false, false, false, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.at) < lightGap && !l.since.IsZero() {
		return false, l.dark, false, l.lit
	}
	l.at, l.luma, l.known = now, meanLuma(f), true
	if l.since.IsZero() {
		l.since = now
	}
	changed = l.decide(now)
	if want := l.lamp && l.decided && l.dark; want != l.lit {
		l.lit, l.litAt, l.litFor = want, now, false
		lamp = true
	}
	return changed, l.dark, lamp, l.lit
}

// decide tells whether dark is another one now. The lock is held.
func (l *light) decide(now time.Time) bool {
	dawn := dawnLuma
	if l.lit {
		if !l.litFor && now.Sub(l.litAt) >= lampSettle {
			l.litBy, l.litFor = l.luma, true
		}
		if !l.litFor {
			return false
		}
		dawn = min(max(dawn, l.litBy+lampMargin), lampMost)
	}
	other := !l.dark && l.luma < duskLuma || l.dark && l.luma > dawn
	if !l.decided {
		if now.Sub(l.since) < firstLook {
			return false
		}
		l.decided = true
		if other {
			l.dark = !l.dark
		}
		return other
	}
	if !other {
		l.crossing = time.Time{}
		return false
	}
	if l.crossing.IsZero() {
		l.crossing = now
	}
	if now.Sub(l.crossing) < lightHold {
		return false
	}
	l.dark, l.crossing = !l.dark, time.Time{}
	return true
}

// end says that the camera is off, and tells whether the lamp was lit.
func (l *light) end() (lit bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lit, l.lit = l.lit, false
	return lit
}

// meanLuma is the mean of some pixels, 16 for black to 235 for white.
func meanLuma(f *capture.Frame) int {
	sum, n := 0, 0
	for y := lightStep / 2; y < f.Height; y += lightStep {
		row := f.Planes[0][y*f.Stride[0]:]
		for x := lightStep / 2; x < f.Width; x += lightStep {
			sum += int(row[x])
			n++
		}
	}
	return sum / max(n, 1)
}

// Brightness is the mean luma of the camera's last pictures, about 16 for black and 235 for
// white, and whether it counts as dark. ok is false before the first picture, and always if
// the camera codes by itself.
func (s *Source) Brightness() (luma int, dark, ok bool) {
	s.light.mu.Lock()
	defer s.light.mu.Unlock()
	return s.light.luma, s.light.dark, s.light.known
}

// ErrCoded is in the error of Snapshot if the camera codes by itself, and there is no
// decoder.
var ErrCoded = errors.New("the camera delivers coded pictures")

// Snapshot returns the camera's next picture, which the caller releases; of a camera that
// codes by itself the next key frame. It needs a camera that is on: outside calls the error is
// capture.ErrNotRunning.
func (s *Source) Snapshot(ctx context.Context) (*capture.Frame, error) {
	if !s.On() {
		return nil, fmt.Errorf("snapshot: the camera is off: %w", capture.ErrNotRunning)
	}
	want := make(chan *capture.Frame, 1)
	s.mu.Lock()
	s.wanted = append(s.wanted, want)
	s.wanting.Store(true)
	s.mu.Unlock()
	select {
	case f := <-want:
		if f.Pixel == capture.I420 {
			return f, nil
		}
		defer f.Release()
		if s.cfg.NewDecoder == nil {
			return nil, fmt.Errorf("snapshot: %w", ErrCoded)
		}
		still, err := decodeStill(s.cfg.NewDecoder, f)
		if err != nil {
			return nil, fmt.Errorf("snapshot: %w", err)
		}
		return still, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, w := range s.wanted {
		if w == want {
			s.wanted = append(s.wanted[:i], s.wanted[i+1:]...)
			return nil, fmt.Errorf("snapshot: no picture came: %w", ctx.Err())
		}
	}
	// It came at the last moment.
	f := <-want
	f.Release()
	return nil, fmt.Errorf("snapshot: %w", ctx.Err())
}

// giveSnapshots hands a picture to those who want one.
func (s *Source) giveSnapshots(f *capture.Frame) {
	if !s.wanting.Load() {
		return
	}
	if f.Pixel == capture.AVC && s.cfg.NewDecoder != nil {
		if !isKeyUnit(f.Planes[0]) {
			return
		}
		f = s.wholeFrame(f)
		defer f.Release()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.wanted {
		f.Retain()
		w <- f
	}
	s.wanted = nil
	s.wanting.Store(false)
}
