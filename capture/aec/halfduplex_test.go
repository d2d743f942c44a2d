package aec

import (
	"testing"
)

// TestHalfDuplex: the echo is quiet, and the visitor is heard when the resident is silent.
func TestHalfDuplex(t *testing.T) {
	r := &room{length: 12, delay: 0.06, loss: 6, visitor: speech(t, "visitor.s16", 2000), from: 6, distortion: 3}
	d, err := NewHalfDuplex(r)
	if err != nil {
		t.Fatal(err)
	}
	var result []float64
	play := played(speech(t, "resident.s16", 3000), &result)
	silence := played(make([]int16, 1), new([]float64))
	n, down := 0, 0
	if err := d.Run(t.Context(), func(mic, speaker []int16) {
		play(mic, speaker)
		if n++; n > 300 { // the resident listens
			silence(mic, speaker)
		}
		if d.Down() {
			down++
		}
	}); err != nil {
		t.Fatal(err)
	}
	echo := level(r.heard, 1, 6) - level(result, 1, 6)
	visitor := level(r.heard, 6.5, 12) - level(result, 6.5, 12)
	t.Logf("the echo loses %.1f dB, the visitor alone %.1f dB; down in %d of %d periods", echo, visitor, down, n)
	if echo < 25 || visitor > 0.1 || down < 200 || down > 330 {
		t.Errorf("the echo loses %.1f dB and the visitor %.1f, down in %d periods; want 25, none and about 300", echo, visitor, down)
	}
	if d.Down() {
		t.Error("it is down after Run")
	}
}

// TestGateNoise: a resident's fan does not keep the visitor from being heard.
func TestGateNoise(t *testing.T) {
	g := gate{noise: talkLevel, gain: 1}
	fan := make([]int16, 960)
	for i := range fan {
		fan[i] = int16(i*7919%1200 - 600)
	}
	down := 0
	for range 500 {
		g.hear(fan)
		if g.hold > 0 {
			down++
		}
	}
	if down > 150 || g.hold > 0 {
		t.Errorf("down in %d of 500 periods of steady noise, the last %v", down, g.hold > 0)
	}
}
