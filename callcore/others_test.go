package callcore_test

import (
	"errors"
	"testing"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
	"intercom/signaling/memory"
)

// TestUnlockOnNewDevice: the page got a new resource while media flow on, and our link was
// down too, so that the bound one may be gone. Its first update is refused, as it may be
// from any device of the user; but a new connection is offered to all of them, and the one
// that answers is the one in the call. This page answers no pings; for one that does see
// TestClaim.
func TestUnlockOnNewDevice(t *testing.T) {
	for name, user := range map[string]signaling.UserID{"polite door": 9, "impolite door": 2} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, _ *callcoretest.Phone) {
				door := w.Phone(callcoretest.Spec{User: 5, Device: "door"})
				s, tab := talkTo(t, w, door, user, memory.PongRefuse)
				tab.Client.Close()
				next := &page{Script: w.Script(user, "next"), call: tab.call}
				idle := w.Script(user, "idle")
				door.Link.SetLink(false)
				door.Link.SetLink(true)
				if u := updated(t, door, next.Script, s.ID()); u.NotLive != "it is from another device than the one in the call" {
					t.Errorf("not live because %q", u.NotLive)
				}
				told(t, door, callcore.Reconnecting)
				d := next.await(t, "offer")
				if user == 9 { // it is the page's offer that counts
					next.offer("page")
					next.apply(t)
				} else {
					next.answer(d)
				}
				told(t, door, callcore.Reconnected)
				tab.Renew()
				next.Speak(time.Second)
				if u := updated(t, door, next.Script, s.ID()); !u.Live {
					t.Errorf("not live because %q", u.NotLive)
				}
				if u := updated(t, door, idle, s.ID()); u.Live {
					t.Error("live from a device that is not in the call")
				}
				if got := next.Listen(time.Second); len(got) != 0 && got[0].Kind == signaling.Update {
					t.Error("another connection was offered although the device is there")
				}
			})
		})
	}
}

// TestIdleDeviceUpdates: an update of a device that is not in the call costs it nothing as
// long as the one in the call is there.
func TestIdleDeviceUpdates(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		s, tab := talk(t, w, door, 2)
		idle := w.Script(2, "idle")
		for range 3 {
			updated(t, door, idle, s.ID())
		}
		if got := tab.Listen(time.Second); len(got) != 0 && got[0].Kind == signaling.Update {
			t.Errorf("the page got %+v", got[0])
		}
		if s.State() != callcore.StateConnected {
			t.Errorf("state %s", s.State())
		}
	})
}

// TestTwoClients: two doors of one user. What phones send in answer to one reaches the
// other, which knows nothing of the call and must not end it: trap 13 is about calls of its
// own, also those of its run before, of which some may be going on shortly after its start.
func TestTwoClients(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		spare := w.Phone(callcoretest.Spec{User: door.User, Device: "spare"})
		time.Sleep(2*time.Minute + time.Second)
		phone := w.Script(2, "phone")
		door.Call(signaling.Audio, 2)
		call := phone.Await(signaling.Call)
		call.Device = "" // as the SDKs do, to all devices of the caller
		unknown := func() {
			t.Helper()
			if e := callcoretest.Await[callcore.Invalid](spare); !errors.Is(e.Err, callcore.ErrUnknownSession) {
				t.Errorf("invalid %+v, want %v", e, callcore.ErrUnknownSession)
			}
			for _, s := range phone.Listen(time.Second) {
				if s.Kind == signaling.HangUp {
					t.Errorf("%s hung up", s.Device)
				}
			}
		}
		phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: phone.Answer(call.SDP)})
		unknown()
		callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
		phone.Renew()
		phone.Reply(call, signaling.Signal{Kind: signaling.Update, Reconnect: &signaling.Description{OfferID: "O", Type: "offer", SDP: phone.Offer()}})
		unknown()
	})
}

// TestReconnectOfAnother: a caller that reconnects with another device of ours sends that
// to all of them. One that only rang says nothing; one that was in a call that has ended
// says so.
func TestReconnectOfAnother(t *testing.T) {
	for _, joined := range []bool{false, true} {
		bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
			caller := w.Script(2, "caller")
			s := callDoor(t, door, caller, "S")
			if joined {
				must(t, s.Accept(t.Context(), nil))
				caller.Accepted(caller.Await(signaling.Accept).SDP)
				callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
				must(t, s.HangUp(t.Context(), nil))
				caller.Await(signaling.HangUp)
			}
			callcoretest.Await[callcore.Closed](door)
			caller.Renew()
			caller.Post(signaling.Signal{Kind: signaling.Update, Peer: 1, Session: "S", Reconnect: &signaling.Description{OfferID: "O", Type: "offer", SDP: caller.Offer()}})
			if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrEnded) {
				t.Errorf("invalid %+v, want %v", e, callcore.ErrEnded)
			}
			hungUp := false
			for _, s := range caller.Listen(time.Second) {
				hungUp = hungUp || s.Kind == signaling.HangUp
			}
			if hungUp != joined {
				t.Errorf("hung up %t, was in the call %t", hungUp, joined)
			}
		})
	}
}
