//go:build e2e

package lab

import (
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/lab/browser"
)

// The tones of the residents' microphones, in Hz: unlike each other's and the door's.
const (
	annaTone = 700.0
	benTone  = 900.0
)

// TestAnswered is the main job: press, ring, answer; picture, sound both ways, hang up.
func TestAnswered(t *testing.T) {
	for _, name := range []string{"VP8", "H264"} {
		t.Run(name, func(t *testing.T) {
			d := lab.door(t)
			a := d.newResident(t, anna, browser.ProbeConfig{Tone: annaTone, Codec: name})
			d.press(t)
			d.expect(t, soon, control.Pressed)
			d.expect(t, soon, control.Ringing)
			a.answers(t, d.door)
			checkCall(t, a.Page, d.door, annaTone)
			if got, want := codec(t, a.Page), "video/"+name; got != want {
				t.Errorf("codec: got %s, want %s", got, want)
			}
			a.click(t, "#hangup")
			d.expect(t, soon, control.Ended)
			a.is(t, soon, "ready")
		})
	}
}

// TestAnsweredElsewhere has two phones ring; when one answers, the other is quiet.
func TestAnsweredElsewhere(t *testing.T) {
	d := lab.door(t)
	a := d.newResident(t, anna, browser.ProbeConfig{Tone: annaTone})
	b := d.newResident(t, ben, browser.ProbeConfig{Tone: benTone})
	d.press(t)
	a.is(t, soon, "ringing")
	b.is(t, soon, "ringing")
	b.answers(t, d.door)
	a.is(t, quick, "ready")
	checkCall(t, b.Page, d.door, benTone)
	b.is(t, quick, "talking")
}

func TestDeclined(t *testing.T) {
	d := lab.door(t)
	a := d.newResident(t, anna, browser.ProbeConfig{})
	b := d.newResident(t, ben, browser.ProbeConfig{})
	d.press(t)
	a.is(t, soon, "ringing")
	b.is(t, soon, "ringing")
	// One resident's no is not the house's.
	a.click(t, "#decline")
	if e := d.expect(t, soon, control.Declined); e.User != anna.id {
		t.Errorf("declined: by user %d, want %d", e.User, anna.id)
	}
	a.is(t, quick, "ready")
	b.is(t, quick, "ringing")
	b.click(t, "#decline")
	if e := d.expect(t, soon, control.Declined); e.User != ben.id {
		t.Errorf("declined: by user %d, want %d", e.User, ben.id)
	}
	d.settle(t)
	b.is(t, quick, "ready")
}

func TestUnanswered(t *testing.T) {
	d := lab.door(t)
	a := d.newResident(t, anna, browser.ProbeConfig{})
	pressed := d.press(t)
	a.is(t, soon, "ringing")
	e := d.expect(t, ringTime+soon, control.NotAnswered)
	if after := e.Time.Sub(pressed); after < ringTime-time.Second {
		t.Errorf("the door gave up after %v, want %v", after, ringTime)
	}
	a.is(t, quick, "ready")
	d.settle(t)
}

func TestCancelledWhileRinging(t *testing.T) {
	d := lab.door(t)
	a := d.newResident(t, anna, browser.ProbeConfig{})
	d.press(t)
	a.is(t, soon, "ringing")
	d.hangUp(t)
	a.is(t, quick, "ready")
	d.expect(t, soon, control.Ended)
	// The phone has not gone deaf: it rings for the next visitor.
	d.press(t)
	a.is(t, soon, "ringing")
}

func TestHungUpByResident(t *testing.T) {
	d := lab.door(t)
	a := d.newResident(t, anna, browser.ProbeConfig{Tone: annaTone})
	d.press(t)
	a.answers(t, d.door)
	a.click(t, "#hangup")
	d.expect(t, quick, control.Ended)
	a.is(t, quick, "ready")
	d.off(t)
}

func TestHungUpByDoor(t *testing.T) {
	d := lab.door(t)
	a := d.newResident(t, anna, browser.ProbeConfig{Tone: annaTone})
	// The button on the panel, not the control socket's.
	a.click(t, "#panel button[data-button=call]")
	a.answers(t, d.door)
	a.click(t, "#panel-hangup")
	d.expect(t, quick, control.Ended)
	a.is(t, quick, "ready")
	d.off(t)
}

// off asserts that camera and loudspeaker are off: they are, outside of calls.
func (d *door) off(t *testing.T) {
	t.Helper()
	d.until(t, quick, "with camera and loudspeaker off", func(s control.Status) bool {
		return !s.Camera && !s.Speaker.On
	})
}

func TestResidentCallsDoor(t *testing.T) {
	d := lab.door(t)
	a := d.newResident(t, anna, browser.ProbeConfig{Tone: annaTone})
	a.click(t, "#calldoor")
	if e := d.expect(t, soon, control.Incoming); e.User != anna.id {
		t.Errorf("incoming: from user %d, want %d", e.User, anna.id)
	}
	a.is(t, soon, "talking")
	firstFrame(t, a.Page, 0)
	checkCall(t, a.Page, d.door, annaTone)
	a.click(t, "#hangup")
	d.expect(t, quick, control.Ended)
}

func TestStrangerCallsDoor(t *testing.T) {
	d := lab.door(t)
	begun := d.count()
	m := newPhone(t, d.server, mallory, browser.ProbeConfig{})
	must(t, m.Eval(t.Context(), "(user) => phone.call(user)", doorAccount.id, nil))
	if e := d.expect(t, soon, control.Refused); e.User != mallory.id {
		t.Errorf("refused: user %d, want %d", e.User, mallory.id)
	}
	m.event(t, soon, "rejected", 1)
	d.never(t, begun, control.Incoming)
	d.never(t, begun, control.Answered)
	d.off(t)
}
