//go:build e2e && lab

package lab

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/lab/vm"
)

// TestGuestButtons presses buttons as people, bad contacts and vandals do. No phone is online:
// whether the door rings is what it reports.
func TestGuestButtons(t *testing.T) {
	s, err := guestServer()
	must(t, err)
	g := newGuest(t)
	// The hang-up button takes each edge, to count them. The other one takes what lasts: an
	// emulated machine pauses for longer than contacts bounce.
	const debounce = 150 * time.Millisecond
	d := g.startDoor(t, guestSettings(s, with(t, realDevices, `line = "BTN_HANGUP"`, "line = \"BTN_HANGUP\"\ndebounce = \"0s\"",
		`line = "BTN_CALL"`, fmt.Sprintf("line = \"BTN_CALL\"\ndebounce = \"%v\"", debounce))))

	const edge = 15 * time.Millisecond // the simulated chip makes one of two edges that are too close
	presses := func(n int) {
		must(t, g.Sequence(t.Context(), vm.ButtonHangUp, slices.Repeat([]vm.Step{{High: false, For: edge}, {High: true, For: edge}}, n)...))
	}
	t.Run("as many presses as count", func(t *testing.T) {
		d.begin(t)
		presses(burst)
		for range burst {
			if e := d.expect(t, soon, control.Pressed); e.Name != "hang-up" {
				t.Fatalf("pressed: got %q", e.Name)
			}
		}
		g.noPress(t, d, "hang-up")
	})
	t.Run("storm", func(t *testing.T) {
		d.begin(t)
		begun := d.reported()
		const storm = 200 // each is counted
		presses(storm)
		if e := d.expect(t, soon, control.HealthChanged); e.Name != "presses of hang-up" || e.Reason == "" {
			t.Errorf("got %+v, want a complaint about the button", e)
		}
		// The other button works meanwhile.
		g.tap(t, vm.ButtonCall)
		d.expect(t, soon, control.Ringing)
		if n := d.pressed(begun, "hang-up"); n > burst {
			t.Errorf("%d presses of a storm count, want at most %d", n, burst)
		}
		ignored := 0
		e := d.expect(t, soon, control.Ignored)
		if _, err := fmt.Sscanf(e.Text, `%d presses of "hang-up" were ignored`, &ignored); err != nil || ignored+d.pressed(begun, "hang-up") != storm {
			t.Errorf("%q and %d that count, want %d: %v", e.Text, d.pressed(begun, "hang-up"), storm, err)
		}
		if e := d.expect(t, soon, control.HealthChanged); e.Name != "presses of hang-up" || e.Reason != "" {
			t.Errorf("calm: got %+v", e)
		}
		g.tap(t, vm.ButtonHangUp)
		d.expect(t, soon, control.Ended)
	})
	t.Run("bounce", func(t *testing.T) {
		d.begin(t)
		var steps []vm.Step
		for range 5 {
			steps = append(steps, vm.Step{High: false, For: 2 * time.Millisecond}, vm.Step{High: true, For: 2 * time.Millisecond})
		}
		steps = append(steps, vm.Step{High: false, For: 4 * debounce})
		for range 5 {
			steps = append(steps, vm.Step{High: true, For: 2 * time.Millisecond}, vm.Step{High: false, For: 2 * time.Millisecond})
		}
		must(t, g.Sequence(t.Context(), vm.ButtonCall, append(steps, vm.Step{High: true})...))
		d.expect(t, soon, control.Pressed)
		d.expect(t, soon, control.Ringing)
		g.noPress(t, d, "call")
	})
	t.Run("noise", func(t *testing.T) {
		d.begin(t)
		must(t, g.Sequence(t.Context(), vm.ButtonCall, vm.Step{High: false, For: 2 * time.Millisecond}, vm.Step{High: true}))
		g.noPress(t, d, "call")
	})
	t.Run("long press", func(t *testing.T) {
		d.begin(t)
		must(t, g.Sequence(t.Context(), vm.ButtonCall, vm.Step{High: false, For: 3 * time.Second}, vm.Step{High: true}))
		d.expect(t, soon, control.Pressed)
		d.expect(t, soon, control.Ringing)
		g.noPress(t, d, "call")
	})
	t.Run("stuck", func(t *testing.T) {
		d.begin(t)
		must(t, g.Press(t.Context(), vm.ButtonCall))
		d.expect(t, soon, control.Pressed)
		d.expect(t, soon, control.Ringing)
		d.expect(t, guestRing+soon, control.NotAnswered)
		health := d.expect(t, 45*time.Second, control.HealthChanged) // it is held for 30 s until it is called stuck
		if health.Name != "button call" || health.Reason == "" {
			t.Errorf("got %+v, want a complaint about the button", health)
		}
		d.until(t, quick, "idle", func(s control.Status) bool { return s.State == "idle" })
		g.noPress(t, d, "call")
		// The other button works meanwhile, and so does this one when it is free.
		g.tap(t, vm.ButtonHangUp)
		d.expect(t, soon, control.Pressed)
		must(t, g.Release(t.Context(), vm.ButtonCall))
		if e := d.expect(t, soon, control.HealthChanged); e.Reason != "" {
			t.Errorf("free again: got %+v", e)
		}
		g.tap(t, vm.ButtonCall)
		d.expect(t, soon, control.Pressed)
		d.expect(t, soon, control.Ringing)
	})
}

// burst is how many presses count before there are more than fingers make.
const burst = 12

// pressed returns how many presses of a button have been reported since a number of events.
func (d *door) pressed(since int, button string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.events[since:] {
		if e.Type == control.Pressed && e.Name == button {
			n++
		}
	}
	return n
}

// reported returns how many events there have been.
func (d *door) reported() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.events)
}

// noPress asserts that no press of a button is reported for a while, beyond those that were
// expected.
func (g *guest) noPress(t *testing.T, d *door, button string) {
	t.Helper()
	d.mu.Lock()
	begun := d.from
	d.mu.Unlock()
	time.Sleep(time.Second) // what comes meanwhile is what is asked
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.events[begun:] {
		if e.Type == control.Pressed && e.Name == button || e.Type == control.Ringing {
			t.Errorf("the door reported %q: %s", e.Type, e.Text)
		}
	}
}
