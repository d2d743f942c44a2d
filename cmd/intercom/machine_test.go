package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/hw"
	"intercom/hw/evdev"
	"intercom/hw/sim"
)

// twoBoards has lines a1, a2 on one board and b1, b2 on another.
func twoBoards(t *testing.T) (a, b *sim.Board, take func(...string) (hw.Inputs, error)) {
	t.Helper()
	board := func(names ...string) *sim.Board {
		x, err := sim.New(sim.Config{Names: names})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	a, b = board("a1", "a2"), board("b1", "b2")
	return a, b, func(names ...string) (hw.Inputs, error) {
		lines := make([]hw.Line, len(names))
		for i, n := range names {
			lines[i].Name = n
		}
		return takeBoth(lines, func(l hw.Line) bool { return l.Name[0] == 'a' }, a, b)
	}
}

// edge returns the next edge as "a1+", or the error.
func edge(in hw.Inputs, within time.Duration) string {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	e, err := in.Next(ctx)
	if err != nil {
		return err.Error()
	}
	return e.Line + map[bool]string{true: "+", false: "-"}[e.Active]
}

// TestJoined: lines of two kinds are read as one, and neither keeps the other from being read.
func TestJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, take := twoBoards(t)
		set := func(board *sim.Board, name string, high bool) {
			t.Helper()
			if err := board.Drive(name, high); err != nil {
				t.Fatal(err)
			}
		}
		set(b, "b1", true)
		in, err := take("b2", "a1", "b1", "a2")
		if err != nil {
			t.Fatal(err)
		}
		expect := func(want ...string) {
			t.Helper()
			for _, w := range want {
				if got := edge(in, time.Minute); got != w {
					t.Errorf("got %s, want %s", got, w)
				}
			}
		}
		set(a, "a1", true)
		expect("b2-", "a1-", "b1+", "a2-", "a1+")
		set(b, "b2", true)
		expect("b2+")
		if got := edge(in, time.Second); got != context.DeadlineExceeded.Error() {
			t.Errorf("got %s, want nothing", got)
		}
		set(a, "a2", true) // that Next gave up takes nothing from the following one
		expect("a2+")

		if err := a.Fail("a1", errors.New("it is broken")); err != nil {
			t.Fatal(err)
		}
		set(a, "a2", false)
		failed, seen := 0, 0
		for range 20 {
			set(b, "b1", seen%2 == 1)
			switch got := edge(in, time.Minute); {
			case strings.Contains(got, "it is broken"):
				failed++
			case strings.HasPrefix(got, "b1"):
				seen++
			default:
				t.Errorf("got %s", got)
			}
			time.Sleep(failPause / 4)
		}
		if failed == 0 || seen < 10 {
			t.Errorf("%d errors of the broken one, %d edges of the other", failed, seen)
		}
		ended := make(chan string, 1)
		go func() {
			for {
				if got := edge(in, time.Hour); strings.Contains(got, "closed") {
					ended <- got
					return
				}
			}
		}()
		if err := errors.Join(in.Close(), in.Close()); err != nil {
			t.Errorf("close: %v", err)
		}
		<-ended
		if err := a.Fail("a1", nil); err != nil {
			t.Fatal(err)
		}
		if in, err = take("a1", "b1"); err != nil {
			t.Fatalf("take the lines again: %v", err)
		}
		in.Close()
	})
}

// TestJoinedRefuses: then no line is taken.
func TestJoinedRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, take := twoBoards(t)
		for _, names := range [][]string{{"a1", "b9"}, {"a9", "b1"}} {
			if _, err := take(names...); err == nil {
				t.Errorf("%v were taken", names)
			}
		}
		in, err := take("a1", "b1")
		if err != nil {
			t.Fatal(err)
		}
		in.Close()
	})
}

// TestMachine: which lines are keys, and what is said of those that are not there.
func TestMachine(t *testing.T) {
	if _, err := os.Stat("/dev/input"); err == nil {
		t.Log("this machine has input devices; none is called so")
	}
	m := newMachine()
	in, err := m.Inputs(hw.Line{Name: evdev.Prefix + "no such keypad/KEY_1"})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if got := edge(in, time.Minute); got != evdev.Prefix+"no such keypad/KEY_1-" {
		t.Errorf("got %s", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	reports := make(chan error, 1)
	go func() { _ = m.Watch(ctx, func(err error) { reports <- err }) }()
	if err := <-reports; err == nil || !strings.Contains(err.Error(), `no input device "no such keypad"`) {
		t.Errorf("got %v", err)
	}
	cancel()
	if _, err := m.Output(hw.Line{Name: evdev.Prefix + "x/KEY_1"}, false); err == nil || !strings.Contains(err.Error(), "no output") {
		t.Errorf("a key as an output: %v", err)
	}
}
