//go:build e2e && lab

package lab

import (
	"strings"
	"sync"
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/lab/browser"
	"intercom/lab/vm"
)

// guestServer is the chat server of the doors in guests, started with the first.
var guestServer = sync.OnceValues(startSandbox)

// TestGuestCall is the main job on real drivers: a finger on a GPIO line, the camera's
// picture, a visitor who whistles into the sound card, a resident who is heard from its
// loudspeaker, a relay that switches and falls back, the hang-up button; and then one more
// visitor.
func TestGuestCall(t *testing.T) {
	s, err := guestServer()
	must(t, err)
	g := newGuest(t)
	d := g.startDoor(t, guestSettings(s, realDevices))
	version, err := g.Run(t.Context(), guestProgram, "version")
	must(t, err)
	if !strings.HasPrefix(version, "intercom ") {
		t.Errorf("version: got %q", version)
	}
	d.begin(t)
	a := newPhone(t, s.server, anna, browser.ProbeConfig{Tone: annaTone})
	g.is(t, vm.RelayDoor, false)
	g.is(t, vm.LEDStatus, false)

	g.visit(t, d, a)
	g.is(t, vm.LEDStatus, true)
	g.checkBoth(t, a, emulatedGap)
	g.checkColours(t, a)
	g.checkOpening(t, d, a)
	g.tap(t, vm.ButtonHangUp)
	if e := d.expect(t, soon, control.Pressed); e.Name != "hang-up" {
		t.Errorf("pressed: got %q, want the hang-up button", e.Name)
	}
	d.expect(t, soon, control.Ended)
	a.next(t, soon, "closed")
	g.await(t, soon, vm.LEDStatus, false)

	// Camera and card have closed well: they serve the next visitor.
	g.visit(t, d, a)
	g.checkBoth(t, a, emulatedGap)
	a.hangsUp(t, d)
	d.until(t, soon, "without complaint", func(s control.Status) bool { return len(s.Health) == 0 })
}

// visit has a visitor press the real button and the resident answer.
func (g *guest) visit(t *testing.T, d *door, a *phone) {
	t.Helper()
	g.tap(t, vm.ButtonCall)
	d.expect(t, soon, control.Pressed)
	d.expect(t, soon, control.Ringing)
	a.next(t, soon, "call-received")
	a.answers(t, d)
}

// tap presses a button as long as people do.
func (g *guest) tap(t *testing.T, button string) {
	t.Helper()
	must(t, g.Sequence(t.Context(), button, vm.Step{High: false, For: 300 * time.Millisecond}, vm.Step{High: true}))
}

// is asserts the level of a line.
func (g *guest) is(t *testing.T, line string, high bool) {
	t.Helper()
	l, err := g.Line(t.Context(), line)
	must(t, err)
	if l.High != high {
		t.Errorf("line %s: high is %v, want %v", line, l.High, high)
	}
}

func (g *guest) await(t *testing.T, limit time.Duration, line string, high bool) {
	t.Helper()
	_, err := g.AwaitLine(t.Context(), limit, line, high)
	must(t, err)
}

// checkOpening has the resident open the door, and asserts that the relay's line, which is low,
// reads active as long as is configured, and falls back by itself.
func (g *guest) checkOpening(t *testing.T, d *door, a *phone) {
	t.Helper()
	g.is(t, vm.RelayDoor, false)
	must(t, a.Eval(t.Context(), "(user) => phone.unlock(user)", doorAccount.id, nil))
	opened, err := g.AwaitLine(t.Context(), soon, vm.RelayDoor, true)
	must(t, err)
	shut, err := g.AwaitLine(t.Context(), soon, vm.RelayDoor, false)
	must(t, err)
	if e := d.expect(t, soon, control.Opened); e.User != anna.id {
		t.Errorf("opened: by user %d, want %d", e.User, anna.id)
	}
	d.expect(t, soon, control.Locked)
	g.is(t, vm.RelayDoor, false)
	open := shut.At.Sub(opened.At)
	t.Logf("the door was open for %v", open)
	if open < openTime*3/4 || open > 2*openTime {
		t.Errorf("the door was open for %v, want %v", open, openTime)
	}
}

// openTime is how long doors in the guest open.
const openTime = time.Second
