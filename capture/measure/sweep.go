package measure

import (
	"math"

	"intercom/capture"
)

// The sweep runs through the band that door loudspeakers play and speech needs, each octave
// as long as the next one: what a loudspeaker adds in overtones then arrives, once the sweep
// is taken out, before the sound itself (A. Farina, AES convention 108, 2000).
const (
	lowest, highest = 200.0, 8000.0 // Hz
	sweepSamples    = capture.SampleRate * 3 / 2
	sweepFade       = capture.SampleRate / 100
	// sweepRest is the silence after it, for the longest delay and the room.
	sweepRest = capture.SampleRate * 7 / 10
	// longestDelay is how far an arrival is looked for.
	longestDelay = capture.SampleRate * 6 / 10

	// transformLen holds sweep and rest, and as much for what lies before.
	transformLen = 1 << 18
)

// sweep returns the sweep with this peak, in units of full scale.
func sweep(peak float64) []float64 {
	out := make([]float64, sweepSamples)
	seconds := float64(sweepSamples) / capture.SampleRate
	octaves := math.Log(highest / lowest)
	for i := range out {
		t := float64(i) / capture.SampleRate
		out[i] = peak * math.Sin(2*math.Pi*lowest*seconds/octaves*(math.Exp(t/seconds*octaves)-1))
		if edge := min(i, sweepSamples-1-i); edge < sweepFade {
			out[i] *= 0.5 - 0.5*math.Cos(math.Pi*float64(edge)/sweepFade)
		}
	}
	return out
}

// responses takes the sweep out of what was heard twice, each time from lead samples before
// it: what is left is what a click would have been heard as. Index 0 is no delay; what lies
// before it is at the end.
func responses(played, first, next []float64, lead int) (h, h2 []float64) {
	x, y := make([]complex128, transformLen), make([]complex128, transformLen)
	for i, v := range played {
		x[i] = complex(v, 0)
	}
	for i, v := range first { // both at once, as the filter has no imaginary part
		y[(i-lead+transformLen)%transformLen] = complex(v, next[i])
	}
	transform(x, false)
	transform(y, false)
	for k := range y {
		hz := float64(min(k, transformLen-k)) * capture.SampleRate / transformLen
		power := real(x[k])*real(x[k]) + imag(x[k])*imag(x[k])
		if w := passband(hz); w > 0 && power > 0 {
			y[k] *= complex(w*real(x[k])/power, -w*imag(x[k])/power)
		} else {
			y[k] = 0
		}
	}
	transform(y, true)
	h, h2 = make([]float64, transformLen), make([]float64, transformLen)
	for i, v := range y {
		h[i], h2[i] = real(v)/transformLen, imag(v)/transformLen
	}
	return h, h2
}

// passband has soft edges, so that a click stays short.
func passband(hz float64) float64 {
	const lowFrom, lowTo, highFrom, highTo = lowest * 1.1, lowest * 2.5, highest * 0.6, highest * 0.95
	soft := func(from, to float64) float64 { return 0.5 - 0.5*math.Cos(math.Pi*(hz-from)/(to-from)) }
	switch {
	case hz <= lowFrom || hz >= highTo:
		return 0
	case hz < lowTo:
		return soft(lowFrom, lowTo)
	case hz > highFrom:
		return 1 - soft(highFrom, highTo)
	}
	return 1
}

const (
	// audibleRatio is how far an arrival stands out of the noise in the response.
	audibleRatio = 8
	// firstShare is how strong the first arrival is, at least, compared with the strongest.
	firstShare = 0.4
)

// floorOf is the power of the noise in a response whose lead is a second: before all that
// the sweep is heard as, and yet where all of its frequencies were listened for.
func floorOf(h []float64) float64 {
	const from, to = -capture.SampleRate * 98 / 100, -capture.SampleRate * 80 / 100
	return energy(h, from, to) / (to - from)
}

// arrival returns the place of the first strong arrival in a response with a noise of this
// power; ok is false if there is none.
func arrival(h []float64, noise float64) (at int, ok bool) {
	noise = math.Sqrt(noise)
	best := 0.0
	for _, v := range h[:longestDelay] {
		best = max(best, math.Abs(v))
	}
	if best <= audibleRatio*noise || best == 0 {
		return 0, false
	}
	for i, v := range h[:longestDelay] {
		if math.Abs(v) >= firstShare*best {
			for math.Abs(h[i+1]) > math.Abs(h[i]) {
				i++
			}
			return i, true
		}
	}
	return 0, false
}

// energy sums squares from one index to before another one; below 0 is the response's end.
func energy(h []float64, from, to int) float64 {
	sum := 0.0
	for i := from; i < to; i++ {
		v := h[(i+len(h))%len(h)]
		sum += v * v
	}
	return sum
}

// distortion returns the share of what was heard that are overtones of what was played, as
// an amplitude: 0.1 is 10 %. noise is the power of it in the response.
func distortion(h []float64, noise float64, at int) float64 {
	const edge = capture.SampleRate / 50 // what belongs to the arrival itself
	const tail = capture.SampleRate / 2
	before := func(overtone float64) int {
		return int(sweepSamples * math.Log(overtone) / math.Log(highest/lowest))
	}
	from, to := at-before(6)-edge, at-edge
	over := max(0, energy(h, from, to)-noise*float64(to-from))
	return math.Sqrt(over / max(energy(h, at-edge, at+tail)-noise*(edge+tail), 1e-12))
}

// shift returns how many samples later the second of two responses has what the first one
// has at a place, to a fraction of one; ok is false if they are not alike within 10 ms.
func shift(a, b []float64, at int) (samples float64, ok bool) {
	const before, after, reach = 48, 480, 480
	like := func(by int) float64 {
		ab := 0.0
		for i := at - before; i < at+after; i++ {
			ab += a[(i+len(a))%len(a)] * b[(i+by+len(b))%len(b)]
		}
		return ab
	}
	best, most := 0, math.Inf(-1)
	for by := -reach; by <= reach; by++ {
		if l := like(by); l > most {
			best, most = by, l
		}
	}
	norm := math.Sqrt(energy(a, at-before, at+after) * energy(b, at+best-before, at+best+after))
	if norm == 0 || most < 0.7*norm || best == reach || best == -reach {
		return 0, false
	}
	l, r := like(best-1), like(best+1)
	frac := 0.0
	if bend := l - 2*most + r; bend < 0 {
		frac = 0.5 * (l - r) / bend
	}
	return float64(best) + frac, true
}
