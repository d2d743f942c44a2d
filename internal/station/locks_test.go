package station

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/door"
	"intercom/hw"
	"intercom/hw/relay"
	"intercom/hw/sim"
	"intercom/internal/control"
)

// TestBesideTheLocks has the button inside, the doors' contacts and the case tell what happens
// to them, as events and in the status.
func TestBesideTheLocks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tamper")
	board, err := sim.New(sim.Config{Names: []string{"call", "hang-up", "status", "door", "gate", "exit", "leaf", "gate leaf", "case"}})
	if err != nil {
		t.Fatal(err)
	}
	set := func(line string, active bool) {
		t.Helper()
		if err := board.Set(line, active); err != nil {
			t.Error(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		line := func(name string) *hw.Line { return &hw.Line{Name: name, ActiveLow: strings.Contains(name, "leaf")} } // closed
		r := newRig(t, func(c *Config) {
			c.Lines = board
			c.Door.Locks = append(c.Door.Locks, door.Lock{Name: "gate"})
			c.Locks.Locks[0].Exit, c.Locks.Locks[0].Contact, c.Locks.Locks[0].HeldOpen, c.Locks.Locks[0].Forced = line("exit"), line("leaf"), 10*time.Second, true
			c.Locks.Locks = append(c.Locks.Locks, relay.Lock{Line: hw.Line{Name: "gate"}, Contact: line("gate leaf"), Interlock: []string{"door"}})
			c.Locks.Tamper = &relay.Tamper{Line: *line("case"), Block: time.Minute, File: file}
			c.Press = board.Press
		})
		time.Sleep(time.Second) // the contacts are read
		if got := r.Status().Locks; !slices.Equal(got, []control.Lock{{Name: "door", Door: "closed"}, {Name: "gate", Door: "closed"}}) {
			t.Errorf("locks: %+v", got)
		}
		if err := r.Press(t.Context(), "exit"); err != nil { // as a page does
			t.Error(err)
		}
		if e := r.expect(control.Opened); e.Name != "door" || e.User != 0 || e.Reason == "" {
			t.Errorf("from inside: %+v", e)
		}
		r.expect(control.Locked)
		set("exit", false)
		time.Sleep(5 * time.Second)
		set("gate leaf", false) // by a key
		if e := r.expect(control.DoorOpened); e.Name != "gate" {
			t.Errorf("by a key: %+v", e)
		}
		set("exit", true)
		if e := r.expect(control.Refused); e.Name != "door" || !strings.Contains(e.Reason, "another door comes first") {
			t.Errorf("interlock: %+v", e)
		}
		set("gate leaf", true)
		r.expect(control.DoorClosed)
		set("leaf", false)
		if e := r.expect(control.Forced); e.Name != "door" {
			t.Errorf("forced: %+v", e)
		}
		if got := r.Status().Locks[0]; got.Door != "open" {
			t.Errorf("%+v", got)
		}
		r.expect(control.HeldOpen)
		set("leaf", true)
		r.expect(control.Shut)

		set("case", true)
		r.expect(control.Tampered)
		if e := r.expect(control.HealthChanged); e.Name != caseCondition || !strings.Contains(e.Reason, "no lock opens") {
			t.Errorf("tampered: %+v", e)
		}
		set("case", false)
		if e := r.expect(control.HealthChanged); e.Name != caseCondition || e.Reason != "" {
			t.Errorf("after it: %+v", e)
		}
		r.expect(control.TamperOver)
		if err := r.Press(t.Context(), "leaves"); err == nil {
			t.Error("an unknown line was pressed")
		}
		r.end()
	})
}

// TestHeldOpen has a resident shut a lock that stays open until somebody does.
func TestHeldOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Locks.Locks[0].Hold, c.Locks.Locks[0].Max = true, time.Hour })
		defer r.end()
		a := r.world.Phone(callcoretest.Spec{User: anna, Device: "phone-a"})
		r.press("call")
		call := callcoretest.Await[callcore.Incoming](a)
		if err := call.Session.Accept(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		r.expect(control.Connected)
		if err := call.Session.Update(t.Context(), map[string]string{"command": "unlock"}); err != nil {
			t.Fatal(err)
		}
		r.expect(control.Opened)
		time.Sleep(20 * time.Second)
		if !r.Status().Locks[0].Open {
			t.Error("it is not open any more")
		}
		if err := call.Session.Update(t.Context(), map[string]string{"command": "lock"}); err != nil {
			t.Fatal(err)
		}
		r.expect(control.Locked)
		if r.Status().Locks[0].Open {
			t.Error("it is still open")
		}
	})
}
