//go:build e2e

package lab

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"intercom/internal/control"
)

// atOnce is the most that a phone takes to be quiet when another one answered. It takes a
// few milliseconds; the limit is for a busy machine.
const atOnce = time.Second

// TestRingGroup has three phones ring at one press.
func TestRingGroup(t *testing.T) {
	h, _ := lab.house(t)
	all := h.phones(t, anna, ben, carl)
	// begin has all three ring at a door.
	begin := func(t *testing.T, d *door) {
		for _, p := range all {
			p.fresh(t)
		}
		pressed := d.press(t)
		for _, p := range all {
			if took := p.next(t, soon, "call-received").Sub(pressed); took > atOnce {
				t.Errorf("%s rings after %v", p.account.login, took)
			}
		}
	}
	// quiet has phones stop ringing because of a hangUp of the door's at that time.
	quiet := func(t *testing.T, since time.Time, of ...*phone) {
		t.Helper()
		for _, p := range of {
			took := p.next(t, quick, "stopped").Sub(since)
			if took > atOnce {
				t.Errorf("%s rings on for %v", p.account.login, took)
			}
			p.next(t, quick, "closed")
			t.Logf("%s is quiet %.1f ms later", p.account.login, float64(took.Microseconds())/1000)
		}
	}
	// over ends the call of a phone.
	over := func(t *testing.T, d *door, p *phone) {
		t.Helper()
		t.Logf("the door knows of the hang-up %v later", p.hangsUp(t, d))
		p.next(t, quick, "closed")
		d.settle(t)
		p.none(t, "closed")
		for _, p := range all {
			p.none(t, "call-received")
		}
	}
	a, b, c := all[0], all[1], all[2]

	t.Run("one answers", func(t *testing.T) {
		d := use(t, h.front)
		begin(t, d)
		b.answers(t, d)
		quiet(t, b.next(t, quick, "sent accept"), a, c)
		checkCall(t, b.Page, d, benTone)
		b.none(t, "stopped")
		over(t, d, b)
	})

	t.Run("two answer at once", func(t *testing.T) {
		d := use(t, h.front)
		begin(t, d)
		before := a.now(t)
		for _, p := range []*phone{a, c} {
			must(t, p.Eval(t.Context(), "() => { phone.holding = 'accept'; }", nil, nil))
			must(t, p.Click(t.Context(), quick, "#answer"))
			must(t, p.Wait(t.Context(), quick, "() => phone.held.length === 1", nil))
		}
		at := time.Now().Add(200 * time.Millisecond).UnixMilli()
		for _, p := range []*phone{a, c} {
			must(t, p.Eval(t.Context(), "(at) => { phone.arrived = []; phone.release(at); }", at, nil))
		}
		said := map[*phone]time.Time{a: a.next(t, quick, "sent accept"), c: c.next(t, quick, "sent accept")}
		apart := said[a].Sub(said[c]).Abs()
		t.Logf("both accepts left within %v", apart)
		if apart > 50*time.Millisecond {
			t.Errorf("the accepts left %v apart", apart)
		}
		e := d.expect(t, soon, control.Answered)
		winner, loser := a, c
		if e.User == carl.id {
			winner, loser = c, a
		}
		quiet(t, said[winner], b, loser)
		// The loser's accept is answered to the very device that it came from.
		must(t, loser.Wait(t.Context(), quick, "() => phone.arrived.filter((m) => m.includes('>hangUp<')).length === 2", nil))
		var wire struct {
			JID     string
			Arrived []string
		}
		must(t, loser.Eval(t.Context(), "() => ({ jid: QB.chat.connection.jid, arrived: phone.arrived.filter((m) => m.includes('>hangUp<')) })", nil, &wire))
		last := wire.Arrived[len(wire.Arrived)-1]
		if m := to.FindStringSubmatch(last); m == nil || m[1] != wire.JID || !strings.Contains(m[1], "/") {
			t.Errorf("the hangUp to the late accept: got %s, want it to %s", last, wire.JID)
		}
		if winner == c {
			before = 0
		}
		firstFrame(t, winner.Page, before)
		d.expect(t, soon, control.Connected)
		checkCall(t, winner.Page, d, winner.account.tone())
		winner.none(t, "stopped")
		over(t, d, winner)
	})

	t.Run("one declines", func(t *testing.T) {
		d := use(t, h.front)
		begin(t, d)
		must(t, a.Click(t.Context(), quick, "#decline"))
		if e := d.expect(t, soon, control.Declined); e.User != anna.id {
			t.Errorf("declined: by user %d, want %d", e.User, anna.id)
		}
		a.next(t, quick, "closed")
		// The others ring on: the door repeats its calls every two seconds, so that a phone
		// which were deaf by now would not get a second one.
		for _, p := range []*phone{b, c} {
			must(t, p.Eval(t.Context(), "() => { phone.arrived = []; }", nil, nil))
			must(t, p.Wait(t.Context(), soon, "() => phone.arrived.some((m) => m.includes('>call<'))", nil))
			p.none(t, "stopped")
		}
		c.answers(t, d)
		quiet(t, c.next(t, quick, "sent accept"), b)
		over(t, d, c)
	})

	t.Run("nobody answers", func(t *testing.T) {
		d := use(t, h.side)
		begin(t, d)
		e := d.expect(t, soon, control.NotAnswered)
		quiet(t, e.Time, all...)
		d.settle(t)
	})

	t.Run("the visitor leaves", func(t *testing.T) {
		d := use(t, h.front)
		begin(t, d)
		at := time.Now()
		d.hangUp(t)
		quiet(t, at, all...)
		d.expect(t, quick, control.Ended)
		d.settle(t)
	})
}

// to matches the address of a stanza.
var to = regexp.MustCompile(`^<message[^>]* to=["']([^"']+)["']`)

// TestBusy has each end be called while it is in a call: the caller is told, and the call
// goes on.
func TestBusy(t *testing.T) {
	h, _ := lab.house(t)
	all := h.phones(t, anna, ben)
	a, b := all[0], all[1]

	t.Run("the door", func(t *testing.T) {
		d := use(t, h.front)
		d.pressNamed(t, anna.login)
		a.next(t, soon, "call-received")
		a.answers(t, d)
		must(t, b.Eval(t.Context(), "(user) => phone.call(user)", doorAccount.id, nil))
		called := b.next(t, soon, "sent call")
		t.Logf("the caller knows %v later", b.next(t, soon, "rejected").Sub(called))
		b.next(t, soon, "closed")
		checkCall(t, a.Page, d, annaTone)
		a.none(t, "stopped")
		a.hangsUp(t, d)
		a.next(t, quick, "closed")
	})

	t.Run("the resident", func(t *testing.T) {
		d := use(t, h.front)
		must(t, a.Eval(t.Context(), "(user) => phone.call(user)", ben.id, nil))
		b.next(t, soon, "call-received")
		must(t, b.Click(t.Context(), quick, "#answer"))
		a.next(t, soon, "accepted")
		begun := d.count()
		pressed := d.pressNamed(t, ben.login)
		e := d.expect(t, soon, control.Declined)
		if e.User != ben.id {
			t.Errorf("declined: by user %d, want %d", e.User, ben.id)
		}
		t.Logf("the door knows %v later", e.Time.Sub(pressed))
		d.settle(t)
		d.never(t, begun, control.Answered)
		b.none(t, "call-received")
		b.none(t, "closed")
		if v, err := b.Video(t.Context(), time.Second); err != nil || v.DecodedPerSecond < leastFPS {
			t.Errorf("the residents' call: got %+v, %v", v, err)
		}
		must(t, a.Click(t.Context(), quick, "#hangup"))
		b.next(t, quick, "closed")
	})
}
