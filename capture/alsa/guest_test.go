//go:build guest && cgo

package alsa

import (
	"context"
	"strings"
	"testing"
	"time"

	"intercom/capture"
	"intercom/capture/capturetest"
)

// These run in the lab's machine, on the kernel's loopback card (snd-aloop).

func TestContract(t *testing.T) {
	capturetest.Duplex(t, func(t testing.TB) capture.Duplex {
		d, err := New(Config{Microphone: "Loop", Loudspeaker: "Loop"})
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}

// TestNull: ALSA's null device takes and gives everything at once.
func TestNull(t *testing.T) {
	d, err := New(Config{Microphone: "plug:null", Loudspeaker: "plug:null"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := d.Run(ctx, func(_, _ []int16) {}); err == nil || !strings.Contains(err.Error(), "no sound card") {
		t.Errorf("got %v, want that it is no sound card", err)
	}
}
