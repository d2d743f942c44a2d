// Command prompts has espeak-ng speak the sentences of internal/prompts into WAV files,
// FOLDER/LANGUAGE/CUE.wav. `make prompts` runs it; a station only plays what it finds there.
// Who likes another voice puts other files there. It starts no goroutine.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"intercom/internal/prompts"
)

// Speed and pitch: slower and a little higher than usual, for a small loudspeaker in the street.
const (
	wordsPerMinute = "145"
	pitch          = "55"
)

func main() {
	out := flag.String("out", "build/prompts", "`FOLDER` of the files")
	only := flag.String("languages", strings.Join(prompts.Languages(), ","), "`LIST` of languages")
	flag.Parse()
	if err := run(*out, strings.Split(*only, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "prompts:", err)
		os.Exit(1)
	}
}

func run(out string, languages []string) error {
	for _, l := range languages {
		texts := prompts.Texts(l)
		if texts == nil {
			return fmt.Errorf("there is no language %q; there are %s", l, strings.Join(prompts.Languages(), ", "))
		}
		dir := filepath.Join(out, l)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for cue, text := range texts {
			if !prompts.Spoken(cue) {
				continue
			}
			if err := speak(l, text, filepath.Join(dir, cue+".wav")); err != nil {
				return fmt.Errorf("%s, %s: %w", l, cue, err)
			}
		}
	}
	return nil
}

// speak writes one file.
func speak(language, text, path string) error {
	var said strings.Builder
	cmd := exec.Command("espeak-ng", "-v", language, "-s", wordsPerMinute, "-p", pitch, "-w", path, "--stdin")
	cmd.Stdin, cmd.Stderr = strings.NewReader(text), &said
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%w: run scripts/setup.sh prompts", err)
	}
	if err != nil {
		return fmt.Errorf("espeak-ng: %w: %s", err, strings.TrimSpace(said.String()))
	}
	// It says of a voice that it lacks no more than this, and writes a file without sound.
	if info, err := os.Stat(path); err != nil || info.Size() < 10_000 {
		return errors.Join(errors.New("espeak-ng wrote no sound"), err)
	}
	return nil
}
