package measure

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"intercom/capture"
)

// Sound is the way from a loudspeaker to a microphone, and the microphone itself. Levels are
// in dB below full scale, root mean square unless they are peaks.
type Sound struct {
	Played float64 `json:"played_dbfs"`
	Noise  float64 `json:"noise_dbfs"` // of the microphone while nothing is played
	Heard  float64 `json:"heard_dbfs"` // of what was played; -120: nothing
	Peak   float64 `json:"peak_dbfs"`  // the highest while it was played
	// Delay is how much later than it was handed to the card something is heard. The next
	// fields mean something if Audible only.
	Audible    bool    `json:"audible"`
	Delay      float64 `json:"delay_ms"`
	Loss       float64 `json:"loss_db"`    // from what is played to what is heard
	Distortion float64 `json:"distortion"` // share of overtones, 0 to 1
	// Clock is by how many millionths the microphone's clock is faster than the
	// loudspeaker's, 0 on one card. Jumped: the delay changed during the test by so many ms
	// that it was no matter of clocks.
	Clock   float64 `json:"clock_ppm"`
	Jumped  float64 `json:"jumped_ms"`
	Clipped float64 `json:"clipped"` // share of the periods played in which the microphone was overdriven
	Dead    bool    `json:"dead"`    // it delivers nothing but zeros
}

// sweepPeak is how loud the sweep is at a volume of 0 dB: as loud as somebody who speaks up.
const sweepPeak = -9.0

// mostPeak is the highest peak that is played, in dB below full scale.
const mostPeak = -1.0

// The sweeps are played in this order, each line in samples.
const (
	settling   = capture.SampleRate / 2
	quiet      = capture.SampleRate
	firstSweep = settling + quiet
	nextSweep  = firstSweep + sweepSamples + sweepRest
	soundTime  = nextSweep + sweepSamples + sweepRest
)

// Echo plays two sweeps at a volume in dB, and listens. It takes about six seconds. An error
// says that the card does not work.
func Echo(ctx context.Context, card capture.Duplex, volume float64) (Sound, error) {
	peak := math.Pow(10, min(sweepPeak+volume, mostPeak)/20)
	wave := sweep(peak)
	out := make([]int16, soundTime)
	for i, v := range wave {
		s := int16(math.Round(v * math.MaxInt16))
		out[firstSweep+i], out[nextSweep+i] = s, s
	}
	heard, err := play(ctx, card, out)
	if err != nil {
		return Sound{}, err
	}
	return listen(wave, heard), nil
}

// play plays samples and returns what is heard meanwhile: a sample that is heard at once has
// the index of the one that was played.
func play(ctx context.Context, card capture.Duplex, out []int16) ([]float64, error) {
	heard := make([]int16, len(out)+capture.PeriodSamples)
	done, to := 0, 0
	err := exchange(ctx, card, time.Duration(len(out))*time.Second/capture.SampleRate, func(mic, speaker []int16) bool {
		to += copy(heard[to:], mic)
		done += copy(speaker, out[done:])
		return to == len(heard)
	})
	if err != nil {
		return nil, err
	}
	result := make([]float64, len(out))
	for i := range result {
		result[i] = float64(heard[i+capture.PeriodSamples]) / -math.MinInt16
	}
	return result, nil
}

// grace is how much longer than what is played a card may take.
const grace = 5 * time.Second

// exchange runs a card until period says that it is enough.
func exchange(ctx context.Context, card capture.Duplex, takes time.Duration, period func(mic, speaker []int16) bool) error {
	running, stop := context.WithTimeout(ctx, takes+grace)
	defer stop()
	enough := false // Run returns after the last call of the period
	err := card.Run(running, func(mic, speaker []int16) {
		clear(speaker)
		if enough {
			return
		}
		if enough = period(mic, speaker); enough {
			stop()
		}
	})
	switch {
	case enough:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the card took longer than %v for %v of sound", takes+grace, takes.Round(time.Second))
	case err == nil:
		return errors.New("the card ended by itself")
	}
	return err
}

// listen measures what was heard of two sweeps.
func listen(wave, heard []float64) Sound {
	rest := heard[settling+capture.SampleRate/10 : firstSweep]
	noise := energy(rest, 0, len(rest)) / float64(len(rest))
	power := energy(wave, 0, len(wave)) / float64(len(wave))
	s := Sound{Played: decibels(power), Noise: decibels(noise), Heard: decibels(0), Peak: decibels(0)}
	s.Dead = energy(heard, 0, len(heard)) == 0
	const part = sweepSamples + sweepRest
	first, next := heard[firstSweep:firstSweep+part], heard[nextSweep:nextSweep+part]
	s.Peak, s.Clipped = peaks(first, next)
	h, h2 := responses(wave, heard[firstSweep-quiet:firstSweep+part], heard[nextSweep-quiet:nextSweep+part], quiet)
	hiss := floorOf(h)
	at, ok := arrival(h, hiss)
	if !ok {
		return s
	}
	s.Audible = true
	s.Delay = float64(at) * 1000 / capture.SampleRate
	s.Heard = decibels(max(0, energy(first, at, at+sweepSamples)/sweepSamples-noise))
	s.Loss = s.Played - s.Heard
	s.Distortion = distortion(h, hiss, at)
	if by, ok := shift(h, h2, at); ok && math.Abs(by) < driftMost {
		s.Clock = by / part * 1e6
	} else if at2, ok := arrival(h2, hiss); ok {
		s.Jumped = float64(at2-at) * 1000 / capture.SampleRate
	}
	return s
}

// driftMost is by how many samples two clocks may part between the sweeps: 500 millionths,
// which no two cards do. More is sound that was lost.
const driftMost = 500e-6 * (sweepSamples + sweepRest)

// peaks returns the highest sample in dB, and the share of periods with samples at the
// microphone's end.
func peaks(parts ...[]float64) (peak, clipped float64) {
	const end, least = 32700.0 / 32768, 4
	highest, bad, all := 0.0, 0, 0
	for _, part := range parts {
		for from := 0; from+capture.PeriodSamples <= sweepSamples; from += capture.PeriodSamples {
			n := 0
			for _, v := range part[from:][:capture.PeriodSamples] {
				v = math.Abs(v)
				highest = max(highest, v)
				if v >= end {
					n++
				}
			}
			all++
			if n >= least {
				bad++
			}
		}
	}
	return decibels(highest * highest), float64(bad) / float64(all)
}

// Cancelled is what a canceller leaves of the echo.
type Cancelled struct {
	Before float64 `json:"before_dbfs"`
	After  float64 `json:"after_dbfs"`
	// ERLE is the echo return loss enhancement, Before less After, in dB.
	ERLE float64 `json:"erle_db"`
	// Learned is false if the canceller did not learn the room: what it leaves is quiet
	// because the microphone is turned down. Whoever has the canceller sets it.
	Learned bool `json:"learned"`
}

// Tap is a capture.Duplex that measures what another one's microphone hears, before a
// canceller that is put on it.
type Tap struct {
	card  capture.Duplex
	power float64 // of the last period
}

// NewTap returns a tap of a card.
func NewTap(card capture.Duplex) *Tap { return &Tap{card: card} }

// Run is part of capture.Duplex.
func (t *Tap) Run(ctx context.Context, period func(mic, speaker []int16)) error {
	return t.card.Run(ctx, func(mic, speaker []int16) {
		t.power = power(mic)
		period(mic, speaker)
	})
}

// learning is how long a canceller has before it is measured, and measuring for how long it
// is, in periods.
const (
	learning  = 5 * 50
	measuring = 3 * 50
)

// Cancel plays what is like speech through a canceller at a volume in dB, and measures what
// is left of it in the end. The canceller is on the tap. It takes eight seconds.
func Cancel(ctx context.Context, tap *Tap, canceller capture.Duplex, volume float64) (Cancelled, error) {
	voice := newVoice(volume)
	n := 0
	before, after := 0.0, 0.0
	const all = learning + measuring
	err := exchange(ctx, canceller, all*capture.Period, func(mic, speaker []int16) bool {
		if n++; n > learning {
			before += tap.power
			after += power(mic)
		}
		voice.fill(speaker)
		return n == all
	})
	if err != nil {
		return Cancelled{}, err
	}
	c := Cancelled{Before: decibels(before / measuring), After: decibels(after / measuring), Learned: true}
	c.ERLE = c.Before - c.After
	return c, nil
}

// power is the mean square of some sound, of full scale.
func power(pcm []int16) float64 {
	sum := 0.0
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	return sum / float64(max(1, len(pcm))) / (1 << 30)
}

// voice makes what is like speech to a canceller: noise with the spectrum of a voice, in
// syllables, with pauses.
type voice struct {
	rng       *rand.Rand
	low, high float64 // states of the filters
	gain      float64
	at        int
}

// voiceLevel is its root mean square at the height of a syllable at a volume of 0 dB, in dB
// below full scale.
const voiceLevel = -18.0

func newVoice(volume float64) *voice {
	return &voice{rng: rand.New(rand.NewPCG(1, 2)), gain: math.Pow(10, min(voiceLevel+volume, -12)/20) / voiceUnit}
}

// voiceUnit is the root mean square of the filtered noise.
const voiceUnit = 0.22

func (v *voice) fill(pcm []int16) {
	const lowPass, highPass, syllable = 0.1, 0.02, capture.SampleRate / 4
	for i := range pcm {
		v.low += lowPass * (v.rng.NormFloat64() - v.low)
		v.high += highPass * (v.low - v.high)
		envelope := 0.5 - 0.5*math.Cos(2*math.Pi*float64(v.at%syllable)/syllable)
		if v.at/syllable%6 == 5 {
			envelope = 0 // a breath
		}
		v.at++
		s := v.gain * (v.low - v.high) * envelope * math.MaxInt16
		pcm[i] = int16(max(math.MinInt16, min(s, math.MaxInt16)))
	}
}
