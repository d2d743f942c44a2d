package callcore_test

import (
	"strings"
	"testing"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// TestMoves: an address goes away in a call, and the client is told. The connection is
// replaced at once, and not after the ten seconds that ICE and the grace time take. Both
// roles.
func TestMoves(t *testing.T) {
	for name, user := range map[string]signaling.UserID{"polite": 2, "impolite": 1} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, _ *callcoretest.Phone) {
				door, phone := w.Phone(callcoretest.Spec{User: 3 - user, Device: "mover"}), w.Phone(callcoretest.Spec{User: user})
				out, in := connect(t, door, phone, signaling.Video)
				door.Idle(5 * time.Second)
				w.Move(door.Net, "10.0.0.99")
				start := time.Now()
				door.NetworkChanged()
				if r := told(t, door, callcore.Reconnecting); r.Time.Sub(start) > 100*time.Millisecond {
					t.Errorf("reconnecting after %v", r.Time.Sub(start))
				}
				told(t, door, callcore.Reconnected)
				m := callcoretest.Await[callcore.MediaStarted](door)
				took := m.Time.Sub(start)
				t.Logf("media %v after the change", took)
				if took > time.Second {
					t.Errorf("media %v after the change, want at most 1s", took)
				}
				told(t, phone, callcore.Reconnecting)
				told(t, phone, callcore.Reconnected)
				flows(t, door, out, 0)
				flows(t, phone, in, 0)
			})
		})
	}
}

// TestMovesSlowly: there is no address for a while, and no chat link. As soon as both are
// back so is the call.
func TestMovesSlowly(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Phone(callcoretest.Spec{User: 2})
		out, in := connect(t, door, phone, signaling.Video)
		w.Move(door.Net, "")
		door.Link.SetLink(false)
		door.NetworkChanged()
		told(t, door, callcore.Reconnecting)
		time.Sleep(4 * time.Second)
		w.Move(door.Net, "10.0.0.99")
		door.NetworkChanged()
		time.Sleep(time.Second)
		door.Link.SetLink(true)
		start := time.Now()
		if r := told(t, door, callcore.Reconnected); r.Time.Sub(start) > time.Second {
			t.Errorf("reconnected %v after the link was back", r.Time.Sub(start))
		}
		callcoretest.AwaitWhere(phone, func(r callcore.Reconnect) bool { return r.State == callcore.Reconnected })
		flows(t, door, out, 0)
		flows(t, phone, in, 0)
	})
}

// TestLosesRoute: the address is still there, but nothing comes any more.
func TestLosesRoute(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		sever := w.Sever()
		phone := w.Phone(callcoretest.Spec{User: 2})
		out, _ := connect(t, door, phone, signaling.Audio)
		door.Idle(5 * time.Second)
		sever()
		start := time.Now()
		door.NetworkChanged()
		told(t, door, callcore.Reconnecting)
		if r := told(t, door, callcore.Reconnected); r.Time.Sub(start) > 2*time.Second {
			t.Errorf("reconnected %v after the change", r.Time.Sub(start))
		}
		flows(t, door, out, 0)
	})
}

// TestOtherChange: a change that does not concern a call leaves it alone.
func TestOtherChange(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Phone(callcoretest.Spec{User: 2})
		out, _ := connect(t, door, phone, signaling.Audio)
		door.Idle(5 * time.Second)
		for range 10 {
			door.NetworkChanged()
			for _, e := range door.Idle(700 * time.Millisecond) {
				t.Errorf("event %#v", e)
			}
		}
		flows(t, door, out, 1)
	})
}

// TestMovesWhileDialing: an offer with addresses that are gone is replaced at once, and the
// phone that rings answers the new one.
func TestMovesWhileDialing(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		out := door.Call(signaling.Audio, 2)
		old := phone.Await(signaling.Call)
		door.Idle(2 * time.Second)
		w.Move(door.Net, "10.0.0.99")
		door.NetworkChanged()
		start := time.Now()
		call := phone.Await(signaling.Call)
		if took := time.Since(start); took > 200*time.Millisecond {
			t.Errorf("called again after %v", took)
		}
		if call.Session != old.Session || !strings.Contains(call.SDP, " 10.0.0.99 ") || line(call.SDP, "a=ice-ufrag:") == line(old.SDP, "a=ice-ufrag:") {
			t.Errorf("called again with session %s and\n%s", call.Session, call.SDP)
		}
		phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: phone.Answer(call.SDP)})
		callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
		phone.Speak(time.Second)
		flowsTo(t, door, out)
	})
}
