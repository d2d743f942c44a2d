package reclock

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// room is how much more than its delay a bridge can hold, in times of it.
	room = 4
	// tooMuch is how many times its delay it holds before it drops what is too much at once.
	tooMuch = 2
	// most is the greatest difference of two clocks that is corrected.
	most = 0.005

	// The loop's natural frequency, in 1/s and critically damped, is quick at first, and narrow
	// over the time since it was last far off, down to calm: what it knows gets better with
	// time. It averages for a look before it acts: what threads are late by is gone then. far is
	// an error, as a share of the delay, that is not noise; late is the most that one read is
	// believed to be off the look before, after settle, and half of it the most that a whole look
	// may be.
	quick, narrow, calm = 0.5, 4.0, 0.04
	leastLook, mostLook = 500 * time.Millisecond, 4 * time.Second
	looks               = 0.2 // in one over the frequency
	settle              = 20 * time.Second
	far, late           = 0.125, 0.02
)

// Config says what a Bridge is for.
type Config struct {
	Rate int // samples a second, of both sides
	// Delay is how much later sound is read than it was written, in samples: what is written
	// at a time, what is read at a time, and how late both may be.
	Delay int
	// Skew is what an earlier Bridge between the same clocks found.
	Skew float64
}

// Bridge carries sound from the clock of who writes it to that of who reads it.
type Bridge struct {
	rate, delay float64

	mu      sync.Mutex
	ring    []int16
	written int64         // samples, since the beginning
	taken   int64         // samples that went to the resampler
	wrote   time.Duration // when the last ones were written
	size    int           // how many; zero: none

	// What follows belongs to who reads.
	resampler resampler
	playing   bool
	loop      loop

	skew         atomic.Uint64 // float64
	dry, drowned atomic.Int64
}

// Stats are counted since the beginning.
type Stats struct {
	// Skew is by which share the clock of who writes is faster than that of who reads.
	Skew float64
	// Dry counts how often there was nothing to read, and Drowned how often what was written
	// had to be dropped, because the other side stood still.
	Dry, Drowned int64
}

// New checks the configuration.
func New(c Config) (*Bridge, error) {
	if c.Rate <= 0 || c.Delay <= 0 || c.Delay > c.Rate || !(math.Abs(c.Skew) <= most) {
		return nil, fmt.Errorf("reclock: %d samples of delay at %d a second with a skew of %v are out of range", c.Delay, c.Rate, c.Skew)
	}
	b := &Bridge{rate: float64(c.Rate), delay: float64(c.Delay), ring: make([]int16, (1+room)*c.Delay)}
	b.loop = loop{rate: b.rate, near: far * b.delay, late: late * b.delay, skew: c.Skew, sum: c.Skew}
	b.skew.Store(math.Float64bits(c.Skew))
	b.resampler = newResampler()
	return b, nil
}

// Stats may be called from any goroutine.
func (b *Bridge) Stats() Stats {
	return Stats{Skew: math.Float64frombits(b.skew.Load()), Dry: b.dry.Load(), Drowned: b.drowned.Load()}
}

// Write takes sound that is to be read later by the bridge's delay. now is the time, since any
// moment that both sides know.
func (b *Bridge) Write(pcm []int16, now time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrote, b.size = now, len(pcm)
	for len(pcm) > 0 {
		n := copy(b.ring[int(b.written%int64(len(b.ring))):], pcm)
		b.written += int64(n)
		pcm = pcm[n:]
	}
	b.taken = max(b.taken, b.written-int64(len(b.ring))) // the oldest are overwritten
}

// Read makes sound for the other clock: silence, if there is none.
func (b *Bridge) Read(pcm []int16, now time.Duration) {
	held, comes := b.held(now)
	if !b.playing {
		if !comes || held < b.delay {
			clear(pcm)
			return
		}
		b.playing = true
		b.drop(held - b.delay) // else the loop would take it for skew
		held = b.delay
	}
	if held > tooMuch*b.delay {
		b.drop(held - b.delay)
		held = b.delay
		b.drowned.Add(1)
	}
	if comes {
		b.loop.take(held-b.delay, time.Duration(float64(len(pcm))/b.rate*float64(time.Second)))
		b.skew.Store(math.Float64bits(b.loop.sum))
	}
	ratio := 1 + b.loop.skew
	for len(pcm) > 0 {
		part := pcm[:min(len(pcm), chunk)]
		pcm = pcm[len(part):]
		if !b.fetch(b.resampler.room(len(part), ratio)) {
			clear(part)
			clear(pcm)
			b.playing = false
			b.resampler.reset()
			b.dry.Add(1)
			return
		}
		b.resampler.make(part, ratio)
	}
}

// held returns how much sound there is, as if it came all the time and not a period at once,
// and whether it comes.
func (b *Bridge) held(now time.Duration) (samples float64, comes bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	since := (now - b.wrote).Seconds() * b.rate
	return float64(b.written-b.taken) + b.resampler.left() + since, since < 2*float64(b.size)
}

// drop leaves out the oldest sound.
func (b *Bridge) drop(samples float64) {
	b.mu.Lock()
	b.taken = min(b.taken+int64(math.Round(samples)), b.written)
	b.mu.Unlock()
	b.loop.again()
}

// fetch gives the resampler what it is to be given.
func (b *Bridge) fetch(to []int16) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.written-b.taken < int64(len(to)) {
		return false
	}
	n := copy(to, b.ring[int(b.taken%int64(len(b.ring))):])
	copy(to[n:], b.ring)
	b.taken += int64(len(to))
	return true
}

// loop finds the skew from how far what is held is from what it should be: a proportional and
// an integrating part.
type loop struct {
	rate       float64
	near, late float64 // errors in samples: of a look that is noise, of one read among others
	skew       float64 // to be read at
	sum        float64 // the integrating part, which is the skew of the clocks

	error  float64 // mean of this look
	last   float64 // of the one before
	n      int
	passed time.Duration // of this look
	well   time.Duration // since the error was last not near
}

// again begins a look anew: what is held has jumped.
func (l *loop) again() {
	*l = loop{rate: l.rate, near: l.near, late: l.late, skew: l.sum, sum: l.sum}
}

// take takes an error in samples, after some time.
func (l *loop) take(samples float64, after time.Duration) {
	w := max(calm, min(narrow/l.well.Seconds(), quick))
	look := max(leastLook, min(time.Duration(looks/w*float64(time.Second)), mostLook))
	settled := l.well > settle
	if settled {
		samples = max(l.last-l.late, min(samples, l.last+l.late))
	}
	l.n++
	l.error += (samples - l.error) / float64(l.n)
	if l.passed += after; l.passed < look {
		return
	}
	if l.well += l.passed; math.Abs(l.error) > l.near || settled && math.Abs(l.error-l.last) > l.late/2 {
		l.well = 0
	}
	t, e := l.passed.Seconds(), l.error/l.rate
	l.sum = max(-most, min(l.sum+w*w*e*t, most))
	l.skew = max(-most, min(l.sum+2*w*e, most))
	l.last, l.error, l.n, l.passed = l.error, 0, 0, 0
}
