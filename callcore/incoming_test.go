package callcore_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/webrtc/v4"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/capture"
	"intercom/signaling"
)

// callDoor lets a scripted phone call the door, and returns the door's session.
func callDoor(t *testing.T, door *callcoretest.Phone, phone *callcoretest.Script, id string) *callcore.Session {
	t.Helper()
	phone.Post(signaling.Signal{Kind: signaling.Call, Peer: 1, Session: id, SDP: phone.Offer()})
	in := callcoretest.Await[callcore.Incoming](door)
	if in.User != phone.Self() || in.Device != phone.Device() || in.Session.ID() != id {
		t.Errorf("incoming %+v", in)
	}
	return in.Session
}

// TestAccepting: the answer mirrors the offer, is active, has our candidates, and they are
// sent once more a little later (traps 2 and 18).
func TestAccepting(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		s := callDoor(t, door, phone, "S-Upper-CASE")
		must(t, s.Accept(t.Context(), map[string]string{"hello": "there"}))
		a := phone.Await(signaling.Accept)
		if a.Session != "S-Upper-CASE" || a.Initiator != 2 || len(a.Opponents) != 1 || a.Opponents[0] != 1 || a.Info["hello"] != "there" {
			t.Errorf("accept %+v", a)
		}
		for _, want := range []string{"a=setup:active", "a=sendrecv", "10.0.0.11"} {
			if !strings.Contains(a.SDP, want) {
				t.Errorf("no %q in %s", want, a.SDP)
			}
		}
		if strings.Contains(a.SDP, "m=video") { // trap 22
			t.Error("an audio call was answered with video")
		}
		accepted := time.Now()
		phone.Accepted(withoutCandidates(a.SDP)) // they do without those in the SDP
		c := phone.Await(signaling.Candidates)
		if took := time.Since(accepted); took < 500*time.Millisecond || len(c.Candidates) == 0 {
			t.Errorf("%d candidates again after %v", len(c.Candidates), took)
		}
		callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
		if got := phone.Listen(time.Minute); len(got) != 0 {
			t.Errorf("the phone got %s", got[0].Kind)
		}
	})
}

// TestForeignOffers: what browsers and phones of all ages offer is answered with Opus, and
// H.264 or VP8.
func TestForeignOffers(t *testing.T) {
	cases := map[string]func(string) string{
		"line feeds only": func(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }, // trap 20
		"mids of old phones": func(s string) string { // trap 19
			s = strings.Replace(s, "BUNDLE 0 1", "BUNDLE audio video", 1)
			s = strings.Replace(s, "a=mid:0", "a=mid:audio", 1)
			return strings.Replace(s, "a=mid:1", "a=mid:video", 1)
		},
		"ISAC first": func(s string) string { // trap 21
			s = strings.Replace(s, "m=audio 9 UDP/TLS/RTP/SAVPF 111", "m=audio 9 UDP/TLS/RTP/SAVPF 103 104 111", 1)
			return strings.Replace(s, "a=rtpmap:111", "a=rtpmap:103 ISAC/16000\r\na=rtpmap:104 ISAC/32000\r\na=rtpmap:111", 1)
		},
		"one bad candidate": func(s string) string {
			return strings.Replace(s, "a=candidate:", "a=candidate:1 1 udp nonsense\r\na=candidate:", 1)
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				phone := w.Script(2, "phone")
				if _, err := phone.PeerConnection().AddTransceiverFromKind(webrtc.RTPCodecTypeVideo); err != nil {
					t.Fatal(err)
				}
				phone.Post(signaling.Signal{Kind: signaling.Call, Peer: 1, Session: "S", CallType: signaling.Video, SDP: change(phone.Offer())})
				s := callcoretest.Await[callcore.Incoming](door).Session
				must(t, s.Accept(t.Context(), nil))
				sdp := phone.Await(signaling.Accept).SDP
				for _, want := range []string{"opus/48000/2", "H264/90000", "VP8/90000"} {
					if !strings.Contains(sdp, want) {
						t.Errorf("no %q in %s", want, sdp)
					}
				}
				if strings.Contains(sdp, "ISAC") {
					t.Error("ISAC in the answer")
				}
				for _, m := range []string{"audio", "video"} {
					if name == "mids of old phones" && !strings.Contains(sdp, "a=mid:"+m) {
						t.Errorf("no mid %q in %s", m, sdp)
					}
				}
				if name != "mids of old phones" {
					phone.Accepted(sdp)
				}
				if name == "mids of old phones" {
					return // the script's own mids are others
				}
				callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
				time.Sleep(time.Second)
				if st := s.Stats()[0]; st.Video.Codec != capture.H264 || st.Video.PacketsSent == 0 {
					t.Errorf("stats %+v", st)
				}
			})
		})
	}
}

// TestRepeatedCall: traps 5 and 31. Repeats ring once; the newest description counts; after
// the end they do not ring again.
func TestRepeatedCall(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		call := signaling.Signal{Kind: signaling.Call, Peer: 1, Session: "S", SDP: phone.Offer()}
		stale := call
		stale.SDP = strings.Replace(call.SDP, "a=ice-pwd:", "a=ice-pwd:stale", 1)
		phone.Post(stale)
		s := callcoretest.Await[callcore.Incoming](door).Session
		phone.Post(call)
		if got := door.Idle(time.Second); len(got) != 0 {
			t.Errorf("a repeated call: %#v", got[0])
		}
		must(t, s.Accept(t.Context(), nil))
		phone.Post(call) // crosses the accept
		phone.Accepted(phone.Await(signaling.Accept).SDP)
		callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
		phone.Post(call)
		must(t, s.HangUp(t.Context(), nil))
		phone.Await(signaling.HangUp)
		closed(t, door, callcore.ReasonHungUp)
		for range 20 {
			phone.Post(call) // it has missed the hangUp
			if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrEnded) {
				t.Errorf("invalid %+v", e)
			}
			phone.Await(signaling.HangUp)
			time.Sleep(5 * time.Second)
		}
		// In the end it is forgotten, and may as well be a new one.
		time.Sleep(5 * time.Minute)
		phone.Post(call)
		callcoretest.Await[callcore.Incoming](door)
	})
}

// TestLostAccept: a call that is repeated long after the accept means that it was lost.
func TestLostAccept(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		s := callDoor(t, door, phone, "S")
		must(t, s.Accept(t.Context(), nil))
		first := phone.Await(signaling.Accept) // and dropped
		time.Sleep(4 * time.Second)
		phone.Post(signaling.Signal{Kind: signaling.Call, Peer: 1, Session: "S", SDP: phone.Offer()})
		again := phone.AwaitWithin(signaling.Accept, time.Second)
		if again.SDP != first.SDP {
			t.Errorf("accepted with\n%s\nand then with\n%s", first.SDP, again.SDP)
		}
		phone.Accepted(again.SDP)
		callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
	})
}

// TestAcceptOnDeadLink: an accept that could not be sent is sent when the link is back.
func TestAcceptOnDeadLink(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		s := callDoor(t, door, phone, "S")
		door.Link.SetLink(false)
		must(t, s.Accept(t.Context(), nil))
		if f := callcoretest.Await[callcore.SendFailed](door); f.Kind != signaling.Accept {
			t.Errorf("send failed %+v", f)
		}
		door.Link.SetLink(true)
		phone.Accepted(phone.AwaitWithin(signaling.Accept, time.Second).SDP)
		callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
	})
}

// TestCallerWithNewResource: the JS SDK gets a new resource when it reconnects while it
// calls; it is answered there.
func TestCallerWithNewResource(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		before, after := w.Script(2, "before"), w.Script(2, "after")
		s := callDoor(t, door, before, "S")
		after.Post(signaling.Signal{Kind: signaling.Call, Peer: 1, Session: "S", SDP: after.Offer()})
		time.Sleep(time.Second)
		must(t, s.Accept(t.Context(), nil))
		after.Accepted(after.Await(signaling.Accept).SDP)
		if c := callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected }); c.Device != "after" {
			t.Errorf("connected %+v", c)
		}
	})
}

// TestEarlyCandidates: those that come while we ring are used when we accept.
func TestEarlyCandidates(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		offer := phone.Offer()
		phone.Post(signaling.Signal{Kind: signaling.Call, Peer: 1, Session: "S", SDP: withoutCandidates(offer)})
		var list []signaling.Candidate
		for l := range strings.Lines(offer) {
			if c, ok := strings.CutPrefix(l, "a=candidate:"); ok {
				list = append(list, signaling.Candidate{Candidate: "candidate:" + strings.TrimSpace(c), SDPMid: "audio"})
			}
		}
		phone.Post(signaling.Signal{Kind: signaling.Candidates, Peer: 1, Session: "S", Candidates: list})
		// Nobody fills our memory that way.
		many := make([]signaling.Candidate, 100)
		phone.Post(signaling.Signal{Kind: signaling.Candidates, Peer: 1, Session: "S", Candidates: many})
		if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrOverflow) {
			t.Errorf("invalid %+v", e)
		}
		s := door.Seen[1].(callcore.Incoming).Session
		must(t, s.Accept(t.Context(), nil))
		phone.Accepted(withoutCandidates(phone.Await(signaling.Accept).SDP))
		callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
	})
}

// TestCancelledByCaller: also by a reject, which the SDKs accept for it.
func TestCancelledByCaller(t *testing.T) {
	for kind, want := range map[signaling.Kind]callcore.Reason{signaling.HangUp: callcore.ReasonPeerHungUp, signaling.Reject: callcore.ReasonPeerRejected} {
		t.Run(kind.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				phone := w.Script(2, "phone")
				s := callDoor(t, door, phone, "S")
				phone.Post(signaling.Signal{Kind: kind, Peer: 1, Session: "S"})
				closed(t, door, want)
				if err := s.Accept(t.Context(), nil); !errors.Is(err, callcore.ErrClosed) {
					t.Errorf("accept: %v, want %v", err, callcore.ErrClosed)
				}
				phone.Post(signaling.Signal{Kind: kind, Peer: 1, Session: "S"}) // trap 11
				if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrEnded) || e.Session != s {
					t.Errorf("invalid %+v", e)
				}
			})
		})
	}
}

// TestBusy: a second call is rejected, however often it is repeated and even when the
// first one has ended meanwhile; the first one does not notice.
func TestBusy(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone, other := w.Phone(callcoretest.Spec{User: 2}), w.Script(3, "other")
		out, _ := connect(t, door, phone, signaling.Audio)
		call := signaling.Signal{Kind: signaling.Call, Peer: 1, Session: "B", SDP: other.Offer()}
		other.Post(call)
		if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrBusy) || e.User != 3 || e.Signal.Session != "B" {
			t.Errorf("invalid %+v", e)
		}
		if r := other.AwaitWithin(signaling.Reject, time.Second); r.Session != "B" || r.Initiator != 3 || r.SDP != "" {
			t.Errorf("reject %+v", r)
		}
		if out.State() != callcore.StateConnected {
			t.Errorf("state %s", out.State())
		}
		must(t, out.HangUp(t.Context(), nil))
		closed(t, door, callcore.ReasonHungUp)
		other.Post(call) // the reject was lost
		other.AwaitWithin(signaling.Reject, time.Second)
		call.Session = "C"
		other.Post(call)
		callcoretest.Await[callcore.Incoming](door)
	})
}

// TestNoRing lists calls that do not ring.
func TestNoRing(t *testing.T) {
	cases := map[string]struct {
		change func(*signaling.Signal)
		want   error
	}{
		"no SDP":           {func(s *signaling.Signal) { s.SDP = "" }, callcore.ErrMalformed},
		"bad SDP":          {func(s *signaling.Signal) { s.SDP = "v=0\r\nm=audio" }, callcore.ErrMalformed},
		"SDP without mids": {func(s *signaling.Signal) { s.SDP = strings.ReplaceAll(s.SDP, "a=mid:", "a=x-mid:") }, callcore.ErrMalformed},
		"huge SDP":         {func(s *signaling.Signal) { s.SDP += strings.Repeat("a=x\r\n", 20000) }, callcore.ErrMalformed},
		"no session":       {func(s *signaling.Signal) { s.Session = "" }, callcore.ErrMalformed},
		"no call type":     {func(s *signaling.Signal) { s.CallType = 7 }, callcore.ErrMalformed},
		"not the caller":   {func(s *signaling.Signal) { s.Initiator = 9 }, callcore.ErrUnknownSession}, // trap 9
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				phone := w.Script(2, "phone")
				s := signaling.Signal{Kind: signaling.Call, Peer: 1, Session: "S", SDP: phone.Offer()}
				good := s
				c.change(&s)
				phone.Post(s)
				if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, c.want) || e.Session != nil || e.User != 2 {
					t.Errorf("invalid %+v, want %v", e, c.want)
				}
				phone.Post(good) // and nobody is deaf
				callcoretest.Await[callcore.Incoming](door)
			})
		})
	}
}

// TestUnknownSession: signals for no session are reported, and no more.
func TestUnknownSession(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		for _, k := range []signaling.Kind{signaling.Reject, signaling.HangUp, signaling.Candidates, signaling.Update, signaling.Kind(99)} {
			phone.Post(signaling.Signal{Kind: k, Peer: 1, Session: "?", Candidates: []signaling.Candidate{{Candidate: "candidate:"}}})
			if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrUnknownSession) || e.Session != nil || e.Signal.Kind != k {
				t.Errorf("%s: invalid %+v", k, e)
			}
		}
		if got := phone.Listen(time.Second); len(got) != 0 {
			t.Errorf("the phone got %s", got[0].Kind)
		}
	})
}

// TestStranger: a signal for a session of somebody else.
func TestStranger(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone, stranger := w.Phone(callcoretest.Spec{User: 2}), w.Script(3, "stranger")
		out, _ := connect(t, door, phone, signaling.Audio)
		for _, k := range []signaling.Kind{signaling.Accept, signaling.HangUp, signaling.Update} {
			stranger.Post(signaling.Signal{Kind: k, Peer: 1, Session: out.ID(), Initiator: 1})
			if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrNotParticipant) || e.User != 3 {
				t.Errorf("%s: invalid %+v", k, e)
			}
		}
		if out.State() != callcore.StateConnected {
			t.Errorf("state %s", out.State())
		}
	})
}

// TestOutOfPlace: signals that have no business in this state of a call.
func TestOutOfPlace(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		s := callDoor(t, door, phone, "S")
		phone.Post(signaling.Signal{Kind: signaling.Accept, Peer: 1, Session: "S", SDP: phone.Offer()})
		if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrOutOfPlace) {
			t.Errorf("invalid %+v", e)
		}
		must(t, s.Reject(t.Context(), nil))
		phone.Await(signaling.Reject)
		closed(t, door, callcore.ReasonRejected)

		door.Call(signaling.Audio, 2)
		call := phone.Await(signaling.Call)
		phone.Reply(call, signaling.Signal{Kind: signaling.Call, SDP: phone.Offer()}) // trap 6
		if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrOutOfPlace) {
			t.Errorf("invalid %+v", e)
		}
		synctest.Wait()
	})
}
