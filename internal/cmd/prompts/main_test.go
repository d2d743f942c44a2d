package main

import (
	"path/filepath"
	"strings"
	"testing"

	"intercom/capture"
	"intercom/capture/synth"
	"intercom/internal/prompts"
)

// TestSpeak makes one language and listens to it.
func TestSpeak(t *testing.T) {
	out := t.TempDir()
	if err := run(out, []string{"de"}); err != nil {
		t.Fatal(err)
	}
	for cue := range prompts.Texts("de") {
		if !prompts.Spoken(cue) {
			continue
		}
		pcm, err := synth.ReadSound(filepath.Join(out, "de", cue+".wav"))
		if err != nil {
			t.Error(err)
			continue
		}
		peak := 0
		for _, s := range pcm {
			peak = max(peak, int(s))
		}
		if seconds := len(pcm) / capture.SampleRate; seconds < 1 || seconds > 8 || peak < 5000 {
			t.Errorf("%s: %d s, peak %d", cue, seconds, peak)
		}
	}
	if err := run(out, []string{"xx"}); err == nil || !strings.Contains(err.Error(), "there are de, en") {
		t.Errorf("an unknown language: %v", err)
	}
}
