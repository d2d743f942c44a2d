package guard

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/hw"
)

func TestConnectionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		c, err := b.pipes.dial()
		if err != nil {
			t.Fatal(err)
		}
		b.send(c, `intercom-guard/2 take high off "lock"`)
		if got := b.send(c, `intercom-guard/2 open "lock"`); got != "ok" {
			t.Errorf("open: %s", got)
		}
		b.wantOpen(true)
		c.Close()
		b.wantOpen(false) // and not a moment later
		out, stop := b.take(b.client())
		b.set(out, true) // the next station
		stop()
		b.end()
	})
}

func TestSilenceEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		c := b.client()
		out, stop := b.take(c)
		time.Sleep(10 * Silence) // pings keep it
		b.set(out, true)
		stop() // the station hangs
		time.Sleep(Silence - time.Millisecond)
		b.wantOpen(true)
		time.Sleep(pingEvery + 2*time.Millisecond)
		b.wantOpen(false)
		// It wakes up: its line is safe, and its own again.
		if err := c.check(); err != nil {
			t.Errorf("the connection is not made again: %v", err)
		}
		b.wantOpen(false)
		b.set(out, true)
		b.end()
	})
}

func TestNothingExtendsTheLongestOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, Lock{Max: 5 * time.Second, Pause: time.Second})
		c := b.client()
		out, stop := b.take(c)
		begin := time.Now()
		for time.Since(begin) < 5*time.Second {
			b.set(out, true)
			time.Sleep(100 * time.Millisecond)
		}
		b.wantOpen(false)
		b.refused(out.Set(true), "after 5s, its longest opening")
		b.refused(c.check(), "its longest opening")
		b.refused(out.Set(true), "its longest opening")
		if err := out.Set(false); err != nil {
			t.Error(err)
		}
		if err := c.check(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		b.set(out, true)
		b.set(out, false)
		b.refused(out.Set(true), "again in 1s")
		b.wantOpen(false)
		stop()
		b.end()
	})
}

func TestOneOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		first, second := b.client(), b.client()
		out, stop := b.take(first)
		_, err := second.Output(lockLine, false)
		b.refused(err, `line "lock": another station has it`)
		_, err = first.Output(lockLine, false)
		b.refused(err, "is taken")
		b.set(out, true)
		c, err := b.pipes.dial()
		if err != nil {
			t.Fatal(err)
		}
		if got := b.send(c, `intercom-guard/2 open "lock"`); !strings.HasPrefix(got, "no it is not yours") {
			t.Errorf("a stranger opens: %s", got)
		}
		if got := b.send(c, `intercom-guard/2 release "lock"`); got != "ok" || !b.wire.active() {
			t.Errorf("a stranger releases: %s", got)
		}
		c.Close()
		// Safe is everybody's right, and stays so until the owner has seen it.
		if err := second.MakeSafe(); err != nil {
			t.Error(err)
		}
		b.wantOpen(false)
		b.refused(out.Set(true), "made safe by somebody else")
		b.set(out, false)
		b.set(out, true)
		if err := errors.Join(out.Close(), out.Close()); err != nil {
			t.Error(err)
		}
		b.wantOpen(false)
		other, stopOther := b.take(second)
		b.set(other, true)
		stop()
		stopOther()
		b.end()
	})
}

func TestTakeRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		line hw.Line
		safe bool
		want string
	}{
		"another line":     {hw.Line{Name: "light"}, false, `the guard has no line "light"`},
		"another level":    {hw.Line{Name: "lock"}, true, "another level"},
		"another polarity": {hw.Line{Name: "lock", ActiveLow: true}, false, "another level"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Config{})
				_, err := b.client().Output(tt.line, tt.safe)
				b.refused(err, tt.want)
				b.end()
			})
		})
	}
}

func TestLineAtFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		c := b.client()
		out, stop := b.take(c)
		b.set(out, true)
		b.wire.fail(errors.New("input/output error"))
		b.refused(out.Set(false), "input/output error")
		b.refused(c.check(), "input/output error")
		b.refused(out.Set(true), "input/output error")
		b.wantOpen(true) // nothing can be done
		b.wire.fail(nil)
		time.Sleep(retry)
		b.wantOpen(false)
		if err := c.check(); err != nil {
			t.Error(err)
		}
		stop()
		b.end()
	})
}

// TestLineAppears has a line that cannot be taken at first.
func TestLineAppears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		w.fail(errors.New("no such device"))
		b := newBench(t, Config{Lines: w})
		b.wire = w
		c := b.client()
		_, err := c.Output(lockLine, false)
		b.refused(err, "no such device")
		w.fail(nil)
		time.Sleep(retry)
		out, stop := b.take(c)
		b.set(out, true)
		stop()
		b.end()
	})
}

// TestReady: who begins waits for a line that is about to be there, and not for one that is not.
func TestReady(t *testing.T) {
	for _, there := range []time.Duration{0, 300 * time.Millisecond, time.Hour} {
		t.Run(there.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{}
				if there > 0 {
					w.fail(errors.New("no such device"))
				}
				b := newBench(t, Config{Lines: w})
				b.wire = w
				defer b.end()
				appears := time.AfterFunc(there, func() { w.fail(nil) })
				defer appears.Stop()
				begun := time.Now()
				err := b.client().Ready(t.Context())
				took := time.Since(begun)
				if there < time.Hour {
					if err != nil || took > there+retry+50*time.Millisecond {
						t.Errorf("after %v: %v", took, err)
					}
					return
				}
				b.refused(err, "no such device")
				if took < refusedPatience || took > 2*refusedPatience {
					t.Errorf("it gave up after %v", took)
				}
				w.fail(nil)
				time.Sleep(retry)
			})
		})
	}
}

// TestReadyStarts: there is one that is just ending.
func TestReadyStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := newBench(t, Config{})
		var b *bench
		starts := 0
		c := NewClient(ClientConfig{
			Dial: func() (net.Conn, error) {
				if b != nil {
					return b.pipes.dial()
				}
				old.stop() // it answers nobody any more
				<-old.ended
				return nil, ErrNotRunning
			},
			Start: func() error { starts++; b = newBench(t, Config{}); return nil },
		})
		if err := c.Ready(t.Context()); err != nil || starts != 1 {
			t.Errorf("%d were started: %v", starts, err)
		}
		b.end()
	})
}

// traitor opens, says that it did not, or panics.
type traitor struct {
	*wire
	panics bool
}

func (l traitor) Output(line hw.Line, active bool) (hw.Output, error) {
	out, err := l.wire.Output(line, active)
	return traitorOutput{out, l.panics}, err
}

type traitorOutput struct {
	hw.Output
	panics bool
}

func (o traitorOutput) Set(active bool) error {
	err := o.Output.Set(active)
	if active && o.panics {
		panic("the driver")
	}
	if active {
		return errors.New("timed out")
	}
	return err
}

func TestFailedWriteIsUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		b := newBench(t, Config{Lines: traitor{wire: w}})
		b.wire = w
		out, stop := b.take(b.client())
		b.refused(out.Set(true), "timed out")
		b.wantOpen(false)
		stop()
		b.end()
	})
}

// TestPanicLeavesTheLineSafe drives the loop by itself, so that its panic can be caught.
func TestPanicLeavesTheLineSafe(t *testing.T) {
	w := &wire{}
	g, err := New(Config{Lines: traitor{w, true}, Locks: []Lock{{Line: lockLine}}})
	if err != nil {
		t.Fatal(err)
	}
	c := &conn{}
	ended := make(chan any)
	go func() {
		defer func() { ended <- recover() }()
		_ = newLoop(g).guard(t.Context())
	}()
	send := func(r request) chan error {
		answer := make(chan error, 1)
		g.asks <- ask{from: c, what: r, answer: answer}
		return answer
	}
	if err := <-send(request{verb: take, claim: claimOf(lockLine, false)}); err != nil {
		t.Fatal(err)
	}
	send(request{verb: open, claim: claim{name: lockLine.Name}})
	if p := <-ended; p != "the driver" || w.active() {
		t.Errorf("panic %v; the line is open: %v", p, w.active())
	}
	if n := w.changes; n != 2 {
		t.Errorf("%d changes, want open and closed", n)
	}
}

func TestEnd(t *testing.T) {
	for _, child := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, Config{Child: child})
			c := b.client()
			out, stop := b.take(c)
			b.set(out, true)
			b.refused(b.client().End(), "another station has it")
			stop()
			b.wantOpen(true)
			if err := errors.Join(out.Close(), c.End()); err != nil {
				t.Errorf("child %v: end: %v", child, err)
			}
			b.wantOpen(false)
			if running := c.Running(); (running != nil) != child {
				t.Errorf("child %v: the guard runs: %v", child, running)
			}
			b.end()
		})
	}
}

// TestMagnet has a lock that is shut while its line is active.
func TestMagnet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, Lock{Safe: true})
		b.wantOpen(true) // active: shut
		out, err := b.client().Output(lockLine, true)
		if err != nil {
			t.Fatal(err)
		}
		b.set(out, false)
		time.Sleep(2 * Silence) // nobody says anything
		b.wantOpen(true)
		b.stop()
		if err := <-b.ended; err != nil {
			t.Error(err)
		}
		b.wantOpen(true)
	})
}

func TestWatchStartsAGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var starts []time.Time
		begin := time.Now()
		c := NewClient(ClientConfig{
			Dial:  func() (net.Conn, error) { return nil, ErrNotRunning },
			Start: func() error { starts = append(starts, time.Now()); return errors.New("out of memory") },
		})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		var last error
		if err := c.Watch(ctx, func(err error) { last = err }); err != nil {
			t.Error(err)
		}
		if len(starts) != 3 || starts[2].Sub(begin) != 2*startPause {
			t.Errorf("started at %v since %v", starts, begin)
		}
		if !errors.Is(last, ErrNotRunning) {
			t.Errorf("reported %v", last)
		}
		if err := c.Ready(ctx); !errors.Is(err, ErrNotRunning) {
			t.Errorf("Ready: %v", err)
		}
	})
}

func TestForeignPacketEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		c, err := b.pipes.dial()
		if err != nil {
			t.Fatal(err)
		}
		if got := b.send(c, "GET / HTTP/1.1"); got != "no "+errForeign.Error() {
			t.Errorf("answer %q", got)
		}
		begin := time.Now()
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) || time.Since(begin) > 0 {
			t.Errorf("after it, and %v: %v, want the end at once", time.Since(begin), err)
		}
		b.end()
	})
}

func TestAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		b := newBench(t, Config{Alive: func() { n++ }})
		time.Sleep(10*time.Second + time.Millisecond)
		b.end()
		if n != 11 {
			t.Errorf("%d signs of life in 10 s, want 11", n)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	w := &wire{}
	one := func(l Lock) []Lock { return []Lock{l} }
	for want, c := range map[string]Config{
		"no lines":         {Locks: one(Lock{Line: lockLine})},
		"no locks":         {Lines: w},
		"no name":          {Lines: w, Locks: one(Lock{})},
		"named twice":      {Lines: w, Locks: []Lock{{Line: lockLine}, {Line: lockLine}}},
		"time is negative": {Lines: w, Locks: one(Lock{Line: lockLine, Max: -1})},
		"name of":          {Lines: w, Locks: one(Lock{Line: hw.Line{Name: strings.Repeat("x", maxFrame)}})},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	g, err := New(Config{Lines: w, Locks: one(Lock{Line: lockLine})})
	if err != nil || g.cfg.Locks[0].Max != DefaultMax {
		t.Errorf("Max is not the default (%v)", err)
	}
}

func TestMayAsk(t *testing.T) {
	for _, tt := range []struct {
		user, guard int
		want        bool
	}{{0, 990, true}, {990, 990, true}, {991, 990, false}, {1000, 0, false}} {
		if got := mayAsk(tt.user, tt.guard); got != tt.want {
			t.Errorf("user %d asks the guard of %d: %v", tt.user, tt.guard, got)
		}
	}
}
