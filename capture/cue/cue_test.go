package cue

import (
	"testing"
	"time"

	"intercom/capture"
	"intercom/capture/capturetest"
)

func TestSounds(t *testing.T) {
	sounds := Sounds()
	if len(sounds) != len(Names()) {
		t.Errorf("%d cues, want %d", len(sounds), len(Names()))
	}
	for _, name := range Names() {
		pcm := sounds[name]
		length := time.Duration(len(pcm)) * time.Second / capture.SampleRate
		if length < 200*time.Millisecond || length > 4*time.Second || name != Calling && length > 1300*time.Millisecond {
			t.Errorf("%s lasts %v", name, length)
		}
		peak, step := 0, 0
		for i, s := range pcm {
			peak = max(peak, int(s), -int(s))
			if i > 0 {
				step = max(step, int(s)-int(pcm[i-1]), int(pcm[i-1])-int(s))
			}
		}
		if peak < level/2 || peak > level*3/2 {
			t.Errorf("%s: peak %d, want about %d", name, peak, level)
		}
		if step > level/4 || pcm[0] != 0 || max(pcm[len(pcm)-1], -pcm[len(pcm)-1]) > 20 {
			t.Errorf("%s clicks: a step of %d, begins with %d and ends with %d", name, step, pcm[0], pcm[len(pcm)-1])
		}
	}
	first := sounds[Calling][:capture.SampleRate/4]
	if at, beside := capturetest.Strength(first, 587), capturetest.Strength(first, 494); at < 1000 || beside > at/3 {
		t.Errorf("the first note: %.0f at 587 Hz and %.0f at 494 Hz", at, beside)
	}
}
