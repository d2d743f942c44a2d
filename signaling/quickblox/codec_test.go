package quickblox

import (
	"bytes"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"intercom/signaling"
)

// sample returns a stanza as the JavaScript SDK 2.23.0 sent it, or a server delivered it.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "wire", name+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// params cuts the extraParams element out of a stanza.
func params(t testing.TB, stanza []byte) string {
	t.Helper()
	s := string(stanza)
	from, to := strings.Index(s, "<extraParams"), strings.LastIndex(s, "</extraParams>")
	if from < 0 || to < 0 {
		t.Fatalf("no extraParams in %.80s", s)
	}
	return s[from : to+len("</extraParams>")]
}

func decodeString(s string) (*signaling.Signal, error) {
	return Decode(xml.NewDecoder(strings.NewReader(s)))
}

func TestDecodeSamples(t *testing.T) {
	const session = "88f4f5be-5d09-41bb-a607-3748fdfc223a"
	common := func(s signaling.Signal) *signaling.Signal {
		if s.Session == "" {
			s.Session = session
		}
		s.Initiator, s.Opponents, s.CallType = 2001, []signaling.UserID{2002}, signaling.Video
		return &s
	}
	tests := []struct {
		name string
		want *signaling.Signal
		sdp  string // how the session description begins
	}{
		{"sent-call-video", common(signaling.Signal{Kind: signaling.Call, ID: "6b0155a4b25dd53fd6000002",
			Info: map[string]string{"from": "door", "n": "1", "bandwidth": "0"}}), "v=0\r\no=- 1425748839316337160 2 IN"},
		{"recv-call-video", common(signaling.Signal{Kind: signaling.Call, ID: "6b0155a4b25dd53fd6000002",
			Info: map[string]string{"from": "door", "n": "1", "bandwidth": "0"}}), "v=0\r\no=- 1425748839316337160 2 IN"},
		{"recv-accept-video", common(signaling.Signal{Kind: signaling.Accept, ID: "6b0155a4a711fe1ec6000001",
			Info: map[string]string{"floor": "3"}}), "v=0\r\no=- 3112971962594144361 2 IN"},
		{"recv-hangUp", common(signaling.Signal{Kind: signaling.HangUp, ID: "6b0155a8b25dd53fd6000005",
			Info: map[string]string{"why": "done"}}), ""},
		{"recv-reject", common(signaling.Signal{Kind: signaling.Reject, ID: "6b0155aaa711fe1ec600000c",
			Session: "b52b82d2-1e54-45f6-8145-b055132df811", Info: map[string]string{"because": "asleep"}}), ""},
		{"recv-update", common(signaling.Signal{Kind: signaling.Update, ID: "6b0155a6b25dd53fd6000004",
			Info: map[string]string{"light": "on"}}), ""},
		{"recv-iceCandidates-one", common(signaling.Signal{Kind: signaling.Candidates, ID: "6b0155a4a711fe1ec6000002",
			Candidates: []signaling.Candidate{{SDPMid: "0",
				Candidate: "candidate:1018514464 1 udp 2122194687 127.0.0.1 38464 typ host generation 0 ufrag Odc9 network-id 3 network-cost 50"}}}), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Decode(xml.NewDecoder(bytes.NewReader(sample(t, tt.name))))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(got.SDP, tt.sdp) || (tt.sdp == "") != (got.SDP == "") {
				t.Errorf("sdp: got %.60q, want prefix %q", got.SDP, tt.sdp)
			}
			if n := strings.Count(got.SDP, "\n"); n != strings.Count(got.SDP, "\r\n") {
				t.Errorf("sdp: got lines ended by LF, want all ended by CR LF")
			}
			got.SDP = ""
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("signal:\n got %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestDecodeManyCandidates(t *testing.T) {
	got, err := decodeString(string(sample(t, "recv-iceCandidates-many")))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Candidates) != 16 {
		t.Fatalf("candidates: got %d, want 16", len(got.Candidates))
	}
	want := signaling.Candidate{SDPMid: "1", SDPMLineIndex: 1,
		Candidate: "candidate:919872835 1 tcp 1518154495 fd00::2 9 typ host tcptype active generation 0 ufrag 28wg network-id 2"}
	if got.Candidates[15] != want {
		t.Errorf("last candidate: got %+v, want %+v", got.Candidates[15], want)
	}
}

func TestDecodeReconnect(t *testing.T) {
	got, err := decodeString(string(sample(t, "recv-update-reconnect-offer")))
	if err != nil {
		t.Fatal(err)
	}
	if got.Kind != signaling.Update || got.Reconnect == nil {
		t.Fatalf("got %v with reconnection %v, want an update with one", got.Kind, got.Reconnect)
	}
	if d := got.Reconnect; d.OfferID != "c3419eb6-6721-48c1-984b-7ceac3bff88b" || d.Type != "offer" ||
		!strings.HasPrefix(d.SDP, "v=0\r\no=- 4735832677779834923 2 IN") {
		t.Errorf("reconnection: got %.120v", d)
	}
	if got.SDP != "" || got.Extra != nil {
		t.Errorf("got sdp %.20q and extra fields %v beside the reconnection, want none", got.SDP, got.Extra)
	}
}

// What the SDK sent, decoded and encoded again, must be what the SDK sent: trap 7.
func TestEncodeIsWhatTheSDKSends(t *testing.T) {
	stanza := sample(t, "sent-call-video")
	if n := bytes.Count(stanza, []byte("\r\n")); n != 160 {
		t.Fatalf("the sample has %d raw CR LF, want the 160 the SDK sent: was it converted?", n)
	}
	s, err := decodeString(string(stanza))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	if want := params(t, stanza); string(got) != want {
		t.Errorf("extraParams differ\n got %.400q\nwant %.400q", got, want)
	}
}

// As a server delivered it, a stanza differs from what was sent in line ends, and in the
// default namespace said once instead of twice.
func TestEncodeIsWhatServersDeliver(t *testing.T) {
	for _, name := range []string{"recv-call-video", "recv-accept-video", "recv-hangUp", "recv-reject",
		"recv-update", "recv-update-reconnect-offer", "recv-iceCandidates-one", "recv-iceCandidates-many"} {
		t.Run(name, func(t *testing.T) {
			stanza := sample(t, name)
			s, err := decodeString(string(stanza))
			if err != nil {
				t.Fatal(err)
			}
			b, err := Encode(s)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Replace(strings.ReplaceAll(string(b), "\r\n", "\n"), ` xmlns="jabber:client"`, "", 1)
			if want := params(t, stanza); got != want {
				t.Errorf("extraParams differ\n got %.600q\nwant %.600q", got, want)
			}
		})
	}
}

func valid(kind signaling.Kind) *signaling.Signal {
	s := &signaling.Signal{Kind: kind, Session: "S", Initiator: 100, Opponents: []signaling.UserID{200, 300}, CallType: signaling.Audio}
	switch kind {
	case signaling.Call, signaling.Accept:
		s.SDP = "v=0\r\ns=-\r\n"
	case signaling.Candidates:
		s.Candidates = []signaling.Candidate{{Candidate: "candidate:1 1 udp 1 10.0.0.2 4 typ host", SDPMid: "0"}}
	}
	return s
}

// Traps 28 and 29: userInfo is flat, left out if empty, and has a bandwidth in calls.
func TestEncodeGoldens(t *testing.T) {
	const head, tail = `<extraParams xmlns="jabber:client">`, `<platform>web</platform></extraParams>`
	const common = `<sessionID>S</sessionID><callType>2</callType><callerID>100</callerID>` +
		`<opponentsIDs><opponentID>200</opponentID><opponentID>300</opponentID></opponentsIDs>`
	const mod = `<moduleIdentifier>WebRTCVideoChat</moduleIdentifier>`
	tests := []struct {
		name string
		edit func(*signaling.Signal)
		kind signaling.Kind
		want string
	}{
		{"call always has userInfo with bandwidth", nil, signaling.Call,
			`<userInfo><bandwidth>0</bandwidth></userInfo>` + common + "<sdp>v=0\r\ns=-\r\n</sdp>" + mod + `<signalType>call</signalType>`},
		{"call keeps a bandwidth that is set", func(s *signaling.Signal) { s.Info = map[string]string{"z": "1", "bandwidth": "300", "a": "2"} }, signaling.Call,
			`<userInfo><a>2</a><z>1</z><bandwidth>300</bandwidth></userInfo>` + common + "<sdp>v=0\r\ns=-\r\n</sdp>" + mod + `<signalType>call</signalType>`},
		{"accept without userInfo", nil, signaling.Accept,
			common + "<sdp>v=0\r\ns=-\r\n</sdp>" + mod + `<signalType>accept</signalType>`},
		{"LF becomes CR LF", func(s *signaling.Signal) { s.SDP = "v=0\ns=-\r\n" }, signaling.Accept,
			common + "<sdp>v=0\r\ns=-\r\n</sdp>" + mod + `<signalType>accept</signalType>`},
		{"reject", nil, signaling.Reject, common + mod + `<signalType>reject</signalType>`},
		{"empty userInfo is left out", func(s *signaling.Signal) { s.Info = map[string]string{} }, signaling.HangUp,
			common + mod + `<signalType>hangUp</signalType>`},
		{"escaping", func(s *signaling.Signal) { s.Info = map[string]string{"k": "a&b<c>d'e\"f\tg\nh\ri"} }, signaling.HangUp,
			"<userInfo><k>a&amp;b&lt;c&gt;d&apos;e&quot;f\tg\nh&#13;i</k></userInfo>" + common + mod + `<signalType>hangUp</signalType>`},
		{"candidates", nil, signaling.Candidates, common +
			`<iceCandidates><iceCandidate><candidate>candidate:1 1 udp 1 10.0.0.2 4 typ host</candidate><sdpMid>0</sdpMid>` +
			`<sdpMLineIndex>0</sdpMLineIndex></iceCandidate></iceCandidates>` + mod + `<signalType>iceCandidates</signalType>`},
		{"reconnection", func(s *signaling.Signal) {
			s.Reconnect = &signaling.Description{OfferID: "O", Type: "answer", SDP: "v=0\r\n"}
		}, signaling.Update, `<reason>reconnect</reason><sessionDescription><offerId>O</offerId>` + "<sdp>v=0\r\n</sdp>" +
			`<type>answer</type></sessionDescription>` + common + mod + `<signalType>update</signalType>`},
		{"extra fields", func(s *signaling.Signal) {
			s.Extra = []signaling.Field{{Name: "version_sdk", Value: "3.9.2"}, {Name: "m", Fields: []signaling.Field{{Name: "x", Value: "1"}, {Name: "y"}}}}
		}, signaling.Update, `<version_sdk>3.9.2</version_sdk><m><x>1</x><y></y></m>` + common + mod + `<signalType>update</signalType>`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := valid(tt.kind)
			if tt.edit != nil {
				tt.edit(s)
			}
			got, err := Encode(s)
			if err != nil {
				t.Fatal(err)
			}
			if want := head + tt.want + tail; string(got) != want {
				t.Errorf("extraParams:\n got %q\nwant %q", got, want)
			}
		})
	}
}

// Traps 3, 28 and 32: what deafens a browser, mangles userInfo or is too long is not sent.
func TestEncodeRefusesWhatHarmsAPeer(t *testing.T) {
	set := func(k, v string) func(*signaling.Signal) {
		return func(s *signaling.Signal) { s.Info = map[string]string{k: v} }
	}
	extra := func(f ...signaling.Field) func(*signaling.Signal) {
		return func(s *signaling.Signal) { s.Extra = f }
	}
	tests := []struct {
		name   string
		kind   signaling.Kind
		edit   func(*signaling.Signal)
		reason string
	}{
		{"no kind", 0, func(*signaling.Signal) {}, "no such signal"},
		{"unknown kind", 7, func(*signaling.Signal) {}, "no such signal"},
		{"no session", signaling.HangUp, func(s *signaling.Signal) { s.Session = " " }, "session id is missing"},
		{"no initiator", signaling.HangUp, func(s *signaling.Signal) { s.Initiator = 0 }, "initiator is missing"},
		{"no call type", signaling.HangUp, func(s *signaling.Signal) { s.CallType = 0 }, "neither video"},
		{"call without opponents", signaling.Call, func(s *signaling.Signal) { s.Opponents = nil }, "opponents are missing"},
		{"opponent nobody", signaling.Call, func(s *signaling.Signal) { s.Opponents[1] = 0 }, "not a user id"},
		{"call without sdp", signaling.Call, func(s *signaling.Signal) { s.SDP = "" }, "sdp is missing"},
		{"accept with blank sdp", signaling.Accept, func(s *signaling.Signal) { s.SDP = "\r\n" }, "sdp is missing"},
		{"sdp too long", signaling.Call, func(s *signaling.Signal) { s.SDP = strings.Repeat("a=x\n", MaxSDP/4) }, "at most"},
		{"sdp with a lone CR", signaling.Call, func(s *signaling.Signal) { s.SDP = "v=0\rs=-" }, "CR LF"},
		{"sdp with NUL", signaling.Call, func(s *signaling.Signal) { s.SDP = "v=0\x00" }, "not text"},
		{"sdp in hangUp", signaling.HangUp, func(s *signaling.Signal) { s.SDP = "v=0" }, "only call and accept"},
		{"candidates without one", signaling.Candidates, func(s *signaling.Signal) { s.Candidates = nil }, "candidates are missing"},
		{"empty candidate", signaling.Candidates, func(s *signaling.Signal) { s.Candidates[0].Candidate = "" }, "candidate 0 is empty"},
		{"candidate without mid", signaling.Candidates, func(s *signaling.Signal) { s.Candidates[0].SDPMid = "" }, "no sdpMid"},
		{"candidates in call", signaling.Call, func(s *signaling.Signal) { s.Candidates = make([]signaling.Candidate, 1) }, "only iceCandidates"},
		{"reconnection in hangUp", signaling.HangUp, func(s *signaling.Signal) { s.Reconnect = &signaling.Description{} }, "only update"},
		{"reconnection without sdp", signaling.Update, func(s *signaling.Signal) {
			s.Reconnect = &signaling.Description{OfferID: "O", Type: "offer"}
		}, "sdp is missing"},
		{"reconnection of no type", signaling.Update, func(s *signaling.Signal) {
			s.Reconnect = &signaling.Description{OfferID: "O", SDP: "v=0"}
		}, "neither offer nor answer"},
		{"info key delay", signaling.Update, set("delay", "5"), "drop the whole signal"},
		{"info key moduleIdentifier", signaling.Update, set("moduleIdentifier", "x"), "drop the whole signal"},
		{"info key extraParams", signaling.Update, set("extraParams", "x"), "drop the whole signal"},
		{"info key with a space", signaling.Update, set("a b", "x"), "not an XML name"},
		{"info key with a digit first", signaling.Update, set("1a", "x"), "not an XML name"},
		{"info key empty", signaling.Update, set("", "x"), "not an XML name"},
		{"info key with a prefix", signaling.Update, set("a:b", "x"), "not an XML name"},
		{"info key reserved by XML", signaling.Update, set("xmlns", "x"), "not an XML name"},
		{"info value with a control character", signaling.Update, set("k", "\x07"), "not text"},
		{"info value not UTF-8", signaling.Update, set("k", "\xff"), "not text"},
		{"extra delay within another", signaling.Update, extra(signaling.Field{Name: "a", Fields: []signaling.Field{{Name: "delay"}}}), "drop the whole signal"},
		{"extra word of the protocol", signaling.Update, extra(signaling.Field{Name: "sessionID", Value: "T"}), "word of the protocol"},
		{"extra that spells a reconnection", signaling.Update, extra(signaling.Field{Name: "reason", Value: "reconnect"}, signaling.Field{Name: "sessionDescription"}), "set Reconnect"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := valid(tt.kind)
			tt.edit(s)
			b, err := Encode(s)
			var refused *EncodeError
			if !errors.As(err, &refused) {
				t.Fatalf("got %q and error %v, want an EncodeError", b, err)
			}
			if !strings.Contains(refused.Reason, tt.reason) {
				t.Errorf("reason: got %q, want something with %q", refused.Reason, tt.reason)
			}
		})
	}
}

// wrap makes an extraParams element of a signal of the given kind.
func wrap(kind, inner string) string {
	return `<extraParams><sessionID>S</sessionID><callType>1</callType><callerID>100</callerID><opponentsIDs><opponentID>200</opponentID></opponentsIDs>` +
		inner + `<moduleIdentifier>WebRTCVideoChat</moduleIdentifier><signalType>` + kind + `</signalType></extraParams>`
}

func TestDecodeTakesWhatPeersSend(t *testing.T) {
	tests := []struct {
		name string
		xml  string
		want func(*signaling.Signal)
	}{
		{"Android: other order, more fields", `<extraParams xmlns="jabber:client"><callType>2</callType><platform>android</platform><callerID>100</callerID>` +
			`<signalType>hangUp</signalType><moduleIdentifier>WebRTCVideoChat</moduleIdentifier><sessionID>S</sessionID><version_sdk>3.9.2</version_sdk>` +
			`<opponentsIDs><opponentID>200</opponentID></opponentsIDs></extraParams>`,
			func(s *signaling.Signal) {
				s.CallType = signaling.Audio
				s.Extra = []signaling.Field{{Name: "version_sdk", Value: "3.9.2"}}
			}},
		{"busy reject echoes the offer", wrap("reject", "<sdp>v=0\n</sdp>"), func(s *signaling.Signal) { s.Kind = signaling.Reject }},
		{"update with a reason of its own", wrap("update", "<reason>rain</reason><x><y>1</y></x>"), func(s *signaling.Signal) {
			s.Kind = signaling.Update
			s.Extra = []signaling.Field{{Name: "reason", Value: "rain"}, {Name: "x", Fields: []signaling.Field{{Name: "y", Value: "1"}}}}
		}},
		{"nested userInfo", wrap("hangUp", "<userInfo><a>1</a><b><c>2</c><d><e>3</e></d></b></userInfo>"), func(s *signaling.Signal) {
			s.Info = map[string]string{"a": "1", "b.c": "2", "b.d.e": "3"}
		}},
		{"userInfo of text alone", wrap("hangUp", "<userInfo>hi</userInfo>"), func(*signaling.Signal) {}},
		{"empty userInfo", wrap("hangUp", "<userInfo/>"), func(*signaling.Signal) {}},
		{"candidate with a null mid after an empty one", wrap("iceCandidates", `<iceCandidates><iceCandidate><candidate/><sdpMid>0</sdpMid></iceCandidate>`+
			`<iceCandidate><sdpMLineIndex> 1 </sdpMLineIndex><sdpMid>null</sdpMid><candidate>candidate:1</candidate></iceCandidate></iceCandidates>`), func(s *signaling.Signal) {
			s.Kind = signaling.Candidates
			s.Candidates = []signaling.Candidate{{Candidate: "candidate:1", SDPMLineIndex: 1}}
		}},
		{"pretty-printed", "<extraParams>\n  <sessionID>S</sessionID>\n <callType> 1 </callType>\n<callerID>\n100</callerID><opponentsIDs>\n <opponentID> 200 </opponentID>\n</opponentsIDs>" +
			"<moduleIdentifier>\nWebRTCVideoChat </moduleIdentifier><signalType> hangUp\n</signalType></extraParams>", func(*signaling.Signal) {}},
		{"CDATA", wrap("hangUp", "<userInfo><a>x<![CDATA[<&>]]>y</a></userInfo>"), func(s *signaling.Signal) {
			s.Info = map[string]string{"a": "x<&>y"}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := &signaling.Signal{Kind: signaling.HangUp, Session: "S", Initiator: 100, Opponents: []signaling.UserID{200}, CallType: signaling.Video}
			tt.want(want)
			got, err := decodeString(tt.xml)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("signal:\n got %+v\nwant %+v", got, want)
			}
		})
	}
}

// Trap 8 is among them: a delay anywhere.
func TestDecodeIgnores(t *testing.T) {
	in := func(attrs, inner string) string { return "<message" + attrs + ">" + inner + "</message>" }
	hangUp := wrap("hangUp", "")
	tests := []struct {
		name string
		xml  string
		want error
	}{
		{"a chat message", in(` type="chat"`, "<body>hi</body>"), ErrNotSignal},
		{"a chat message with a signal in it", in(` type="chat"`, hangUp), ErrNotSignal},
		{"a message without a type", in("", hangUp), ErrNotSignal},
		{"a headline without extraParams", in(` type="headline"`, "<body>news</body>"), ErrNotSignal},
		{"a system message", in(` type="headline"`, "<extraParams><moduleIdentifier>SystemNotifications</moduleIdentifier></extraParams>"), ErrNotSignal},
		{"a carbon copy", in(` type="headline"`, `<received xmlns="urn:xmpp:carbons:2"><forwarded xmlns="urn:xmpp:forward:0">`+
			in(` type="headline"`, hangUp)+`</forwarded></received>`), ErrNotSignal},
		{"a stored message", in(` type="headline"`, hangUp+`<delay xmlns="urn:xmpp:delay" stamp="2026-01-01T00:00:00Z"/>`), ErrDelayed},
		{"a signal with delay in userInfo", wrap("hangUp", "<userInfo><delay>5</delay></userInfo>"), ErrDelayed},
		{"a signal of another kind", wrap("dance", ""), ErrUnknownKind},
		{"a signal of another case", wrap("hangup", ""), ErrUnknownKind},
		{"the end of candidates", wrap("iceCandidates", "<iceCandidates><iceCandidate><candidate></candidate><sdpMid>0</sdpMid></iceCandidate></iceCandidates>"), ErrEndOfCandidates},
		{"an element that is neither", "<presence/>", ErrNotSignal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if s, err := decodeString(tt.xml); !errors.Is(err, tt.want) {
				t.Errorf("got %+v and error %v, want %v", s, err, tt.want)
			}
		})
	}
}

func TestDecodeMalformed(t *testing.T) {
	call := func(opponents, sdp string) string {
		return "<extraParams><sessionID>S</sessionID><callType>1</callType><callerID>1</callerID>" + opponents + sdp +
			"<moduleIdentifier>WebRTCVideoChat</moduleIdentifier><signalType>call</signalType></extraParams>"
	}
	const two = "<opponentsIDs><opponentID>2</opponentID></opponentsIDs>"
	ice := func(s string) string { return wrap("iceCandidates", "<iceCandidates>"+s+"</iceCandidates>") }
	tests := []struct {
		name, xml, reason string
	}{
		{"no signal type", "<extraParams><moduleIdentifier>WebRTCVideoChat</moduleIdentifier></extraParams>", "signalType is missing"},
		{"no session", "<extraParams><moduleIdentifier>WebRTCVideoChat</moduleIdentifier><signalType>hangUp</signalType></extraParams>", "sessionID is missing"},
		{"two sessions", wrap("hangUp", "<sessionID>T</sessionID>"), "sessionID occurs twice"},
		{"session too long", strings.Replace(wrap("hangUp", ""), ">S<", ">"+strings.Repeat("S", maxSession+1)+"<", 1), "too long"},
		{"call without opponents", call("", "<sdp>v=0</sdp>"), "opponentsIDs is missing"},
		{"call without sdp", call(two, ""), "sdp is missing"},
		{"call with an empty sdp", call(two, "<sdp/>"), "sdp is empty"},
		{"call with elements in its sdp", call(two, "<sdp>v=0<b/></sdp>"), "elements in it"},
		{"call with a huge sdp", call(two, "<sdp>"+strings.Repeat("x", MaxSDP+1)+"</sdp>"), "too long"},
		{"opponent not a number", call("<opponentsIDs><opponentID>NaN</opponentID></opponentsIDs>", "<sdp>v=0</sdp>"), `opponentID "NaN"`},
		{"opponent negative", call("<opponentsIDs><opponentID>-2</opponentID></opponentsIDs>", "<sdp>v=0</sdp>"), "not a user id"},
		{"opponent out of range", call("<opponentsIDs><opponentID>9223372036854775808</opponentID></opponentsIDs>", "<sdp>v=0</sdp>"), "not a user id"},
		{"too many opponents", call("<opponentsIDs>"+strings.Repeat("<opponentID>2</opponentID>", maxOpponents+1)+"</opponentsIDs>", "<sdp>v=0</sdp>"), "too many opponents"},
		{"call type unknown", strings.Replace(wrap("hangUp", ""), "<callType>1", "<callType>3", 1), "neither 1 nor 2"},
		{"no candidates", wrap("iceCandidates", ""), "iceCandidates is missing"},
		{"candidates without one", ice(""), "iceCandidates is missing"},
		{"candidate of no line", ice("<iceCandidate><candidate>c</candidate><sdpMLineIndex>x</sdpMLineIndex></iceCandidate>"), "not the number of a line"},
		{"too many candidates", ice(strings.Repeat("<iceCandidate><candidate>c</candidate></iceCandidate>", maxCandidates+1)), "too many candidates"},
		{"reconnection without sdp", wrap("update", "<reason>reconnect</reason><sessionDescription><type>offer</type></sessionDescription>"), "no sdp"},
		{"reconnection without id", wrap("update", "<reason>reconnect</reason><sessionDescription><sdp>v=0</sdp><type>offer</type></sessionDescription>"), "offerId"},
		{"reconnection of no type", wrap("update", "<reason>reconnect</reason><sessionDescription><offerId>O</offerId><sdp>v=0</sdp></sessionDescription>"), "of type"},
		{"too deep", strings.Repeat("<a>", maxDepth+1), "nested"},
		{"too many elements", "<a>" + strings.Repeat("<b/>", maxNodes), "more than"},
		{"too much info", wrap("hangUp", "<userInfo>"+numbered(maxInfo+1)+"</userInfo>"), "too many entries"},
		{"info too long", wrap("hangUp", "<userInfo><a>"+strings.Repeat("x", maxText+1)+"</a></userInfo>"), "too long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := decodeString(tt.xml)
			var bad *MalformedError
			if !errors.As(err, &bad) {
				t.Fatalf("got %+v and error %v, want a MalformedError", s, err)
			}
			if !strings.Contains(bad.Reason, tt.reason) {
				t.Errorf("reason: got %q, want something with %q", bad.Reason, tt.reason)
			}
		})
	}
}

func TestDecodeReportsTheReadersError(t *testing.T) {
	for _, x := range []string{"", "<extraParams>", "<extraParams></wrong>", "\x00"} {
		if s, err := decodeString(x); err == nil {
			t.Errorf("%q: got %+v, want an error", x, s)
		}
	}
}

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		name := "k" + strings.Repeat("x", i%16) + strings.Repeat("y", i/16)
		b.WriteString("<" + name + ">1</" + name + ">")
	}
	return b.String()
}
