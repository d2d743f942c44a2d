package callcore_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// member is a phone in a conference.
type member struct {
	*callcoretest.Phone
	s *callcore.Session
}

// users lists the ids of members but one.
func users(all []member, but signaling.UserID) (ids []signaling.UserID) {
	for _, m := range all {
		if m.User != but {
			ids = append(ids, m.User)
		}
	}
	return ids
}

// confer has users in a conference that the first of them begins; the others accept in this
// order, with a time between them.
func confer(t *testing.T, w *callcoretest.World, gap time.Duration, ids ...signaling.UserID) []member {
	t.Helper()
	var all []member
	for _, u := range ids {
		all = append(all, member{Phone: w.Phone(callcoretest.Spec{User: u})})
	}
	callees := slices.Sorted(slices.Values(ids[1:]))
	all[0].s = all[0].Invite(callcore.Invite{Users: callees, CallType: signaling.Audio, Mode: callcore.Conference})
	for i := 1; i < len(all); i++ {
		in := callcoretest.Await[callcore.Incoming](all[i].Phone)
		all[i].s = in.Session
		if in.User != ids[0] || in.Session.ID() != all[0].s.ID() || !slices.Equal(in.Opponents, callees) {
			t.Errorf("incoming %+v, want session %s of all", in, all[0].s.ID())
		}
		if want := append([]signaling.UserID{ids[0]}, users(all[1:], all[i].User)...); in.Session.Mode() != callcore.Conference || !sameUsers(in.Session.Users(), want) {
			t.Errorf("a %s of %v, want a conference of %v", in.Session.Mode(), in.Session.Users(), want)
		}
	}
	for _, m := range all[1:] {
		must(t, m.s.Accept(t.Context(), nil))
		time.Sleep(gap)
	}
	return all
}

func sameUsers(a, b []signaling.UserID) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// talking checks that these members, and no others, hear each other a second from now. Sound
// comes every 20 ms.
func talking(t *testing.T, all ...member) {
	t.Helper()
	time.Sleep(time.Second)
	before := map[string]int{}
	for _, m := range all {
		for _, u := range m.s.Users() {
			before[fmt.Sprint(m.User, u)] = m.Media.Played(u)
		}
	}
	time.Sleep(500 * time.Millisecond)
	for _, m := range all {
		if m.s.State() != callcore.StateConnected {
			t.Errorf("member %d: state %s", m.User, m.s.State())
		}
		for _, u := range m.s.Users() {
			heard := m.Media.Played(u)-before[fmt.Sprint(m.User, u)] > 12
			if want := slices.Contains(users(all, m.User), u); heard != want {
				t.Errorf("member %d hears %d: %t, want %t; he is %s", m.User, u, heard, want, m.s.PeerState(u))
			}
			if is := m.s.PeerState(u); (is == callcore.PeerCompleted) != heard {
				t.Errorf("member %d shows %d as %s", m.User, u, is)
			}
		}
	}
}

// orders are all orders of ids.
func orders(ids ...signaling.UserID) (all [][]signaling.UserID) {
	if len(ids) < 2 {
		return [][]signaling.UserID{ids}
	}
	for i, u := range ids {
		for _, rest := range orders(slices.Delete(slices.Clone(ids), i, i+1)...) {
			all = append(all, append([]signaling.UserID{u}, rest...))
		}
	}
	return all
}

// TestConference: whoever begins, and in whatever order the others join, each one hears all
// others, over one connection with each.
func TestConference(t *testing.T) {
	for _, n := range []signaling.UserID{3, 4} {
		ids := []signaling.UserID{11, 12, 13, 14}[:n]
		for i, order := range orders(ids...) {
			gap := []time.Duration{0, 10 * time.Millisecond, 0, 7 * time.Second, 0, 10 * time.Millisecond}[i%6]
			t.Run(fmt.Sprint(order, gap), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					all := confer(t, callcoretest.NewWorld(t), gap, order...)
					talking(t, all...)
					for _, m := range all {
						if n := len(m.s.Stats()); n != len(ids)-1 {
							t.Errorf("member %d has statistics of %d peers", m.User, n)
						}
						for _, e := range m.Idle(time.Millisecond) {
							if e, ok := e.(callcore.Invalid); ok {
								t.Errorf("member %d: %+v", m.User, e)
							}
						}
					}
					must(t, all[len(all)-1].s.HangUp(t.Context(), nil))
					closed(t, all[len(all)-1].Phone, callcore.ReasonHungUp)
				})
			})
		}
	}
}

// TestMembersLeave: one after the other, the initiator among them; the last two end it.
func TestMembersLeave(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 0, 3}, {3, 1, 0}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := confer(t, callcoretest.NewWorld(t), 0, 12, 11, 14, 13)
				left := slices.Clone(all)
				for n, i := range order {
					must(t, all[i].s.HangUp(t.Context(), map[string]string{"bye": "all"}))
					closed(t, all[i].Phone, callcore.ReasonHungUp)
					left = slices.DeleteFunc(left, func(m member) bool { return m.User == all[i].User })
					for _, m := range left {
						e := callcoretest.AwaitWhere(m.Phone, func(e callcore.HungUp) bool { return e.User == all[i].User })
						if e.Info["bye"] != "all" || m.s.PeerState(e.User) != callcore.PeerHungUp {
							t.Errorf("member %d: %+v, state %s", m.User, e, m.s.PeerState(e.User))
						}
					}
					if n < len(order)-1 {
						talking(t, left...)
					}
				}
				closed(t, left[0].Phone, callcore.ReasonPeerHungUp)
			})
		})
	}
}

// TestConferenceRules lists what cannot be asked for.
func TestConferenceRules(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		for _, c := range []struct {
			inv  callcore.Invite
			want error
		}{
			{callcore.Invite{Users: []signaling.UserID{2, 3, 4, 5}, Mode: callcore.Conference}, callcore.ErrTooManyOpponents},
			{callcore.Invite{Users: []signaling.UserID{2, 1}, Mode: callcore.Conference}, callcore.ErrOwnID},
			{callcore.Invite{Users: []signaling.UserID{2, 2}, Mode: callcore.Conference}, callcore.ErrDuplicateUser},
			{callcore.Invite{Mode: callcore.Conference}, callcore.ErrNoUsers},
			{callcore.Invite{Users: []signaling.UserID{2}, Mode: 7}, callcore.ErrBadMode},
		} {
			c.inv.CallType = signaling.Audio
			_, err := door.NewSession(c.inv)
			broken(t, err, c.want, "new session")
		}
		a, b := w.Script(2, "a"), w.Script(3, "b")
		post(a, signaling.Signal{Kind: signaling.Call, SDP: a.Offer()}, 1, 1, 3)
		s := callcoretest.Await[callcore.Incoming](door).Session
		broken(t, s.Call(t.Context(), nil), callcore.ErrIncoming, "call")
		must(t, s.Accept(t.Context(), nil))
		broken(t, s.Accept(t.Context(), nil), callcore.ErrAlreadyAccepted, "accept")
		broken(t, s.Reject(t.Context(), nil), callcore.ErrAlreadyAccepted, "reject")
		must(t, s.Update(t.Context(), map[string]string{"k": "v"}, 3))
		if u := b.Await(signaling.Update); u.Info["k"] != "v" || u.Initiator != 2 {
			t.Errorf("update %+v", u)
		}
		broken(t, s.Update(t.Context(), nil, 4), callcore.ErrNotInSession, "update")
		// The initiator leaves, and only one who never calls is left: the rules are the same.
		post(a, signaling.Signal{Kind: signaling.HangUp}, 1, 1, 3)
		callcoretest.Await[callcore.HungUp](door)
		broken(t, s.Accept(t.Context(), nil), callcore.ErrAlreadyAccepted, "accept")
	})
}

// post sends a signal in the session "S" that user 2 has begun with these opponents.
func post(from *callcoretest.Script, g signaling.Signal, to signaling.UserID, opponents ...signaling.UserID) {
	g.Peer, g.Session, g.Initiator, g.Opponents = to, "S", 2, opponents
	from.Post(g)
}

// TestNeverOffers: a member who has the higher id and does not call is given up when he
// could no longer have been ringing; the others stay.
func TestNeverOffers(t *testing.T) {
	for _, after := range []time.Duration{0, 20 * time.Second, 59 * time.Second} {
		bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
			a, b := w.Script(2, "a"), w.Script(3, "b")
			begun := time.Now()
			post(a, signaling.Signal{Kind: signaling.Call, SDP: a.Offer()}, 1, 1, 3)
			s := callcoretest.Await[callcore.Incoming](door).Session
			time.Sleep(after)
			must(t, s.Accept(t.Context(), nil))
			a.Accepted(a.Await(signaling.Accept).SDP)
			if got := s.PeerState(3); got != callcore.PeerWaiting {
				t.Errorf("user 3 is shown as %s", got)
			}
			e := callcoretest.Await[callcore.NotAnswered](door)
			if took := time.Since(begun).Round(time.Second); e.User != 3 || took != 65*time.Second {
				t.Errorf("user %d was given up after %v, want 3 after the rest of the minute and one interval", e.User, took)
			}
			if h := b.Await(signaling.HangUp); h.Session != "S" || h.Initiator != 2 {
				t.Errorf("hangUp %+v", h)
			}
			if s.State() != callcore.StateConnected || s.PeerState(3) != callcore.PeerNotOffered {
				t.Errorf("state %s, user 3 %s", s.State(), s.PeerState(3))
			}
			// He comes too late, and need not wait.
			post(b, signaling.Signal{Kind: signaling.Call, SDP: b.Offer()}, 1, 1, 3)
			b.Await(signaling.HangUp)
			if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrEnded) || e.User != 3 || e.Session != s {
				t.Errorf("invalid %+v", e)
			}
		})
	}
}

// TestAnsweredElsewhere: the other devices of who has answered are told, and those that ring
// stop; the one in the call does not notice.
func TestAnsweredElsewhere(t *testing.T) {
	for _, mode := range []callcore.Mode{callcore.RingGroup, callcore.Conference} {
		bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
			a, b, js := w.Phone(callcoretest.Spec{User: 2, Device: "a"}), w.Phone(callcoretest.Spec{User: 2, Device: "b"}), w.Script(2, "js")
			other := w.Script(3, "c")
			s := door.Invite(callcore.Invite{Users: []signaling.UserID{2, 3}, CallType: signaling.Audio, Mode: mode})
			callcoretest.Await[callcore.Incoming](b)
			must(t, callcoretest.Await[callcore.Incoming](a).Session.Accept(t.Context(), nil))
			callcoretest.Await[callcore.Accepted](door)
			closed(t, b, callcore.ReasonElsewhere)
			u := js.Await(signaling.Update)
			if len(u.Info) != 1 || u.Info[callcore.AnsweredElsewhere] != "a" || u.Reconnect != nil || len(u.Extra) != 0 {
				t.Errorf("update %+v", u)
			}
			callcoretest.Await[callcore.MediaStarted](door)
			for _, e := range a.Idle(20 * time.Second) {
				switch e.(type) {
				case callcore.Updated, callcore.Invalid, callcore.Closed:
					t.Errorf("the device in the call: %+v", e)
				}
			}
			for _, g := range other.Listen(time.Second) {
				if g.Kind == signaling.Update {
					t.Errorf("another user got %+v", g)
				}
			}
			if s.State() != callcore.StateConnected {
				t.Errorf("state %s", s.State())
			}
			for _, e := range door.Idle(time.Second) {
				if _, ok := e.(callcore.Established); !ok {
					t.Errorf("door: %+v", e)
				}
			}
		})
	}
}

// TestFalseElsewhere: only the device that calls can say so, to who is ringing.
func TestFalseElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone, second, stranger := w.Script(2, "phone"), w.Script(2, "second"), w.Script(3, "stranger")
		s := callDoor(t, door, phone, "S")
		word := signaling.Signal{Kind: signaling.Update, Peer: 1, Session: "S", Info: map[string]string{callcore.AnsweredElsewhere: "x"}}
		for _, from := range []*callcoretest.Script{second, stranger} {
			from.Post(word)
		}
		door.Idle(time.Second)
		if s.State() != callcore.StateRinging {
			t.Errorf("state %s", s.State())
		}
		must(t, s.Accept(t.Context(), nil))
		phone.Accepted(phone.Await(signaling.Accept).SDP)
		phone.Post(word)
		door.Idle(time.Second)
		if s.State() != callcore.StateConnected {
			t.Errorf("state %s", s.State())
		}
	})
}
