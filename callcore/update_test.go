package callcore_test

import (
	"errors"
	"maps"
	"testing"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// updated sends an update to the door from a scripted device and returns what becomes of it.
func updated(t *testing.T, door *callcoretest.Phone, from *callcoretest.Script, session string) callcore.Updated {
	t.Helper()
	from.Post(signaling.Signal{Kind: signaling.Update, Peer: door.User, Session: session, Initiator: door.User,
		Info: map[string]string{"command": "unlock"}, Extra: []signaling.Field{{Name: "key", Value: "1"}}})
	u := callcoretest.Await[callcore.Updated](door)
	if u.User != from.Self() || u.Device != from.Device() || u.Info["command"] != "unlock" || len(u.Extra) != 1 || u.Extra[0].Name != "key" {
		t.Errorf("updated %+v", u)
	}
	if u.Live != (u.NotLive == "") {
		t.Errorf("live %t, and not because %q", u.Live, u.NotLive)
	}
	return u
}

// TestLive goes through a call, and asks at each step whether an update is live.
func TestLive(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone, tablet := w.Script(2, "phone"), w.Script(2, "tablet")
		s := door.Call(signaling.Audio, 2)
		call := phone.Await(signaling.Call)
		expect := func(when string, from *callcoretest.Script, want string) {
			t.Helper()
			if u := updated(t, door, from, call.Session); u.NotLive != want || u.Session != s {
				t.Errorf("%s: not live because %q, want %q", when, u.NotLive, want)
			}
		}
		expect("ringing", phone, "the call was not answered")

		phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: withoutCandidates(phone.Answer(withoutCandidates(call.SDP)))})
		expect("accepted", phone, "the connection is not up")
		for _, c := range phone.Await(signaling.Candidates).Candidates {
			must(t, phone.PeerConnection().AddICECandidate(candidate(c)))
		}
		callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
		expect("connected", phone, "no media have arrived")
		phone.Speak(time.Second)
		expect("talking", phone, "")
		expect("talking, the tablet", tablet, "it is from another device than the one in the call")
		time.Sleep(2 * time.Second)
		expect("quiet for 2 s", phone, "")
		time.Sleep(2 * time.Second)
		expect("quiet for 4 s", phone, "no media for 4s")
		phone.Speak(time.Second)
		expect("talking again", phone, "")

		phone.Reply(call, signaling.Signal{Kind: signaling.HangUp})
		expect("after the hangUp", phone, "the call has ended")
		must(t, door.Call(signaling.Audio, 2).HangUp(t.Context(), nil))
		expect("in another call", phone, "the call has ended")
	})
}

// TestLiveAfterLoss: a connection that is lost is not live, whatever was received last.
func TestLiveAfterLoss(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Phone(callcoretest.Spec{User: 2})
		_, in := connect(t, door, phone, signaling.Audio)
		must(t, in.Update(t.Context(), map[string]string{"command": "unlock"}))
		if u := callcoretest.Await[callcore.Updated](door); !u.Live {
			t.Errorf("not live because %q", u.NotLive)
		}
		w.Cut()
		time.Sleep(4 * time.Second)
		must(t, in.Update(t.Context(), map[string]string{"command": "unlock"}))
		if u := callcoretest.Await[callcore.Updated](door); u.Live {
			t.Error("live without media")
		}
		callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerDisconnected })
		must(t, in.Update(t.Context(), nil))
		if u := callcoretest.Await[callcore.Updated](door); u.NotLive != "the connection is not up" {
			t.Errorf("not live because %q", u.NotLive)
		}
	})
}

// TestUpdate: to all, to one, in both directions, before and after the answer.
func TestUpdate(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone, other := w.Script(2, "phone"), w.Script(3, "other")
		s := door.Call(signaling.Audio, 2, 3)
		phone.Await(signaling.Call)
		call := other.Await(signaling.Call)
		info := map[string]string{"picture": "none"}
		must(t, s.Update(t.Context(), info))
		info["picture"] = "changed" // the map is ours again
		for _, p := range []*callcoretest.Script{phone, other} {
			if u := p.Await(signaling.Update); u.Info["picture"] != "none" || u.Initiator != 1 || len(u.Opponents) != 1 {
				t.Errorf("update %+v", u)
			}
		}
		must(t, s.Update(t.Context(), map[string]string{"n": "2"}, 3))
		if u := other.Await(signaling.Update); !maps.Equal(u.Info, map[string]string{"n": "2"}) || u.Session != call.Session {
			t.Errorf("update %+v", u)
		}
		if got := phone.Listen(time.Second); len(got) != 0 {
			t.Errorf("the phone got %s", got[0].Kind)
		}
		if err := s.Update(t.Context(), nil, 4); !errors.Is(err, callcore.ErrNotInSession) {
			t.Errorf("update to a stranger: %v, want %v", err, callcore.ErrNotInSession)
		}
	})
}

// TestReconnectUpdate: trap 17. What merely looks like a reconnection harms no call.
func TestReconnectUpdate(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		s := door.Call(signaling.Audio, 2)
		answered(t, door, phone)
		update := signaling.Signal{Kind: signaling.Update, Peer: 1, Session: s.ID(), Initiator: 1}
		update.Extra = []signaling.Field{{Name: "reason", Value: "reconnect"}}
		phone.Post(update)
		if u := callcoretest.Await[callcore.Updated](door); len(u.Extra) != 1 {
			t.Errorf("updated %+v", u)
		}
		update.Extra = nil
		for _, c := range []struct {
			d    signaling.Description
			want error
		}{
			{signaling.Description{OfferID: "O", Type: "offer", SDP: "v=0"}, callcore.ErrMalformed},
			{signaling.Description{Type: "offer", SDP: phone.PeerConnection().LocalDescription().SDP}, callcore.ErrMalformed},
			{signaling.Description{OfferID: "O", Type: "pranswer"}, callcore.ErrMalformed},
			{signaling.Description{OfferID: "O", Type: "answer", SDP: phone.PeerConnection().LocalDescription().SDP}, callcore.ErrOutOfPlace},
		} {
			update.Reconnect = &c.d
			phone.Post(update)
			if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, c.want) {
				t.Errorf("%+v: invalid %+v, want %v", c.d, e, c.want)
			}
		}
		if s.State() != callcore.StateConnected {
			t.Errorf("state %s", s.State())
		}
	})
}
