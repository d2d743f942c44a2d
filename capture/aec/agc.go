package aec

import "math"

const (
	// loudness is how loud a visitor's speech is made, root mean square, -21 dBFS; by leastGain
	// to mostGain, -6 and 12 dB, and by no more than 3 dB a second.
	loudness  = 3000
	leastGain = 0.5
	mostGain  = 4.0
	gainStep  = 1.007
	// speechRatio is how much louder than the noise speech is.
	speechRatio = 3
	// ceiling is where sound is turned down at once.
	ceiling = 30000
)

// agc makes near and far visitors equally loud. What is heard while the loudspeaker talks
// tells it nothing.
type agc struct {
	gain, noise, speech float64
}

func newAGC() agc { return agc{gain: 1, noise: 100, speech: loudness} }

// pass takes a period that comes out of the canceller.
func (a *agc) pass(pcm []int16, echo bool) {
	level := rms(pcm)
	if !echo {
		a.noise = max(5, min(level, a.noise*noiseRise))
		if level > speechRatio*a.noise && level > loudness/64 {
			a.speech += 0.02 * (level - a.speech)
			want := max(leastGain, min(loudness/a.speech, mostGain))
			a.gain = max(a.gain/gainStep, min(want, a.gain*gainStep))
		}
	}
	peak := 1.0
	for _, s := range pcm {
		peak = max(peak, math.Abs(float64(s)))
	}
	g := min(a.gain, ceiling/peak)
	for i, s := range pcm {
		pcm[i] = int16(float64(s) * g)
	}
}
