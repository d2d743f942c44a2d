//go:build e2e

package lab

import (
	"slices"
	"strings"
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/lab/browser"
)

// running gives one of the run's Firefoxes to a test.
func running(t *testing.T, firefox func() (*browser.Browser, error)) *browser.Browser {
	t.Helper()
	b, err := firefox()
	must(t, err)
	return b
}

// newFox opens the demo's page in Firefox.
func (m *demo) newFox(t *testing.T) *resident {
	t.Helper()
	return m.newResidentIn(t, running(t, lab.firefox), anna, browser.ProbeConfig{})
}

// TestFirefoxAnswers is TestAnswered with a resident's page in Firefox, which has no H.264
// without a plug-in that it fetches.
func TestFirefoxAnswers(t *testing.T) {
	d := lab.door(t)
	a := d.newFox(t)
	d.press(t)
	d.expect(t, soon, control.Pressed)
	d.expect(t, soon, control.Ringing)
	a.answers(t, d.door)
	noteFirstFrame(t, a.Page, "Firefox "+running(t, lab.firefox).Version())
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
	a := d.newFox(t)
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
	a := d.newFox(t)
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

// TestFirefoxHiddenAddresses is TestHiddenAddresses in Firefox.
func TestFirefoxHiddenAddresses(t *testing.T) {
	d := lab.door(t)
	a := d.newResidentIn(t, running(t, lab.hidden), anna, browser.ProbeConfig{})
	d.press(t)
	a.answers(t, d.door)
	noteFirstFrame(t, a.Page, "Firefox, mDNS candidates only")
	got := pathOf(t, a.Page)
	if len(got.Offered) == 0 || slices.ContainsFunc(got.Offered, func(o string) bool { return !strings.HasSuffix(o, ".local") }) {
		t.Errorf("the page offers %q, want names under .local only", got.Offered)
	}
	checkCall(t, a.Page, d.door, browser.FirefoxTone)
	a.click(t, "#hangup")
	d.expect(t, soon, control.Ended)
}

// TestFirefoxInGroup has a press ring at a phone in Firefox and at one in Chromium. The first
// one that answers has the call, the other one is quiet.
func TestFirefoxInGroup(t *testing.T) {
	h, d := lab.house(t)
	fox := newPhoneIn(t, running(t, lab.firefox), h.server, anna, browser.ProbeConfig{})
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

// TestFirefoxReconnects is the loss of a network for good, of TestMediaCut, in Firefox:
// it notices by its own means, and the SDK makes another connection.
func TestFirefoxReconnects(t *testing.T) {
	c, err := lab.coturn()
	must(t, err)
	h, d := lab.house(t)
	network := newPath(t, c.address)
	a := newPhoneIn(t, running(t, lab.hidden), h.behindTURN(network.address), carl, browser.ProbeConfig{})
	begun := d.count()
	d.pressNamed(t, carl.login)
	a.next(t, soon, "call-received")
	a.answers(t, d)
	before, lost := a.now(t), time.Now()
	network.cut()
	must(t, a.Wait(t.Context(), comesBack, "() => phone.events.findLast((e) => e.type === 'reconnect')?.state === 'reconnected'", nil))
	lab.note("Firefox: network lost for good, a picture again %.1f s later", firstFrame(t, a.Page, before).Sub(lost).Seconds())
	settles(t, a.Page, "#remote")
	checkCall(t, a.Page, d, browser.FirefoxTone)
	must(t, a.Eval(t.Context(), "() => phone.unlock(phone.session.initiatorID)", nil, nil))
	d.expect(t, soon, control.Opened)
	d.expect(t, soon, control.Locked)
	d.never(t, begun, control.Ended)
	a.none(t, "closed")
	a.hangsUp(t, d)
	a.next(t, quick, "closed")
}
