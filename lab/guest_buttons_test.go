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

// otherButton is a second one that calls.
const otherButton = `
[[button]]
name = "call 2"
residents = ["Ben"]
line = "BTN_CALL2"
active_low = true
pull = "up"
debounce = "150ms"
`

// TestGuestButtons presses buttons, and keys of a keypad, as people, bad contacts and vandals do. No
// phone is online: whether the door rings is what it reports. One button is stuck all the while.
func TestGuestButtons(t *testing.T) {
	t.Parallel() // beside TestGuestDrivers
	s, err := guestServer()
	must(t, err)
	g := newGuest(t)
	// The hang-up button takes each edge, to count them. The second one takes what lasts: an
	// emulated machine pauses for longer than contacts bounce.
	const debounce = 150 * time.Millisecond
	settings := guestSettings(s, with(t, realDevices, `source = "v4l2:vivid"`, "", `microphone = "alsa:Loop"`, "", `loudspeaker = "alsa:Loop"`, "",
		`line = "RELAY_DOOR"`, `line = "LIGHT"`, `line = "BTN_HANGUP"`, "line = \"BTN_HANGUP\"\ndebounce = \"0s\"")+otherButton+keypadDoor)
	d := g.startDoor(t, g.apart(t, "buttons", sideAccount, with(t, settings, `name = "Anna"`, "name = \"Anna\"\npin = \"739154\"")))

	d.begin(t)
	begun := time.Now()
	must(t, g.Press(t.Context(), vm.ButtonCall)) // and not released
	d.expect(t, soon, control.Pressed)
	d.expect(t, soon, control.Ringing)
	d.hangUp(t)
	d.expect(t, soon, control.Ended)

	// The simulated chip makes one of two edges that are too close for a busy machine.
	edge := 40 * time.Millisecond
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
		g.noPress(t, d)
	})
	t.Run("storm", func(t *testing.T) {
		const storm = 200 // each is counted
		counted := 0
		edge = 15 * time.Millisecond
		for try := 0; try < 3 && counted != storm; try++ {
			d.begin(t)
			begun := d.reported()
			presses(storm)
			d.until(t, soon, "complaining about the storm", complains("presses of hang-up"))
			// Another button works meanwhile.
			g.tap(t, vm.ButtonCall2)
			d.expect(t, soon, control.Ringing)
			if n := d.pressed(begun, "hang-up"); n > burst {
				t.Errorf("%d presses of a storm count, want at most %d", n, burst)
			}
			e := d.expect(t, soon, control.Ignored)
			if _, err := fmt.Sscanf(e.Text, `%d presses of "hang-up" were ignored`, &counted); err != nil {
				t.Errorf("%q: %v", e.Text, err)
			}
			counted += d.pressed(begun, "hang-up")
			t.Logf("%d presses, each edge %v after the one before: %d are counted", storm, edge, counted)
			edge *= 2
			d.until(t, soon, "calm", func(s control.Status) bool { return !complains("presses of hang-up")(s) })
			g.tap(t, vm.ButtonHangUp)
			d.expect(t, soon, control.Ended)
		}
		if counted != storm {
			t.Errorf("%d presses of %d are counted", counted, storm)
		}
	})
	t.Run("keypad", func(t *testing.T) { g.checkKeypad(t, d) })
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
		must(t, g.Sequence(t.Context(), vm.ButtonCall2, append(steps, vm.Step{High: true})...))
		d.expect(t, soon, control.Pressed)
		d.expect(t, soon, control.Ringing)
		g.noPress(t, d)
	})
	t.Run("noise", func(t *testing.T) {
		d.begin(t)
		must(t, g.Sequence(t.Context(), vm.ButtonCall2, vm.Step{High: false, For: 2 * time.Millisecond}, vm.Step{High: true}))
		g.noPress(t, d)
	})
	t.Run("long press", func(t *testing.T) {
		d.begin(t)
		must(t, g.Sequence(t.Context(), vm.ButtonCall2, vm.Step{High: false, For: 2 * time.Second}, vm.Step{High: true}))
		d.expect(t, soon, control.Pressed)
		d.expect(t, soon, control.Ringing)
		g.noPress(t, d)
	})
	t.Run("stuck", func(t *testing.T) {
		isStuck := complains("button call")
		d.until(t, 45*time.Second, "complaining about the button", isStuck) // it is held for 30 s until it is called stuck
		t.Logf("called stuck after %v", time.Since(begun).Round(100*time.Millisecond))
		d.begin(t)
		g.noPress(t, d)
		// The others work meanwhile, and so does this one when it is free.
		g.tap(t, vm.ButtonHangUp)
		d.expect(t, soon, control.Pressed)
		must(t, g.Release(t.Context(), vm.ButtonCall))
		d.until(t, soon, "content with the button", func(s control.Status) bool { return !isStuck(s) })
		g.tap(t, vm.ButtonCall)
		if e := d.expect(t, soon, control.Pressed); e.Name != "call" {
			t.Errorf("pressed: got %q", e.Name)
		}
		d.expect(t, soon, control.Ringing)
	})
}

// complains says of a part whether the door complains of it.
func complains(part string) func(control.Status) bool {
	return func(s control.Status) bool {
		return slices.ContainsFunc(s.Health, func(c control.Condition) bool { return c.Name == part })
	}
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

// noPress asserts that no press is reported for a while, beyond those that were expected.
func (g *guest) noPress(t *testing.T, d *door) {
	t.Helper()
	d.mu.Lock()
	begun := d.from
	d.mu.Unlock()
	time.Sleep(700 * time.Millisecond) // what comes meanwhile is what is asked
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.events[begun:] {
		if e.Type == control.Pressed || e.Type == control.Ringing {
			t.Errorf("the door reported %q: %s", e.Type, e.Text)
		}
	}
}
