//go:build e2e

package lab

import (
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/lab/browser"
)

// restarted is a chat server that a test restarts: ours, or Prosody.
type restarted interface {
	stop() error
	start() error
}

// away is how long a chat server is away.
const away = time.Second

// returns is the most that the door and the SDK take to reach a chat server that is back:
// the one waits longer each time, up to 30 s, the other tries every three seconds.
const returns = 35 * time.Second

// TestChatRestart restarts the chat server while phones ring, and in a call: two servers at
// the same time, each with a door and a phone.
func TestChatRestart(t *testing.T) {
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		h, d := lab.house(t)
		restart(t, h, d, h.phones(t, anna)[0])
	})
	t.Run("prosody", func(t *testing.T) {
		t.Parallel()
		p, err := lab.prosody()
		must(t, err)
		d, err := startHouseDoor(sideAccount, p.chat[len("tcp://"):], "20s", "")
		must(t, err)
		t.Cleanup(func() { must(t, d.stop()) })
		d.begin(t)
		restart(t, p, d, newPhone(t, server{websocket: p.websocket}, anna, browser.ProbeConfig{Tone: annaTone}))
	})
}

// restart restarts the server while the phone rings: it rings on, and answers when the
// server is back. It restarts it in the call, which goes on, opens the door, and whose
// hang-up arrives.
func restart(t *testing.T, s restarted, d *door, p *phone) {
	begun := d.count()
	up := true
	goAway := func() {
		up = false
		must(t, s.stop())
		d.expect(t, soon, control.LinkDown)
		must(t, p.Wait(t.Context(), soon, "() => !QB.chat.isConnected", nil))
	}
	t.Cleanup(func() {
		if !up {
			must(t, s.start())
		}
	})
	comeBack := func() {
		time.Sleep(away) // what the outage does to both ends is what the test is about
		must(t, s.start())
		up = true
		back := time.Now()
		door := d.expect(t, returns, control.LinkUp).Time.Sub(back)
		phone := p.next(t, returns, "online").Sub(back)
		t.Logf("back at the chat server: the door after %v, the phone after %v", door, phone)
	}

	d.pressNamed(t, p.account.login)
	p.next(t, soon, "call-received")
	goAway()
	d.until(t, quick, "calling", func(s control.Status) bool { return s.State == "calling" })
	comeBack()
	must(t, p.Eval(t.Context(), "() => { phone.arrived = []; }", nil, nil))
	must(t, p.Wait(t.Context(), soon, "() => phone.arrived.some((m) => m.includes('>call<'))", nil))
	p.none(t, "call-received") // it is the same call
	p.none(t, "closed")
	p.answers(t, d)
	checkCall(t, p.Page, d, p.account.tone())

	goAway()
	checkCall(t, p.Page, d, p.account.tone())
	comeBack()
	checkCall(t, p.Page, d, p.account.tone())
	d.never(t, begun, control.Ended)
	p.claims(t, d)
	d.never(t, begun, control.Refused)
	d.never(t, begun, control.Ended)
	took := p.hangsUp(t, d)
	t.Logf("the door knows of the hang-up %v later", took)
	if took > atOnce {
		t.Errorf("the door ended the call %v after the hang-up", took)
	}
	p.next(t, quick, "closed")
	d.settle(t)
}
