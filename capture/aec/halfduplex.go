package aec

import (
	"context"
	"errors"
	"math"
	"sync/atomic"

	"intercom/capture"
)

const (
	// talkLevel is how loud the loudspeaker is when somebody talks: -45 dBFS, and talkRatio
	// times its noise.
	talkLevel = 184
	talkRatio = 4
	// noiseRise is by how much noise that was lower is believed to have risen in a period:
	// twice as loud in 3 s.
	noiseRise = 1.005
	// hangover is how many periods the microphone stays down after the loudspeaker was
	// heard, 300 ms: the card's delay, and the room's echo.
	hangover = 15
	// downGain is the microphone's gain then, -36 dB.
	downGain = 1.0 / 64
)

// HalfDuplex is a capture.Duplex that turns the microphone down while the loudspeaker talks.
type HalfDuplex struct {
	device capture.Duplex
	down   atomic.Bool
}

var _ capture.Duplex = (*HalfDuplex)(nil)

// NewHalfDuplex wraps a device.
func NewHalfDuplex(device capture.Duplex) (*HalfDuplex, error) {
	if device == nil {
		return nil, errors.New("aec: a sound card is needed")
	}
	return &HalfDuplex{device: device}, nil
}

// Down tells whether the microphone is turned down now. It may be called from any goroutine.
func (h *HalfDuplex) Down() bool { return h.down.Load() }

// Run is part of capture.Duplex.
func (h *HalfDuplex) Run(ctx context.Context, period func(mic, speaker []int16)) error {
	defer h.down.Store(false)
	g := gate{noise: talkLevel, gain: 1}
	return h.device.Run(ctx, func(mic, speaker []int16) {
		g.pass(mic)
		period(mic, speaker)
		g.hear(speaker)
		h.down.Store(g.hold > 0)
	})
}

// gate is the microphone's.
type gate struct {
	noise float64 // the loudspeaker's when nobody talks
	hold  int     // periods that the microphone stays down
	gain  float64
}

// hear takes what is played next.
func (g *gate) hear(speaker []int16) {
	level := rms(speaker)
	g.noise = max(1, min(level, g.noise*noiseRise))
	if level > talkLevel && (level > talkRatio*g.noise || g.hold > 0 && level > talkRatio/2*g.noise) {
		g.hold = hangover
	} else if g.hold > 0 {
		g.hold--
	}
}

// pass turns a period of the microphone up or down, without a step.
func (g *gate) pass(mic []int16) {
	to := 1.0
	if g.hold > 0 {
		to = downGain
	}
	if g.gain == 1 && to == 1 {
		return
	}
	by := (to - g.gain) / float64(len(mic))
	for i, s := range mic {
		g.gain += by
		mic[i] = int16(float64(s) * g.gain)
	}
	g.gain = to
}

// rms is the root mean square of some sound, in units of a sample.
func rms(pcm []int16) float64 {
	sum := int64(0)
	for _, s := range pcm {
		sum += int64(s) * int64(s)
	}
	return math.Sqrt(float64(sum) / float64(max(1, len(pcm))))
}
