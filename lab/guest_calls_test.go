//go:build e2e && lab

package lab

import (
	"strings"
	"sync"
	"testing"

	"intercom/internal/control"
	"intercom/lab/browser"
)

// guestServer is the chat server of the doors in guests, started with the first.
var guestServer = sync.OnceValues(startSandbox)

// smallPicture is what software emulation encodes at the full rate.
const smallPicture = `
[camera]
width = 320
height = 180
fps = 15
bit_rate = 300000
`

// TestGuestAnswered is the answered call with a door in the guest: its media crosses the
// guest's network to a browser on this machine.
func TestGuestAnswered(t *testing.T) {
	s, err := guestServer()
	must(t, err)
	g := newGuest(t)
	d := g.startDoor(t, guestSettings(s, smallPicture))
	version, err := g.Run(t.Context(), guestProgram, "version")
	must(t, err)
	if !strings.HasPrefix(version, "intercom ") {
		t.Errorf("version: got %q", version)
	}
	d.begin(t)
	a := newPhone(t, s.server, anna, browser.ProbeConfig{Tone: annaTone})
	d.press(t)
	d.expect(t, soon, control.Ringing)
	a.event(t, soon, "call-received", 1)
	must(t, a.Click(t.Context(), quick, "#answer"))
	d.expect(t, soon, control.Answered)
	firstFrame(t, a.Page, 0)
	d.expect(t, soon, control.Connected)
	checkCall(t, a.Page, d, annaTone)
	must(t, a.Eval(t.Context(), "(user) => phone.unlock(user)", doorAccount.id, nil))
	d.expect(t, soon, control.Opened)
	d.expect(t, soon, control.Locked)
	must(t, a.Click(t.Context(), quick, "#hangup"))
	d.expect(t, quick, control.Ended)
}
