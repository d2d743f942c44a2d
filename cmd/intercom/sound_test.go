package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"intercom/capture/cue"
	"intercom/internal/prompts"
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

// TestPrompts: what is said stands behind the sound, and a page shows it.
func TestPrompts(t *testing.T) {
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "de"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name := range prompts.Texts("de") {
		if !prompts.Spoken(name) {
			continue
		}
		if err := os.Rename(writeWAV(t, make([]int16, 48000)), filepath.Join(folder, "de", name+".wav")); err != nil {
			t.Fatal(err)
		}
	}
	c := defaults()
	if err := loadConfig(write(t, "[prompts]\nlanguage='de'\nfolder='"+folder+"'\n[cues]\nbusy='off'\n"), c); err != nil {
		t.Fatal(err)
	}
	sounds, err := c.cues()
	if err != nil {
		t.Fatal(err)
	}
	own := cue.Sounds()
	if got, want := len(sounds[cue.Opened]), len(own[cue.Opened])+beforePrompt+48000; got != want {
		t.Errorf("opened has %d samples, want %d", got, want)
	}
	if len(sounds[cue.Calling]) != len(own[cue.Calling]) || sounds[cue.Busy] != nil {
		t.Error("calling is spoken, or busy is not off")
	}
	if got := c.says()[cue.Opened]; got != "Die Tür ist offen." {
		t.Errorf("it says %q", got)
	}
	if got := defaults().says()[cue.Opened]; got != "The door is open." {
		t.Errorf("without a language it says %q", got)
	}
	for extra, want := range map[string]string{
		"[prompts]\nlanguage='xx'":                 `:15: prompts.language: "xx" is none of de, en`,
		"[prompts]\nlanguage='fr'\nfolder='/none'": ":15: prompts.language: open sound:",
	} {
		c := defaults()
		err := loadConfig(write(t, extra), c)
		if err == nil {
			_, err = c.cues()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", extra, err)
		}
	}
}
