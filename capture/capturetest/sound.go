package capturetest

import (
	"math"
	"testing"

	"intercom/capture"
)

// VoicePitch is the frequency of Voice in Hz. A period of it is not a whole number of waves.
const VoicePitch = 310

// Voice returns period n of a voice that holds one note: a wave with two overtones.
func Voice(n int) []int16 {
	pcm := make([]int16, capture.PeriodSamples)
	for i := range pcm {
		w := 2 * math.Pi * VoicePitch * float64(n*len(pcm)+i) / capture.SampleRate
		pcm[i] = int16(6000*math.Sin(w) + 2500*math.Sin(2*w) + 1200*math.Sin(3*w))
	}
	return pcm
}

// Strength returns how much of a frequency there is in some sound: the root mean square of
// that component (Goertzel's algorithm), in units of a sample.
func Strength(pcm []int16, hz float64) float64 {
	w := 2 * math.Pi * hz / capture.SampleRate
	c, s1, s2 := 2*math.Cos(w), 0.0, 0.0
	for _, s := range pcm {
		s1, s2 = float64(s)+c*s1-s2, s1
	}
	power := s1*s1 + s2*s2 - c*s1*s2
	return math.Sqrt(2*max(power, 0)) / float64(len(pcm))
}

// Sound is the contract of a sound encoder with its decoder: a voice keeps its pitch and
// loudness, also where packets were lost, and damaged packets are errors.
func Sound(t *testing.T, newEncoder func() (capture.SoundEncoder, error), newDecoder func() (capture.SoundDecoder, error)) {
	e, err := newEncoder()
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDecoder()
	if err != nil {
		t.Fatal(err)
	}
	dst, pcm := make([]byte, 4000), make([]int16, 6*capture.PeriodSamples)
	for _, lost := range []bool{false, true} {
		var heard []int16
		for i := range 100 {
			n, err := e.Encode(Voice(i), dst)
			if err != nil {
				t.Fatal(err)
			}
			packet, room := dst[:n], pcm
			if lost && i%20 == 7 {
				packet, room = nil, pcm[:capture.PeriodSamples]
			}
			got, err := d.Decode(packet, room)
			if err != nil || got != capture.PeriodSamples {
				t.Fatalf("period %d: %d samples, error %v, want %d", i, got, err, capture.PeriodSamples)
			}
			heard = append(heard, pcm[:got]...)
		}
		heard = heard[len(heard)/2:]
		at, beside := Strength(heard, VoicePitch), Strength(heard, VoicePitch*1.5)
		t.Logf("lost %v: %.0f at %d Hz, %.0f beside", lost, at, VoicePitch, beside)
		if at < 2500 || at > 6000 || beside > at/20 {
			t.Errorf("lost %v: strength %.0f at %d Hz and %.0f beside it, want about 4200 and nothing", lost, at, VoicePitch, beside)
		}
	}
	if _, err := d.Decode([]byte{}, pcm); err == nil {
		t.Error("an empty packet decodes")
	}
	if err := d.Recover(nil, pcm[:capture.PeriodSamples]); err == nil {
		t.Error("something is recovered of no packet")
	}
	for _, loss := range []float64{0, 0.3, 1, -0.1, 1.1, math.NaN()} {
		if err := e.Expect(loss); (err == nil) != (loss >= 0 && loss <= 1) {
			t.Errorf("a loss of %v: %v", loss, err)
		}
	}
	if _, err := e.Encode(Voice(0)[:100], dst); err == nil {
		t.Error("a short period is encoded")
	}
	for range 2 {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := e.Encode(Voice(0), dst); err == nil {
		t.Error("encoded after Close")
	}
	if err := e.Expect(0.1); err == nil {
		t.Error("told after Close")
	}
	if _, err := d.Decode(nil, pcm); err == nil {
		t.Error("decoded after Close")
	}
	if err := d.Recover(dst[:10], pcm[:capture.PeriodSamples]); err == nil {
		t.Error("recovered after Close")
	}
}
