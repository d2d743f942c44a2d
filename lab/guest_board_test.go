//go:build e2e && lab

package lab

import (
	"path/filepath"
	"strings"
	"testing"

	"intercom/internal/control"
	"intercom/lab/browser"
	"intercom/lab/vm"
)

// syntheticDevices need no hardware: arm64's machine has none.
const syntheticDevices = `
[camera]
width = 320
height = 180
fps = 15
bit_rate = 300000

[sound]
tone = 523

[cues]
play = false

[[button]]
name = "call"
label = "Ring"
residents = ["Anna", "Ben"]

[[lock]]
name = "door"
open = "1s"
longest = "2s"
pause = "100ms"
`

// TestGuestArm64 is a call with the program that is cross-built for arm64, as it runs on a
// board: pressed, answered, seen, heard, opened, hung up.
func TestGuestArm64(t *testing.T) {
	s, err := guestServer()
	must(t, err)
	g := bootGuest(t, vm.Config{Arch: "arm64", Guest: filepath.Join(lab.root, "build", "lab", "arm64")})
	machine, err := g.Run(t.Context(), "uname", "-m")
	must(t, err)
	if strings.TrimSpace(machine) != "aarch64" {
		t.Fatalf("machine: got %q, want aarch64", machine)
	}
	d := g.startProgram(t, filepath.Join(lab.root, "build", "intercom-arm64"), guestSettings(s, syntheticDevices))
	d.begin(t)
	a := newPhone(t, s.server, anna, browser.ProbeConfig{Tone: annaTone})
	d.press(t)
	d.expect(t, soon, control.Ringing)
	a.event(t, soon, "call-received", 1)
	must(t, a.Click(t.Context(), quick, "#answer"))
	d.expect(t, soon, control.Answered)
	firstFrame(t, a.Page, 0)
	d.expect(t, soon, control.Connected)
	v, heard := measure(t, a.Page)
	if v.DecodedPerSecond < 5 || v.Width != 320 || v.Height != 180 || v.Change < leastChange {
		t.Errorf("the door's picture at the page: %+v", v)
	}
	if faults := checkAudio(heard, doorTone); faults != nil {
		t.Errorf("the door's sound at the page: %q: %+v", faults, heard)
	}
	d.hears(t, soon, annaTone)
	t.Logf("%s %dx%d, %.1f frames/s; sound %.1f Hz", codec(t, a.Page), v.Width, v.Height, v.DecodedPerSecond, heard.Frequency)
	must(t, a.Eval(t.Context(), "(user) => phone.unlock(user)", doorAccount.id, nil))
	d.expect(t, soon, control.Opened)
	d.expect(t, soon, control.Locked)
	must(t, a.Click(t.Context(), quick, "#hangup"))
	d.expect(t, quick, control.Ended)
}
