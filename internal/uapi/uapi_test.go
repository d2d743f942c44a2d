package uapi

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// The kernel's numbers of the requests hold the sizes of the structures; a device that has no
// such requests sees whether they are right only in the lab's machine.
func TestNoVideoDevice(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := QueryVideo(int(f.Fd())); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("query: %v, want %v", err, unix.ENOTTY)
	}
	if _, err := CaptureFormat(int(f.Fd())); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("format: %v, want %v", err, unix.ENOTTY)
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{"vivid\x00\x00x": "vivid", "full": "full", "\x00": "", "a\xffb\x00": "a?b"} {
		if got := text([]byte(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
