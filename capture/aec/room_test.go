package aec

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"intercom/capture"
	"intercom/internal/reclock"
)

// room is a box in a room, as a capture.Duplex that runs as fast as it can: what is played
// comes back by a hundred ways.
type room struct {
	length float64 // s of the device's time

	delay      float64 // s, until the loudspeaker is heard; of the card and the way
	later      float64 // s more, from the middle of the time on
	drift      float64 // of the microphone's clock, in s for each second, on a card that thinks it has one
	skew       float64 // the same with two cards, and what is played brought from one to the other
	loss       float64 // dB that the microphone hears less than what is played
	reverb     float64 // s until the echo has fallen by 60 dB; 0: 0.15
	distortion float64 // how far the loudspeaker is driven beyond its range; 0: not
	noise      float64 // root mean square of what the microphone hears besides
	gain       float64 // of the microphone, for clipping; 0: 1
	visitor    []int16 // who speaks into the microphone, at 48 kHz
	from       float64 // s, when he begins

	// What was heard, in samples at 48 kHz: from the loudspeaker, from the visitor, together.
	echo, near, heard []float64
}

// Run is part of capture.Duplex.
//
//go:norace
func (r *room) Run(_ context.Context, period func(mic, speaker []int16)) error {
	const n = capture.PeriodSamples
	ways := r.ways()
	rng := rand.New(rand.NewPCG(3, 4))
	periods := int(r.length * 50)
	air := newAir(r)
	mic, speaker := make([]int16, n), make([]int16, n)
	gain := r.gain
	if gain == 0 {
		gain = 1
	}
	for p := range periods {
		delay := r.delay
		if p >= periods/2 {
			delay += r.later
		}
		for i := range mic {
			at := p*n + i
			// The device is handed a period when the one before it was heard.
			echo, near := echoAt(at-int(delay*capture.SampleRate), ways, air.heard), 0.0
			if k := at - int(r.from*capture.SampleRate); r.visitor != nil && k >= 0 {
				near = float64(r.visitor[k%len(r.visitor)])
			}
			v := gain * (echo + near + r.noise*rng.NormFloat64())
			mic[i] = int16(max(math.MinInt16, min(math.Round(v), math.MaxInt16)))
			r.echo, r.near, r.heard = append(r.echo, gain*echo), append(r.near, gain*near), append(r.heard, float64(mic[i]))
		}
		clear(speaker)
		period(mic, speaker)
		air.play(speaker)
	}
	return nil
}

// air is where the loudspeaker is heard: what it played, at the samples of the microphone.
type air struct {
	room   *room
	bridge *reclock.Bridge // between two cards; nil: one
	late   *rand.Rand      // how late their threads are
	time   int             // of the microphone, in samples
	blocks int             // that the loudspeaker was given
	played []float64       // at its own samples
	heard  []float64
}

func newAir(r *room) *air {
	a := &air{room: r, late: rand.New(rand.NewPCG(5, 6)), heard: make([]float64, capture.PeriodSamples)}
	if r.skew != 0 {
		a.bridge, _ = reclock.New(reclock.Config{Rate: capture.SampleRate, Delay: 2 * capture.PeriodSamples})
	}
	return a
}

// play takes a period. It is heard from four samples after the next one begins, which are
// between what is known.
//
//go:norace
func (a *air) play(speaker []int16) {
	const n, block = capture.PeriodSamples, capture.PeriodSamples / 2
	skew := a.room.drift
	a.time += n
	if a.bridge == nil {
		a.take(speaker)
	} else {
		skew = a.room.skew
		a.bridge.Write(speaker, a.now(float64(a.time)))
		out := make([]int16, block)
		for ; float64(a.blocks*block)*(1+skew) < float64(a.time); a.blocks++ {
			a.bridge.Read(out, a.now(float64(a.blocks*block)*(1+skew)))
			a.take(out)
		}
	}
	for k := len(a.heard); k < a.time+n; k++ {
		a.heard = append(a.heard, between(a.played, float64(k-n)/(1+skew)-4))
	}
}

func (a *air) take(pcm []int16) {
	for _, s := range pcm {
		a.played = append(a.played, a.room.distort(float64(s)))
	}
}

// now is a time in samples, as a thread sees it that is late.
func (a *air) now(samples float64) time.Duration {
	late := min(a.late.ExpFloat64()*2e-4, 8e-3)
	return time.Duration((samples/capture.SampleRate + late) * float64(time.Second))
}

// between is the sound between two samples, by a cubic through four of them.
//
//go:norace
func between(sound []float64, at float64) float64 {
	i := int(math.Floor(at))
	if i < 1 || i+2 >= len(sound) {
		return 0
	}
	t := at - float64(i)
	if t == 0 {
		return sound[i]
	}
	a, b, c, d := sound[i-1], sound[i], sound[i+1], sound[i+2]
	return -a*t*(t-1)*(t-2)/6 + b*(t+1)*(t-1)*(t-2)/2 - c*(t+1)*t*(t-2)/2 + d*(t+1)*t*(t-1)/6
}

// echoAt is what comes back of what was played until then. It is most of the work of these
// tests, and nothing that races.
//
//go:norace
func echoAt(at int, ways []way, played []float64) float64 {
	echo := 0.0
	for i := range len(ways) {
		w := &ways[i] // by value it would be checked as a pointer each time
		if k := at - w.samples; k >= 0 && k < len(played) {
			echo += w.gain * played[k]
		}
	}
	return echo
}

// distort is what a small loudspeaker does to loud sound.
func (r *room) distort(s float64) float64 {
	if r.distortion == 0 {
		return s
	}
	const limit = 8000
	x := s / limit * r.distortion
	return math.Tanh(x+0.1*x*x) * limit / r.distortion
}

type way struct {
	samples int
	gain    float64
}

// ways are the straight way and 150 reflections.
func (r *room) ways() []way {
	reverb := r.reverb
	if reverb == 0 {
		reverb = 0.15
	}
	rng := rand.New(rand.NewPCG(1, 2))
	ways := []way{{0, 1}, {7, -0.4}, {16, 0.3}}
	for range 150 {
		t := rng.Float64() * reverb * 0.8
		ways = append(ways, way{int(t * capture.SampleRate), 0.25 * rng.NormFloat64() * math.Pow(10, -3*t/reverb)})
	}
	sum := 0.0
	for _, w := range ways {
		sum += w.gain * w.gain
	}
	for i := range ways {
		ways[i].gain *= math.Pow(10, -r.loss/20) / math.Sqrt(sum)
	}
	return ways
}

// speech reads a file of testdata, at 48 kHz with a root mean square of level.
func speech(t testing.TB, name string, level float64) []int16 {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	in := make([]float64, len(raw)/2)
	power := 0.0
	for i := range in {
		in[i] = float64(int16(binary.LittleEndian.Uint16(raw[2*i:])))
		power += in[i] * in[i]
	}
	g := level / math.Sqrt(power/float64(len(in)))
	out := make([]int16, 3*(len(in)-1))
	for i := range out {
		a, b := in[i/3], in[i/3+1]
		out[i] = int16(max(math.MinInt16, min(g*(a+(b-a)*float64(i%3)/3), math.MaxInt16)))
	}
	return out
}

// played returns a period function that plays a sound again and again, and keeps what comes
// of the microphone.
func played(sound []int16, result *[]float64) func(mic, speaker []int16) {
	at := 0
	return func(mic, speaker []int16) {
		for _, s := range mic {
			*result = append(*result, float64(s))
		}
		for i := range speaker {
			speaker[i] = sound[at]
			at = (at + 1) % len(sound)
		}
	}
}

// level is the root mean square of a part of some sound, in dB; from and to in s.
//
//go:norace
func level(sound []float64, from, to float64) float64 {
	a, b := int(from*capture.SampleRate), min(int(to*capture.SampleRate), len(sound))
	sum := 1.0
	for _, s := range sound[a:b] {
		sum += s * s
	}
	return 10 * math.Log10(sum/float64(b-a))
}
