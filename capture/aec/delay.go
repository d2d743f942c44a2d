package aec

import "math"

// The delay is looked for in a band that loudspeakers of doors play and speech has, at a
// rate that is enough for it: from 1 to 2 kHz, taken down to 2 kHz. (What folds back does so
// in what was played and in what was heard alike.)
const (
	decimation = 8
	bandTaps   = 64
	narrow     = periodSamples / decimation // samples of a period there

	// finderTaps is the longest delay that is found, 400 ms.
	finderTaps = 800
	// step is how much of an error is corrected at once, and updates the samples between two
	// corrections: half of them are enough.
	step    = 0.5
	updates = 2

	// lookPeriods is the time between two looks at the result, 100 ms, and agree how many
	// of them in a row must be of one opinion, within near taps; more to change one that
	// stood, for who speaks into the microphone misleads.
	lookPeriods = 5
	agree       = 3
	agreeAnew   = 15
	near        = 6
	// outstanding is how much stronger than the mean the strongest 2.5 ms of the echo are, at
	// least.
	outstanding = 20
	spread      = 5 // taps; 2.5 ms
)

// finder finds how much later than it was played the loudspeaker is heard: it learns the
// way from one to the other with normalised least mean squares, and takes the place where
// the most comes through. It goes on for as long as something is played.
type finder struct {
	band          [bandTaps]float32
	played, heard [bandTaps - decimation + periodSamples]float32 // the rest of the last period, and this one

	// past are the latest samples played, twice in a row, so that the last finderTaps are in
	// one piece wherever they begin.
	past [2 * finderTaps]float32
	at   int
	w    [finderTaps]float32

	periods int
	last    int // the last opinion
	agreed  int // how often in a row
	stands  int // the one that stands; 0: none, which is no delay that can be
}

func newFinder() *finder {
	f := &finder{}
	for i := range f.band {
		t := float64(i) - (bandTaps-1)/2.0
		sinc := func(hz float64) float64 { return math.Sin(2*math.Pi*hz/sampleRate*t) / (math.Pi * t) }
		hann := 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/bandTaps)
		f.band[i] = float32((sinc(1900) - sinc(1100)) * hann)
	}
	return f
}

// take takes one period of both. It returns the delay in samples at 16 kHz when it has an
// opinion that stands.
func (f *finder) take(played, heard []int16) (delay int, ok bool) {
	var x, d [narrow]float32
	power := f.filter(&f.played, played, &x)
	f.filter(&f.heard, heard, &d)
	for i := range x {
		f.at = (f.at + finderTaps - 1) % finderTaps // the newest is first
		f.past[f.at], f.past[f.at+finderTaps] = x[i], x[i]
		if i%updates == 0 && power > 0 {
			f.learn(d[i])
		}
	}
	if f.periods++; f.periods < lookPeriods {
		return 0, false
	}
	f.periods = 0
	return f.look()
}

// filter takes the band of a period, and returns how much there is, or 0 if that is nothing.
func (f *finder) filter(state *[bandTaps - decimation + periodSamples]float32, pcm []int16, out *[narrow]float32) float32 {
	const kept = bandTaps - decimation
	for i, s := range pcm {
		state[kept+i] = float32(s)
	}
	power := float32(0)
	for i := range out {
		sum := dot(state[i*decimation:i*decimation+bandTaps], f.band[:])
		out[i] = sum
		power += sum * sum
	}
	copy(state[:kept], state[periodSamples:])
	const silence = 10 * 10 * narrow
	if power < silence {
		return 0
	}
	return power
}

func (f *finder) learn(heard float32) {
	x := f.past[f.at : f.at+finderTaps]
	g := step * (heard - dot(x, f.w[:])) / (dot(x, x) + finderTaps)
	w := f.w[:len(x)]
	for i, v := range x {
		w[i] += g * v
	}
}

// dot is the inner product of vectors of one length, a multiple of 4. Four sums at once are
// what the processor does not wait for.
func dot(x, y []float32) float32 {
	var a, b, c, d float32
	y = y[:len(x)]
	for i := 0; i+3 < len(x); i += 4 {
		a += x[i] * y[i]
		b += x[i+1] * y[i+1]
		c += x[i+2] * y[i+2]
		d += x[i+3] * y[i+3]
	}
	return a + b + c + d
}

// look says where the echo is.
func (f *finder) look() (int, bool) {
	sum, best, at := float32(0), float32(0), 0
	for i := 0; i+spread <= finderTaps; i++ {
		e := float32(0)
		for _, v := range f.w[i : i+spread] {
			e += v * v
		}
		sum += e
		if e > best {
			best, at = e, i
		}
	}
	if best*(finderTaps-spread) < outstanding*sum || best == 0 {
		f.agreed = 0
		return 0, false
	}
	if d := at - f.last; f.agreed > 0 && d > -near && d < near {
		f.agreed++
	} else {
		f.agreed = 1
	}
	f.last = at
	need := agree
	if d := at - f.stands; f.stands > 0 && (d <= -near || d >= near) {
		need = agreeAnew
	}
	if f.agreed < need {
		return 0, false
	}
	f.stands = max(1, at)
	return f.centre(at), true
}

// centre returns where the middle of the strongest part is, in samples at 16 kHz: finer than
// a tap.
func (f *finder) centre(at int) int {
	sum, moment := float32(0), float32(0)
	for i := max(0, at-spread); i < min(at+2*spread, finderTaps); i++ {
		e := f.w[i] * f.w[i]
		sum += e
		moment += e * float32(i)
	}
	return int(decimation * moment / sum)
}
