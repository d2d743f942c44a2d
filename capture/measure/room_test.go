package measure

import (
	"context"
	"math"
	"math/rand/v2"

	"intercom/capture"
)

// room is a box in a room, as a capture.Duplex that runs as fast as it can.
type room struct {
	delay   float64 // s, of card and way
	drift   float64 // of the microphone's clock, in s for each second
	lost    float64 // s of sound that the card loses after 3.5 s
	loss    float64 // dB
	reverb  float64 // s until it has fallen by 60 dB; 0: only the straight way
	drive   float64 // how far the loudspeaker is driven beyond its range; 0: not
	noise   float64 // root mean square, of full scale
	gain    float64 // of the microphone; 0: 1
	deaf    bool
	periods int // it ends after so many; 0: never
}

// Run is part of capture.Duplex.
//
//go:norace
func (r *room) Run(ctx context.Context, period func(mic, speaker []int16)) error {
	const n = capture.PeriodSamples
	rng := rand.New(rand.NewPCG(3, 4))
	type way struct {
		samples int
		gain    float64
	}
	ways := []way{{0, 1}}
	if r.reverb > 0 {
		for range 60 {
			t := 0.002 + rng.Float64()*r.reverb*0.7
			ways = append(ways, way{int(t * capture.SampleRate), 0.2 * rng.NormFloat64() * math.Pow(10, -3*t/r.reverb)})
		}
	}
	gain := math.Pow(10, -r.loss/20)
	if r.gain > 0 {
		gain *= r.gain
	}
	var played []float64
	mic, speaker := make([]int16, n), make([]int16, n)
	for p := 0; ctx.Err() == nil; p++ {
		if r.periods > 0 && p == r.periods {
			return nil
		}
		for i := range mic {
			k := p*n + i
			delay := r.delay + r.drift*float64(k)/capture.SampleRate
			if k > 3.5*capture.SampleRate {
				delay += r.lost
			}
			sum := 0.0
			for _, w := range ways {
				where := float64(k-n-w.samples) - delay*capture.SampleRate
				if i := int(math.Floor(where)); i >= 0 && i+1 < len(played) { // between two samples: the clocks may differ
					frac := where - float64(i)
					sum += w.gain * (played[i]*(1-frac) + played[i+1]*frac)
				}
			}
			v := math.Round((gain*sum + r.noise*rng.NormFloat64()) * 32768)
			mic[i] = int16(max(math.MinInt16, min(v, math.MaxInt16)))
			if r.deaf {
				mic[i] = 0
			}
		}
		clear(speaker)
		period(mic, speaker)
		for _, s := range speaker {
			v := float64(s) / 32768
			if r.drive > 0 {
				v = math.Tanh(v*r.drive) / r.drive
			}
			played = append(played, v)
		}
	}
	return ctx.Err()
}
