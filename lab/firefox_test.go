//go:build e2e

package lab

import (
	"testing"

	"intercom/internal/control"
	"intercom/lab/browser"
)

// newFirefox gives the run's Firefox to a test.
func newFirefox(t *testing.T) *browser.Browser {
	t.Helper()
	b, err := lab.firefox()
	must(t, err)
	return b
}

// newFox opens the demo's page in Firefox.
func (m *demo) newFox(t *testing.T, who account, c browser.ProbeConfig) *resident {
	t.Helper()
	return m.newResidentIn(t, newFirefox(t), who, c)
}

// TestFirefoxAnswers is TestAnswered with a resident's page in Firefox, which has no H.264
// without a plug-in that it fetches.
func TestFirefoxAnswers(t *testing.T) {
	d := lab.door(t)
	a := d.newFox(t, anna, browser.ProbeConfig{})
	d.press(t)
	d.expect(t, soon, control.Pressed)
	d.expect(t, soon, control.Ringing)
	a.answers(t, d.door)
	noteFirstFrame(t, a.Page, "Firefox "+newFirefox(t).Version())
	checkCall(t, a.Page, d.door, browser.FirefoxTone)
	if got := codec(t, a.Page); got != "video/VP8" {
		t.Errorf("codec: got %s, want video/VP8", got)
	}
	a.click(t, "#open")
	if e := d.expect(t, soon, control.Opened); e.User != anna.id || e.Name != "door" {
		t.Errorf("opened: %q by user %d, want \"door\" by %d", e.Name, e.User, anna.id)
	}
	must(t, a.Wait(t.Context(), quick, "() => /open/i.test(document.querySelector('#receipt').textContent)", nil))
	d.expect(t, soon, control.Locked)
	a.click(t, "#hangup")
	d.expect(t, quick, control.Ended)
	a.is(t, quick, "ready")
	d.off(t)
}

// TestFirefoxDeclines has the page say no, and ring again for the next visitor, who leaves.
func TestFirefoxDeclines(t *testing.T) {
	d := lab.door(t)
	a := d.newFox(t, anna, browser.ProbeConfig{})
	d.press(t)
	a.is(t, soon, "ringing")
	a.click(t, "#decline")
	if e := d.expect(t, soon, control.Declined); e.User != anna.id {
		t.Errorf("declined: by user %d, want %d", e.User, anna.id)
	}
	a.is(t, quick, "ready")
	d.hangUp(t)
	d.settle(t)
	d.press(t)
	a.is(t, soon, "ringing")
	d.hangUp(t)
	a.is(t, quick, "ready")
}

// TestFirefoxCalls has the page call the door, so that the offer is Firefox's, and the door
// hang up.
func TestFirefoxCalls(t *testing.T) {
	d := lab.door(t)
	a := d.newFox(t, anna, browser.ProbeConfig{})
	a.click(t, "#calldoor")
	if e := d.expect(t, soon, control.Incoming); e.User != anna.id {
		t.Errorf("incoming: from user %d, want %d", e.User, anna.id)
	}
	a.is(t, soon, "talking")
	firstFrame(t, a.Page, 0)
	checkCall(t, a.Page, d.door, browser.FirefoxTone)
	d.hangUp(t)
	d.expect(t, quick, control.Ended)
	a.is(t, quick, "ready")
	d.off(t)
}

// TestFirefoxInGroup has a press ring at a phone in Firefox and at one in Chromium. The first
// one that answers has the call, the other one is quiet.
func TestFirefoxInGroup(t *testing.T) {
	h, d := lab.house(t)
	fox := newPhoneIn(t, newFirefox(t), h.server, anna, browser.ProbeConfig{})
	chrome := newPhone(t, h.server, ben, browser.ProbeConfig{Tone: benTone})
	for _, turn := range []struct {
		name          string
		first, second *phone
		tone          float64
	}{
		{"Firefox", fox, chrome, browser.FirefoxTone},
		{"Chromium", chrome, fox, benTone},
	} {
		t.Run(turn.name+" first", func(t *testing.T) {
			d.begin(t)
			d.press(t)
			for _, p := range []*phone{fox, chrome} {
				p.next(t, soon, "call-received")
			}
			turn.first.answers(t, d)
			said := turn.first.next(t, quick, "sent accept")
			if took := turn.second.next(t, quick, "stopped").Sub(said); took > atOnce {
				t.Errorf("the other phone rings on for %v", took)
			}
			turn.second.next(t, quick, "closed")
			checkCall(t, turn.first.Page, d, turn.tone)
			turn.first.none(t, "stopped")
			turn.first.hangsUp(t, d)
			turn.first.next(t, quick, "closed")
		})
	}
}
