package callcore_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// TestRingGroup: each resident is called in a session of his own; the first accept wins,
// the others are hung up on at once.
func TestRingGroup(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		a, b, c := w.Script(2, "a"), w.Phone(callcoretest.Spec{User: 3}), w.Script(4, "c")
		s := door.Call(signaling.Video, 2, 3, 4)
		if s.State() != callcore.StateCalling || !slices.Equal(s.Users(), []signaling.UserID{2, 3, 4}) {
			t.Errorf("state %s, users %v", s.State(), s.Users())
		}
		callA, callC := a.Await(signaling.Call), c.Await(signaling.Call)
		inB := callcoretest.Await[callcore.Incoming](b)
		ids := []string{s.ID(), callA.Session, inB.Session.ID(), callC.Session}
		slices.Sort(ids)
		if len(slices.Compact(ids)) != 4 {
			t.Errorf("session ids %v, want all different", ids)
		}
		for _, call := range []*signaling.Signal{callA, callC} {
			if len(call.Opponents) != 1 {
				t.Errorf("opponents %v, want one", call.Opponents)
			}
		}
		// One declines: the others ring on.
		a.Reply(callA, signaling.Signal{Kind: signaling.Reject})
		if r := callcoretest.Await[callcore.Rejected](door); r.User != 2 || r.Session != s {
			t.Errorf("rejected %+v", r)
		}
		if s.State() != callcore.StateCalling {
			t.Errorf("state %s after one declined", s.State())
		}
		must(t, inB.Session.Accept(t.Context(), nil))
		if got := callcoretest.Await[callcore.Accepted](door); got.User != 3 || got.Session != s {
			t.Errorf("accepted %+v", got)
		}
		accepted := time.Now()
		if h := c.Await(signaling.HangUp); h.Session != callC.Session {
			t.Errorf("hangUp for %q, want %q", h.Session, callC.Session)
		}
		if took := time.Since(accepted); took > w.Hub.Delay {
			t.Errorf("the other phone rang on for %v", took)
		}
		callcoretest.Await[callcore.MediaStarted](door)
		// The one who was too late hears of it, and disturbs nobody.
		c.Reply(callC, signaling.Signal{Kind: signaling.Accept, SDP: callC.SDP})
		if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrEnded) || e.Session != s || e.User != 4 {
			t.Errorf("invalid %+v", e)
		}
		c.Await(signaling.HangUp)
		c.Reply(callC, signaling.Signal{Kind: signaling.HangUp})
		if e := callcoretest.Await[callcore.Invalid](door); e.User != 4 {
			t.Errorf("invalid %+v", e)
		}
		if s.State() != callcore.StateConnected {
			t.Errorf("state %s", s.State())
		}
		must(t, inB.Session.HangUp(t.Context(), nil))
		closed(t, door, callcore.ReasonPeerHungUp)
		synctest.Wait()
		if n := door.Media.OpenFeeds(); n != 0 {
			t.Errorf("%d feeds open", n)
		}
	})
}

// TestRingGroupTie: two accepts at the same moment have one winner.
func TestRingGroupTie(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phones := []*callcoretest.Phone{w.Phone(callcoretest.Spec{User: 2}), w.Phone(callcoretest.Spec{User: 3})}
		door.Call(signaling.Audio, 2, 3)
		for _, p := range phones {
			must(t, callcoretest.Await[callcore.Incoming](p).Session.Accept(t.Context(), nil))
		}
		winner := callcoretest.Await[callcore.Accepted](door).User
		callcoretest.Await[callcore.MediaStarted](door)
		for _, p := range phones {
			if p.User != winner {
				closed(t, p, callcore.ReasonPeerHungUp)
			}
		}
		for _, e := range door.Seen {
			if a, ok := e.(callcore.Accepted); ok && a.User != winner {
				t.Errorf("a second one was accepted: %+v", a)
			}
		}
	})
}

// TestRingGroupReason: that one did not answer says more than that another declined.
func TestRingGroupReason(t *testing.T) {
	for _, c := range []struct {
		decline int
		hangUp  bool
		want    callcore.Reason
	}{
		{3, false, callcore.ReasonPeerRejected},
		{2, false, callcore.ReasonNotAnswered},
		{0, false, callcore.ReasonNotAnswered},
		{1, true, callcore.ReasonHungUp},
	} {
		bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
			phones := []*callcoretest.Script{w.Script(2, "a"), w.Script(3, "b"), w.Script(4, "c")}
			s := door.Call(signaling.Audio, 2, 3, 4)
			for i, p := range phones {
				call := p.Await(signaling.Call)
				if i < c.decline {
					p.Reply(call, signaling.Signal{Kind: signaling.Reject})
				}
			}
			if c.hangUp {
				time.Sleep(time.Second)
				must(t, s.HangUp(t.Context(), nil))
			}
			closed(t, door, c.want)
			for i, p := range phones[c.decline:] {
				if got := p.Listen(time.Minute); len(got) == 0 || got[len(got)-1].Kind != signaling.HangUp {
					t.Errorf("phone %d of %d was not hung up on", i, len(phones))
				}
			}
		})
	}
}
