package relay_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"intercom/hw"
	"intercom/hw/relay"
)

// house is a guard of two locks with everything beside them.
type house struct {
	*testing.T
	*panel
	guard  *relay.Guard
	mu     sync.Mutex
	faults map[string]string
	stop   func()
}

// enter runs a guard of a door and a gate that interlock; the file is that of tampering.
func enter(t *testing.T, p *panel, file string) *house {
	t.Helper()
	line := func(name string) *hw.Line { return &hw.Line{Name: name} }
	h := &house{T: t, panel: p, faults: map[string]string{}}
	var err error
	h.guard, err = relay.New(relay.Config{
		Lines: p,
		Locks: []relay.Lock{
			{Line: hw.Line{Name: "door"}, Interlock: []string{"gate"}, Exit: line("exit"), Contact: line("leaf"), HeldOpen: 20 * time.Second, Forced: true, Relock: true},
			{Line: hw.Line{Name: "gate"}, Contact: line("gate leaf"), Hold: true, Max: time.Minute},
		},
		Tamper: &relay.Tamper{Line: hw.Line{Name: "case"}, Block: time.Minute, File: file},
		Report: func(part string, err error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.faults[part] = ""
			if err != nil {
				h.faults[part] = err.Error()
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.guard.Run(ctx) }()
	h.stop = func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	h.await()
	return h
}

// await lets the guard come to rest. Its files are outside the bubble.
func (h *house) await() { time.Sleep(time.Millisecond); synctest.Wait() }

// wants compares the events since the last time.
func (h *house) wants(want string) {
	h.Helper()
	h.await()
	var got []string
	for {
		select {
		case e, ok := <-h.guard.Events():
			if !ok {
				break
			}
			text := strings.TrimSpace(e.Kind.String() + " " + e.Lock)
			if e.Reason != "" {
				text += " (" + e.Reason + ")"
			}
			got = append(got, text)
			continue
		default:
		}
		break
	}
	if got := strings.Join(got, "; "); got != want {
		h.Errorf("events\ngot  %s\nwant %s", got, want)
	}
}

// TestEventsLost: a contact that bounces for as long as nobody reads. What was forgotten is
// told by an event that is not, and by its end it says how everything is.
func TestEventsLost(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tamper")
	synctest.Test(t, func(t *testing.T) {
		locks := closedHouse()
		h := enter(t, locks, file)
		h.wants("")
		h.open("door", nil)
		for range 200 {
			h.set("leaf", false)
			h.set("leaf", true)
		}
		time.Sleep(time.Minute) // the lock is safe again
		for range 200 {
			h.set("leaf", false)
			h.set("leaf", true)
		}
		h.open("door", nil)
		seen, lost := 0, 0
		var last relay.Event
		for len(h.guard.Events()) > 0 {
			e := <-h.guard.Events()
			seen, lost = seen+1, lost+e.Lost
			if e.Lost > 0 {
				last = e
			}
			if (e.Lost > 0) != (e.Now != nil) {
				t.Errorf("event %+v: lost %d, now %v", e, e.Lost, e.Now)
			}
		}
		if want := 1 + 400 + 1 + 600 + 1; seen != 64 || seen+lost != want {
			t.Errorf("%d events seen, %d lost; want 64, and %d in all", seen, lost, want)
		}
		if last.Kind != relay.Opened || last.Now == nil || !last.Now.Locks[0].Open || last.Now.Locks[0].Door != relay.Closed {
			t.Errorf("the last that tells of others: %+v, %+v", last, last.Now)
		}
		h.stop()
	})
}

func (h *house) fault(part string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.faults[part]
}

func (h *house) open(lock string, want error) {
	h.Helper()
	err := h.guard.Open(h.Context(), lock, 0)
	if want == nil && err != nil || !errors.Is(err, want) {
		h.Errorf("open %s: %v, want %v", lock, err, want)
	}
	h.await()
}

// closedHouse has all doors closed.
func closedHouse() *panel {
	p := newPanel()
	p.levels["leaf"], p.levels["gate leaf"] = true, true
	return p
}

func TestDoorsAndButtons(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tamper")
	synctest.Test(t, func(t *testing.T) {
		h := enter(t, closedHouse(), file)
		h.wants("")
		h.open("door", nil)
		h.wants("opened door")
		h.open("gate", relay.ErrInterlock)
		h.set("leaf", false)
		h.set("leaf", true)
		h.wants("door opened door; door closed door; safe door") // at once
		h.open("gate", nil)
		h.wants("opened gate")
		h.open("door", relay.ErrInterlock)
		time.Sleep(30 * time.Second)
		h.wants("") // it holds
		if err := h.guard.Shut(t.Context(), "gate"); err != nil {
			t.Error(err)
		}
		h.wants("safe gate")
		h.set("exit", true)
		h.set("exit", false)
		h.wants("exit door; opened door")
		h.set("gate leaf", false) // by a key
		h.wants("door opened gate; safe door")
		time.Sleep(time.Second)
		h.set("exit", true)
		h.wants("exit door (another door comes first: the door of lock \"gate\" is not known to be closed)")
		h.set("gate leaf", true)
		h.set("leaf", false)
		time.Sleep(30 * time.Second)
		h.wants("door closed gate; door opened door; held open door")
		if s := h.guard.State(); s.Locks[0].Door != relay.Ajar || s.Locks[1].Door != relay.Closed || s.Locks[0].Open {
			t.Errorf("%+v", s)
		}
		h.set("leaf", true)
		h.set("leaf", false)
		h.wants("door closed door; door opened door; forced door")
		h.stop()
	})
}

// TestStuckExit: a button that is held while the station starts opens nothing.
func TestStuckExit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tamper")
	synctest.Test(t, func(t *testing.T) {
		p := closedHouse()
		p.levels["exit"] = true
		h := enter(t, p, file)
		h.wants("")
		h.set("exit", false)
		h.set("exit", true)
		h.wants("exit door; opened door")
		time.Sleep(time.Hour)
		h.wants("safe door") // and that is all
		h.stop()
	})
}

func TestInputsFail(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tamper")
	synctest.Test(t, func(t *testing.T) {
		h := enter(t, closedHouse(), file)
		h.fail(errBroken)
		if err := h.guard.Open(t.Context(), "door", 0); err == nil || !strings.Contains(err.Error(), "cannot be read") {
			t.Errorf("open: %v, and nobody knows whether the case is closed", err)
		}
		if got := h.fault(relay.InputsPart); got != errBroken.Error() {
			t.Errorf("reported %q", got)
		}
		if s := h.guard.State(); s.Locks[0].Door != relay.Unknown {
			t.Errorf("%+v", s)
		}
		h.fail(nil)
		time.Sleep(2 * time.Second)
		h.await()
		if got := h.fault(relay.InputsPart); got != "" {
			t.Errorf("reported %q after the repair", got)
		}
		h.open("door", nil)
		h.wants("opened door")
		h.stop()
	})
}

// TestTamper: nothing opens, and a restart changes nothing, whatever the clock says by then.
func TestTamper(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tamper")
	synctest.Test(t, func(t *testing.T) {
		p := closedHouse()
		h := enter(t, p, file)
		h.open("door", nil)
		h.set("case", true)
		h.wants("opened door; safe door; tampered")
		if b, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(b), "intercom-tamper/1 1m0s ") {
			t.Errorf("when it is told the file has %q, %v", b, err)
		}
		h.open("door", relay.ErrTampered)
		h.set("exit", true)
		h.wants("exit door (somebody has opened the case; again in 1m0s)")
		h.set("case", false)
		time.Sleep(40 * time.Second)
		h.open("gate", relay.ErrTampered)
		h.stop()
		p.set("exit", false)

		// A day without power is no part of the block.
		time.Sleep(24 * time.Hour)
		h = enter(t, p, file)
		h.wants("tampered (since before the restart)")
		time.Sleep(25 * time.Second)
		h.open("door", relay.ErrTampered)
		time.Sleep(6 * time.Second) // 30 s were left when it was written last
		h.wants("tamper over")
		h.open("door", nil)
		h.stop()
		h = enter(t, p, file)
		h.wants("")
		h.stop()
	})
}

// TestOffWhileTheCaseIsOpen has all of the block before it.
func TestOffWhileTheCaseIsOpen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tamper")
	synctest.Test(t, func(t *testing.T) {
		p := closedHouse()
		h := enter(t, p, file)
		h.set("case", true)
		time.Sleep(time.Hour)
		h.open("door", relay.ErrTampered)
		h.stop()
		p.levels["case"] = false
		h = enter(t, p, file)
		time.Sleep(59 * time.Second)
		h.open("door", relay.ErrTampered)
		time.Sleep(time.Second)
		h.open("door", nil)
		h.stop()
	})
}

func TestTamperFile(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want string
	}{
		"damaged": {"intercom-tamper/1 1m0s 00000000\n", "it is damaged"},
		"cut":     {"intercom-tam", "it is damaged"},
		"empty":   {"", "it is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "tamper")
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				h := enter(t, closedHouse(), file)
				h.wants(fmt.Sprintf("tampered (nobody knows whether the case was opened: file %s: %s)", file, tt.want))
				h.open("door", relay.ErrTampered)
				time.Sleep(time.Minute)
				h.wants("tamper over")
				h.stop()
			})
		})
	}
	// A folder that is not there: it blocks all the same, and says that a restart would end it.
	file := filepath.Join(t.TempDir(), "gone", "tamper")
	synctest.Test(t, func(t *testing.T) {
		h := enter(t, closedHouse(), file)
		h.set("case", true)
		h.await()
		h.open("door", relay.ErrTampered)
		e := <-h.guard.Events()
		if e.Kind != relay.Tampered || !strings.Contains(e.Reason, "would not outlive a restart") {
			t.Errorf("event %+v", e)
		}
		if got := h.fault(relay.TamperPart); !strings.Contains(got, "no such file") {
			t.Errorf("reported %q", got)
		}
		if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		h.await()
		if _, err := os.Stat(file); err != nil || h.fault(relay.TamperPart) != "" {
			t.Errorf("after the repair: %v, %q", err, h.fault(relay.TamperPart))
		}
		h.stop()
	})
}
