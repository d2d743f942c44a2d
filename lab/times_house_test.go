//go:build e2e

package lab

import (
	"fmt"
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/lab/browser"
)

// fewRounds is how many calls are timed where one takes long.
const fewRounds = 3

// TestGroupTimes times how long three phones take to ring: called by a door, and called by
// a phone on the SDK in one session.
func TestGroupTimes(t *testing.T) {
	h, d := lab.house(t)
	all := h.phones(t, anna, ben, carl)
	caller := h.phones(t, olga)[0]
	// ringing makes calls, and returns the median of the times until the last phone rings.
	ringing := func(t *testing.T, call func(n int) time.Time, end func(n int)) map[string]time.Duration {
		var took []time.Duration
		for n := range 1 + rounds {
			begun, last := call(n+1), time.Time{}
			for _, p := range all {
				if at := p.next(t, soon, "call-received"); at.After(last) {
					last = at
				}
			}
			end(n + 1)
			for _, p := range all {
				p.next(t, soon, "closed")
			}
			if n > 0 {
				took = append(took, last.Sub(begun))
			}
		}
		t.Logf("%v", took)
		return medians(map[string][]time.Duration{ringGroup: took})
	}
	judged(t, []string{ringGroup}, func() table {
		caller.fresh(t)
		return table{
			pair: ringing(t, func(int) time.Time {
				must(t, caller.Eval(t.Context(), "(users) => phone.call(users)", []int64{anna.id, ben.id, carl.id}, nil))
				return caller.next(t, soon, "call")
			}, func(int) {
				must(t, caller.Click(t.Context(), quick, "#hangup"))
				caller.next(t, soon, "closed")
				// They have connections to each other as well, and ring on.
				for _, p := range all {
					must(t, p.Click(t.Context(), quick, "#decline"))
				}
			}),
			doorSDK: ringing(t, func(int) time.Time { return d.press(t) }, func(int) {
				d.hangUp(t)
				d.expect(t, soon, control.Ended)
				d.settle(t)
			}),
		}
	})
}

// TestRelayTimes times how long a picture takes when both ends have nothing but TURN. The
// server is 40 ms away, there and back: were it near, the answering SDK's candidates would
// reach the calling one before that has taken the answer, and be stuck (protocol.md, 6.2).
func TestRelayTimes(t *testing.T) {
	c, err := lab.coturn()
	must(t, err)
	h, _ := lab.house(t)
	far := farAway(t, c.address, 20*time.Millisecond) + "?transport=tcp"
	at := h.behindTURN(far)
	d, err := startHouseDoor(relayAccount, h.chat, "20s", fmt.Sprintf(relaySettings, "turn:"+far, turnDoor.name, turnDoor.password))
	must(t, err)
	t.Cleanup(func() { must(t, d.stop()) })
	d.begin(t)
	judged(t, []string{relayed}, func() table {
		m := table{}
		take := func(kind string, f func(t *testing.T) map[string]time.Duration) {
			t.Run(kind, func(t *testing.T) { m[kind] = map[string]time.Duration{relayed: f(t)[picture]} })
		}
		take(pair, func(t *testing.T) map[string]time.Duration {
			a := newPhone(t, at, anna, browser.ProbeConfig{})
			b := newPhone(t, at, ben, browser.ProbeConfig{})
			return timed(t, fewRounds, b.Page, a.calls(t, b), a.hangsUpOn(t, b))
		})
		take(doorSDK, func(t *testing.T) map[string]time.Duration {
			b := newPhone(t, at, ben, browser.ProbeConfig{})
			press := func(int) time.Time { return d.pressNamed(t, ben.login) }
			return timed(t, fewRounds, b.Page, press, d.hangsUpOn(t, b))
		})
		return m
	})
}
