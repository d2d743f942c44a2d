package callcore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// TestMeshStopsCalling: trap 4. A member of a conference that has answered is not called
// again, and there are five seconds between calls.
func TestMeshStopsCalling(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, _ *callcoretest.Phone) {
		us := w.Phone(callcoretest.Spec{User: 5})
		a, b := w.Script(2, "a"), w.Script(3, "b")
		post(a, signaling.Signal{Kind: signaling.Call, SDP: a.Offer()}, 5, 5, 3)
		s := callcoretest.Await[callcore.Incoming](us).Session
		must(t, s.Accept(t.Context(), nil))
		a.Accepted(a.Await(signaling.Accept).SDP)
		b.Await(signaling.Call)
		first := time.Now()
		call := b.Await(signaling.Call)
		if gap := time.Since(first); gap < 5*time.Second-w.Hub.Delay {
			t.Errorf("called again after %v", gap)
		}
		time.Sleep(4 * time.Second) // the next one is almost due
		b.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: b.Answer(call.SDP)})
		for _, g := range b.Listen(time.Minute) {
			if g.Kind == signaling.Call {
				t.Error("called after the accept")
			}
		}
	})
}

// TestAnswerAtOnce: trap 30. The session of an incoming call is complete when it is told:
// whoever reads the events may answer before reading on.
func TestAnswerAtOnce(t *testing.T) {
	for name, answer := range map[string]func(*callcore.Session, context.Context, map[string]string) error{
		"accept": (*callcore.Session).Accept, "reject": (*callcore.Session).Reject, "hang up": (*callcore.Session).HangUp,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				phone := w.Script(2, "phone")
				s := callDoor(t, door, phone, "S")
				if s.State() != callcore.StateRinging || len(s.Users()) != 1 || s.Users()[0] != 2 {
					t.Errorf("state %s, users %v", s.State(), s.Users())
				}
				must(t, answer(s, t.Context(), nil))
				if name == "accept" {
					phone.Accepted(phone.Await(signaling.Accept).SDP)
					callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
				} else {
					callcoretest.Await[callcore.Closed](door)
				}
			})
		})
	}
}

// TestSwallowedHangUp: trap 16. A last word that a dead link took without an error is said
// again when the link is back, once, and only if it is recent.
func TestSwallowedHangUp(t *testing.T) {
	for _, c := range []struct {
		name  string
		after time.Duration
		again int
	}{{"recent", 15 * time.Second, 1}, {"long ago", 25 * time.Second, 0}} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				phone := w.Script(2, "phone")
				s := door.Call(signaling.Audio, 2)
				answered(t, door, phone)
				phone.Listen(time.Second)
				door.Link.Swallow(true)
				must(t, s.HangUp(t.Context(), nil))
				closed(t, door, callcore.ReasonHungUp)
				time.Sleep(c.after)
				door.Link.SetLink(false)
				door.Link.Swallow(false)
				for range 3 { // it flaps
					time.Sleep(time.Second)
					door.Link.SetLink(true)
					time.Sleep(time.Second)
					door.Link.SetLink(false)
				}
				hangUps := 0
				for _, g := range phone.Listen(time.Minute) {
					if g.Kind == signaling.HangUp && g.Session == s.ID() {
						hangUps++
					}
				}
				if hangUps != c.again {
					t.Errorf("%d hangUps, want %d", hangUps, c.again)
				}
			})
		})
	}
}

// TestSwallowedAccept: trap 16. The same for an accept: it is repeated when the link is back.
func TestSwallowedAccept(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		s := callDoor(t, door, phone, "S")
		door.Link.Swallow(true)
		must(t, s.Accept(t.Context(), nil))
		time.Sleep(4 * time.Second)
		door.Link.SetLink(false)
		door.Link.Swallow(false)
		time.Sleep(time.Second)
		door.Link.SetLink(true)
		phone.Accepted(phone.AwaitWithin(signaling.Accept, time.Second).SDP)
		callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
	})
}

// TestReplays: everything that was said in a call is said again after its end, in reverse.
// Nothing rings, nothing is sent but what frees who waits.
func TestReplays(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		s := callDoor(t, door, phone, "S")
		must(t, s.Accept(t.Context(), nil))
		phone.Accepted(phone.Await(signaling.Accept).SDP)
		callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
		offer := phone.Offer()
		said := []signaling.Signal{
			{Kind: signaling.Call, SDP: offer},
			{Kind: signaling.Candidates, Candidates: []signaling.Candidate{{Candidate: "candidate:1 1 udp 1 10.0.0.12 9 typ host"}}},
			{Kind: signaling.Reject}, {Kind: signaling.HangUp},
		}
		phone.Post(signaling.Signal{Kind: signaling.HangUp, Peer: 1, Session: "S"})
		closed(t, door, callcore.ReasonPeerHungUp)
		phone.Listen(time.Minute)
		for i := range said {
			g := said[len(said)-1-i]
			g.Peer, g.Session = 1, "S"
			phone.Post(g)
			if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrEnded) || e.Signal.Kind != g.Kind {
				t.Errorf("%s: %+v", g.Kind, e)
			}
		}
		if got := phone.Listen(time.Minute); len(got) != 0 {
			t.Errorf("the phone got %s", got[0].Kind)
		}
		if got := door.Idle(time.Second); len(got) != 0 {
			t.Errorf("event %#v", got[0])
		}
	})
}
