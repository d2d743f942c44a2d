//go:build guest && cgo

package alsa

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"intercom/capture"
	"intercom/capture/capturetest"
)

// These run in the lab's machine, on the kernel's loopback card (snd-aloop).

func TestGuestContract(t *testing.T) {
	capturetest.Duplex(t, func(t testing.TB) capture.Duplex {
		d, err := New(Config{Microphone: "Loop", Loudspeaker: "Loop"})
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}

// TestGuestTwoCards: the loudspeaker is a card of its own (snd-dummy), by whose clock that of the
// microphone is 3000 millionths fast.
func TestGuestTwoCards(t *testing.T) {
	shift := func(to string) {
		t.Helper()
		if out, err := exec.Command("amixer", "-c", "Loop", "cset", "iface=PCM,name=PCM Rate Shift 100000", to).CombinedOutput(); err != nil {
			t.Fatalf("amixer: %v: %s", err, out)
		}
	}
	shift("99700")
	defer shift("100000")
	d, err := New(Config{Microphone: "Loop", Loudspeaker: "Dummy"})
	if err != nil {
		t.Fatal(err)
	}
	capturetest.Duplex(t, func(testing.TB) capture.Duplex { return d })
	const length = 5 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	periods := 0
	err = d.Run(ctx, func(_, _ []int16) { periods++ })
	s := d.Stats()
	// How near the skew is says more of the host: an emulated processor's threads are late by
	// more than cards have room for.
	t.Logf("%d periods in %v, %+v", periods, length, s)
	if ctx.Err() == nil || periods < int(length/capture.Period)/2 {
		t.Errorf("%d periods in %v, and it ended with %v", periods, length, err)
	}
	if !s.TwoClocks {
		t.Errorf("%+v, want two clocks", s)
	}
}

// TestGuestNull: ALSA's null device takes and gives everything at once.
func TestGuestNull(t *testing.T) {
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

// TestGuestBusy: a card that another program has is an error that says so, at once, and no silence. It
// is there again when that has ended.
func TestGuestBusy(t *testing.T) {
	d, err := New(Config{Microphone: "Loop", Loudspeaker: "Loop"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	other := exec.CommandContext(ctx, "arecord", "-q", "-D", "hw:Loop,0,0", "-f", "S16_LE", "-c", "1", "-r", "48000", "/dev/null")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	for ctx.Err() == nil {
		if state, _ := os.ReadFile("/proc/asound/Loop/pcm0c/sub0/status"); strings.Contains(string(state), "RUNNING") {
			break
		}
		time.Sleep(10 * time.Millisecond) // of a program that starts nobody is told
	}
	if err := d.Run(ctx, func(_, _ []int16) { t.Error("a period of a card in use") }); err == nil || !strings.Contains(err.Error(), "another program uses it") {
		t.Errorf("got %v, want that another program uses it", err)
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait() // it was killed
	sounds, stop := context.WithCancel(ctx)
	defer stop()
	if err := d.Run(sounds, func(_, _ []int16) { stop() }); ctx.Err() != nil || sounds.Err() == nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestGuestUnplugged takes the card away while it sounds. The driver's end of it waits until nobody
// has the card open.
func TestGuestUnplugged(t *testing.T) {
	const driver, device = "/sys/bus/platform/drivers/snd_aloop/", "snd_aloop.0"
	d, err := New(Config{Microphone: "Loop", Loudspeaker: "Loop"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		sounds := make(chan struct{})
		once := sync.OnceFunc(func() { close(sounds) })
		ended := make(chan error, 1)
		go func() { ended <- d.Run(t.Context(), func(_, _ []int16) { once() }) }()
		<-sounds
		gone := make(chan error, 1)
		go func() { gone <- os.WriteFile(driver+"unbind", []byte(device), 0) }()
		for _, tt := range []struct {
			what string
			c    chan error
			want string
		}{{"the device", ended, "Loop"}, {"the driver", gone, ""}} {
			select {
			case err := <-tt.c:
				if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
					t.Errorf("%s ended with %v, want %q", tt.what, err, tt.want)
				}
			case <-time.After(20 * time.Second):
				out, _ := exec.Command("sh", "-c", fmt.Sprintf("cd /proc/%d/task; for t in *; do echo $t $(cat $t/comm) $(cat $t/wchan) $(cat $t/syscall); cat $t/stack; done", os.Getpid())).CombinedOutput()
				t.Fatalf("%s has not ended; threads:\n%s", tt.what, out)
			}
		}
		if err := os.WriteFile(driver+"bind", []byte(device), 0); err != nil {
			t.Fatal(err)
		}
	}
}
