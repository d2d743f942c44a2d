//go:build e2e && lab

package lab

import (
	"math"
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

// visitorTone is the frequency of what is played into the door's microphone, in Hz.
const visitorTone = 1000.0

// TestGuestCall is the answered call on real drivers: a finger on a GPIO line, the
// camera's picture, a visitor who whistles into the sound card, a resident who is heard
// from its loudspeaker, a relay that switches and falls back, the hang-up button.
func TestGuestCall(t *testing.T) {
	s, err := guestServer()
	must(t, err)
	g := newGuest(t)
	for _, b := range []string{vm.ButtonCall, vm.ButtonCall2, vm.ButtonHangUp} {
		must(t, g.Release(t.Context(), b))
	}
	d := g.startDoor(t, guestSettings(s, realDevices))
	version, err := g.Run(t.Context(), guestProgram, "version")
	must(t, err)
	if !strings.HasPrefix(version, "intercom ") {
		t.Errorf("version: got %q", version)
	}
	d.begin(t)
	a := newPhone(t, s.server, anna, browser.ProbeConfig{Tone: annaTone})

	must(t, g.Sequence(t.Context(), vm.ButtonCall, vm.Step{High: false, For: 200 * time.Millisecond}, vm.Step{High: true}))
	d.expect(t, soon, control.Pressed)
	d.expect(t, soon, control.Ringing)
	a.event(t, soon, "call-received", 1)
	must(t, a.Click(t.Context(), quick, "#answer"))
	d.expect(t, soon, control.Answered)
	firstFrame(t, a.Page, 0)
	d.expect(t, soon, control.Connected)

	whistle, err := g.Play(t.Context(), vm.Tone(visitorTone, 0.5, 30*time.Second))
	must(t, err)
	g.hears(t, annaTone)
	v, heard := measure(t, a.Page)
	if faults := checkVideo(v); faults != nil {
		t.Errorf("the camera's picture at the page: %q: %+v", faults, v)
	}
	if faults := checkAudio(heard, visitorTone); faults != nil {
		t.Errorf("the visitor's sound at the page: %q: %+v", faults, heard)
	}
	t.Logf("%s %dx%d, %.1f frames/s; sound %.1f Hz at %.1f dBFS", codec(t, a.Page), v.Width, v.Height, v.DecodedPerSecond, heard.Frequency, heard.DBFS)
	must(t, whistle.Signal(t.Context(), 15))

	// The relay, by itself: the program says 1 s.
	if l, err := g.Line(t.Context(), vm.RelayDoor); err != nil || l.High {
		t.Errorf("the lock's line before: got %+v, %v, want low", l, err)
	}
	must(t, a.Eval(t.Context(), "(user) => phone.unlock(user)", doorAccount.id, nil))
	opened, err := g.AwaitLine(t.Context(), soon, vm.RelayDoor, true)
	must(t, err)
	shut, err := g.AwaitLine(t.Context(), soon, vm.RelayDoor, false)
	must(t, err)
	if open := shut.At.Sub(opened.At); open < 800*time.Millisecond || open > 2*time.Second {
		t.Errorf("the lock was open for %v, want 1s", open)
	}
	d.expect(t, soon, control.Opened)
	d.expect(t, soon, control.Locked)

	must(t, g.Sequence(t.Context(), vm.ButtonHangUp, vm.Step{High: false, For: 200 * time.Millisecond}, vm.Step{High: true}))
	d.expect(t, quick, control.Ended)
	a.event(t, quick, "closed", 1)
}

// hears records what the door's loudspeaker plays, until it is that tone.
func (g *guest) hears(t *testing.T, tone float64) {
	t.Helper()
	var got vm.Sound
	for late := time.Now().Add(20 * time.Second); time.Now().Before(late); {
		wav, err := g.Record(t.Context(), time.Second)
		must(t, err)
		got, err = vm.Listen(wav)
		must(t, err)
		if math.Abs(got.Frequency-tone) <= toneError && got.Length > 900*time.Millisecond {
			t.Logf("the loudspeaker plays %+v", got)
			return
		}
	}
	t.Errorf("the loudspeaker: got %+v at last, want a second of %.0f Hz", got, tone)
}
