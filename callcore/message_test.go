package callcore_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// message sends a system message to the door and returns what becomes of it.
func message(t *testing.T, door *callcoretest.Phone, from *callcoretest.Script, info map[string]string) callcore.Message {
	t.Helper()
	must(t, from.Tell(t.Context(), &signaling.Message{Peer: door.User, Info: info}))
	m := callcoretest.Await[callcore.Message](door)
	if m.User != from.Self() || m.Device != from.Device() || !maps.Equal(m.Info, info) {
		t.Errorf("message %+v", m)
	}
	if m.Live != (m.NotLive == "") {
		t.Errorf("live %t, and not because %q", m.Live, m.NotLive)
	}
	return m
}

// answers has a script answer a call and speak.
func answers(t *testing.T, door *callcoretest.Phone, phone *callcoretest.Script, call *signaling.Signal) {
	t.Helper()
	phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: withoutCandidates(phone.Answer(withoutCandidates(call.SDP)))})
	for _, c := range phone.Await(signaling.Candidates).Candidates {
		must(t, phone.PeerConnection().AddICECandidate(candidate(c)))
	}
	callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
	phone.Speak(time.Second)
}

// TestMessage: a system message is judged as an update is, by the device it comes from, and
// of the call that it names.
func TestMessage(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone, tablet, other := w.Script(2, "phone"), w.Script(2, "tablet"), w.Script(3, "phone")
		open := map[string]string{"command": "unlock"}
		expect := func(when string, from *callcoretest.Script, info map[string]string, want string, in *callcore.Session) {
			t.Helper()
			time.Sleep(3 * time.Second) // the least between messages
			if when == "talking" || when == "of this call" {
				phone.Speak(time.Second)
			}
			if m := message(t, door, from, info); m.NotLive != want || m.Session != in {
				t.Errorf("%s: not live because %q in %v, want %q in %v", when, m.NotLive, m.Session, want, in)
			}
		}
		expect("before", phone, open, "there is no call with this user", nil)
		s := door.Call(signaling.Audio, 2)
		call := phone.Await(signaling.Call)
		expect("ringing", tablet, open, "the call was not answered", s)
		answers(t, door, phone, call)
		expect("talking", phone, open, "", s)
		expect("talking, the tablet", tablet, open, "it is from another device than the one in the call", s)
		expect("talking, somebody else", other, open, "there is no call with this user", nil)
		named := map[string]string{"command": "unlock", callcore.InfoSession: call.Session}
		expect("of this call", phone, named, "", s)
		expect("of this call, somebody else", other, named, "there is no such session", nil)
		expect("of another call", phone, map[string]string{callcore.InfoSession: "another"}, "there is no such session", nil)
		if m := message(t, door, phone, open); m.Wire != call.Session {
			t.Errorf("session %q on the wire, want %q", m.Wire, call.Session)
		}
		must(t, s.HangUp(t.Context(), nil))
		phone.Await(signaling.HangUp)
		expect("after the call", tablet, open, "there is no call with this user", nil)
		expect("after the call, of it", tablet, named, "the call has ended", nil)
	})
}

// TestMessagesAreLimited: strangers who write much are not heard for long, and keep nobody
// who is in a call from being heard.
func TestMessagesAreLimited(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone, stranger := w.Script(2, "phone"), w.Script(9, "phone")
		door.Call(signaling.Audio, 2)
		answers(t, door, phone, phone.Await(signaling.Call))
		for range 50 {
			must(t, stranger.Tell(t.Context(), &signaling.Message{Peer: door.User, Info: map[string]string{"n": "1"}}))
		}
		must(t, phone.Tell(t.Context(), &signaling.Message{Peer: door.User, Info: map[string]string{"n": "2"}}))
		heard := 0
		for {
			m := callcoretest.Await[callcore.Message](door)
			if m.User == 2 {
				break
			}
			heard++
		}
		if heard != 5 {
			t.Errorf("%d of a stranger's 50 messages were told, want 5", heard)
		}
	})
}

// TestTell sends a message to one device and to all.
func TestTell(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone, tablet := w.Script(2, "phone"), w.Script(2, "tablet")
		heard := func(s *callcoretest.Script) (n string) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			for {
				e, err := s.Receive(ctx)
				if err != nil {
					return n
				}
				if m, ok := e.(*signaling.Message); ok && m.Peer == door.User {
					n += m.Info["n"]
				}
			}
		}
		must(t, door.Client.Tell(t.Context(), 2, "", map[string]string{"n": "1"}))
		must(t, door.Client.Tell(t.Context(), 2, "phone", map[string]string{"n": "2"}))
		if a, b := heard(phone), heard(tablet); a != "12" || b != "1" {
			t.Errorf("the phone heard %q and the tablet %q, want 12 and 1", a, b)
		}
		for want, f := range map[error]func() error{
			callcore.ErrBadInfo: func() error { return door.Client.Tell(t.Context(), 2, "", map[string]string{"delay": ""}) },
			callcore.ErrBadUser: func() error { return door.Client.Tell(t.Context(), 0, "", map[string]string{"n": ""}) },
		} {
			if err := f(); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		if err := door.Client.Tell(t.Context(), 2, "", nil); !errors.Is(err, callcore.ErrBadInfo) {
			t.Errorf("an empty message: %v", err)
		}
		must(t, door.Client.Tell(t.Context(), 77, "", map[string]string{"n": "1"}))
		if b := callcoretest.Await[callcore.Undeliverable](door); b.User != 77 {
			t.Errorf("to nobody: %+v", b)
		}
	})
}

// TestHangUpOfALiveCall: what comes with a hangUp is judged as of the moment before it,
// also if the connection is seen to close sooner than the signal arrives.
func TestHangUpOfALiveCall(t *testing.T) {
	open := map[string]string{"command": "unlock"}
	for _, c := range []struct {
		name   string
		before func(*callcoretest.Script)
		from   string
		want   string
	}{
		{"in time", func(*callcoretest.Script) {}, "phone", ""},
		{"after the connection", func(p *callcoretest.Script) { p.Renew(); time.Sleep(time.Second) }, "phone", ""},
		{"long after it", func(p *callcoretest.Script) { p.Renew(); time.Sleep(3 * time.Second) }, "phone", "the connection is not up"},
		{"after silence", func(*callcoretest.Script) { time.Sleep(4 * time.Second) }, "phone", "no media for 4s"},
		{"after silence and the connection", func(p *callcoretest.Script) {
			time.Sleep(4 * time.Second)
			p.Renew()
			time.Sleep(time.Second)
		}, "phone", "the connection is not up"},
		{"by another device after the connection", func(p *callcoretest.Script) { p.Renew(); time.Sleep(time.Second) }, "tablet", "it is from another device than the one in the call"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				phone, tablet := w.Script(2, "phone"), w.Script(2, "tablet")
				s := door.Call(signaling.Audio, 2)
				call := phone.Await(signaling.Call)
				answers(t, door, phone, call)
				c.before(phone)
				from := phone
				if c.from == "tablet" {
					from = tablet
				}
				from.Reply(call, signaling.Signal{Kind: signaling.HangUp, Info: open})
				h := callcoretest.Await[callcore.HungUp](door)
				if h.NotLive != c.want || h.Live != (c.want == "") || h.Session != s || h.Wire != call.Session || !maps.Equal(h.Info, open) {
					t.Errorf("%+v, want not live because %q", h, c.want)
				}
			})
		})
	}
}

// TestHangUpWhileRinging ends no live call.
func TestHangUpWhileRinging(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		door.Call(signaling.Audio, 2)
		call := phone.Await(signaling.Call)
		phone.Reply(call, signaling.Signal{Kind: signaling.HangUp})
		if h := callcoretest.Await[callcore.HungUp](door); h.Live || h.NotLive != "the call was not answered" {
			t.Errorf("%+v", h)
		}
	})
}

// TestInfoForOneUser: each phone is called with what is meant for its user alone.
func TestInfoForOneUser(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		a, b := w.Script(2, "a"), w.Script(3, "b")
		s, err := door.Client.NewSession(callcore.Invite{
			Users: []signaling.UserID{2, 3}, CallType: signaling.Audio, Bandwidth: 100,
			Info: map[signaling.UserID]map[string]string{2: {"challenge": "for a", "door": "his"}},
		})
		must(t, err)
		must(t, s.Call(t.Context(), map[string]string{"door": "front"}))
		for _, c := range []struct {
			phone *callcoretest.Script
			want  map[string]string
		}{
			{a, map[string]string{"challenge": "for a", "door": "his", "bandwidth": "100"}},
			{b, map[string]string{"door": "front", "bandwidth": "100"}},
			{a, map[string]string{"challenge": "for a", "door": "his", "bandwidth": "100"}}, // repeated
		} {
			if got := c.phone.Await(signaling.Call).Info; !maps.Equal(got, c.want) {
				t.Errorf("called with %v, want %v", got, c.want)
			}
		}
		invite := callcore.Invite{Users: []signaling.UserID{2}, CallType: signaling.Audio, Info: map[signaling.UserID]map[string]string{3: {"a": "b"}}}
		if _, err := door.Client.NewSession(invite); !errors.Is(err, callcore.ErrNotInSession) {
			t.Errorf("data for who is not called: %v", err)
		}
		invite.Info = map[signaling.UserID]map[string]string{2: {"delay": "b"}}
		s, err = door.Client.NewSession(invite)
		must(t, err)
		if err := s.Call(t.Context(), nil); !errors.Is(err, callcore.ErrBadInfo) {
			t.Errorf("data that cannot be sent: %v", err)
		}
	})
}
