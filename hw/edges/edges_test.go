package edges

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"intercom/hw"
)

func newQueue(t *testing.T) *Queue {
	t.Helper()
	q, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(func() error { return nil }); err != nil {
			t.Error(err)
		}
	})
	return q
}

// next wants a line's edge.
func next(t *testing.T, q *Queue, wait func() error, line string) hw.Edge {
	t.Helper()
	e, err := q.Next(t.Context(), wait)
	if err != nil || e.Line != line {
		t.Fatalf("got an edge of %q, error %v, want one of %q", e.Line, err, line)
	}
	return e
}

// TestOrder: levels come as they were added, edges by their time, and no time goes back.
func TestOrder(t *testing.T) {
	q := newQueue(t)
	now := time.Now()
	q.Add(hw.Edge{Line: "b", At: now.Add(time.Second)})
	q.Add(hw.Edge{Line: "a", At: now})
	calls := 0
	wait := func() error {
		calls++
		q.Add(hw.Edge{Line: "d", At: now.Add(3 * time.Second)})
		q.Add(hw.Edge{Line: "c", At: now.Add(2 * time.Second)})
		return nil
	}
	next(t, q, wait, "b")
	if e := next(t, q, wait, "a"); !e.At.Equal(now.Add(time.Second)) {
		t.Errorf("its time is %v before that of the one before", now.Add(time.Second).Sub(e.At))
	}
	if calls != 0 {
		t.Error("it waits while there are levels")
	}
	next(t, q, wait, "c")
	next(t, q, wait, "d")
	if calls != 1 {
		t.Errorf("it waited %d times for what came at once", calls)
	}
}

// TestPoll: a file that can be read is told, and none before its time.
func TestPoll(t *testing.T) {
	q := newQueue(t)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	fds := []unix.PollFd{{Fd: -1, Events: unix.POLLIN}, {Fd: int32(pipe[0]), Events: unix.POLLIN}}
	until := time.Now().Add(time.Millisecond)
	if err := q.Poll(fds, until); err != nil || fds[1].Revents != 0 || time.Now().Before(until) {
		t.Errorf("an empty file: %v, events %x, %v too soon", err, fds[1].Revents, time.Until(until))
	}
	if _, err := unix.Write(pipe[1], []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := q.Poll(fds, time.Time{}); err != nil || fds[0].Revents != 0 || fds[1].Revents != unix.POLLIN {
		t.Errorf("a file with something to read: %v, events %x, of none %x", err, fds[1].Revents, fds[0].Revents)
	}
}

// TestEnds: whoever waits is woken by the end of the context, and by Close, which lets the
// backend release its files when nobody uses them any more.
func TestEnds(t *testing.T) {
	q := newQueue(t)
	waiting := make(chan struct{}, 2)
	polls := func() error {
		waiting <- struct{}{}
		return q.Poll(nil, time.Time{})
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-waiting
		cancel()
	}()
	if _, err := q.Next(ctx, polls); !errors.Is(err, context.Canceled) {
		t.Errorf("the context ended: %v", err)
	}

	inUse := make(chan struct{})
	ended := make(chan error)
	go func() {
		_, err := q.Next(t.Context(), func() error {
			defer close(inUse)
			return polls()
		})
		ended <- err
	}()
	<-waiting
	failed := errors.New("a file does not close")
	err := q.Close(func() error {
		select {
		case <-inUse:
		default:
			t.Error("the files are released while they are in use")
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Errorf("Close: %v", err)
	}
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Next: %v, want that it is closed", err)
	}
	if _, err := q.Next(t.Context(), polls); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Next after Close: %v, want that it is closed", err)
	}
	if err := q.Close(func() error { return failed }); err != nil {
		t.Errorf("the second Close: %v", err)
	}
}

// TestClockStart: a reading of the kernel's clock is now.
func TestClockStart(t *testing.T) {
	var mono unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(ClockStart().Add(time.Duration(mono.Nano()))); d < -time.Second || d > time.Second {
		t.Errorf("it is %v ago", d)
	}
}
