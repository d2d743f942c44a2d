package callcore_test

import (
	"slices"
	"testing"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// TestEnds: however a call ends, its user is shown the state that says how, and then
// released, before the session closes.
func TestEnds(t *testing.T) {
	for _, c := range []struct {
		name   string
		end    func(*testing.T, *callcoretest.Script, *signaling.Signal, *callcore.Session)
		state  callcore.PeerState
		reason callcore.Reason
	}{
		{"hung up here", func(t *testing.T, _ *callcoretest.Script, _ *signaling.Signal, s *callcore.Session) {
			must(t, s.HangUp(t.Context(), nil))
		}, callcore.PeerClosed, callcore.ReasonHungUp},
		{"closed here", func(t *testing.T, _ *callcoretest.Script, _ *signaling.Signal, s *callcore.Session) {
			must(t, s.ClosePeer(t.Context(), 2))
		}, callcore.PeerClosed, callcore.ReasonReleased},
		{"rejected", func(_ *testing.T, phone *callcoretest.Script, call *signaling.Signal, _ *callcore.Session) {
			phone.Reply(call, signaling.Signal{Kind: signaling.Reject})
		}, callcore.PeerRejected, callcore.ReasonPeerRejected},
		{"hung up there", func(_ *testing.T, phone *callcoretest.Script, call *signaling.Signal, _ *callcore.Session) {
			phone.Reply(call, signaling.Signal{Kind: signaling.HangUp})
		}, callcore.PeerHungUp, callcore.ReasonPeerHungUp},
		{"not answered", func(*testing.T, *callcoretest.Script, *signaling.Signal, *callcore.Session) {
			time.Sleep(time.Minute)
		}, callcore.PeerNotAnswered, callcore.ReasonNotAnswered},
		{"no path", func(_ *testing.T, phone *callcoretest.Script, call *signaling.Signal, _ *callcore.Session) {
			phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: phone.Answer(call.SDP)})
			phone.PeerConnection().Close()
			time.Sleep(time.Minute)
		}, callcore.PeerFailed, callcore.ReasonNotConnected},
		{"refused by WebRTC", func(_ *testing.T, phone *callcoretest.Script, call *signaling.Signal, _ *callcore.Session) {
			phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: phone.Answer(call.SDP) + "a=extmap:x y\r\n"})
		}, callcore.PeerError, callcore.ReasonFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				phone := w.Script(2, "phone")
				s := door.Call(signaling.Audio, 2)
				c.end(t, phone, phone.Await(signaling.Call), s)
				closed(t, door, c.reason)
				if got := s.PeerState(2); got != c.state {
					t.Errorf("user 2 is shown as %s, want %s", got, c.state)
				}
				if got := s.Reason(); got != c.reason {
					t.Errorf("the session ended because %s, want %s", got, c.reason)
				}
				// The last four events, whatever came before.
				last := door.Seen[len(door.Seen)-4:]
				if e, ok := last[0].(callcore.SessionChanged); !ok || e.Session != s || e.State != callcore.StateClosing {
					t.Errorf("%+v, want that the session is closing", last[0])
				}
				if e, ok := last[1].(callcore.ConnectionChanged); !ok || e.User != 2 || e.State != c.state {
					t.Errorf("%+v, want state %s", last[1], c.state)
				}
				if e, ok := last[2].(callcore.ConnectionClosed); !ok || e.User != 2 || e.Session != s || e.Reason != c.reason {
					t.Errorf("%+v, want reason %s", last[2], c.reason)
				}
			})
		})
	}
}

// TestTimedOut: a connection that does not come back in time is told as such.
func TestTimedOut(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		out, _ := connect(t, door, w.Phone(callcoretest.Spec{User: 2}), signaling.Audio)
		w.Cut()
		for _, want := range []callcore.PeerState{callcore.PeerDisconnected, callcore.PeerTimedOut} {
			if e := callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State != callcore.PeerCompleted }); e.State != want || e.User != 2 {
				t.Errorf("%+v, want %s", e, want)
			}
		}
		closed(t, door, callcore.ReasonLost)
		if got := out.PeerState(2); got != callcore.PeerTimedOut {
			t.Errorf("user 2 is shown as %s", got)
		}
	})
}

// TestPeerStates follows both sides of a call that is answered.
func TestPeerStates(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Phone(callcoretest.Spec{User: 2})
		out, err := door.NewSession(callcore.Invite{Users: []signaling.UserID{2}, CallType: signaling.Audio})
		must(t, err)
		if got := out.PeerState(2); got != callcore.PeerNew {
			t.Errorf("before the call: %s", got)
		}
		if got := out.PeerState(3); got != callcore.PeerUnknown {
			t.Errorf("a stranger: %s", got)
		}
		must(t, out.Call(t.Context(), nil))
		in := callcoretest.Await[callcore.Incoming](phone).Session
		for _, s := range []*callcore.Session{out, in} {
			if got := s.PeerState(s.Users()[0]); got != callcore.PeerPending {
				t.Errorf("while it rings: %s", got)
			}
		}
		must(t, in.Accept(t.Context(), nil))
		for _, p := range []*callcoretest.Phone{door, phone} {
			for _, want := range []callcore.PeerState{callcore.PeerConnecting, callcore.PeerChecking, callcore.PeerConnected, callcore.PeerCompleted} {
				e := callcoretest.AwaitWhere(p, func(c callcore.ConnectionChanged) bool { return c.State != callcore.PeerPending })
				if e.State != want {
					t.Errorf("phone %s: %s, want %s", p.User, e.State, want)
				}
			}
		}
		if got := out.PeerState(2); got != callcore.PeerCompleted {
			t.Errorf("in the call: %s", got)
		}
	})
}

// TestClosingFirst: who hangs up on several is told that the session is closing before the
// first of them is released.
func TestClosingFirst(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		w.Script(2, "a").Listen(0)
		w.Script(3, "b").Listen(0)
		s := door.Call(signaling.Video, 2, 3)
		must(t, s.HangUp(t.Context(), nil))
		callcoretest.AwaitWhere(door, func(e callcore.SessionChanged) bool { return e.State == callcore.StateClosing })
		if n := slices.IndexFunc(door.Seen, func(e callcore.Event) bool { _, is := e.(callcore.ConnectionClosed); return is }); n >= 0 {
			t.Error("a user was released before the session was closing")
		}
		for _, u := range []signaling.UserID{2, 3} {
			if e := callcoretest.Await[callcore.ConnectionClosed](door); e.User != u || e.Reason != callcore.ReasonHungUp {
				t.Errorf("%+v, want that of user %s", e, u)
			}
		}
		closed(t, door, callcore.ReasonHungUp)
	})
}

// TestClosePeer: one user is released and hears nothing; the others ring on.
func TestClosePeer(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		a, b := w.Script(2, "a"), w.Phone(callcoretest.Spec{User: 3})
		s, err := door.NewSession(callcore.Invite{Users: []signaling.UserID{2, 3}, CallType: signaling.Audio})
		must(t, err)
		broken(t, s.ClosePeer(t.Context(), 2), callcore.ErrNotCalled, "close peer")
		must(t, s.Call(t.Context(), nil))
		call := a.Await(signaling.Call)
		broken(t, s.ClosePeer(t.Context(), 4), callcore.ErrNotInSession, "close peer")
		must(t, s.ClosePeer(t.Context(), 2))
		if e := callcoretest.Await[callcore.ConnectionClosed](door); e.User != 2 || e.Reason != callcore.ReasonReleased {
			t.Errorf("%+v, want that user 2 was released", e)
		}
		broken(t, s.ClosePeer(t.Context(), 2), callcore.ErrNotInSession, "close peer")
		if got := a.Listen(7 * time.Second); len(got) != 0 {
			t.Errorf("the released user got %+v", got[0])
		}
		// He must not be left waiting if he asks.
		a.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: call.SDP})
		a.Await(signaling.HangUp)

		in := callcoretest.Await[callcore.Incoming](b).Session
		must(t, in.Accept(t.Context(), nil))
		callcoretest.Await[callcore.MediaStarted](door)
		must(t, s.ClosePeer(t.Context(), 3))
		closed(t, door, callcore.ReasonReleased)
		broken(t, s.ClosePeer(t.Context(), 3), callcore.ErrClosed, "close peer")
		// The other end finds out by itself, asks, and is told.
		closed(t, b, callcore.ReasonPeerHungUp)
	})
}

// TestClosePeerIncoming: a call that is let go of does not ring again, and its caller hears
// nothing.
func TestClosePeerIncoming(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		s := callDoor(t, door, phone, "id")
		call := phone.PeerConnection().LocalDescription().SDP
		must(t, s.ClosePeer(t.Context(), 2))
		closed(t, door, callcore.ReasonReleased)
		phone.Post(signaling.Signal{Kind: signaling.Call, Peer: 1, Session: "id", SDP: call})
		if e := callcoretest.Await[callcore.Invalid](door); e.Session != s {
			t.Errorf("invalid %+v", e)
		}
		if got := phone.Listen(7 * time.Second); len(got) != 0 {
			t.Errorf("the caller got %+v", got[0])
		}
	})
}
