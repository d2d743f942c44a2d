package callcore_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// This file has our client in conferences with members whose signals are written by hand.

// up waits until the connection with a user is there.
func up(p *callcoretest.Phone, u signaling.UserID) {
	callcoretest.AwaitWhere(p, func(c callcore.ConnectionChanged) bool { return c.User == u && c.State == callcore.PeerConnected })
}

// TestHigherMemberCalls: he is answered without anybody being asked, whether he calls before
// the initiator does, while we ring, or after we have accepted; again and again, as he may.
func TestHigherMemberCalls(t *testing.T) {
	for _, order := range []string{"first", "while it rings", "after the accept"} {
		t.Run(order, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				a, b := w.Script(2, "a"), w.Script(3, "b")
				call := signaling.Signal{Kind: signaling.Call, SDP: a.Offer(), Info: map[string]string{"from": "a"}}
				members := signaling.Signal{Kind: signaling.Call, SDP: b.Offer(), Info: map[string]string{"from": "b"}}
				stale := members
				stale.SDP = strings.Replace(stale.SDP, "a=ice-pwd:", "a=ice-pwd:stale", 1)
				if order == "first" {
					post(b, stale, 1, 1, 3)
				} else {
					post(a, call, 1, 1, 3)
				}
				in := callcoretest.Await[callcore.Incoming](door)
				s := in.Session
				// Who called is known for certain; who began is what he says.
				caller, info := a, "a"
				if order == "first" {
					caller, info = b, "b"
				}
				if in.User != caller.Self() || in.Info["from"] != info || s.Initiator() != 2 || !slices.Equal(s.Users(), []signaling.UserID{2, 3}) {
					t.Errorf("incoming %+v, initiator %d, users %v", in, s.Initiator(), s.Users())
				}
				switch order {
				case "first":
					post(b, members, 1, 1, 3)
					post(a, call, 1, 1, 3)
				case "while it rings":
					post(b, stale, 1, 1, 3)
					post(b, members, 1, 1, 3)
				}
				for _, e := range door.Idle(time.Second) {
					switch e.(type) {
					case callcore.Incoming, callcore.Invalid:
						t.Errorf("another event: %+v", e)
					}
				}
				must(t, s.Accept(t.Context(), map[string]string{"hello": "all"}))
				if order == "after the accept" {
					time.Sleep(time.Second)
					post(b, members, 1, 1, 3)
				}
				answers := map[*callcoretest.Script]*signaling.Signal{}
				for _, p := range []*callcoretest.Script{a, b} {
					answers[p] = p.Await(signaling.Accept)
					if g := answers[p]; g.Session != "S" || g.Initiator != 2 || !slices.Equal(g.Opponents, []signaling.UserID{1, 3}) || g.Info["hello"] != "all" || len(g.Info) != 1 {
						t.Errorf("accept %+v", g)
					}
				}
				// It crosses our accept, and comes once more before he has it.
				post(b, members, 1, 1, 3)
				time.Sleep(3 * time.Second)
				post(b, members, 1, 1, 3)
				if again := b.Await(signaling.Accept); again.SDP != answers[b].SDP {
					t.Error("the repeated call is answered with something else")
				}
				a.Accepted(answers[a].SDP)
				b.Accepted(answers[b].SDP)
				time.Sleep(2 * time.Second)
				post(b, members, 1, 1, 3)
				time.Sleep(2 * time.Second)
				for _, u := range s.Users() {
					if got := s.PeerState(u); got != callcore.PeerCompleted {
						t.Errorf("user %d is shown as %s", u, got)
					}
				}
				for _, p := range []*callcoretest.Script{a, b} {
					for _, g := range p.Listen(time.Minute) {
						if g.Kind != signaling.Candidates {
							t.Errorf("user %d got %s", p.Self(), g.Kind)
						}
					}
				}
			})
		})
	}
}

// TestLowerMemberIsCalled: traps 1, 3, 4, 5, 9 and 10. He is called when we have accepted, and
// again until he answers, with time enough between; after his accept never again.
func TestLowerMemberIsCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		us := w.Phone(callcoretest.Spec{User: 7, Timers: callcore.Timers{Dialing: time.Second}})
		a, b := w.Script(2, "a"), w.Script(3, "b")
		post(a, signaling.Signal{Kind: signaling.Call, SDP: a.Offer(), Info: map[string]string{"from": "a"}}, 7, 3, 7)
		s := callcoretest.Await[callcore.Incoming](us).Session
		if got := b.Listen(10 * time.Second); len(got) != 0 {
			t.Errorf("%s before we have accepted", got[0].Kind)
		}
		must(t, s.Accept(t.Context(), map[string]string{"hello": "all"}))
		a.Accepted(a.Await(signaling.Accept).SDP)
		var last *signaling.Signal
		var at []time.Time
		for range 3 { // he rings; only then he accepts by himself
			g := b.Await(signaling.Call)
			if g.Session != "S" || g.Initiator != 2 || !slices.Equal(g.Opponents, []signaling.UserID{3, 7}) || g.CallType != signaling.Audio || g.Device != us.Device || g.Info["hello"] != "all" {
				t.Errorf("call %+v", g)
			}
			if last != nil && line(g.SDP, "a=ice-ufrag:") != line(last.SDP, "a=ice-ufrag:") {
				t.Error("a repeated call has another description")
			}
			last, at = g, append(at, time.Now())
		}
		for i := range at[1:] {
			if gap := at[i+1].Sub(at[i]); gap < 5*time.Second {
				t.Errorf("repeated after %v", gap)
			}
		}
		b.Reply(last, signaling.Signal{Kind: signaling.Accept, SDP: b.Answer(last.SDP)})
		up(us, 3)
		for _, g := range b.Listen(time.Minute) {
			if g.Kind != signaling.Candidates || len(g.Candidates) == 0 {
				t.Errorf("after the accept: %+v", g)
			}
		}
		// His call, and an accept from another device, are out of place.
		post(b, signaling.Signal{Kind: signaling.Accept, SDP: last.SDP}, 7, 3, 7)
		other := w.Script(3, "other")
		post(other, signaling.Signal{Kind: signaling.Accept, SDP: last.SDP}, 7, 3, 7)
		other.Await(signaling.HangUp)
		if s.State() != callcore.StateConnected || s.PeerState(3) != callcore.PeerCompleted {
			t.Errorf("state %s, user 3 %s", s.State(), s.PeerState(3))
		}
	})
}

// TestMemberAfterLinkLoss: trap 4. That the link is back is no reason to call a member sooner.
func TestMemberAfterLinkLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		us := w.Phone(callcoretest.Spec{User: 7})
		a, b := w.Script(2, "a"), w.Script(3, "b")
		post(a, signaling.Signal{Kind: signaling.Call, SDP: a.Offer()}, 7, 3, 7)
		must(t, callcoretest.Await[callcore.Incoming](us).Session.Accept(t.Context(), nil))
		b.Await(signaling.Call)
		called := time.Now()
		for range 2 {
			time.Sleep(time.Second)
			us.Link.SetLink(false)
			time.Sleep(100 * time.Millisecond)
			us.Link.SetLink(true)
			callcoretest.AwaitWhere(us, func(e callcore.LinkChanged) bool { return e.Up })
		}
		b.Await(signaling.Call)
		if took := time.Since(called); took < 5*time.Second || took > 6*time.Second {
			t.Errorf("called again after %v", took)
		}
	})
}

// TestLowerMemberIsSilent: who rang and went away is given up in time, and told.
func TestLowerMemberIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		us := w.Phone(callcoretest.Spec{User: 7})
		a, b := w.Script(2, "a"), w.Script(3, "b")
		begun := time.Now()
		post(a, signaling.Signal{Kind: signaling.Call, SDP: a.Offer()}, 7, 3, 7)
		s := callcoretest.Await[callcore.Incoming](us).Session
		time.Sleep(30 * time.Second)
		must(t, s.Accept(t.Context(), nil))
		a.Accepted(a.Await(signaling.Accept).SDP)
		e := callcoretest.Await[callcore.NotAnswered](us)
		if took := time.Since(begun).Round(time.Second); e.User != 3 || took != 65*time.Second {
			t.Errorf("user %d was given up after %v", e.User, took)
		}
		b.Await(signaling.HangUp)
		if s.State() != callcore.StateConnected {
			t.Errorf("state %s", s.State())
		}
	})
}

// TestMemberDeclines: trap 11. His reject goes to everybody, and is only about him; so is
// ours.
func TestMemberDeclines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		phone := func(u signaling.UserID) member { return member{Phone: w.Phone(callcoretest.Spec{User: u})} }
		a, b, c, d := phone(14), phone(11), phone(12), phone(13)
		a.s = a.Invite(callcore.Invite{Users: []signaling.UserID{11, 12, 13}, CallType: signaling.Audio, Mode: callcore.Conference})
		for _, m := range []*member{&b, &c, &d} {
			m.s = callcoretest.Await[callcore.Incoming](m.Phone).Session
		}
		must(t, b.s.Accept(t.Context(), nil))
		must(t, c.s.Reject(t.Context(), map[string]string{"why": "asleep"}))
		closed(t, c.Phone, callcore.ReasonRejected)
		for _, m := range []member{a, b, d} { // d still rings
			if e := callcoretest.Await[callcore.Rejected](m.Phone); e.User != 12 || e.Info["why"] != "asleep" {
				t.Errorf("member %d: %+v", m.User, e)
			}
		}
		if d.s.State() != callcore.StateRinging {
			t.Errorf("member 13: state %s", d.s.State())
		}
		must(t, d.s.Accept(t.Context(), nil))
		talking(t, a, b, d)
		// All at once: nobody is told twice, and everything ends.
		for _, m := range []member{a, b, d} {
			must(t, m.s.HangUp(t.Context(), nil))
		}
		for _, m := range []member{a, b, d} {
			closed(t, m.Phone, callcore.ReasonHungUp)
		}
	})
}

// TestConferenceNotAnswered: nobody comes; who is called says nothing, who calls hangs up.
func TestConferenceNotAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		b, c := w.Phone(callcoretest.Spec{User: 2}), w.Script(3, "c")
		door.Invite(callcore.Invite{Users: []signaling.UserID{2, 3}, CallType: signaling.Audio, Mode: callcore.Conference})
		closed(t, b, callcore.ReasonNotAnswered)
		closed(t, door, callcore.ReasonNotAnswered)
		if n := count[callcore.NotAnswered](b); n != 1 {
			t.Errorf("the callee was told %d times", n)
		}
		if n := count[callcore.NotAnswered](door); n != 2 {
			t.Errorf("the caller was told %d times", n)
		}
		got := c.Listen(time.Second)
		if len(got) != 13 || got[12].Kind != signaling.HangUp {
			t.Errorf("%d signals, want 12 calls and a hangUp", len(got))
		}
	})
}

// count tells how many events of type E a phone has seen.
func count[E callcore.Event](p *callcoretest.Phone) (n int) {
	for _, e := range p.Seen {
		if _, ok := e.(E); ok {
			n++
		}
	}
	return n
}

// TestInitiatorCancels: with nobody else there, the call is over, for those too whom the
// initiator's hangUp does not stop; if a member is there, it rings on.
func TestInitiatorCancels(t *testing.T) {
	for _, there := range []bool{false, true} {
		bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
			a, b, c := w.Script(2, "a"), w.Script(3, "b"), w.Script(4, "c")
			post(a, signaling.Signal{Kind: signaling.Call, SDP: a.Offer()}, 1, 1, 3, 4)
			s := callcoretest.Await[callcore.Incoming](door).Session
			if there {
				post(b, signaling.Signal{Kind: signaling.Call, SDP: b.Offer()}, 1, 1, 3, 4)
				time.Sleep(time.Second)
			}
			post(a, signaling.Signal{Kind: signaling.HangUp}, 1, 1, 3, 4)
			callcoretest.Await[callcore.HungUp](door)
			if !there {
				closed(t, door, callcore.ReasonPeerHungUp)
				b.Await(signaling.HangUp)
				c.Await(signaling.HangUp)
				// It does not ring again, whoever calls.
				post(b, signaling.Signal{Kind: signaling.Call, SDP: b.Offer()}, 1, 1, 3, 4)
				b.Await(signaling.HangUp)
				if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrEnded) {
					t.Errorf("invalid %+v", e)
				}
				return
			}
			if s.State() != callcore.StateRinging {
				t.Fatalf("state %s", s.State())
			}
			must(t, s.Accept(t.Context(), nil))
			b.Accepted(b.Await(signaling.Accept).SDP)
			up(door, 3)
			post(c, signaling.Signal{Kind: signaling.HangUp}, 1, 1, 3, 4)
			post(b, signaling.Signal{Kind: signaling.HangUp}, 1, 1, 3, 4)
			closed(t, door, callcore.ReasonPeerHungUp)
			if got := a.Listen(time.Second); len(got) != 0 {
				t.Errorf("who had left got %s", got[0].Kind)
			}
		})
	}
}

// TestBusyForConference: all of its members learn that we do not come, and later calls of the
// same session are rejected to whom they are from.
func TestBusyForConference(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		door.Call(signaling.Audio, 9)
		a, b := w.Script(2, "a"), w.Script(3, "b")
		call := signaling.Signal{Kind: signaling.Call, SDP: a.Offer()}
		post(a, call, 1, 1, 3)
		for _, p := range []*callcoretest.Script{a, b} {
			if g := p.Await(signaling.Reject); g.Session != "S" || g.Initiator != 2 {
				t.Errorf("reject %+v", g)
			}
		}
		if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrBusy) || e.User != 2 {
			t.Errorf("invalid %+v", e)
		}
		post(b, signaling.Signal{Kind: signaling.Call, SDP: b.Offer()}, 1, 1, 3)
		b.Await(signaling.Reject)
		if got := a.Listen(time.Second); len(got) != 0 {
			t.Errorf("the initiator got %s", got[0].Kind)
		}
	})
}

// TestOddConferences: calls that list too many, or us not at all, or some twice.
func TestOddConferences(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		a, b, c := w.Script(2, "a"), w.Script(3, "b"), w.Script(4, "c")
		post(a, signaling.Signal{Kind: signaling.Call, SDP: a.Offer()}, 1, 1, 3, 4, 5)
		a.Await(signaling.Reject)
		if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrTooManyOpponents) {
			t.Errorf("invalid %+v", e)
		}
		for _, p := range []*callcoretest.Script{b, c} {
			if got := p.Listen(time.Second); len(got) != 0 {
				t.Errorf("user %d got %s: too many to tell", p.Self(), got[0].Kind)
			}
		}
		for _, odd := range []struct {
			id        string
			opponents []signaling.UserID
			want      []signaling.UserID
		}{
			{"without us", []signaling.UserID{3, 4}, []signaling.UserID{2}},
			{"with himself", []signaling.UserID{2, 1}, []signaling.UserID{2}},
			{"twice", []signaling.UserID{1, 3, 3, 1}, []signaling.UserID{2, 3}},
		} {
			a.Post(signaling.Signal{Kind: signaling.Call, Peer: 1, Session: odd.id, Opponents: odd.opponents, SDP: a.Offer()})
			s := callcoretest.Await[callcore.Incoming](door).Session
			if !slices.Equal(s.Users(), odd.want) {
				t.Errorf("%s: users %v, want %v", odd.id, s.Users(), odd.want)
			}
			must(t, s.Reject(t.Context(), nil))
			closed(t, door, callcore.ReasonRejected)
		}
		// A member who calls names us the initiator: we have begun no such session.
		b.Post(signaling.Signal{Kind: signaling.Call, Peer: 1, Session: "ours", Initiator: 1, Opponents: []signaling.UserID{1, 3}, SDP: b.Offer()})
		if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrUnknownSession) {
			t.Errorf("invalid %+v", e)
		}
	})
}

// TestConferenceStranger: who is not in the conference is not in it.
func TestConferenceStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		all := confer(t, w, 0, 11, 12, 13)
		stranger := w.Script(14, "stranger")
		for _, k := range []signaling.Kind{signaling.Call, signaling.Accept, signaling.HangUp, signaling.Update} {
			stranger.Post(signaling.Signal{Kind: k, Peer: 11, Session: all[0].s.ID(), Initiator: 11, Opponents: []signaling.UserID{12, 13, 14}, SDP: stranger.Offer()})
			if e := callcoretest.Await[callcore.Invalid](all[0].Phone); !errors.Is(e.Err, callcore.ErrNotParticipant) || e.User != 14 || e.Session != all[0].s {
				t.Errorf("%s: invalid %+v", k, e)
			}
		}
		talking(t, all...)
	})
}

// TestConferenceReconnects: every two members find a new path when the old one is gone.
func TestConferenceReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		sever := w.Sever()
		all := confer(t, w, 0, 12, 11, 13)
		talking(t, all...)
		sever()
		for _, m := range all {
			back := map[signaling.UserID]bool{}
			for len(back) < 2 {
				back[callcoretest.AwaitWhere(m.Phone, func(e callcore.Reconnect) bool { return e.State == callcore.Reconnected }).User] = true
			}
		}
		talking(t, all...)
	})
}
