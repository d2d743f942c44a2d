//go:build e2e

package lab

import (
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/lab/browser"
)

// notProven is why another phone of the resident does not open, while the one in the call is
// not at the chat server.
const notProven = "it is from another device than the one in the call, and has not shown that it is the same one"

// claims has a phone open that has got a new resource from the chat server, while its call
// went on. The door finds out that it is the one in the call: it has the phone make a new
// connection, and then opens. The phone is what it was before, in everything.
func (p *phone) claims(t *testing.T, d *door) {
	t.Helper()
	var before, after int
	const connections = "() => probe.connections.length"
	must(t, p.Eval(t.Context(), connections, nil, &before))
	shown, asked := p.now(t), time.Now()
	must(t, p.Eval(t.Context(), "() => phone.unlock(phone.session.initiatorID)", nil, nil))
	opened := d.expect(t, soon, control.Opened)
	must(t, p.Wait(t.Context(), soon, "(after) => probe.firstFrames.some((f) => f.at > after)", shown))
	must(t, p.Eval(t.Context(), connections, nil, &after))
	t.Logf("the door opens %v after it was asked to, the new picture is there after %v, connections made: %d",
		opened.Time.Sub(asked), firstFrame(t, p.Page, shown).Sub(asked), after-before)
	if opened.User != p.account.id {
		t.Errorf("opened by user %d, want %d", opened.User, p.account.id)
	}
	d.expect(t, soon, control.Locked)
	checkCall(t, p.Page, d, p.account.tone())
	must(t, p.Eval(t.Context(), "() => phone.unlock(phone.session.initiatorID)", nil, nil))
	d.expect(t, soon, control.Opened)
	d.expect(t, soon, control.Locked)
	var again int
	must(t, p.Eval(t.Context(), connections, nil, &again))
	if again != after {
		t.Errorf("%d more connections for a device that is known", again-after)
	}
}

// TestChatLost has phones lose their connection to the chat server in a call, and that alone:
// Carl's, whose id is higher than the door's, at our server, and Olga's, whose is lower, at
// Prosody. The SDK comes back with a new resource. Meanwhile another phone of Carl's, which
// has not answered, tries to open.
func TestChatLost(t *testing.T) {
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		h, d := lab.house(t)
		loseChat(t, d, h.phones(t, carl)[0], h.phones(t, carl)[0])
	})
	t.Run("prosody", func(t *testing.T) {
		t.Parallel()
		p, err := lab.prosody()
		must(t, err)
		d, err := startHouseDoor(sideAccount, p.chat[len("tcp://"):], "20s", "")
		must(t, err)
		t.Cleanup(func() { must(t, d.stop()) })
		d.begin(t)
		loseChat(t, d, newPhone(t, server{websocket: p.websocket}, olga, browser.ProbeConfig{Tone: olga.tone()}), nil)
	})
}

// loseChat is TestChatLost for one phone. The tablet is another one of its user's, or nil.
func loseChat(t *testing.T, d *door, p, tablet *phone) {
	begun := d.count()
	d.pressNamed(t, p.account.login)
	p.next(t, soon, "call-received")
	if tablet != nil {
		tablet.next(t, soon, "call-received")
	}
	p.answers(t, d)
	checkCall(t, p.Page, d, p.account.tone())

	must(t, p.Eval(t.Context(), "phone.leave", nil, nil))
	must(t, p.Wait(t.Context(), soon, "() => !QB.chat.isConnected", nil))
	if tablet != nil {
		must(t, tablet.Eval(t.Context(), "() => phone.unlock(phone.session.initiatorID)", nil, nil))
		checkCall(t, p.Page, d, p.account.tone())
		if e := d.expect(t, 2*soon, control.Refused); e.User != p.account.id || e.Reason != notProven {
			t.Errorf("refused: user %d, %q; want %d, %q", e.User, e.Reason, p.account.id, notProven)
		}
		for name, of := range map[string]*phone{"the phone": p, "the tablet": tablet} {
			var n int
			must(t, of.Eval(t.Context(), "() => probe.connections.length", nil, &n))
			if n != 1 {
				t.Errorf("%s has made %d connections, want 1", name, n)
			}
		}
	}
	checkCall(t, p.Page, d, p.account.tone())
	must(t, p.Eval(t.Context(), "phone.comeBack", nil, nil))
	p.next(t, returns, "online")
	refused := d.count()
	p.claims(t, d)
	d.never(t, refused, control.Refused)
	d.never(t, begun, control.Ended)
	if took := p.hangsUp(t, d); took > atOnce {
		t.Errorf("the door ended the call %v after the hang-up", took)
	}
	p.next(t, quick, "closed")
	d.settle(t)
}
