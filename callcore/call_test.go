package callcore_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/capture"
	"intercom/signaling"
)

// bubble runs a test in a bubble, with a door (user 1) on a network.
func bubble(t *testing.T, f func(*testing.T, *callcoretest.World, *callcoretest.Phone)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		f(t, w, w.Phone(callcoretest.Spec{User: 1, Device: "door"}))
	})
}

// connect puts two phones into a call, with media flowing both ways.
func connect(t *testing.T, from, to *callcoretest.Phone, ct signaling.CallType) (out, in *callcore.Session) {
	t.Helper()
	return connectWith(t, from, to, callcore.Invite{Users: []signaling.UserID{to.User}, CallType: ct})
}

func connectWith(t *testing.T, from, to *callcoretest.Phone, inv callcore.Invite) (out, in *callcore.Session) {
	t.Helper()
	out = from.Invite(inv)
	in = callcoretest.Await[callcore.Incoming](to).Session
	must(t, in.Accept(t.Context(), nil))
	callcoretest.Await[callcore.MediaStarted](from)
	callcoretest.Await[callcore.MediaStarted](to)
	return out, in
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// closed waits for the end of the session.
func closed(t *testing.T, p *callcoretest.Phone, want callcore.Reason) {
	t.Helper()
	c := callcoretest.Await[callcore.Closed](p)
	if c.Reason != want {
		t.Errorf("phone %s: closed: %s, want %s", p.User, c.Reason, want)
	}
	if got := c.Session.State(); got != callcore.StateClosed {
		t.Errorf("phone %s: state %s, want closed", p.User, got)
	}
}

func TestAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Phone(callcoretest.Spec{User: 2})
		s, err := door.NewSession(callcore.Invite{Users: []signaling.UserID{2}, CallType: signaling.Video})
		must(t, err)
		must(t, s.Call(t.Context(), map[string]string{"button": "main"}))
		start := time.Now()
		in := callcoretest.Await[callcore.Incoming](phone)
		if in.User != 1 || in.Device != "door" || in.CallType != signaling.Video || in.Session.ID() != s.ID() ||
			in.Info["button"] != "main" || !slices.Equal(in.Opponents, []signaling.UserID{2}) {
			t.Errorf("incoming %+v", in)
		}
		if in.Session.Initiator() != 1 || !in.Session.Incoming() || s.Incoming() || !slices.Equal(in.Session.Users(), []signaling.UserID{1}) {
			t.Errorf("incoming session %+v", in.Session)
		}
		// One signal's delay, and nothing else in virtual time.
		if took := time.Since(start); took > w.Hub.Delay+time.Millisecond {
			t.Errorf("the phone rang after %v", took)
		}
		time.Sleep(7 * time.Second) // the resident takes time; the camera is on
		if got := door.Media.OpenFeeds(); got != 2 {
			t.Errorf("%d feeds open while ringing, want 2", got)
		}
		if got := phone.Media.OpenFeeds(); got != 0 {
			t.Errorf("%d feeds open at the phone before it answers", got)
		}

		accepted := time.Now()
		must(t, in.Session.Accept(t.Context(), map[string]string{"floor": "3"}))
		if a := callcoretest.Await[callcore.Accepted](door); a.User != 2 || a.Device != "phone" || a.Info["floor"] != "3" || a.Session != s {
			t.Errorf("accepted %+v", a)
		}
		callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
		// Signal, ICE and DTLS take about ten one-way trips; a round of ICE checks that
		// had to be waited for would take 200 ms.
		if took := time.Since(accepted); took > 60*time.Millisecond {
			t.Errorf("connected after %v", took)
		}
		callcoretest.AwaitWhere(phone, func(m callcore.MediaStarted) bool { return m.Codec == capture.H264 })
		if took := time.Since(accepted); took > 60*time.Millisecond {
			t.Errorf("the picture came after %v", took)
		}
		callcoretest.Await[callcore.MediaStarted](door)
		if s.State() != callcore.StateConnected || in.Session.State() != callcore.StateConnected {
			t.Errorf("states %s and %s, want connected", s.State(), in.Session.State())
		}

		time.Sleep(10 * time.Second)
		for _, st := range []callcore.Stats{s.Stats()[0], in.Session.Stats()[0]} {
			if st.Audio.Codec != capture.Opus || st.Video.Codec != capture.H264 || st.Audio.PacketsReceived < 490 || st.Video.PacketsReceived < 600 {
				t.Errorf("stats %+v", st)
			}
		}
		if got := door.Media.Played(2); got < 490 {
			t.Errorf("the door played %d packets", got)
		}
		if got := phone.Media.Played(1); got < 490 {
			t.Errorf("the phone played %d packets", got)
		}
	})
}

func TestAudioCall(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Phone(callcoretest.Spec{User: 2})
		out, _ := connect(t, door, phone, signaling.Audio)
		time.Sleep(time.Second)
		st := out.Stats()[0]
		if st.Audio.PacketsReceived < 45 || st.Video.PacketsSent != 0 || st.Video.Codec != "" {
			t.Errorf("stats %+v", st)
		}
		for _, c := range append(door.Media.Opened(), phone.Media.Opened()...) {
			if c.IsVideo() {
				t.Errorf("%s was opened in an audio call", c)
			}
		}
	})
}

// TestCodec checks which codec is sent, whatever both can.
func TestCodec(t *testing.T) {
	for _, c := range []struct {
		theirs []capture.Codec
		want   capture.Codec
	}{
		{[]capture.Codec{capture.VP8, capture.H264, capture.Opus}, capture.H264}, // the SDK puts VP8 first
		{[]capture.Codec{capture.VP8, capture.Opus}, capture.VP8},                // trap 21: Safari
		{[]capture.Codec{capture.Opus}, ""},                                      // no picture, but a call
	} {
		t.Run(string(c.want), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				phone := w.Phone(callcoretest.Spec{User: 2, Codecs: c.theirs})
				out, _ := connect(t, door, phone, signaling.Video)
				time.Sleep(time.Second)
				st := out.Stats()[0]
				if st.Video.Codec != c.want || (st.Video.PacketsSent > 0) != (c.want != "") || st.Audio.PacketsReceived == 0 {
					t.Errorf("stats %+v, want %s", st, c.want)
				}
				if opened := door.Media.Opened(); c.want != "" && opened[len(opened)-1] != c.want && c.want != capture.H264 {
					t.Errorf("opened %v, want %s last", opened, c.want)
				}
				if got, want := door.Media.OpenFeeds(), 2; c.want != "" && got != want {
					t.Errorf("%d feeds open, want %d", got, want)
				}
			})
		})
	}
}

func TestDeclined(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Phone(callcoretest.Spec{User: 2})
		door.Call(signaling.Video, 2)
		in := callcoretest.Await[callcore.Incoming](phone)
		must(t, in.Session.Reject(t.Context(), map[string]string{"why": "asleep"}))
		closed(t, phone, callcore.ReasonRejected)
		if r := callcoretest.Await[callcore.Rejected](door); r.User != 2 || r.Device != "phone" || r.Info["why"] != "asleep" {
			t.Errorf("rejected %+v", r)
		}
		closed(t, door, callcore.ReasonPeerRejected)
		if got := door.Media.OpenFeeds(); got != 0 {
			synctest.Wait()
			if got = door.Media.OpenFeeds(); got != 0 {
				t.Errorf("%d feeds open after the call", got)
			}
		}
	})
}

func TestNotAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		start := time.Now()
		phone := w.Script(2, "phone")
		door.Call(signaling.Audio, 2)
		phone.Await(signaling.Call)
		if n := callcoretest.Await[callcore.NotAnswered](door); n.User != 2 {
			t.Errorf("not answered %+v", n)
		}
		if took := time.Since(start); took != time.Minute {
			t.Errorf("gave up after %v, want 1m", took)
		}
		closed(t, door, callcore.ReasonNotAnswered)
		// Trap 12: a JS caller would send nothing, and leave the phone ringing.
		if h := phone.Await(signaling.HangUp); h.Device != "door" {
			t.Errorf("hangUp %+v", h)
		}
	})
}

func TestNotAnsweredByUs(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		caller := w.Script(2, "phone")
		start := time.Now()
		for range 14 { // repeats do not restart the timer
			caller.Post(signaling.Signal{Kind: signaling.Call, Peer: 1, Session: "S", SDP: caller.Offer()})
			time.Sleep(4 * time.Second)
		}
		callcoretest.Await[callcore.Incoming](door)
		callcoretest.Await[callcore.NotAnswered](door)
		if took := time.Since(start); took != time.Minute+w.Hub.Delay {
			t.Errorf("gave up after %v, want 1m", took)
		}
		closed(t, door, callcore.ReasonNotAnswered)
		if got := caller.Listen(time.Second); len(got) != 0 {
			t.Errorf("the caller was sent %+v", got[0])
		}
	})
}

func TestCancelled(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Phone(callcoretest.Spec{User: 2})
		s := door.Call(signaling.Video, 2)
		callcoretest.Await[callcore.Incoming](phone)
		must(t, s.HangUp(t.Context(), nil))
		closed(t, door, callcore.ReasonHungUp)
		if h := callcoretest.Await[callcore.HungUp](phone); h.User != 1 {
			t.Errorf("hung up %+v", h)
		}
		closed(t, phone, callcore.ReasonPeerHungUp)
	})
}

func TestHungUp(t *testing.T) {
	for _, who := range []string{"caller", "callee"} {
		t.Run(who, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				phone := w.Phone(callcoretest.Spec{User: 2})
				out, in := connect(t, door, phone, signaling.Video)
				s, first, second := out, door, phone
				if who == "callee" {
					s, first, second = in, phone, door
				}
				must(t, s.HangUp(t.Context(), map[string]string{"bye": "bye"}))
				closed(t, first, callcore.ReasonHungUp)
				// DTLS closes sooner than the hangUp arrives; that must not count as a loss.
				if h := callcoretest.Await[callcore.HungUp](second); h.User != first.User || h.Device != first.Device || h.Info["bye"] != "bye" {
					t.Errorf("hung up %+v", h)
				}
				closed(t, second, callcore.ReasonPeerHungUp)
				synctest.Wait()
				if n := door.Media.OpenFeeds() + phone.Media.OpenFeeds(); n != 0 {
					t.Errorf("%d feeds open after the call", n)
				}
			})
		})
	}
}

// TestEventOrder checks the events of a whole call, in order.
func TestEventOrder(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Phone(callcoretest.Spec{User: 2})
		out, _ := connect(t, door, phone, signaling.Audio)
		must(t, out.HangUp(t.Context(), nil))
		closed(t, door, callcore.ReasonHungUp)
		closed(t, phone, callcore.ReasonPeerHungUp)
		want := map[*callcoretest.Phone]string{
			door: "pending session:calling Accepted connecting session:connecting checking connected completed session:connected " +
				"MediaStarted Established session:closing closed ConnectionClosed Closed",
			phone: "Incoming connecting session:connecting checking connected completed session:connected " +
				"MediaStarted Established HungUp session:closing hung up ConnectionClosed Closed",
		}
		for p, want := range want {
			var got []string
			var last time.Time
			lost := false
			for _, e := range p.Seen {
				name := reflect.TypeOf(e).Name()
				switch c := e.(type) {
				case callcore.LinkChanged:
					continue // it is there from the start, and may come after the call
				case callcore.ConnectionChanged:
					name = c.State.String()
				case callcore.SessionChanged:
					name = "session:" + c.State.String()
				}
				if lost = name == "disconnected" || lost && name == "session:connecting"; lost {
					continue // DTLS may close before the hangUp comes
				}
				got = append(got, name)
				if h := e.Header(); h.Time.Before(last) {
					t.Errorf("%s is older than the event before", name)
				} else {
					last = h.Time
				}
			}
			if s := strings.Join(got, " "); s != want {
				t.Errorf("phone %s saw %s\nwant %s", p.User, s, want)
			}
		}
	})
}

func TestMute(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Phone(callcoretest.Spec{User: 2})
		out, _ := connect(t, door, phone, signaling.Video)
		out.Mute(callcore.VideoTrack, true)
		out.Mute(callcore.AudioTrack, true)
		time.Sleep(time.Second)
		before := out.Stats()[0]
		time.Sleep(2 * time.Second)
		during := out.Stats()[0]
		if n := during.Video.PacketsSent - before.Video.PacketsSent; n < 1 || n > 3*3 {
			t.Errorf("%d packets of video while muted, want those of a black picture a second", n)
		}
		if n := door.Media.OpenFeeds(); n != 1 {
			t.Errorf("%d feeds open while the camera is muted, want that of sound", n)
		}
		// Silence goes on, so that the call stays live.
		packets, bytes := during.Audio.PacketsSent-before.Audio.PacketsSent, during.Audio.BytesSent-before.Audio.BytesSent
		if packets < 90 || bytes != 3*packets {
			t.Errorf("%d packets with %d bytes of sound while muted", packets, bytes)
		}
		out.Mute(callcore.VideoTrack, false)
		time.Sleep(time.Second)
		if n := out.Stats()[0].Video.PacketsSent - during.Video.PacketsSent; n < 30 {
			t.Errorf("%d packets of video after the mute", n)
		}
		if n := door.Media.OpenFeeds(); n != 2 {
			t.Errorf("%d feeds open after the mute, want 2", n)
		}
	})
}

func TestBrokenCamera(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Phone(callcoretest.Spec{User: 2})
		broken := errors.New("no such camera")
		door.Media.Break(capture.H264, broken)
		door.Call(signaling.Video, 2)
		in := callcoretest.Await[callcore.Incoming](phone)
		if f := callcoretest.Await[callcore.MediaFailed](door); f.Codec != capture.H264 || !errors.Is(f.Err, broken) {
			t.Errorf("media failed %+v", f)
		}
		must(t, in.Session.Accept(t.Context(), nil))
		callcoretest.Await[callcore.MediaStarted](door)
		if m := callcoretest.Await[callcore.MediaStarted](phone); m.Codec != capture.Opus {
			t.Errorf("media started %+v", m)
		}
	})
}

// TestBestPathLeadsNowhere answers with an address that nobody has as the best of all: the
// call takes what works, without waiting for another round of checks.
func TestBestPathLeadsNowhere(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		s := door.Call(signaling.Video, 2)
		call := phone.Await(signaling.Call)
		answer := strings.Replace(phone.Answer(call.SDP), "a=mid:0\r\n", "a=mid:0\r\na=candidate:1 1 udp 4294967295 10.9.9.9 9 typ host\r\n", 1)
		start := time.Now()
		phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: answer})
		callcoretest.AwaitWhere(door, func(e callcore.ConnectionChanged) bool { return e.State == callcore.PeerConnected })
		if d := time.Since(start); d > 150*time.Millisecond {
			t.Errorf("it took %v to connect, want less than one round of 200 ms", d)
		}
		must(t, s.HangUp(t.Context(), nil))
	})
}
