package callcore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// TestFirstPathFails: what never was connected is given another connection, as by the SDKs,
// and within the same limit.
func TestFirstPathFails(t *testing.T) {
	for _, heal := range []time.Duration{0, 8 * time.Second, 14 * time.Second} {
		t.Run(heal.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				phone := w.Phone(callcoretest.Spec{User: 2})
				cut := w.Cut()
				out := door.Call(signaling.Audio, 2)
				in := callcoretest.Await[callcore.Incoming](phone).Session
				must(t, in.Accept(t.Context(), nil))
				start := callcoretest.Await[callcore.Accepted](door).Time
				if heal == 0 {
					if r := told(t, door, callcore.Reconnecting); r.Time.Sub(start) > 10*time.Second {
						t.Errorf("reconnecting after %v, want 10s", r.Time.Sub(start))
					}
					told(t, door, callcore.ReconnectFailed)
					closed(t, door, callcore.ReasonNotConnected)
					return
				}
				time.AfterFunc(heal, func() { cut(false) })
				c := callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
				t.Logf("healed after %v, connected after %v", heal, c.Time.Sub(start))
				if took := c.Time.Sub(start); took > heal+9*time.Second {
					t.Errorf("connected after %v", took)
				}
				callcoretest.Await[callcore.MediaStarted](door)
				door.Idle(time.Second)
				phone.Idle(time.Second)
				flows(t, door, out, 0)
				flows(t, phone, in, 0)
			})
		})
	}
}

// TestRequestsAreLimited: a peer that asks for new connections without end gets five, and
// then one every three seconds; the call survives it.
func TestRequestsAreLimited(t *testing.T) {
	for name, user := range map[string]signaling.UserID{"offers": 9, "pokes": 2} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, _ *callcoretest.Phone) {
				door := w.Phone(callcoretest.Spec{User: 5, Device: "door"})
				s, tab := talk(t, w, door, user)
				sdp := withoutCandidates(tab.Offer())
				for i := range 50 {
					tab.describe(fmt.Sprint("O", i), "offer", sdp)
				}
				made, refused := 0, 0
				for _, e := range door.Idle(time.Second) {
					if e, ok := e.(callcore.Invalid); ok && errors.Is(e.Err, callcore.ErrTooManyRequests) && e.Session == s && e.Device == "tab" {
						refused++
					}
				}
				for _, g := range tab.Listen(time.Second) {
					if g.Reconnect != nil {
						made++
					}
				}
				if refused != 45 || made > 5 {
					t.Errorf("%d of 50 requests refused, want 45; %d were answered", refused, made)
				}
				time.Sleep(4 * time.Second)
				tab.offer("serious")
				if user == 9 {
					tab.apply(t)
				} else {
					tab.Listen(0)
					tab.answer(tab.await(t, "offer"))
				}
				callcoretest.AwaitWhere(door, func(r callcore.Reconnect) bool { return r.State == callcore.Reconnected })
				tab.Speak(time.Second)
				flowsTo(t, door, s)
			})
		})
	}
}
