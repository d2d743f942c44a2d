package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"intercom/capture/cue"
)

// writeWAV writes a sound at 48 kHz.
func writeWAV(t *testing.T, pcm []int16) string {
	t.Helper()
	le := binary.LittleEndian
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	b = le.AppendUint32(b, 48000)
	b = le.AppendUint32(b, 96000)
	b = append(b, 2, 0, 16, 0)
	b = append(b, "data"...)
	b = le.AppendUint32(b, uint32(2*len(pcm)))
	for _, s := range pcm {
		b = le.AppendUint16(b, uint16(s))
	}
	path := filepath.Join(t.TempDir(), "sound.wav")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCuesOfConfig(t *testing.T) {
	c := defaults()
	got, err := c.cues()
	if err != nil || len(got) != len(cue.Names()) {
		t.Fatalf("%d cues, %v, want all %d", len(got), err, len(cue.Names()))
	}
	c.Cues.Busy, c.Cues.Opened = writeWAV(t, []int16{1, 2, 3}), cueOff
	got, err = c.cues()
	if err != nil || len(got[cue.Busy]) != 3 || got[cue.Busy][1] != 2 || got[cue.Opened] != nil || got[cue.Fault] == nil {
		t.Errorf("busy %v, opened %d samples, fault %d, %v; want the file, none and ours", got[cue.Busy], len(got[cue.Opened]), len(got[cue.Fault]), err)
	}
	c.Cues.Play = false
	if got, err = c.cues(); err != nil || len(got) != 0 {
		t.Errorf("%d cues, %v, when they are off", len(got), err)
	}
	for file, want := range map[string]string{
		"/no/such.wav":                       "cues.busy: open sound",
		writeWAV(t, nil):                     "the sound is empty",
		writeWAV(t, make([]int16, 480_001)):  "is longer than 10 s",
		filepath.Join("testdata", "..", "."): "cues.busy:",
	} {
		c := defaults()
		c.Cues.Busy = file
		if _, err := c.cues(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
}
