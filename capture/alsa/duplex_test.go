//go:build cgo

package alsa

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gen2brain/malgo"
)

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]Config{
		"no microphone":  {Loudspeaker: "Device"},
		"no loudspeaker": {Microphone: "Device"},
		"null":           {Microphone: "null", Loudspeaker: "Device"},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestMissing: no card is an error that names it, and no period of silence.
func TestMissing(t *testing.T) {
	const name = "hw:CARD=NoSuchCard,DEV=0"
	for _, c := range []Config{{Microphone: "NoSuchCard", Loudspeaker: "NoSuchCard"}, {Microphone: name, Loudspeaker: name}} {
		d, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		err = d.Run(t.Context(), func(_, _ []int16) { t.Error("a period of no card") })
		if err == nil || !strings.Contains(err.Error(), "NoSuchCard") {
			t.Errorf("%s: %v, want an error that names it", c.Microphone, err)
		}
		t.Log(err)
	}
}

func TestCures(t *testing.T) {
	for want, err := range map[string]error{
		"another program uses it": malgo.ErrBusy, "often audio": malgo.ErrAccessDenied, "intercom devices lists": malgo.ErrDoesNotExist,
	} {
		if got := cure(fmt.Errorf("open: %w", err)); !strings.Contains(got, want) {
			t.Errorf("%v: got %q, want %q", err, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	var w words
	w.add("DEBUG: Loading library: libasound.so\n")
	if got := w.or(errMine); got != "mine" {
		t.Errorf("got %q", got)
	}
	w.add("ERROR: [ALSA] Failed to open device\n")
	if got := w.or(errMine); got != "ERROR: [ALSA] Failed to open device (mine)" {
		t.Errorf("got %q", got)
	}
}

var errMine = errorString("mine")

type errorString string

func (e errorString) Error() string { return string(e) }
