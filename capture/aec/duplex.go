//go:build cgo

package aec

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"intercom/capture"
)

const (
	// tail is how long an echo may last, 128 ms, from when the engine is given what was played:
	// what is longer is not learned.
	tail = sampleRate * 128 / 1000
	// lead is how much of the tail is kept before the middle of its strongest part, 24 ms;
	// within these bounds, 10 and 85 ms, it may wander before it is put back there. A card
	// within them from the beginning is left alone, and so is any by an engine that finds the
	// echo itself.
	lead      = sampleRate * 24 / 1000
	leastLead = sampleRate * 10 / 1000
	mostLead  = sampleRate * 85 / 1000

	// historyPeriods is how much of what was played is remembered: the longest delay.
	historyPeriods = finderTaps*decimation/periodSamples + 2

	// clippedAt is where a microphone is taken to be at its end, and clippedSamples how many
	// such samples make a clipped period.
	clippedAt      = math.MaxInt16 - 64
	clippedSamples = 4
	// harmfulDrift is where a warning is worth it, in millionths.
	harmfulDrift = 100
	// audible is how loud the loudspeaker is when echo is measured, root mean square.
	audible = 300
	// measured is the share of the past that one such period replaces: about a second. From
	// learnedERLE dB on, after learnedPeriods of them, the room is taken to be learned.
	measured       = 1.0 / 50
	learnedERLE    = 18
	learnedPeriods = 25
)

// Stats are measured while the device runs, and remembered.
type Stats struct {
	// Delay is how much later than it was handed to the device the loudspeaker is heard, 0
	// until it is known.
	Delay time.Duration
	// ERLE is the echo return loss enhancement: by how many dB what is heard is quieter after
	// cancellation, over about the last second in which something was played. Who talks at
	// the same time lowers it. 0 until there was something.
	ERLE float64
	// Clipped are the periods in which the microphone was overdriven: echo in them cannot be
	// cancelled.
	Clipped int64
	// Restarts counts how often the delay was out of the engine's reach, and the room was
	// learned anew.
	Restarts int64
	// Drift is by how many millionths the microphone's clock is faster than the loudspeaker's;
	// 0 until 25 s of it were seen, or when it is not certain. At 200 it leaves some 30 dB of
	// ERLE. What a device has converted from one card's clock to another's is not in it.
	Drift int
	// Learning tells that the room is not learned yet, or cannot be: meanwhile the microphone
	// is turned down while the loudspeaker talks.
	Learning bool
}

// Config is what a Duplex is made of.
type Config struct {
	Device capture.Duplex
	Logger *slog.Logger // nil discards
}

// Duplex is a capture.Duplex without echo.
type Duplex struct {
	device capture.Duplex
	log    *slog.Logger

	delay, clipped, restarts atomic.Int64 // of Stats; the delay in samples
	ppm                      atomic.Int64
	erle                     atomic.Uint64
	learned                  atomic.Bool
	lag                      atomic.Int64 // see canceller; the card will be like it was

	engine func() (engine, error)
	bare   bool // the engine's result is neither evened out nor turned down, for measurements
}

var _ capture.Duplex = (*Duplex)(nil)

// New checks the configuration.
func New(c Config) (*Duplex, error) {
	if c.Device == nil {
		return nil, errors.New("aec: a sound card is needed")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Duplex{device: c.Device, log: c.Logger, engine: newAPM}, nil
}

// Stats may be called from any goroutine.
func (d *Duplex) Stats() Stats {
	return Stats{
		Delay: time.Duration(d.delay.Load()) * time.Second / sampleRate, ERLE: math.Float64frombits(d.erle.Load()),
		Clipped: d.clipped.Load(), Restarts: d.restarts.Load(), Learning: !d.learned.Load(), Drift: int(d.ppm.Load()),
	}
}

// Run is part of capture.Duplex.
func (d *Duplex) Run(ctx context.Context, period func(mic, speaker []int16)) error {
	e, err := d.engine()
	if err != nil {
		return err
	}
	defer e.close()
	d.learned.Store(false)
	p := &canceller{Duplex: d, engine: e, mic: newDown(), speaker: newDown(), out: newUp(), finder: newFinder(), lag: int(d.lag.Load()), gate: gate{noise: talkLevel, gain: 1}, agc: newAGC()}
	err = d.device.Run(ctx, func(mic, speaker []int16) {
		p.clean(mic)
		period(mic, speaker)
		p.play(speaker)
	})
	d.say()
	return err
}

// say logs what was measured.
func (d *Duplex) say() {
	s := d.Stats()
	if s.Delay == 0 {
		return
	}
	d.log.Info("echo", "delay", s.Delay, "reduced by dB", math.Round(s.ERLE), "overdriven periods", s.Clipped, "learned", !s.Learning)
	if s.Drift >= harmfulDrift || s.Drift <= -harmfulDrift {
		d.log.Warn("the sound card's microphone and loudspeaker have clocks of their own: echo is cancelled better with another card", "millionths", s.Drift)
	}
}

// canceller is the state of one Run.
type canceller struct {
	*Duplex
	engine       engine
	mic, speaker *down
	out          *up
	finder       *finder

	heard, echo, result [periodSamples]int16
	history             [historyPeriods * periodSamples]int16 // of what was played; a ring
	at                  int                                   // where its oldest samples are
	lag                 int                                   // how old the sound is that is taken for the echo, in samples

	before, after float64 // power, smoothed
	periods       int     // measured since the room is learned
	now           int     // periods since the beginning
	drift         drift
	gate          gate
	agc           agc
}

// clean takes the echo out of a period of the microphone.
func (p *canceller) clean(mic []int16) {
	p.now++
	p.countClipped(mic)
	p.mic.period(mic, p.heard[:])
	p.played(0)
	if delay, ok := p.finder.take(p.echo[:], p.heard[:]); ok {
		p.follow(delay)
	}
	p.played(p.lag)
	p.engine.cancel(p.heard[:], p.echo[:], p.result[:])
	p.measure()
	if !p.bare {
		p.agc.pass(p.result[:], p.gate.hold > 0)
	}
	p.out.period(p.result[:], mic)
	if p.learned.Load() || p.bare {
		p.gate.hold = 0
	}
	p.gate.pass(mic)
}

// follow moves what is taken for the echo to where it is, when that is out of the engine's
// reach. The engine learns the new way sooner than from the beginning.
func (p *canceller) follow(delay int) {
	p.delay.Store(int64(delay))
	if ppm, ok := p.drift.take(delay, p.now); ok {
		p.ppm.Store(int64(ppm))
	}
	if l := delay - p.lag; l >= leastLead && l <= p.engine.reach() || delay < lead && p.lag == 0 {
		return
	}
	p.lag = max(0, delay-lead)
	p.Duplex.lag.Store(int64(p.lag))
	p.before, p.after, p.periods = 0, 0, 0
	p.learned.Store(false)
	p.restarts.Add(1)
}

// played puts the period that was played so many samples ago into echo.
func (p *canceller) played(lag int) {
	from := (p.at + len(p.history) - periodSamples - lag) % len(p.history)
	n := copy(p.echo[:], p.history[from:])
	copy(p.echo[n:], p.history[:])
}

// play remembers a period of the loudspeaker.
func (p *canceller) play(speaker []int16) {
	p.speaker.period(speaker, p.history[p.at:p.at+periodSamples])
	p.at = (p.at + periodSamples) % len(p.history)
	p.gate.hear(speaker)
}

func (p *canceller) countClipped(mic []int16) {
	n := 0
	for _, s := range mic {
		if s >= clippedAt || s <= -clippedAt {
			n++
		}
	}
	if n >= clippedSamples {
		p.clipped.Add(1)
	}
}

// measure keeps the loss of echo, while there is some.
func (p *canceller) measure() {
	if rms(p.echo[:]) < audible {
		return
	}
	h, r := rms(p.heard[:]), rms(p.result[:])
	p.before += measured * (h*h - p.before)
	p.after += measured * (r*r - p.after)
	erle := 10 * math.Log10((p.before+1)/(p.after+1))
	p.erle.Store(math.Float64bits(erle))
	if p.periods++; p.periods >= learnedPeriods && erle >= learnedERLE {
		p.learned.Store(true)
	}
}
