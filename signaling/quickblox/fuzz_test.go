package quickblox

import (
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"reflect"
	"strings"
	"testing"

	"intercom/signaling"
)

// Whatever arrives, Decode does not panic; what it takes, it takes again as sent by us.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"recv-call-video", "recv-accept-video", "recv-hangUp", "recv-reject", "recv-update",
		"recv-update-reconnect-offer", "recv-iceCandidates-one", "recv-iceCandidates-many", "sent-call-video"} {
		f.Add(string(sample(f, name)))
	}
	f.Add(wrap("hangUp", "<userInfo><a>x<b>y</b></a></userInfo><q><w>e</w></q>"))
	f.Add(wrap("update", "<reason>reconnect</reason><sessionDescription><offerId>O</offerId><sdp>v=0</sdp><type>offer</type></sessionDescription>"))
	f.Add(wrap("call", "<sdp>v=0&#13;\n&#13;</sdp><userInfo>&#13;<k>&#13;</k></userInfo>"))
	f.Fuzz(func(t *testing.T, s string) {
		got, err := decodeString(s)
		if err != nil {
			if got != nil {
				t.Errorf("got both %+v and error %v", got, err)
			}
			return
		}
		b, err := Encode(got)
		var refused *EncodeError
		if errors.As(err, &refused) {
			return // legal to receive, not to send: say, a key that is not ASCII
		}
		again, err := decodeString(string(b))
		if err != nil {
			t.Fatalf("decode what was encoded of %+v: %v", got, err)
		}
		want := asReceived(got)
		want.ID = ""
		if !reflect.DeepEqual(again, want) {
			t.Errorf("round trip:\n got %+v\nwant %+v", again, want)
		}
	})
}

// A signal that Encode takes is well-formed XML and decodes to the same signal.
func FuzzEncode(f *testing.F) {
	f.Add(uint8(1), "S", int64(1), int64(2), "v=0\r\n", "key", "value", "candidate:1", "0", uint16(1), "extra", "reason")
	f.Add(uint8(5), "S", int64(1), int64(2), "", "bandwidth", "300", "candidate:1", "audio", uint16(0), "version_sdk", "")
	f.Add(uint8(6), "S", int64(1), int64(2), "v=0\n", "k", "\r\n\t<&>'\"", "", "", uint16(0), "reason", "reconnect")
	f.Add(uint8(2), "]]>", int64(1), int64(2), "]]>", "a.b-c_d", "", "", "", uint16(0), "a", "]]>")
	f.Fuzz(func(t *testing.T, kind uint8, session string, initiator, opponent int64, sdp, key, value, cand, mid string, line uint16, name, extra string) {
		s := &signaling.Signal{Kind: signaling.Kind(kind%6 + 1), Session: session, Initiator: signaling.UserID(initiator),
			Opponents: []signaling.UserID{signaling.UserID(opponent), 7}, CallType: signaling.CallType(kind%2 + 1)}
		if key != "" {
			s.Info = map[string]string{key: value}
		}
		if name != "" {
			s.Extra = []signaling.Field{{Name: name, Value: extra}, {Name: "nested", Fields: []signaling.Field{{Name: key, Value: value}, {Name: name}}}}
		}
		switch s.Kind {
		case signaling.Call, signaling.Accept:
			s.SDP = sdp
		case signaling.Candidates:
			s.Candidates = []signaling.Candidate{{Candidate: cand, SDPMid: mid, SDPMLineIndex: line}, {Candidate: "c", SDPMid: "m"}}
		case signaling.Update:
			if sdp != "" {
				s.Reconnect = &signaling.Description{OfferID: mid, Type: []string{"offer", "answer"}[line%2], SDP: sdp}
			}
		}
		b, err := Encode(s)
		if err != nil {
			return
		}
		got, err := decodeString(string(b))
		if err != nil {
			t.Fatalf("decode %q: %v", b, err)
		}
		if want := asReceived(s); !reflect.DeepEqual(got, want) {
			t.Errorf("round trip of %q:\n got %+v\nwant %+v", b, got, want)
		}
		for d := xml.NewDecoder(strings.NewReader(string(b))); ; {
			tok, err := d.Token()
			if err == io.EOF {
				break
			}
			if start, ok := tok.(xml.StartElement); ok && (start.Name.Local == "delay" || len(start.Attr) > 1) {
				t.Fatalf("%q has the element %v, which peers do not expect", b, start)
			}
		}
	})
}

// asReceived returns s as its receiver sees it.
func asReceived(s *signaling.Signal) *signaling.Signal {
	r := *s
	r.SDP = crlf(s.SDP)
	if s.Reconnect != nil {
		d := *s.Reconnect
		d.SDP = crlf(d.SDP)
		r.Reconnect = &d
	}
	if len(s.Info) == 0 {
		r.Info = nil
	}
	if _, ok := s.Info[infoBand]; s.Kind == signaling.Call && !ok {
		r.Info = map[string]string{infoBand: "0"}
		maps.Copy(r.Info, s.Info)
	}
	return &r
}
