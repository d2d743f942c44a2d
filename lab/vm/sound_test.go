package vm

import (
	"math"
	"testing"
	"time"
)

func TestListen(t *testing.T) {
	clear := func(wav []byte, from, to time.Duration) []byte {
		at := func(d time.Duration) int { return wavHeader + 2*int(d.Seconds()*recordRate) }
		for i := at(from); i < at(to); i++ {
			wav[i] = 0
		}
		return wav
	}
	const second = time.Second
	for _, tt := range []struct {
		name string
		wav  []byte
		want Sound
	}{
		{"a tone", Tone(440, 0.5, second), Sound{second, 440, 0.5, 0.354, 0}},
		{"a faint tone", Tone(1234.5, 0.05, second), Sound{second, 1234.5, 0.05, 0.0354, 0}},
		{"a late tone", clear(Tone(440, 0.5, second), 0, second/2), Sound{second / 2, 440, 0.5, 0.354, 0}},
		{"silence", Tone(440, 0, second), Sound{}},
		{"nothing", Tone(440, 1, 0), Sound{}},
		{"a gap", clear(Tone(440, 0.5, second), 400*time.Millisecond, 460*time.Millisecond), Sound{second, 440, 0.5, 0.354, 60 * time.Millisecond}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Listen(tt.wav)
			if err != nil {
				t.Fatal(err)
			}
			off := math.Abs(got.Frequency-tt.want.Frequency) > 0.5 || math.Abs(got.RMS-tt.want.RMS) > 0.005
			if off || math.Abs(got.Peak-tt.want.Peak) > 0.005 ||
				(got.Length-tt.want.Length).Abs() > 2*time.Millisecond || (got.Gap-tt.want.Gap).Abs() > 3*time.Millisecond {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
	if _, err := Listen([]byte("RIFF")); err == nil {
		t.Error("half a header: got no error")
	}
}
