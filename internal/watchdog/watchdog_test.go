package watchdog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// hardware is a watchdog in a bubble's time: it restarts the machine at due.
type hardware struct {
	opened, late     int
	runs             bool
	due              time.Time
	timeout, grants  time.Duration // grants: in place of what is asked for
	nowayout, broken bool
}

func (h *hardware) open(string) (device, error) {
	h.opened++
	h.runs, h.timeout = true, 30*time.Second // the driver's own
	h.due = time.Now().Add(h.timeout)
	return h, nil
}

func (h *hardware) setTimeout(d time.Duration) (time.Duration, error) {
	if h.timeout = d; h.grants != 0 {
		h.timeout = h.grants
	}
	return h.timeout, h.feed()
}

var errBroken = errors.New("broken")

func (h *hardware) feed() error {
	if h.broken {
		return errBroken
	}
	if h.restarted() {
		h.late++
	}
	h.due = time.Now().Add(h.timeout)
	return nil
}

func (h *hardware) disarm() (bool, error) {
	h.runs = h.nowayout
	return !h.runs, nil
}

func (h *hardware) abandon() {}

// restarted says whether the machine has restarted by now.
func (h *hardware) restarted() bool { return h.runs && time.Now().After(h.due) }

// bench is a watchdog of 15 s with the program that it watches.
type bench struct {
	*Watchdog
	hardware
	fails   error // what the program says
	hangs   bool  // the program says nothing
	reports []error
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{}
	w, err := New(Config{Device: "/dev/watchdog0", Timeout: 15 * time.Second, Alive: b.alive, Report: func(err error) { b.reports = append(b.reports, err) }})
	if err != nil {
		t.Fatal(err)
	}
	b.Watchdog, w.open = w, b.hardware.open
	return b
}

func (b *bench) alive(ctx context.Context) error {
	if b.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return b.fails
}

// run runs the watchdog for a while.
func (b *bench) run(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := b.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestFedWhileTheProgramWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.run(t, time.Hour)
		if !b.runs || b.late > 0 || b.opened != 1 {
			t.Errorf("after an hour: runs %v, late %d times, opened %d times", b.runs, b.late, b.opened)
		}
		if b.reports[0] != nil {
			t.Errorf("reported %v", b.reports[0])
		}
	})
}

func TestNotFedWhenTheProgramHangs(t *testing.T) {
	for _, tt := range []struct {
		name string
		fail func(*bench)
	}{
		{"it says so", func(b *bench) { b.fails = errors.New("the loop does not turn") }},
		{"it says nothing", func(b *bench) { b.hangs = true }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.run(t, time.Minute)
				tt.fail(b)
				b.run(t, 8*time.Second)
				b.fails, b.hangs = nil, false
				b.run(t, time.Minute)
				if b.restarted() {
					t.Fatal("the machine restarts, and the program works again")
				}
				tt.fail(b)
				b.run(t, 15*time.Second+time.Millisecond)
				if !b.restarted() {
					t.Errorf("the machine does not restart: due in %v", time.Until(b.due))
				}
			})
		})
	}
}

func TestNotStartedBeforeTheProgramWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.fails = errors.New("not yet")
		b.run(t, time.Hour)
		if b.opened != 0 {
			t.Errorf("opened %d times for a program that has never worked", b.opened)
		}
		if err := b.Disarm(); err != nil {
			t.Error(err)
		}
	})
}

func TestEnd(t *testing.T) {
	for _, tt := range []struct {
		name                        string
		disarm, nowayout, restarted bool
	}{
		{name: "in good order", disarm: true},
		{name: "in good order, and the driver lets nobody stop it", disarm: true, nowayout: true, restarted: true},
		{name: "in disorder", restarted: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.nowayout = tt.nowayout
				b.run(t, time.Minute)
				for range 2 {
					if !tt.disarm {
						break
					}
					if err := b.Disarm(); err != nil {
						t.Error(err)
					}
				}
				time.Sleep(time.Minute)
				if got := b.restarted(); got != tt.restarted {
					t.Errorf("the machine has restarted: %v, want %v", got, tt.restarted)
				}
			})
		})
	}
	if err := (*Watchdog)(nil).Disarm(); err != nil {
		t.Error(err)
	}
}

// TestGrantedTimeout has a driver that counts less far than it is asked to.
func TestGrantedTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.grants = 3 * time.Second
		b.run(t, time.Hour)
		if b.late > 0 || b.restarted() {
			t.Errorf("fed late %d times", b.late)
		}
	})
}

func TestDeviceFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.run(t, time.Minute)
		b.broken = true
		b.run(t, 5*time.Second)
		if last := b.reports[len(b.reports)-1]; !errors.Is(last, errBroken) {
			t.Fatalf("reported %v", last)
		}
		b.broken = false
		b.run(t, time.Minute)
		if last := b.reports[len(b.reports)-1]; last != nil || b.restarted() || b.opened < 2 {
			t.Errorf("opened %d times, restarted %v, reported %v", b.opened, b.restarted(), last)
		}
	})
}

func TestNew(t *testing.T) {
	good := Config{Device: "d", Timeout: LeastTimeout, Alive: func(context.Context) error { return nil }}
	for _, change := range []func(*Config){
		func(c *Config) { c.Device = "" },
		func(c *Config) { c.Alive = nil },
		func(c *Config) { c.Timeout = LeastTimeout - 1 },
		func(c *Config) { c.Timeout = MostTimeout + 1 },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%+v: no error", c)
		}
	}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
}

// TestNoWatchdog opens what is none; the real one is in the lab.
func TestNoWatchdog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "watchdog0")
	if _, err := openDevice(path); err == nil || !strings.Contains(err.Error(), "is its driver loaded?") {
		t.Errorf("nothing: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openDevice(path); err == nil || !strings.Contains(err.Error(), "is no watchdog") {
		t.Errorf("a file: %v", err)
	}
}
