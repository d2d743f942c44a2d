package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestSeveralLines: each has its owner, its longest opening and its faults.
func TestSeveralLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wires{"lock": {}, "gate": {}}
		b := newBench(t, Config{Lines: w}, Lock{Max: 5 * time.Second}, Lock{Line: gateLine, Safe: true, Max: 20 * time.Second})
		b.wire = w["lock"]
		isOpen := func(lock, gate bool) {
			t.Helper()
			synctest.Wait()
			if got := w["lock"].active(); got != lock {
				t.Errorf("lock is open: %v", got)
			}
			if got := !w["gate"].active(); got != gate {
				t.Errorf("gate is open: %v", got)
			}
		}
		isOpen(false, false)
		c := b.client()
		lock, stop := b.take(c)
		gate, err := c.Output(gateLine, true)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(lock.Set(true), gate.Set(false)); err != nil {
			t.Error(err)
		}
		isOpen(true, true)
		time.Sleep(5 * time.Second)
		isOpen(false, true) // its own maximum
		b.refused(c.check(), "lock: its guard made it safe after 5s")
		if err := lock.Set(false); err != nil {
			t.Error(err)
		}

		// One that does not obey keeps nobody from the other.
		w["lock"].fail(errors.New("input/output error"))
		b.refused(lock.Set(true), "input/output error")
		b.refused(c.check(), "input/output error")
		if err := gate.Set(true); err != nil {
			t.Error(err)
		}
		isOpen(false, false)
		w["lock"].fail(nil)
		time.Sleep(time.Second)

		// Another station may have what is not taken.
		if err := gate.Close(); err != nil {
			t.Error(err)
		}
		other := b.client()
		theirs, err := other.Output(gateLine, true)
		if err != nil {
			t.Fatal(err)
		}
		_, err = other.Output(lockLine, false)
		b.refused(err, "another station has it")
		if err := errors.Join(lock.Set(true), theirs.Set(false)); err != nil {
			t.Error(err)
		}
		isOpen(true, true)
		if err := b.client().MakeSafe(); err != nil {
			t.Error(err)
		}
		isOpen(false, false)
		time.Sleep(Silence + time.Second) // nobody watches for the other one
		if err := errors.Join(lock.Set(false), lock.Set(true)); err != nil {
			t.Error(err)
		}
		stop()
		time.Sleep(Silence + time.Second)
		isOpen(false, false)
		b.end()
	})
}

// TestGone has a guard wait for another's death.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		gone := make(chan time.Time, 1)
		go func() {
			if err := b.client().Gone(t.Context()); err != nil {
				t.Error(err)
			}
			gone <- time.Now()
		}()
		time.Sleep(10*Silence + 100*time.Millisecond)
		if len(gone) != 0 {
			t.Fatal("the guard is said to be gone")
		}
		begin := time.Now()
		b.end()
		if at := <-gone; at.Sub(begin) > pingEvery {
			t.Errorf("noticed after %v", at.Sub(begin))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.client().Gone(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a wait that was given up: %v", err)
		}
	})
}

// TestWatchStartsAtOnce: a guard that was well and died is replaced without a pause.
func TestWatchStartsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{Child: true})
		dead := errors.New("dead")
		var starts []time.Time
		var running atomic.Bool
		running.Store(true)
		c := NewClient(ClientConfig{
			Dial: func() (net.Conn, error) {
				if !running.Load() {
					return nil, fmt.Errorf("%w: %w", ErrNotRunning, dead)
				}
				return b.pipes.dial()
			},
			Start: func() error { starts = append(starts, time.Now()); running.Store(true); return nil },
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan struct{})
		go func() { defer close(done); _ = c.Watch(ctx, func(error) {}) }()
		var killed []time.Time
		for range 3 {
			time.Sleep(time.Second)
			synctest.Wait()
			killed = append(killed, time.Now())
			running.Store(false)
		}
		time.Sleep(time.Second)
		cancel()
		<-done
		if len(starts) != len(killed) {
			t.Fatalf("killed at %v, started at %v", killed, starts)
		}
		for i := range killed {
			if d := starts[i].Sub(killed[i]); d > pingEvery {
				t.Errorf("started %v after it was killed", d)
			}
		}
		b.end()
	})
}
