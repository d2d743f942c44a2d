//go:build e2e

package lab

import (
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/lab/browser"
)

// behindTURN says that a phone reaches others through the TURN server at an address alone.
func (h *house) behindTURN(address string) server {
	s := h.server
	s.webrtc = map[string]any{"iceTransportPolicy": "relay", "iceServers": []any{map[string]any{
		"urls": []string{"turn:" + address}, "username": turnPhone.name, "credential": turnPhone.password,
	}}}
	return s
}

const (
	// comesBack is the most that a picture takes to come back: the SDKs give a call up
	// after thirty seconds.
	comesBack = 30 * time.Second
	// outage is longer than both sides take to notice and to make their first attempt.
	outage = 13 * time.Second
)

// cutCall is one of the calls that TestMediaCut has going on at the same time.
type cutCall struct {
	kind string // of the time that its picture takes; pair: a phone on the SDK calls
	page *phone // loses its network
	door *door  // nil: pair
}

// TestMediaCut has pages lose their network in a call: for good, so that only new sockets
// work; for a while; and while it is lost, their residents hang up. Chromium notices by its
// own means, and so does the door. One page has a higher user id than its door, so that it
// is the impolite one of the two; the other one has a lower. Next to these calls there is
// one between two phones on the SDK.
func TestMediaCut(t *testing.T) {
	c, err := lab.coturn()
	must(t, err)
	h, front := lab.house(t)
	side := use(t, h.side)
	network := newPath(t, c.address)
	behind := func(a account) *phone {
		return newPhone(t, h.behindTURN(network.address), a, browser.ProbeConfig{Tone: a.tone()})
	}
	calls := []cutCall{{pair, behind(anna), nil}, {cutImpolite, behind(carl), front}, {cutPolite, behind(olga), side}}
	caller := newPhone(t, h.server, ben, browser.ProbeConfig{Tone: ben.tone()})
	begun := map[*door]int{front: front.count(), side: side.count()}

	must(t, caller.Eval(t.Context(), "(user) => phone.call(user)", anna.id, nil))
	for _, call := range calls {
		if call.door != nil {
			call.door.pressNamed(t, call.page.account.login)
		}
		call.page.next(t, soon, "call-received")
		if call.door != nil {
			call.page.answers(t, call.door)
			continue
		}
		must(t, call.page.Click(t.Context(), quick, "#answer"))
		firstFrame(t, call.page.Page, 0)
	}

	t.Run("for good", func(t *testing.T) {
		judged(t, []string{cutImpolite, cutPolite}, func() table {
			took := pictures(t, calls, network.cut)
			return table{
				pair:    {cutImpolite: took[pair], cutPolite: took[pair]},
				doorSDK: {cutImpolite: took[cutImpolite], cutPolite: took[cutPolite]},
			}
		})
		goOn(t, calls, begun)
	})

	t.Run("for a while", func(t *testing.T) {
		pictures(t, calls, func() {
			network.block(true)
			time.Sleep(outage) // what passes meanwhile is what the test is about
			network.block(false)
		})
		goOn(t, calls, begun)
	})

	t.Run("hung up meanwhile", func(t *testing.T) {
		network.block(true)
		hungUpMeanwhile(t, calls[2], "() => probe.connections.at(-1).iceConnectionState === 'disconnected'")
		made := 0
		page := calls[1].page
		must(t, page.Eval(t.Context(), "() => probe.connections.length", nil, &made))
		must(t, page.Wait(t.Context(), comesBack, "(n) => probe.connections.length > n", made))
		hungUpMeanwhile(t, calls[1], "() => true")
	})
}

// pictures has the network fail, and tells how long it takes from then, or from when fail
// returns, until each page shows a picture again. One that never does fails the test,
// unless it is the SDK's own.
func pictures(t *testing.T, calls []cutCall, fail func()) map[string]time.Duration {
	t.Helper()
	took := map[string]time.Duration{}
	var shown []float64
	for _, call := range calls {
		shown = append(shown, call.page.now(t))
	}
	fail()
	begun := time.Now()
	for i, call := range calls {
		err := call.page.Wait(t.Context(), comesBack, "(after) => probe.firstFrames.some((f) => f.at > after)", shown[i])
		switch {
		case err == nil:
			took[call.kind] = firstFrame(t, call.page.Page, shown[i]).Sub(begun)
			t.Logf("%s: the picture is back after %v", call.kind, took[call.kind])
		case call.door != nil:
			t.Errorf("%s: no picture: %v", call.kind, err)
		default:
			t.Logf("%s: no picture: %v", call.kind, err)
		}
	}
	return took
}

// goOn asserts that the calls with doors are the same ones as before, with all that belongs
// to them.
func goOn(t *testing.T, calls []cutCall, begun map[*door]int) {
	t.Helper()
	for _, call := range calls {
		if call.door == nil {
			continue
		}
		must(t, call.page.Wait(t.Context(), soon, "() => phone.events.findLast((e) => e.type === 'reconnect')?.state === 'reconnected'", nil))
		checkCall(t, call.page.Page, call.door, call.page.account.tone())
		must(t, call.page.Eval(t.Context(), "() => phone.unlock(phone.session.initiatorID)", nil, nil))
		call.door.expect(t, soon, control.Opened)
		call.door.expect(t, soon, control.Locked)
		call.door.never(t, begun[call.door], control.Ended)
		call.page.none(t, "closed")
	}
}

// hungUpMeanwhile has a resident whose connection is lost, as the page shows, ask to open,
// in vain, and hang up.
func hungUpMeanwhile(t *testing.T, call cutCall, lost string) {
	t.Helper()
	d, page := call.door, call.page
	must(t, page.Wait(t.Context(), comesBack, lost, nil))
	must(t, page.Eval(t.Context(), "() => phone.unlock(phone.session.initiatorID)", nil, nil))
	e := d.expect(t, soon, control.Refused)
	t.Logf("refused: %s", e.Text)
	took := page.hangsUp(t, d)
	t.Logf("%s: the door knows of the hang-up %v later", call.kind, took)
	if took > atOnce {
		t.Errorf("%s: the door ended the call %v after the hang-up", call.kind, took)
	}
	d.shut(t)
	page.next(t, quick, "closed")
}
