package v4l2

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"
)

// TestLibraryHasFields: a new version of the library may name them otherwise.
func TestLibraryHasFields(t *testing.T) {
	for name, want := range map[string]reflect.Type{handleField: reflect.TypeFor[uintptr](), buffersField: reflect.TypeFor[[][]byte]()} {
		f, ok := reflect.TypeFor[webcam.Webcam]().FieldByName(name)
		if !ok || f.Type != want {
			t.Errorf("field %s is %v, want %v", name, f.Type, want)
		}
	}
}

// TestStartErrors: what the library says when a camera does not start, and what a person is told.
func TestStartErrors(t *testing.T) {
	for said, want := range map[string]string{
		"Failed to start streaming: " + unix.ENOSPC.Error():    "the USB bus has no bandwidth left",
		"Failed to map request buffers: " + unix.EBUSY.Error(): "another program uses it",
		"Failed to start streaming: " + unix.EPROTO.Error():    "check cable and power",
		"Failed to start streaming: " + unix.ENODEV.Error():    "it was unplugged",
		"Already streaming": "Already streaming",
	} {
		got := explain(withCause(errors.New(said))).Error()
		if !strings.Contains(got, want) || !strings.Contains(got, said) {
			t.Errorf("%q: got %q, want %q in it", said, got, want)
		}
	}
}
