package callcore

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"

	"intercom/capture"
	"intercom/signaling"
)

// offers are what peers send. Chrome's is as a page with the SDK sent it; Safari's is that
// with the codecs which the SDK leaves there (protocol.md 4.9). Firefox's is as the same page
// sent it in 153.7.0esr; Firefox with H.264, which it has from a plug-in that it fetches, is
// that with the lines which are then there, and a limit. Android's is written by hand, in the
// form of captures that others have published: no such peer was here.
var offers = map[string]struct {
	file   string
	video  []capture.Codec // in common, best first
	answer []string        // what must be in ours
	limit  int
}{
	"Chrome":             {"testdata/chrome-offer.sdp", []capture.Codec{capture.H264, capture.VP8}, []string{"a=rtpmap:108 H264/90000", "a=rtpmap:96 VP8/90000", "a=rtpmap:111 opus/48000/2", "a=mid:1"}, 0},
	"Safari":             {"testdata/safari-offer.sdp", []capture.Codec{capture.VP8}, []string{"a=rtpmap:96 VP8/90000", "a=rtpmap:111 opus/48000/2"}, 0},
	"Android":            {"testdata/android-offer.sdp", []capture.Codec{capture.H264, capture.VP8}, []string{"a=rtpmap:98 H264/90000", "a=rtpmap:96 VP8/90000", "a=rtpmap:111 opus/48000/2", "a=mid:audio", "a=mid:video"}, 0},
	"Firefox":            {"testdata/firefox-offer.sdp", []capture.Codec{capture.VP8}, []string{"a=rtpmap:120 VP8/90000", "a=rtpmap:109 opus/48000/2", "a=mid:1"}, 0},
	"Firefox with H.264": {"testdata/firefox-h264-offer.sdp", []capture.Codec{capture.H264, capture.VP8}, []string{"a=rtpmap:126 H264/90000", "a=rtpmap:120 VP8/90000", "a=rtpmap:109 opus/48000/2"}, 524288},
}

// newTestEngine returns the engine of a client with all codecs.
func newTestEngine(t testing.TB) *engine {
	t.Helper()
	c, err := New(Config{Channel: alone{}, Media: three{}})
	if err != nil {
		t.Fatal(err)
	}
	return c.engine
}

// TestCodecsOfPeers: Opus always, wherever it is in the list (trap 21), and for pictures the
// best that both can.
func TestCodecsOfPeers(t *testing.T) {
	e := newTestEngine(t)
	for name, c := range offers {
		text := string(readFile(t, c.file))
		if err := checkOffer(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := e.checkCodecs(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := e.checkVideo(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		d, err := parseSDP(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := e.common(d.MediaDescriptions[0]); !slices.Equal(got, []capture.Codec{capture.Opus}) {
			t.Errorf("%s: sound %v", name, got)
		}
		if got := e.common(d.MediaDescriptions[1]); !slices.Equal(got, c.video) {
			t.Errorf("%s: pictures %v, want %v", name, got, c.video)
		}
		if got := limitOf(text); got != c.limit {
			t.Errorf("%s: limited to %d, want %d", name, got, c.limit)
		}
		pc := peerConnection(t)
		if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: text}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		answer, err := pc.CreateAnswer(nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range c.answer {
			if !strings.Contains(answer.SDP, want) {
				t.Errorf("%s: no %q in\n%s", name, want, answer.SDP)
			}
		}
		for _, not := range []string{"ISAC", "VP9", "AV1", "PCMU"} {
			if strings.Contains(answer.SDP, not) {
				t.Errorf("%s: %q in\n%s", name, not, answer.SDP)
			}
		}
	}
}

// TestFirefoxAnswer: what Firefox, which has no H.264, answers to an offer of ours is taken,
// and pictures are VP8.
func TestFirefoxAnswer(t *testing.T) {
	e := newTestEngine(t)
	text := string(readFile(t, "testdata/firefox-answer.sdp"))
	if err := errors.Join(checkAnswer(text, signaling.Video), e.checkCodecs(text), e.checkVideo(text)); err != nil {
		t.Error(err)
	}
	pc := peerConnection(t)
	for _, mime := range []string{webrtc.MimeTypeOpus, webrtc.MimeTypeVP8} {
		track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: mime}, "id", "stream")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pc.AddTrack(track); err != nil {
			t.Fatal(err)
		}
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: text}); err != nil {
		t.Fatal(err)
	}
	for _, tr := range pc.GetTransceivers() {
		want := map[webrtc.RTPCodecType][]string{
			webrtc.RTPCodecTypeAudio: {webrtc.MimeTypeOpus}, webrtc.RTPCodecTypeVideo: {webrtc.MimeTypeVP8, webrtc.MimeTypeRTX},
		}[tr.Kind()]
		var got []string
		for _, c := range tr.Receiver().GetParameters().Codecs {
			got = append(got, c.MimeType)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v: codecs %q, want %q", tr.Kind(), got, want)
		}
	}
}

// TestNothingInCommon says what is missing.
func TestNothingInCommon(t *testing.T) {
	e := newTestEngine(t)
	chrome := string(readFile(t, "testdata/chrome-offer.sdp"))
	noOpus := strings.ReplaceAll(chrome, "opus/48000/2", "ISAC/16000")
	noVideo := regexp.MustCompile("(VP8|H264)/90000").ReplaceAllString(chrome, "VP9/90000")
	for name, c := range map[string]struct {
		text         string
		codecs       error
		video        error
		says, audios string
	}{
		"all":           {chrome, nil, nil, "", ""},
		"no Opus":       {noOpus, ErrNoCommonCodec, nil, "audio/ISAC, audio/G722, audio/PCMU, audio/PCMA", ""},
		"no pictures":   {noVideo, nil, ErrNoCommonCodec, "", "video/VP9, video/AV1"},
		"refused video": {strings.Replace(chrome, "m=video 9 ", "m=video 0 ", 1), nil, ErrVideoRefused, "", ""},
		"refused sound": {strings.Replace(noOpus, "m=audio 9 ", "m=audio 0 ", 1), nil, nil, "", ""},
		"nothing":       {strings.Replace(noVideo, "m=audio 9 ", "m=audio 0 ", 1), ErrNoCommonCodec, ErrNoCommonCodec, "no section", "video/VP9"},
		"sound alone":   {chrome[:strings.Index(chrome, "m=video")], nil, nil, "", ""},
	} {
		err := e.checkCodecs(c.text)
		if !errors.Is(err, c.codecs) || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: codecs: %v, want %v", name, err, c.codecs)
		}
		if err := e.checkVideo(c.text); !errors.Is(err, c.video) || err != nil && !strings.Contains(err.Error(), c.audios) {
			t.Errorf("%s: pictures: %v, want %v", name, err, c.video)
		}
	}
}

func TestCapVideo(t *testing.T) {
	chrome := string(readFile(t, "testdata/chrome-offer.sdp"))
	if got := capVideo(chrome, 0); got != chrome {
		t.Error("no bandwidth, and the description changed")
	}
	for name, text := range map[string]string{
		"Chrome":       chrome,
		"CRLF":         strings.ReplaceAll(chrome, "\n", "\r\n"),
		"capped":       capVideo(chrome, 100),
		"no c=":        strings.ReplaceAll(chrome, "c=IN IP4 0.0.0.0\n", ""),
		"Firefox":      string(readFile(t, "testdata/firefox-offer.sdp")),
		"TIAS":         string(readFile(t, "testdata/firefox-h264-offer.sdp")),
		"second video": chrome + chrome[strings.Index(chrome, "m=video"):],
	} {
		got := capVideo(text, 400)
		if n := strings.Count(got, "b=AS:400\r\n"); n != 1 || strings.Contains(got, "b=AS:100") {
			t.Errorf("%s: %d lines b=AS:400", name, n)
		}
		if limit := limitOf(got); limit != 400_000 {
			t.Errorf("%s: limited to %d, want 400000", name, limit)
		}
		if audio := got[:strings.Index(got, "m=video")]; strings.Contains(audio, "b=AS") {
			t.Errorf("%s: the sound is limited", name)
		}
	}
	if got := capVideo(chrome[:strings.Index(chrome, "m=video")], 400); strings.Contains(got, "b=AS") {
		t.Error("a limit without pictures")
	}
}

func TestLimitOf(t *testing.T) {
	chrome := string(readFile(t, "testdata/chrome-offer.sdp"))
	for lines, want := range map[string]int{
		"": 0, "b=AS:0\n": 0, "b=AS:256\n": 256_000, "b=TIAS:256000\n": 256_000, "b=AS:500\nb=TIAS:256000\n": 256_000,
		"b=CT:5\n": 0, "b=X-AS:5\n": 0, "b=AS:99999999999\n": 1_000_000_000, "b=TIAS:18446744073709551615\n": 1_000_000_000,
	} {
		i := strings.Index(chrome, "m=video")
		text := chrome[:i] + strings.Replace(chrome[i:], "a=rtcp:", lines+"a=rtcp:", 1)
		if got := limitOf(text); got != want {
			t.Errorf("%q: %d, want %d", lines, got, want)
		}
	}
}

// FuzzNegotiate: any description has codecs in common or none, and limits that make sense.
func FuzzNegotiate(f *testing.F) {
	for _, name := range slices.Sorted(maps.Keys(offers)) {
		f.Add(string(readFile(f, offers[name].file)), 300)
	}
	f.Add("v=0\no=- 1 2 IN IP4 0\ns=-\nt=0 0\nm=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:\n", 1)
	e := newTestEngine(f)
	f.Fuzz(func(t *testing.T, text string, kbit int) {
		e.checkCodecs(text)
		e.checkVideo(text)
		if n := limitOf(text); n < 0 || n > 1000*maxBandwidth {
			t.Errorf("limited to %d", n)
		}
		kbit = kbit & 0xffff
		capped := capVideo(text, kbit)
		if checkOffer(text) != nil || kbit == 0 {
			return
		}
		if err := checkOffer(capped); err != nil {
			t.Errorf("with a limit: %v\n%s", err, capped)
		}
	})
}
