package reclock

import "math"

const (
	// taps is how many samples one is made of, and phases between how many places between two
	// samples there are ready-made weights; in between, weights are interpolated.
	taps, phases = 24, 128
	// passband is the share of the band that goes through.
	passband = 0.92
	// chunk is how many samples are made at a time.
	chunk = 512
)

// resampler makes sound at slightly more or fewer samples than it is given: a windowed sinc.
// What it is given it wants in advance, in the piece of memory that room returns.
type resampler struct {
	weights [(phases + 1) * taps]float32
	in      [taps + chunk + chunk/8]int16
	n       int     // of in that are there
	at      float64 // of the next sample, from in[taps/2-1]
}

func newResampler() resampler {
	var r resampler
	for p := range phases + 1 {
		sum := 0.0
		w := r.weights[p*taps : (p+1)*taps]
		var exact [taps]float64
		for i := range exact {
			t := float64(i) - (taps/2 - 1) - float64(p)/phases
			exact[i] = sinc(passband*t) * window(t/(taps/2))
			sum += exact[i]
		}
		for i := range w {
			w[i] = float32(exact[i] / sum)
		}
	}
	r.reset()
	return r
}

// reset forgets what was given.
func (r *resampler) reset() {
	clear(r.in[:])
	r.n, r.at = taps-1, 0
}

// left is how much of what was given was not read yet, in samples.
func (r *resampler) left() float64 { return float64(r.n) - taps/2 - r.at }

// room returns where what is needed besides, to make n samples, is to be put. All of it must
// be put there, and n samples made then.
func (r *resampler) room(n int, ratio float64) []int16 {
	need := int(r.at+float64(n-1)*ratio) + taps
	if need <= r.n {
		return nil
	}
	more := r.in[r.n:need]
	return more
}

// make makes samples.
func (r *resampler) make(out []int16, ratio float64) {
	r.n = max(r.n, int(r.at+float64(len(out)-1)*ratio)+taps)
	at := r.at
	for i := range out {
		whole := int(at)
		f := (at - float64(whole)) * phases
		p := int(f)
		out[i] = r.sample(r.in[whole:whole+taps], p, float32(f-float64(p)))
		at += ratio
	}
	used := min(int(at), r.n)
	copy(r.in[:], r.in[used:r.n])
	r.n -= used
	r.at = at - float64(used)
}

// sample is one, part of the way from the weights of one phase to those of the next.
func (r *resampler) sample(in []int16, phase int, part float32) int16 {
	a, b := r.weights[phase*taps:(phase+1)*taps], r.weights[(phase+1)*taps:(phase+2)*taps]
	var x, y float32
	for i, s := range in[:taps] {
		v := float32(s)
		x += v * a[i]
		y += v * b[i]
	}
	v := x + part*(y-x)
	return int16(max(math.MinInt16, min(math.Round(float64(v)), math.MaxInt16)))
}

func sinc(t float64) float64 {
	if t == 0 {
		return 1
	}
	return math.Sin(math.Pi*t) / (math.Pi * t)
}

// window is Blackman's, from -1 to 1.
func window(t float64) float64 {
	if t <= -1 || t >= 1 {
		return 0
	}
	return 0.42 + 0.5*math.Cos(math.Pi*t) + 0.08*math.Cos(2*math.Pi*t)
}
