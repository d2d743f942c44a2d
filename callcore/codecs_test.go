package callcore_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/capture"
	"intercom/signaling"
)

// without takes codecs out of a description, with their retransmissions.
func without(text string, names ...string) string {
	gone := map[string]bool{}
	for _, m := range regexp.MustCompile(`a=rtpmap:(\d+) ([^/\s]+)/`).FindAllStringSubmatch(text, -1) {
		gone[m[1]] = slices.Contains(names, m[2])
	}
	for _, m := range regexp.MustCompile(`a=fmtp:(\d+) apt=(\d+)`).FindAllStringSubmatch(text, -1) {
		gone[m[1]] = gone[m[2]]
	}
	var b strings.Builder
	of := regexp.MustCompile(`^a=(?:rtpmap|fmtp|rtcp-fb):(\d+)`)
	for line := range strings.Lines(text) {
		if m := of.FindStringSubmatch(line); m != nil && gone[m[1]] {
			continue
		}
		if strings.HasPrefix(line, "m=") {
			f := strings.Fields(line)
			formats := slices.DeleteFunc(f[3:], func(s string) bool { return gone[s] })
			line = strings.Join(append(f[:3:3], formats...), " ") + "\r\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

// TestCodecPerPeer: H.264 with who can, VP8 with who cannot, and sound alone, with an event
// that tells why, with who has neither. In both directions of the call.
func TestCodecPerPeer(t *testing.T) {
	for name, c := range map[string]struct {
		lacks []string
		want  capture.Codec
	}{
		"all":        {nil, capture.H264},
		"no H.264":   {[]string{"H264"}, capture.VP8}, // trap 21
		"no VP8":     {[]string{"VP8"}, capture.H264},
		"neither":    {[]string{"H264", "VP8"}, ""},
		"Opus alone": {[]string{"G722", "PCMU", "PCMA"}, capture.H264},
	} {
		check := func(t *testing.T, door *callcoretest.Phone, phone *callcoretest.Script, s *callcore.Session) {
			if c.want == "" {
				i := slices.IndexFunc(door.Seen, func(e callcore.Event) bool { _, is := e.(callcore.MediaFailed); return is })
				if i < 0 {
					t.Error("no event tells why there are no pictures")
				} else if f := door.Seen[i].(callcore.MediaFailed); !errors.Is(f.Err, callcore.ErrNoCommonCodec) || !f.Codec.IsVideo() || f.User != 2 {
					t.Errorf("%+v", f)
				} else if !strings.Contains(f.Err.Error(), "VP9") {
					t.Errorf("the reason does not say what the peer has: %v", f.Err)
				}
			}
			phone.Speak(time.Second)
			st := s.Stats()[0]
			if st.Video.Codec != c.want || (st.Video.PacketsSent != 0) != (c.want != "") {
				t.Errorf("%d packets of %q, want %q", st.Video.PacketsSent, st.Video.Codec, c.want)
			}
			if st.Audio.PacketsSent < 40 || st.Audio.PacketsReceived < 40 {
				t.Errorf("sound: %+v", st.Audio)
			}
			if c.want == "" && door.Media.OpenFeeds() != 1 {
				t.Errorf("%d feeds open, want that of sound", door.Media.OpenFeeds())
			}
		}
		t.Run(name+" in the offer", func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				phone := w.Script(2, "phone")
				if _, err := phone.PeerConnection().AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
					t.Fatal(err)
				}
				phone.Post(signaling.Signal{Kind: signaling.Call, Peer: 1, Session: "S", CallType: signaling.Video, SDP: without(phone.Offer(), c.lacks...)})
				s := callcoretest.Await[callcore.Incoming](door).Session
				must(t, s.Accept(t.Context(), nil))
				phone.Accepted(phone.Await(signaling.Accept).SDP)
				callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
				check(t, door, phone, s)
			})
		})
		t.Run(name+" in the answer", func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				phone := w.Script(2, "phone")
				s := door.Call(signaling.Video, 2)
				call := phone.Await(signaling.Call)
				answer := phone.Answer(call.SDP)
				if c.want == "" { // one has to be there
					answer = strings.ReplaceAll(strings.ReplaceAll(answer, "H264/90000", "VP9/90000"), "VP8/90000", "VP9/90000")
				} else {
					answer = without(answer, c.lacks...)
				}
				phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: answer})
				callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
				check(t, door, phone, s)
			})
		})
	}
}

// TestNoSoundInCommon: a call or an accept without Opus is refused, in an event and on the
// wire.
func TestNoSoundInCommon(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		offer := strings.ReplaceAll(phone.Offer(), "opus/48000/2", "ISAC/16000")
		phone.Post(signaling.Signal{Kind: signaling.Call, Peer: 1, Session: "S", SDP: offer})
		if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrNoCommonCodec) || !strings.Contains(e.Err.Error(), "ISAC") {
			t.Errorf("invalid %+v", e)
		}
		if g := phone.Await(signaling.Reject); g.Session != "S" {
			t.Errorf("reject %+v", g)
		}
		// It is as good as any other from then on.
		phone.Renew()
		s := callDoor(t, door, phone, "T")
		must(t, s.HangUp(t.Context(), nil))
		phone.Await(signaling.HangUp)
		callcoretest.Await[callcore.Closed](door)

		phone.Renew()
		door.Call(signaling.Audio, 2)
		call := phone.Await(signaling.Call)
		phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: strings.ReplaceAll(phone.Answer(call.SDP), "opus/48000/2", "ISAC/16000")})
		if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrNoCommonCodec) {
			t.Errorf("invalid %+v", e)
		}
		phone.Await(signaling.HangUp)
	})
}

// TestBandwidth: the cap of a call goes out as the JS SDK writes it, and our encoder heeds
// the tightest of it and what the peer's description says.
func TestBandwidth(t *testing.T) {
	for name, c := range map[string]struct {
		ours   int
		theirs string
		want   []int
	}{
		"none":   {0, "", []int{950_000}}, // the first guess of what the network carries
		"ours":   {300, "", []int{300_000}},
		"theirs": {0, "b=AS:250\r\n", []int{250_000}},
		"TIAS":   {300, "b=TIAS:200000\r\n", []int{200_000}},
		"both":   {300, "b=AS:900\r\n", []int{300_000}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				phone := w.Script(2, "phone")
				s, err := door.NewSession(callcore.Invite{Users: []signaling.UserID{2}, CallType: signaling.Video, Bandwidth: c.ours})
				must(t, err)
				must(t, s.Call(t.Context(), map[string]string{"a": "b"}))
				call := phone.Await(signaling.Call)
				if got := strings.Contains(call.SDP, "b=AS:300\r\n"); got != (c.ours == 300) {
					t.Errorf("b=AS in the offer: %t", got)
				}
				if got, has := call.Info["bandwidth"]; has != (c.ours == 300) || has && got != "300" || call.Info["a"] != "b" {
					t.Errorf("application data %v", call.Info) // trap 29
				}
				answer := phone.Answer(call.SDP)
				i := strings.Index(answer, "m=video")
				phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: answer[:i] + strings.Replace(answer[i:], "a=", c.theirs+"a=", 1)})
				callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
				time.Sleep(time.Second)
				if got := slices.Compact(door.Media.BitRates()); !slices.Equal(got, c.want) {
					t.Errorf("bit rates demanded: %v, want %v", got, c.want)
				}
			})
		})
	}
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		for _, n := range []int{-1, 2_000_000} {
			if _, err := door.NewSession(callcore.Invite{Users: []signaling.UserID{2}, CallType: signaling.Video, Bandwidth: n}); !errors.Is(err, callcore.ErrBadBandwidth) {
				t.Errorf("bandwidth %d: %v", n, err)
			}
		}
	})
}

// TestBandwidthOfCaller: trap 29. The caller's application data caps our pictures.
func TestBandwidthOfCaller(t *testing.T) {
	for value, want := range map[string]string{"0": "", "256": "b=AS:256\r\n", "-1": "", "many": "", "99999999999999999999": ""} {
		t.Run(value, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				phone := w.Script(2, "phone")
				if _, err := phone.PeerConnection().AddTransceiverFromKind(webrtc.RTPCodecTypeVideo); err != nil {
					t.Fatal(err)
				}
				phone.Post(signaling.Signal{Kind: signaling.Call, Peer: 1, Session: "S", CallType: signaling.Video, SDP: phone.Offer(), Info: map[string]string{"bandwidth": value}})
				in := callcoretest.Await[callcore.Incoming](door)
				if in.Info["bandwidth"] != value {
					t.Errorf("application data %v", in.Info)
				}
				must(t, in.Session.Accept(t.Context(), nil))
				sdp := phone.Await(signaling.Accept).SDP
				if got := strings.Contains(sdp, "b=AS"); got != (want != "") || !strings.Contains(sdp, want) {
					t.Errorf("want %q in\n%s", want, sdp)
				}
				phone.Accepted(sdp)
				callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
				time.Sleep(time.Second)
				if got := door.Media.BitRates(); want != "" && got[len(got)-1] != 256_000 || want == "" && slices.Min(got) < 900_000 {
					t.Errorf("bit rates demanded: %v", got)
				}
			})
		})
	}
}
