package alsa

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"intercom/capture"
)

func TestOneClock(t *testing.T) {
	for _, tt := range []struct {
		mic, speaker string
		want         bool
	}{
		{Default, Default, true},
		{"plughw:CARD=Device,DEV=0", "plughw:CARD=Device,DEV=0", true},
		{"plughw:CARD=Device,DEV=0", "hw:CARD=Device,DEV=1", true},
		{"hw:1,0", "plughw:1", true},
		{"plughw:CARD=Device,DEV=0", "plughw:CARD=Device_1,DEV=0", false},
		{"plughw:CARD=Device,DEV=0", Default, false},
		{"mine", "other", false},
	} {
		if got := oneClock(tt.mic, tt.speaker); got != tt.want {
			t.Errorf("%s and %s: one clock %v, want %v", tt.mic, tt.speaker, got, tt.want)
		}
	}
}

// TestPair: a click that the microphone hears and that is played at once comes out of the
// other card a constant time later, however long the two have run.
func TestPair(t *testing.T) {
	const (
		skew   = -300e-6
		block  = blockSamples * time.Second / capture.SampleRate
		clicks = capture.SampleRate // one a second
	)
	p, err := newPair(func(mic, speaker []int16) { copy(speaker, mic) }, 0)
	if err != nil {
		t.Fatal(err)
	}
	in, out := make([]byte, 2*blockSamples), make([]byte, 2*blockSamples)
	var heard, played []time.Duration
	for m, s := 0, 0; heard == nil || heard[len(heard)-1] < time.Minute; {
		nextMic, nextSpeaker := time.Duration(m+1)*block, time.Duration(float64(s)*float64(block)*(1+skew))
		if nextMic <= nextSpeaker {
			for i := range blockSamples {
				v := uint16(0)
				if at := m*blockSamples + i; at%clicks == clicks-1 {
					v = 20000
					heard = append(heard, time.Duration(at)*time.Second/capture.SampleRate)
				}
				binary.LittleEndian.PutUint16(in[2*i:], v)
			}
			p.hear(in, nextMic)
			m++
			continue
		}
		p.play(out, nextSpeaker)
		for i := range blockSamples {
			if int16(binary.LittleEndian.Uint16(out[2*i:])) > 9000 {
				at := time.Duration(float64(s*blockSamples+i) * (1 + skew) / capture.SampleRate * float64(time.Second))
				if n := len(played); n == 0 || at-played[n-1] > block {
					played = append(played, at)
				}
			}
		}
		s++
	}
	if len(played) < len(heard)-1 {
		t.Fatalf("%d of %d clicks are played", len(played), len(heard))
	}
	least, most := time.Hour, time.Duration(0)
	for i, at := range played {
		least, most = min(least, at-heard[i]), max(most, at-heard[i])
	}
	t.Logf("played from %v to %v later", least, most)
	if most-least > 2*time.Millisecond || most > 65*time.Millisecond {
		t.Errorf("played from %v to %v later, want 60 ms, and the same all the time", least, most)
	}
	if s := p.bridge.Stats(); math.Abs(s.Skew-skew) > 5e-6 || s.Dry+s.Drowned > 0 {
		t.Errorf("%+v, want a skew of %v", s, skew)
	}
	if got := testing.AllocsPerRun(100, func() { p.hear(in, time.Minute); p.play(out, time.Minute) }); got != 0 {
		t.Errorf("%v allocations a block, want 0", got)
	}
}
