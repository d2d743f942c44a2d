//go:build guest

package evdev_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"intercom/hw"
	"intercom/hw/evdev"
	"intercom/hw/hwtest"
	"intercom/internal/uinput"
)

// The keys of these tests.
const (
	key1, key2, keyEnter = 2, 3, 96
)

// plug makes an input device of the kernel's, until the test ends.
func plug(t *testing.T, name string) *uinput.Device {
	t.Helper()
	d, err := uinput.New(name, key1, key2, keyEnter)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// TestGuestContract runs in the lab's machine, on devices that the kernel makes for us (uinput).
func TestGuestContract(t *testing.T) {
	hwtest.RunKeys(t, func(t *testing.T) hwtest.Rig {
		names := [3]string{}
		devices := map[string]*uinput.Device{}
		for i := range names {
			name := fmt.Sprintf("Contract %d %d", i, time.Now().UnixNano())
			names[i] = evdev.Prefix + name + "/KEY_1"
			devices[names[i]] = plug(t, name)
		}
		return hwtest.Rig{
			Lines: evdev.New(evdev.Config{}), Names: names, Unknown: evdev.Prefix + "none/KEY_1", Queue: 1, Blurred: true, Uncounted: true,
			Drive: func(name string, high bool) {
				if err := devices[name].Set(key1, high); err != nil {
					t.Error(err)
				}
			},
		}
	})
}

func next(t *testing.T, in hw.Inputs) hw.Edge {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	e, err := in.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestGuestGrab: what is typed at the door is typed nowhere else.
func TestGuestGrab(t *testing.T) {
	d := plug(t, "Grab")
	i := slices.IndexFunc(evdev.List(), func(d evdev.Device) bool { return d.Name == "Grab" })
	if i < 0 {
		t.Fatalf("the device is not listed: %+v", evdev.List())
	}
	found := evdev.List()[i]
	if want := []string{"KEY_1", "KEY_2", "KEY_KPENTER"}; !slices.Equal(found.Keys, want) || !strings.HasPrefix(found.Path, "/dev/input/event") {
		t.Errorf("got %+v, want keys %v", found, want)
	}
	console, err := os.Open(found.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer console.Close()
	in, err := evdev.New(evdev.Config{}).Inputs(hw.Line{Name: evdev.Prefix + "Grab/KEY_1"})
	if err != nil {
		t.Fatal(err)
	}
	next(t, in)
	before := time.Now()
	if err := errors.Join(d.Set(key1, true), d.Set(key1, false)); err != nil {
		t.Fatal(err)
	}
	for _, active := range []bool{true, false} {
		if e := next(t, in); e.Active != active || e.At.Before(before.Add(-time.Millisecond)) || e.At.After(time.Now()) {
			t.Errorf("got %+v, want active %t after %v", e, active, before)
		}
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	// The first thing that the console hears is what comes after.
	if err := d.Set(keyEnter, true); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 24)
	if _, err := io.ReadFull(console, b); err != nil || b[18] != keyEnter {
		t.Errorf("the console heard key %d, %v, want %d", b[18], err, keyEnter)
	}
}

// TestGuestDropped overflows the kernel's queue: in the end the levels are the keys'.
func TestGuestDropped(t *testing.T) {
	d := plug(t, "Dropped")
	in, err := evdev.New(evdev.Config{}).Inputs(hw.Line{Name: evdev.Prefix + "Dropped/KEY_1"}, hw.Line{Name: evdev.Prefix + "Dropped/KEY_2"})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	next(t, in)
	next(t, in)
	for round := range 20 {
		down := round%2 == 0
		if err := d.Set(key2, down); err != nil {
			t.Fatal(err)
		}
		for range 500 {
			if err := errors.Join(d.Set(key1, true), d.Set(key1, false)); err != nil {
				t.Fatal(err)
			}
		}
		lost := 0
		for {
			e := next(t, in)
			lost += e.Lost
			if strings.HasSuffix(e.Line, "KEY_2") {
				if e.Active != down {
					t.Fatalf("round %d: got %+v", round, e)
				}
				break
			}
		}
		if err := d.Set(key1, true); err != nil {
			t.Fatal(err)
		}
		last := hw.Edge{}
		for !last.Active {
			last = next(t, in)
			lost += last.Lost
		}
		if err := d.Set(key1, false); err != nil {
			t.Fatal(err)
		}
		for last.Active {
			last = next(t, in)
		}
		if lost == 0 {
			t.Errorf("round %d: 1000 changes were kept", round)
		}
	}
}

// TestGuestUnplugged: it is noticed, the keys are released, and the device comes back.
func TestGuestUnplugged(t *testing.T) {
	d := plug(t, "Unplugged")
	l := evdev.New(evdev.Config{Await: true})
	reports := make(chan error, 10)
	go func() { _ = l.Watch(t.Context(), func(err error) { reports <- err }) }()
	<-reports
	in, err := l.Inputs(hw.Line{Name: evdev.Prefix + "Unplugged/KEY_1"})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	next(t, in)
	for range 3 {
		if err := d.Set(key1, true); err != nil {
			t.Fatal(err)
		}
		if e := next(t, in); !e.Active {
			t.Fatalf("got %+v", e)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if e := next(t, in); e.Active {
			t.Fatalf("unplugged: got %+v", e)
		}
		if err := <-reports; err == nil {
			t.Error("that it is gone was not reported")
		}
		d = plug(t, "Unplugged")
		back := make(chan hw.Edge, 1)
		go func() { back <- next(t, in) }()
		for err := range reports {
			if err == nil {
				break
			}
		}
		if err := d.Set(key1, true); err != nil {
			t.Fatal(err)
		}
		if e := <-back; !e.Active {
			t.Fatalf("back again: got %+v", e)
		}
		if err := d.Set(key1, false); err != nil {
			t.Fatal(err)
		}
		next(t, in)
	}
}
