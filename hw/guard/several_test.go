package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"intercom/hw"
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

// panicEnv names the goroutine that panics: with it the test's binary is a guard whose
// lock is opened, and no more.
const panicEnv = "GUARD_TEST_PANIC"

func TestMain(m *testing.M) {
	if where := os.Getenv(panicEnv); where != "" {
		panicIn(where)
		return
	}
	os.Exit(m.Run())
}

// TestPanics: a panic in every goroutine of the guard ends the program, and leaves the lock
// safe.
func TestPanics(t *testing.T) {
	for _, where := range []string{"loop", "teller", "acceptor", "server"} {
		t.Run(where, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append(os.Environ(), panicEnv+"="+where, "GUARD_TEST_SOCKET="+filepath.Join(t.TempDir(), "s"))
			var out, log bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &log
			if err := cmd.Run(); err == nil {
				t.Error("the panic did not end the program")
			}
			if got, want := out.String(), "safe\nopen\nsafe\n"; got != want {
				t.Errorf("levels %q, want %q\n%s", got, want, log.String())
			}
			if !strings.Contains(log.String(), "panic: in the "+where) {
				t.Errorf("the panic is not told: %s", log.String())
			}
		})
	}
}

// talker is a line that prints its levels.
type talker struct {
	where string
	level *bool
	open  chan struct{} // closed when the lock is open
}

func (k talker) Inputs(...hw.Line) (hw.Inputs, error) { return nil, errors.New("none") }

func (k talker) Output(_ hw.Line, active bool) (hw.Output, error) { return k, k.Set(active) }

func (k talker) Set(active bool) error {
	if *k.level == active {
		return nil
	}
	*k.level = active
	fmt.Println(map[bool]string{true: "open", false: "safe"}[active])
	if active {
		close(k.open)
		if k.where == "loop" {
			panic("in the loop")
		}
	}
	return nil
}

func (k talker) Close() error { return nil }

// trap is a listener that panics when the lock is open, or whose connections do.
type trap struct {
	net.Listener
	talker
}

func (l trap) Accept() (net.Conn, error) {
	if l.where == "acceptor" {
		select {
		case <-l.open:
			panic("in the acceptor")
		default:
		}
	}
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if l.where == "acceptor" {
		go func() { <-l.open; l.Listener.(*net.UnixListener).SetDeadline(time.Now()) }()
	}
	return trapConn{c, l.talker}, nil
}

func (l trap) Close() error { return l.Listener.Close() }

type trapConn struct {
	net.Conn
	talker
}

func (c trapConn) Read(b []byte) (int, error) {
	if c.where == "server" {
		select {
		case <-c.open:
			panic("in the server")
		default:
		}
	}
	return c.Conn.Read(b)
}

func (c trapConn) Close() error { return c.Conn.Close() }

func panicIn(where string) {
	k := talker{where: where, level: new(bool), open: make(chan struct{})}
	*k.level = true
	g, err := New(Config{
		Lines: k, Locks: []Lock{{Line: lockLine, Max: time.Minute}},
		Alive: func() {
			select {
			case <-k.open:
				if where == "teller" {
					panic("in the teller")
				}
			default:
			}
		},
	})
	if err != nil {
		panic(err)
	}
	path := os.Getenv("GUARD_TEST_SOCKET")
	l, err := Listen(path)
	if err != nil {
		panic(err)
	}
	go func() {
		c := NewClient(ClientConfig{Path: path})
		out, err := c.Output(lockLine, false)
		if err == nil {
			err = out.Set(true)
		}
		if err == nil {
			err = c.Watch(context.Background(), func(error) {})
		}
	}()
	_ = g.Serve(context.Background(), trap{l, k})
}
