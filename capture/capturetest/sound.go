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
	c := codec{T: t, encoder: e, decoder: d, packet: make([]byte, 4000), pcm: make([]int16, 6*capture.PeriodSamples)}
	c.keepsVoice(false)
	c.keepsVoice(true)
	c.refusesNonsense()
	c.staysClosed()
}

// codec is a sound encoder with its decoder under test.
type codec struct {
	*testing.T
	encoder capture.SoundEncoder
	decoder capture.SoundDecoder
	packet  []byte  // room for one
	pcm     []int16 // and for its sound
}

// keepsVoice sends two seconds of it, without loss or with one packet of twenty lost.
func (c *codec) keepsVoice(lossy bool) {
	c.Helper()
	var heard []int16
	for i := range 100 {
		n, err := c.encoder.Encode(Voice(i), c.packet)
		if err != nil {
			c.Fatal(err)
		}
		packet, room := c.packet[:n], c.pcm
		if lossy && i%20 == 7 {
			packet, room = nil, c.pcm[:capture.PeriodSamples]
		}
		got, err := c.decoder.Decode(packet, room)
		if err != nil || got != capture.PeriodSamples {
			c.Fatalf("period %d: %d samples, error %v, want %d", i, got, err, capture.PeriodSamples)
		}
		heard = append(heard, c.pcm[:got]...)
	}
	heard = heard[len(heard)/2:]
	at, beside := Strength(heard, VoicePitch), Strength(heard, VoicePitch*1.5)
	c.Logf("lost %v: %.0f at %d Hz, %.0f beside", lossy, at, VoicePitch, beside)
	if at < 2500 || at > 6000 || beside > at/20 {
		c.Errorf("lost %v: strength %.0f at %d Hz and %.0f beside it, want about 4200 and nothing", lossy, at, VoicePitch, beside)
	}
}

func (c *codec) refusesNonsense() {
	c.Helper()
	if _, err := c.decoder.Decode([]byte{}, c.pcm); err == nil {
		c.Error("an empty packet decodes")
	}
	if err := c.decoder.Recover(nil, c.pcm[:capture.PeriodSamples]); err == nil {
		c.Error("something is recovered of no packet")
	}
	for _, loss := range []float64{0, 0.3, 1, -0.1, 1.1, math.NaN()} {
		if err := c.encoder.Expect(loss); (err == nil) != (loss >= 0 && loss <= 1) {
			c.Errorf("a loss of %v: %v", loss, err)
		}
	}
	if _, err := c.encoder.Encode(Voice(0)[:100], c.packet); err == nil {
		c.Error("a short period is encoded")
	}
}

// staysClosed closes both, twice.
func (c *codec) staysClosed() {
	c.Helper()
	for range 2 {
		if err := c.encoder.Close(); err != nil {
			c.Error(err)
		}
		if err := c.decoder.Close(); err != nil {
			c.Error(err)
		}
	}
	if _, err := c.encoder.Encode(Voice(0), c.packet); err == nil {
		c.Error("encoded after Close")
	}
	if err := c.encoder.Expect(0.1); err == nil {
		c.Error("told after Close")
	}
	if _, err := c.decoder.Decode(nil, c.pcm); err == nil {
		c.Error("decoded after Close")
	}
	if err := c.decoder.Recover(c.packet[:10], c.pcm[:capture.PeriodSamples]); err == nil {
		c.Error("recovered after Close")
	}
}
