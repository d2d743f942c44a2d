package video

import (
	"time"

	"intercom/capture"
	"intercom/internal/pixels"
)

// This file fits what an encoder makes to the networks of those who watch. First goes the
// bit rate, to what the slowest has; when that is too little for the picture, half of the
// frames; then half of its width and height. A watcher who is so slow that all others would
// suffer gets no pictures until it is better: the call goes on with sound.

const (
	// minBitRate: below it no picture of a door is worth its delay, so one peer's network
	// cannot pull the others further down; nor below the fastest's by more than maxPull.
	minBitRate = 150_000
	maxPull    = 4
	// loneBitRate is the same for who watches alone: small pictures, a few a second.
	loneBitRate = 60_000

	// restAfter is how long a network must be too slow until its watcher rests, and
	// restFirst how long he does at least; each time that follows soon is twice as long, up
	// to restMost.
	restAfter = 3 * time.Second
	restFirst = 10 * time.Second
	restMost  = 30 * time.Second
	// loneFirst and loneMost are the same for who watches alone: nobody else is disturbed.
	loneFirst = 2 * time.Second
	loneMost  = 15 * time.Second

	// leastBits are needed for a pixel of a picture that moves; with fewer, blocks are all
	// there is. They are a share of one bit: parts of 1000.
	leastBits = 25
	// fallAfter and riseAfter are how long the bit rate must ask for another picture.
	fallAfter = time.Second
	riseAfter = 5 * time.Second
	// fewFrames a second are not halved.
	fewFrames = 10
)

// rest is whether a watcher gets pictures. It is guarded by the lock of the lane.
type rest struct {
	low   time.Time     // since when the network is too slow; zero: it is not
	began time.Time     // of the last rest
	ended time.Time     // when the last one ended
	least time.Duration // of the next one
}

// judge decides for a watcher whose network carries so much, when floor is the least that
// there is.
func (r *rest) judge(resting, alone bool, bits, floor int, now time.Time) bool {
	first, most := restFirst, restMost
	if alone {
		first, most = loneFirst, loneMost
	}
	if resting {
		if bits < floor*6/5 || now.Sub(r.began) < min(r.least, most) {
			return true
		}
		r.low, r.ended = time.Time{}, now
		return false
	}
	switch {
	case bits >= floor:
		r.low = time.Time{}
		return false
	case r.low.IsZero():
		r.low = now
	}
	if now.Sub(r.low) < restAfter {
		return false
	}
	r.least = min(max(2*r.least, first), most)
	if now.Sub(r.ended) > 2*restMost {
		r.least = first
	}
	r.began = now
	return true
}

// merge returns the bit rate that suits all who watch, and how many get pictures. The lock
// is held.
func (l *lane) merge(now time.Time) (rate, watching int) {
	most := l.src.cfg.BitRate
	fastest := 0
	for _, f := range l.feeds {
		fastest = max(fastest, f.carries(most))
	}
	floor := min(loneBitRate, most)
	if len(l.feeds) > 1 {
		floor = min(max(minBitRate, fastest/maxPull), most)
	}
	rate = max(fastest, floor)
	for _, f := range l.feeds {
		bits := f.carries(most)
		was := f.resting.Load()
		resting := f.rest.judge(was, len(l.feeds) == 1, bits, floor, now)
		if resting != was {
			f.resting.Store(resting)
			l.src.log.Info("watcher's network", "codec", l.codec, "pictures", !resting, "bit/s", bits)
			if !resting {
				l.wantKey = true
			}
		}
		if !resting {
			watching++
			rate = min(rate, max(bits, floor))
		}
	}
	return rate, watching
}

// carries is what the watcher's network does, as far as it matters.
func (f *feed) carries(most int) int {
	if n := int(f.bitRate.Load()); n > 0 {
		return min(n, most)
	}
	return most
}

// shape is the picture that is coded, of the one that the camera has.
type shape uint8

const (
	fullShape  shape = iota
	fewerShape       // every other frame
	smallShape       // and half as wide and high
)

// shaper chooses the shape by the bit rate.
type shaper struct {
	shape shape
	since time.Time // when the bit rate began to ask for another one; zero: it does not
	odd   bool      // the last frame was left out
}

// needs is the least bit rate of a shape.
func (s shape) needs(f capture.Format) int {
	pixels := f.Width * f.Height
	if s == smallShape {
		pixels /= 4
	}
	return pixels * s.fps(f.FPS) / 1000 * leastBits
}

// fps is the frame rate of a shape, of a camera's.
func (s shape) fps(camera int) int {
	if s == fullShape || camera <= fewFrames {
		return camera
	}
	return (camera + 1) / 2
}

// String is for the log.
func (s shape) String() string {
	return [...]string{fullShape: "whole", fewerShape: "half of the frames", smallShape: "half as wide"}[s]
}

// choose moves by one shape at a time. It returns whether there is another one.
func (s *shaper) choose(f capture.Format, rate int, now time.Time) bool {
	to, wait := s.shape, riseAfter
	switch {
	case s.shape < smallShape && rate < s.shape.needs(f):
		to, wait = s.shape+1, fallAfter
	case s.shape > fullShape && rate > (s.shape-1).needs(f)*3/2:
		to = s.shape - 1
	}
	switch {
	case to == s.shape:
		s.since = time.Time{}
	case s.since.IsZero():
		s.since = now
	case now.Sub(s.since) >= wait:
		s.shape, s.since = to, time.Time{}
		return true
	}
	return false
}

// skip tells whether this frame is left out.
func (s *shaper) skip(f capture.Format) bool {
	s.odd = !s.odd && s.shape.fps(f.FPS) < f.FPS
	return s.odd
}

// fit returns the picture in the shape that is coded, which the caller releases.
func (l *lane) fit(f *capture.Frame) *capture.Frame {
	if l.shaper.shape != smallShape {
		f.Retain()
		return f
	}
	// Sides that are even, as encoders need.
	w, h := f.Width/4*2, f.Height/4*2
	if l.small == nil || l.smallOf != f.Format {
		l.small, l.smallOf = capture.NewFramePool(w, h, l.shaper.shape.fps(f.FPS)), f.Format
	}
	to := l.small.Get()
	to.Time = f.Time
	for i := range to.Planes {
		if i == 1 {
			w, h = w/2, h/2
		}
		pixels.Halve(pixels.Plane{Pix: to.Planes[i], Stride: to.Stride[i]}, pixels.Plane{Pix: f.Planes[i], Stride: f.Stride[i]}, w, h)
	}
	return to
}
