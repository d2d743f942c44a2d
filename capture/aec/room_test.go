package aec

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"intercom/capture"
)

// room is a box in a room, as a capture.Duplex that runs as fast as it can: what is played
// comes back by a hundred ways.
type room struct {
	length float64 // s of the device's time

	delay      float64 // s, until the loudspeaker is heard; of the card and the way
	later      float64 // s more, from the middle of the time on
	drift      float64 // of the microphone's clock, in s for each second
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
	played := make([]float64, 0, (periods+1)*n)
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
			echo, near := echoAt(at-n-int(delay*capture.SampleRate+r.drift*float64(at)), ways, played), 0.0
			if k := at - int(r.from*capture.SampleRate); r.visitor != nil && k >= 0 {
				near = float64(r.visitor[k%len(r.visitor)])
			}
			v := gain * (echo + near + r.noise*rng.NormFloat64())
			mic[i] = int16(max(math.MinInt16, min(math.Round(v), math.MaxInt16)))
			r.echo, r.near, r.heard = append(r.echo, gain*echo), append(r.near, gain*near), append(r.heard, float64(mic[i]))
		}
		clear(speaker)
		period(mic, speaker)
		for _, s := range speaker {
			played = append(played, r.distort(float64(s)))
		}
	}
	return nil
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
