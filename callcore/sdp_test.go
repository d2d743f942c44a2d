package callcore

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/pion/transport/v4/vnet"
	"github.com/pion/webrtc/v4"

	"intercom/capture"
	"intercom/signaling"
)

// chromeOffer is what a page with the JS SDK sends, as an XML parser delivers it: with
// line feeds only.
func chromeOffer(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("testdata/chrome-offer.sdp")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDescriptions(t *testing.T) {
	offer := chromeOffer(t)
	if err := checkOffer(offer); err != nil {
		t.Errorf("Chrome's offer: %v", err)
	}
	if audio, video := kinds(offer); !audio || !video {
		t.Errorf("Chrome's offer has audio %t, video %t", audio, video)
	}
	if err := checkAnswer(offer, signaling.Video); err != nil {
		t.Errorf("as an answer to a video call: %v", err)
	}
	if err := checkAnswer(offer, signaling.Audio); err == nil {
		t.Error("as an answer to an audio call: no error")
	}
	off := strings.Replace(offer, "m=video 9 ", "m=video 0 ", 1)
	if audio, video := kinds(off); !audio || video {
		t.Errorf("with the video off: audio %t, video %t", audio, video)
	}
	if got := firstMid(offer); got != "0" {
		t.Errorf("first mid %q", got)
	}
}

func TestCutCandidates(t *testing.T) {
	bare, list := cutCandidates("v=0\r\na=candidate:1 1 udp 2 10.0.0.2 40000 typ host\r\na=mid:0\na=end-of-candidates\r\na=candidate:x\n")
	if want := "v=0\r\na=mid:0\n"; bare != want {
		t.Errorf("left %q, want %q", bare, want)
	}
	if len(list) != 2 || list[0].Candidate != "candidate:1 1 udp 2 10.0.0.2 40000 typ host" || list[1].Candidate != "candidate:x" {
		t.Errorf("cut %+v", list)
	}
}

func TestDemote(t *testing.T) {
	for in, want := range map[string]string{
		"candidate:1 1 udp 2130706431 127.0.0.1 40000 typ host": "candidate:1 1 udp 1 127.0.0.1 40000 typ host",
		"candidate:1 1 udp 2130706431 ::1 40000 typ host":       "candidate:1 1 udp 1 ::1 40000 typ host",
		"candidate:1 1 udp 2130706431 10.0.0.1 40000 typ host":  "candidate:1 1 udp 2130706431 10.0.0.1 40000 typ host",
		"candidate:1 1 udp 2130706431 abc.local 40000 typ host": "candidate:1 1 udp 2130706431 abc.local 40000 typ host",
		"candidate:": "candidate:",
		"":           "",
	} {
		if got := demote(in); got != want {
			t.Errorf("demote(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSortCandidates(t *testing.T) {
	p := &peer{ufrag: "abcd"}
	list := []signaling.Candidate{
		{Candidate: "candidate:1 1 udp 1 10.0.0.1 9 typ host"},
		{Candidate: "candidate:1 1 udp 1 10.0.0.1 9 typ host generation 0 ufrag abcd network-id 1"},
		{Candidate: "candidate:1 1 udp 1 10.0.0.1 9 typ host ufrag efgh"},
		{Candidate: "candidate:1 1 udp 1 10.0.0.1 9 typ host ufrag"},
		{},
	}
	now, later := p.sortCandidates(list)
	if len(now) != 4 || len(later) != 1 || later[0] != list[2] {
		t.Errorf("now %v, later %v", now, later)
	}
	p.ufrag = "" // unknown: all are for it
	if now, later = p.sortCandidates(list); len(now) != len(list) || len(later) != 0 {
		t.Errorf("now %v, later %v", now, later)
	}
}

// TestAnswerToChrome answers a browser's offer: H.264 with the payload type of its
// constrained baseline, sound, and an active role.
func TestAnswerToChrome(t *testing.T) {
	pc := peerConnection(t)
	bare, _ := cutCandidates(chromeOffer(t))
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: bare}); err != nil {
		t.Fatal(err)
	}
	d, err := pc.CreateAnswer(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a=rtpmap:108 H264/90000", "a=rtpmap:96 VP8/90000", "a=rtpmap:111 opus/48000/2", "a=setup:active", "a=fmtp:109 apt=108",
		"a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"} {
		if !strings.Contains(d.SDP, want) {
			t.Errorf("no %q in\n%s", want, d.SDP)
		}
	}
	for _, not := range []string{"a=rtpmap:102 H264", "AV1", "VP9", "PCMU"} {
		if strings.Contains(d.SDP, not) {
			t.Errorf("%q in\n%s", not, d.SDP)
		}
	}
}

// peerConnection makes one as calls have it, on a network of its own.
func peerConnection(t testing.TB) *webrtc.PeerConnection {
	t.Helper()
	n, err := vnet.NewNet(&vnet.NetConfig{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{Channel: alone{}, Media: three{}, Net: n})
	if err != nil {
		t.Fatal(err)
	}
	pc, err := c.engine.api(c.engine.setting, &numbering{estimator: newEstimator()}).NewPeerConnection(c.engine.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	return pc
}

// three is media with all codecs.
type three struct{ silent }

func (three) Codecs() []capture.Codec {
	return []capture.Codec{capture.H264, capture.VP8, capture.Opus}
}

// FuzzDescription: whatever passes our checks is taken or refused by WebRTC, and never
// brings the process down.
func FuzzDescription(f *testing.F) {
	offer := chromeOffer(f)
	f.Add(offer, "candidate:1 1 udp 2130706431 10.0.0.2 40000 typ host")
	f.Add(regexp.MustCompile(`(?m)^a=(rtpmap|fmtp|rtcp-fb|extmap).*\n`).ReplaceAllString(offer, ""), "candidate:")
	f.Add("v=0\no=- 1 2 IN IP4 0\ns=-\nt=0 0\nm=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:\n", "candidate:1 1 tcp 9 ::1 9 typ host tcptype active")
	f.Fuzz(func(t *testing.T, text, candidate string) {
		bare, list := cutCandidates(text)
		for _, c := range append(list, signaling.Candidate{Candidate: candidate}) {
			demote(c.Candidate)
		}
		firstMid(text)
		kinds(text)
		checkAnswer(text, signaling.Video)
		if checkOffer(text) != nil {
			return
		}
		pc := peerConnection(t)
		if pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: bare}) != nil {
			return
		}
		pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: demote(candidate)})
		pc.CreateAnswer(nil)
	})
}
