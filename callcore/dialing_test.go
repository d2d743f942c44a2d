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

// line returns the first line of an SDP with this prefix.
func line(sdp, prefix string) string {
	for l := range strings.Lines(sdp) {
		if strings.HasPrefix(l, prefix) {
			return strings.TrimSpace(l)
		}
	}
	return ""
}

// TestDialing: traps 5, 1 and 10. A call is repeated with the same session, ICE credentials and
// fingerprint, and no candidates are sent apart from it.
func TestDialing(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		start := time.Now()
		s := door.Call(signaling.Video, 2)
		got := phone.Listen(2 * time.Minute)
		if len(got) != 13 {
			t.Fatalf("%d signals, want 12 calls and a hangUp", len(got))
		}
		for i, c := range got[:12] {
			if c.Kind != signaling.Call || c.Session != s.ID() || c.Initiator != 1 || c.CallType != signaling.Video ||
				!slices.Equal(c.Opponents, []signaling.UserID{2}) {
				t.Errorf("signal %d: %+v", i, c)
			}
			for _, prefix := range []string{"a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "o=", "a=candidate:"} {
				if a, b := line(got[0].SDP, prefix), line(c.SDP, prefix); a == "" || a != b {
					t.Errorf("call %d has %q, the first one %q", i, b, a)
				}
			}
			if !strings.Contains(c.SDP, "10.0.0.11") {
				t.Errorf("call %d has no host candidate", i)
			}
			if i := strings.Index(c.SDP, "m=audio"); i < 0 || i > strings.Index(c.SDP, "m=video") {
				t.Error("sound does not come before the picture")
			}
		}
		if got[12].Kind != signaling.HangUp {
			t.Errorf("last signal %s", got[12].Kind)
		}
		if took := time.Since(start); took != 2*time.Minute {
			t.Errorf("listened for %v", took)
		}
	})
}

func TestDialingTimes(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		start := time.Now()
		door.Call(signaling.Audio, 2)
		for i := range 12 {
			phone.Await(signaling.Call)
			if got, want := time.Since(start), time.Duration(i)*5*time.Second+w.Hub.Delay; got != want {
				t.Errorf("call %d after %v, want %v", i, got, want)
			}
		}
	})
}

// TestOffer checks what of the offer matters to browsers and phones.
func TestOffer(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		door.Call(signaling.Video, 2)
		sdp := phone.Await(signaling.Call).SDP
		for _, want := range []string{
			"a=setup:actpass", "a=group:BUNDLE 0 1", "a=rtcp-mux", "a=sendrecv",
			"m=video 9 UDP/TLS/RTP/SAVPF 102 103 96 97", // H.264 first
			"a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", "a=fmtp:103 apt=102", "a=fmtp:97 apt=96",
			"a=rtcp-fb:102 nack", "a=rtcp-fb:102 nack pli", "a=rtcp-fb:102 ccm fir", "a=rtcp-fb:102 transport-cc",
			"a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1",
			"draft-holmer-rmcat-transport-wide-cc-extensions-01",
		} {
			if !strings.Contains(sdp, want) {
				t.Errorf("no %q in\n%s", want, sdp)
			}
		}
	})
}

// answered lets a scripted phone accept, and waits for the connection.
func answered(t *testing.T, door *callcoretest.Phone, phone *callcoretest.Script) *signaling.Signal {
	t.Helper()
	call := phone.Await(signaling.Call)
	phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: phone.Answer(call.SDP)})
	callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
	return call
}

// TestFlush: traps 1 and 4. Held candidates leave in one message when the accept is there, to the
// device that accepted, and dialing stops.
func TestFlush(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		door.Call(signaling.Audio, 2)
		call := phone.Await(signaling.Call)
		if got := phone.Listen(4 * time.Second); len(got) != 0 {
			t.Fatalf("%s before the accept", got[0].Kind)
		}
		phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: phone.Answer(call.SDP)})
		got := phone.Listen(time.Minute)
		if len(got) != 2 || got[0].Kind != signaling.Candidates || got[1].Info[callcore.AnsweredElsewhere] != "phone" {
			t.Fatalf("after the accept: %d signals, want one with candidates, and one that says who answered", len(got))
		}
		for _, c := range got[0].Candidates {
			if !strings.HasPrefix(c.Candidate, "candidate:") || c.SDPMid != "0" || c.SDPMLineIndex != 0 {
				t.Errorf("candidate %+v", c)
			}
		}
	})
}

// TestTheirCandidates (trap 19) checks that candidates connect a call when they come on their own:
// before the accept, as phones may send them, and after.
func TestTheirCandidates(t *testing.T) {
	for _, when := range []string{"before", "after", "bad ones too"} {
		t.Run(when, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				phone := w.Script(2, "phone")
				door.Call(signaling.Audio, 2)
				call := phone.Await(signaling.Call)
				var bare strings.Builder
				candidates := []signaling.Candidate{}
				// The phone cannot reach the door by itself.
				for l := range strings.Lines(phone.Answer(withoutCandidates(call.SDP))) {
					if c, ok := strings.CutPrefix(l, "a="); ok && strings.HasPrefix(c, "candidate:") {
						candidates = append(candidates, signaling.Candidate{Candidate: strings.TrimSpace(c), SDPMid: "null"})
						continue
					}
					bare.WriteString(l)
				}
				if when == "bad ones too" {
					bad := []signaling.Candidate{{}, {Candidate: "candidate:"}, {Candidate: "nonsense"}, {Candidate: "candidate:1 1 udp x y z typ q"}}
					candidates = append(bad, candidates...)
				}
				trickle := signaling.Signal{Kind: signaling.Candidates, Candidates: candidates}
				accept := signaling.Signal{Kind: signaling.Accept, SDP: bare.String()}
				if when == "before" {
					phone.Reply(call, trickle)
					phone.Reply(call, accept)
				} else {
					phone.Reply(call, accept)
					phone.Reply(call, trickle)
				}
				callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
			})
		})
	}
}

func withoutCandidates(sdp string) string {
	var b strings.Builder
	for l := range strings.Lines(sdp) {
		if !strings.HasPrefix(l, "a=candidate:") {
			b.WriteString(l)
		}
	}
	return b.String()
}

// TestLateAccept: trap 13. An accept for a session that ended, or that nobody knows, is
// answered with hangUp to the device it is from.
func TestLateAccept(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone, tablet := w.Script(2, "phone"), w.Script(2, "tablet")
		s := door.Call(signaling.Audio, 2)
		call := phone.Await(signaling.Call)
		must(t, s.HangUp(t.Context(), nil))
		phone.Await(signaling.HangUp)
		tablet.Await(signaling.HangUp)
		closed(t, door, callcore.ReasonHungUp)
		for _, session := range []string{call.Session, "never heard of"} {
			late := *call
			late.Session = session
			phone.Reply(&late, signaling.Signal{Kind: signaling.Accept, SDP: "v=0"})
			want := callcore.ErrEnded
			if session != call.Session {
				want = callcore.ErrUnknownSession
			}
			if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, want) || e.User != 2 || e.Device != "phone" {
				t.Errorf("invalid %+v, want %v", e, want)
			}
			if h := phone.AwaitWithin(signaling.HangUp, time.Second); h.Session != session {
				t.Errorf("hangUp for %q, want %q", h.Session, session)
			}
			if got := tablet.Listen(time.Second); len(got) != 0 {
				t.Errorf("the tablet got %s", got[0].Kind)
			}
		}
	})
}

// TestSecondDevice: trap 23. The first device to accept is in the call; others of the same
// user are told, and not listened to.
func TestSecondDevice(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone, tablet := w.Script(2, "phone"), w.Script(2, "tablet")
		s := door.Call(signaling.Audio, 2)
		call := answered(t, door, phone)
		phone.Listen(time.Second)
		for _, k := range []signaling.Kind{signaling.Accept, signaling.Reject, signaling.HangUp, signaling.Candidates} {
			tablet.Reply(call, signaling.Signal{Kind: k, SDP: "v=0", Candidates: []signaling.Candidate{{Candidate: "candidate:x"}}})
			if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrOtherDevice) || e.Device != "tablet" || e.Signal.Kind != k {
				t.Errorf("%s: invalid %+v", k, e)
			}
		}
		tablet.Await(signaling.HangUp) // for its accept
		if got := phone.Listen(time.Second); len(got) != 0 {
			t.Errorf("the phone got %s", got[0].Kind)
		}
		if s.State() != callcore.StateConnected {
			t.Errorf("state %s, want connected", s.State())
		}
		// An accept that is repeated changes nothing.
		phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: "v=0\r\nnonsense"})
		if got := phone.Listen(time.Second); len(got) != 0 {
			t.Errorf("the phone got %s for a repeated accept", got[0].Kind)
		}
		must(t, s.HangUp(t.Context(), nil))
		phone.Await(signaling.HangUp)
		if got := tablet.Listen(time.Second); slices.ContainsFunc(got, func(s *signaling.Signal) bool { return s.Kind == signaling.HangUp }) {
			t.Error("the tablet was hung up on too")
		}
	})
}

// TestDeclinedOnOneDevice: the other devices of a user stop ringing.
func TestDeclinedOnOneDevice(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone, tablet := w.Script(2, "phone"), w.Script(2, "tablet")
		door.Call(signaling.Audio, 2)
		// Trap 14: the SDK's busy reject carries the SDP of the offer.
		call := phone.Await(signaling.Call)
		phone.Reply(call, signaling.Signal{Kind: signaling.Reject, SDP: call.SDP})
		closed(t, door, callcore.ReasonPeerRejected)
		tablet.Await(signaling.HangUp)
	})
}

// TestBadAccept: an accept that cannot be used is answered with hangUp, so that its sender
// does not wait, and does not end the call for the other devices.
func TestBadAccept(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone, tablet := w.Script(2, "phone"), w.Script(2, "tablet")
		door.Call(signaling.Audio, 2)
		call := phone.Await(signaling.Call)
		good := phone.Answer(call.SDP)
		for _, bad := range []string{
			"", "nonsense", "v=0\r\n", strings.Repeat("x", 1<<17),
			strings.Replace(good, "a=fingerprint:sha-256 ", "a=fingerprint:", 1),
			strings.Replace(good, "a=ice-ufrag:", "a=ufrag:", 1),
			strings.Replace(good, "m=audio", "m=video", 1),
			good + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n",
		} {
			phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: bad})
			if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrMalformed) {
				t.Errorf("accept with %.40q: %+v, want %v", bad, e, callcore.ErrMalformed)
			}
			phone.Await(signaling.HangUp)
		}
		answered(t, door, tablet)
	})
}

// TestUselessAccept: an accept that only WebRTC can find out to be useless ends the call.
func TestUselessAccept(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		door.Call(signaling.Audio, 2)
		call := phone.Await(signaling.Call)
		bad := strings.Replace(phone.Answer(call.SDP), "a=mid:0", "a=mid:seven", 1)
		phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: bad})
		c := callcoretest.Await[callcore.Closed](door)
		if c.Reason != callcore.ReasonFailed && c.Reason != callcore.ReasonNotConnected {
			t.Errorf("closed: %s", c.Reason)
		}
		phone.Await(signaling.HangUp)
	})
}

// TestNeverConnects: a path that cannot be found is given up after the disconnect interval.
func TestNeverConnects(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		door.Call(signaling.Audio, 2)
		call := phone.Await(signaling.Call)
		// Its description is all right; nobody is behind the addresses.
		sdp := withoutCandidates(phone.Answer(withoutCandidates(call.SDP)))
		phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: sdp})
		start := time.Now()
		closed(t, door, callcore.ReasonNotConnected)
		if took := time.Since(start); took != 30*time.Second+w.Hub.Delay {
			t.Errorf("given up after %v", took)
		}
		phone.Await(signaling.HangUp)
	})
}

func TestUndeliverable(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		s := door.Call(signaling.Audio, 2) // trap 25: nobody is there
		u := callcoretest.Await[callcore.Undeliverable](door)
		if u.Session != s || u.User != 2 || u.Condition != "service-unavailable" {
			t.Errorf("undeliverable %+v", u)
		}
		// A push message wakes the phone, which finds itself called.
		time.Sleep(12 * time.Second)
		phone := w.Phone(callcoretest.Spec{User: 2})
		in := callcoretest.Await[callcore.Incoming](phone)
		must(t, in.Session.Accept(t.Context(), nil))
		callcoretest.Await[callcore.MediaStarted](door)
	})
}

// TestLinkWhileDialing: the call goes out as soon as the link is back.
func TestLinkWhileDialing(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Phone(callcoretest.Spec{User: 2})
		door.Link.SetLink(false)
		s := door.Call(signaling.Audio, 2)
		if l := callcoretest.AwaitWhere(door, func(l callcore.LinkChanged) bool { return !l.Up }); l.Err == nil {
			t.Error("no reason why the link is down")
		}
		if f := callcoretest.Await[callcore.SendFailed](door); f.Kind != signaling.Call || f.Session != s || f.User != 2 || f.Err == nil {
			t.Errorf("send failed %+v", f)
		}
		time.Sleep(8 * time.Second)
		door.Link.SetLink(true)
		start := time.Now()
		in := callcoretest.Await[callcore.Incoming](phone)
		if took := time.Since(start); took > w.Hub.Delay {
			t.Errorf("the phone rang %v after the link was back", took)
		}
		must(t, in.Session.Accept(t.Context(), nil))
		callcoretest.Await[callcore.MediaStarted](door)
	})
}

// TestLinkWhileTalking: media do not need the chat server, and a hangUp that could not be
// sent is sent later.
func TestLinkWhileTalking(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		s := door.Call(signaling.Audio, 2)
		answered(t, door, phone)
		phone.Listen(time.Second)
		door.Link.SetLink(false)
		phone.Speak(10 * time.Second)
		if s.State() != callcore.StateConnected {
			t.Errorf("state %s, want connected", s.State())
		}
		must(t, s.HangUp(t.Context(), nil))
		closed(t, door, callcore.ReasonHungUp)
		if got := phone.Listen(time.Minute); len(got) != 0 {
			t.Fatalf("%s over a dead link", got[0].Kind)
		}
		door.Link.SetLink(true)
		phone.Await(signaling.HangUp)
	})
}

// TestConnectionLost: the disconnect interval counts from the loss, and a call that comes
// back goes on.
func TestConnectionLost(t *testing.T) {
	for _, back := range []bool{false, true} {
		t.Run(map[bool]string{false: "for good", true: "for a while"}[back], func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				phone := w.Phone(callcoretest.Spec{User: 2})
				out, _ := connect(t, door, phone, signaling.Audio)
				cut := w.Cut()
				start := time.Now()
				callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerDisconnected })
				if took := time.Since(start); took < 4*time.Second || took > 8*time.Second {
					t.Errorf("the loss was noticed after %v", took)
				}
				if back {
					time.Sleep(10 * time.Second)
					cut(false)
					callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
					if out.State() != callcore.StateConnected {
						t.Errorf("state %s", out.State())
					}
					return
				}
				lost := time.Now()
				closed(t, door, callcore.ReasonLost)
				if took := time.Since(lost); took != 30*time.Second {
					t.Errorf("given up %v after the loss, want 30s", took)
				}
				callcoretest.Await[callcore.Closed](phone)
			})
		})
	}
}

// TestStop: Run hangs up what is live.
func TestStop(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Phone(callcoretest.Spec{User: 2})
		out, _ := connect(t, door, phone, signaling.Video)
		door.Stop()
		closed(t, door, callcore.ReasonStopped)
		callcoretest.Await[callcore.HungUp](phone)
		if err := out.HangUp(t.Context(), nil); !errors.Is(err, callcore.ErrStopped) {
			t.Errorf("hang up after the end: %v, want %v", err, callcore.ErrStopped)
		}
	})
}

// TestStopOnDeadLink: Run ends although the last hangUp cannot be written.
func TestStopOnDeadLink(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		door.Call(signaling.Audio, 2)
		synctest.Wait()
		door.Link.SetLink(false)
		start := time.Now()
		door.Stop()
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("took %v", took)
		}
	})
}
