package quickblox

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"intercom/signaling"
)

// Encode returns the extraParams element of s, byte for byte as the JavaScript SDK 2.23.0
// writes it: its order of children, its escaping, no white space between elements. Line
// ends of session descriptions become CR LF. Peer, Device and ID are not part of it.
//
// A signal that a peer could not stand, or that Decode would not return the same, is
// refused with an *EncodeError.
func Encode(s *signaling.Signal) ([]byte, error) {
	if reason := check(s); reason != "" {
		return nil, &EncodeError{Kind: s.Kind.String(), Reason: reason}
	}
	b := make([]byte, 0, 1024+len(s.SDP)+len(s.SDP)/16)
	b = append(b, `<extraParams xmlns="`+nsClient+`">`...)
	b = appendInfo(b, s)
	for _, f := range s.Extra {
		b = appendField(b, f)
	}
	if d := s.Reconnect; d != nil {
		b = appendElement(b, "reason", reconnect)
		b = append(b, "<sessionDescription>"...)
		b = appendElement(b, "offerId", d.OfferID)
		b = append(b, "<sdp>"...)
		b = appendSDP(b, d.SDP)
		b = append(b, "</sdp>"...)
		b = appendElement(b, "type", d.Type)
		b = append(b, "</sessionDescription>"...)
	}
	b = appendElement(b, "sessionID", s.Session)
	b = appendElement(b, "callType", strconv.Itoa(int(s.CallType)))
	b = appendElement(b, "callerID", s.Initiator.String())
	b = append(b, "<opponentsIDs>"...)
	for _, id := range s.Opponents {
		b = appendElement(b, "opponentID", id.String())
	}
	b = append(b, "</opponentsIDs>"...)
	if s.SDP != "" {
		b = append(b, "<sdp>"...)
		b = appendSDP(b, s.SDP)
		b = append(b, "</sdp>"...)
	}
	b = appendCandidates(b, s.Candidates)
	b = appendElement(b, "moduleIdentifier", module)
	b = appendElement(b, "signalType", s.Kind.String())
	b = appendElement(b, "platform", platform)
	return append(b, "</extraParams>"...), nil
}

// appendInfo appends userInfo: keys sorted, bandwidth last. A call always has it, with
// the bandwidth the SDK's callee would otherwise look for in vain; 0 is no limit. Other
// signals leave an empty one out, over which the iOS SDK has stumbled.
func appendInfo(b []byte, s *signaling.Signal) []byte {
	band, ok := s.Info[infoBand]
	if s.Kind == signaling.Call && !ok {
		band, ok = "0", true
	}
	if len(s.Info) == 0 && !ok {
		return b
	}
	keys := make([]string, 0, len(s.Info))
	for k := range s.Info {
		if k != infoBand {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	b = append(b, "<userInfo>"...)
	for _, k := range keys {
		b = appendElement(b, k, s.Info[k])
	}
	if ok {
		b = appendElement(b, infoBand, band)
	}
	return append(b, "</userInfo>"...)
}

func appendCandidates(b []byte, list []signaling.Candidate) []byte {
	if len(list) == 0 {
		return b
	}
	b = append(b, "<iceCandidates>"...)
	for _, c := range list {
		b = append(b, "<iceCandidate>"...)
		b = appendElement(b, "candidate", c.Candidate)
		b = appendElement(b, "sdpMid", c.SDPMid)
		b = appendElement(b, "sdpMLineIndex", strconv.Itoa(int(c.SDPMLineIndex)))
		b = append(b, "</iceCandidate>"...)
	}
	return append(b, "</iceCandidates>"...)
}

func appendField(b []byte, f signaling.Field) []byte {
	if len(f.Fields) == 0 {
		return appendElement(b, f.Name, f.Value)
	}
	b = append(b, "<"+f.Name+">"...)
	for _, g := range f.Fields {
		b = appendField(b, g)
	}
	return append(b, "</"+f.Name+">"...)
}

func appendElement(b []byte, name, text string) []byte {
	b = append(b, "<"+name+">"...)
	b = appendText(b, text)
	return append(b, "</"+name+">"...)
}

// check returns why s must not be sent; empty if it may.
func check(s *signaling.Signal) string {
	switch {
	case s.Kind < signaling.Call || s.Kind > signaling.Update:
		return "no such signal"
	case strings.TrimSpace(s.Session) == "":
		return "session id is missing"
	case len(s.Session) > maxSession || !signaling.ValidText(s.Session):
		return "session id is too long or not text"
	case s.Initiator <= 0:
		return "initiator is missing"
	case s.CallType != signaling.Video && s.CallType != signaling.Audio:
		return fmt.Sprintf("call type %d is neither video (1) nor audio (2)", s.CallType)
	case len(s.Opponents) == 0:
		return "opponents are missing"
	case len(s.Opponents) > maxOpponents:
		return fmt.Sprintf("%d opponents, at most %d are allowed", len(s.Opponents), maxOpponents)
	case slices.ContainsFunc(s.Opponents, func(u signaling.UserID) bool { return u <= 0 }):
		return "an opponent is not a user id"
	}
	for _, reason := range []string{checkSDP(s), checkCandidates(s), checkReconnect(s), checkInfo(s.Info), checkExtra(s)} {
		if reason != "" {
			return reason
		}
	}
	return ""
}

func checkSDP(s *signaling.Signal) string {
	if s.Kind != signaling.Call && s.Kind != signaling.Accept {
		if s.SDP != "" {
			return "only call and accept carry sdp"
		}
		return ""
	}
	return checkDescription(s.SDP)
}

func checkDescription(sdp string) string {
	switch n := len(crlf(sdp)); {
	case strings.TrimSpace(sdp) == "":
		return "sdp is missing"
	case n > MaxSDP:
		return fmt.Sprintf("sdp has %d bytes, at most %d are allowed", n, MaxSDP)
	case !signaling.ValidText(sdp) || strings.Contains(strings.ReplaceAll(sdp, "\r\n", ""), "\r"):
		return "sdp is not text with lines ended by CR LF or LF"
	}
	return ""
}

func checkCandidates(s *signaling.Signal) string {
	if s.Kind != signaling.Candidates {
		if len(s.Candidates) > 0 {
			return "only iceCandidates carries candidates"
		}
		return ""
	}
	if len(s.Candidates) == 0 {
		return "candidates are missing"
	}
	if len(s.Candidates) > maxCandidates {
		return fmt.Sprintf("%d candidates, at most %d are allowed", len(s.Candidates), maxCandidates)
	}
	for i, c := range s.Candidates {
		switch {
		case strings.TrimSpace(c.Candidate) == "" || c.Candidate == "null":
			return fmt.Sprintf("candidate %d is empty", i)
		case strings.TrimSpace(c.SDPMid) == "" || c.SDPMid == "null":
			return fmt.Sprintf("candidate %d has no sdpMid", i)
		case !validValue(c.Candidate) || !validValue(c.SDPMid):
			return fmt.Sprintf("candidate %d is too long or not text", i)
		}
	}
	return ""
}

func checkReconnect(s *signaling.Signal) string {
	d := s.Reconnect
	if d == nil {
		return ""
	}
	switch {
	case s.Kind != signaling.Update:
		return "only update carries a reconnection"
	case strings.TrimSpace(d.OfferID) == "" || !validValue(d.OfferID):
		return "offer id of the reconnection is missing or not text"
	case d.Type != "offer" && d.Type != "answer":
		return fmt.Sprintf("reconnection of type %q is neither offer nor answer", d.Type)
	}
	return checkDescription(d.SDP)
}

func checkInfo(info map[string]string) string {
	if err := signaling.CheckInfo(info); err != nil {
		return "userInfo: " + err.Error()
	}
	return ""
}

// checkExtra refuses fields that Decode would take for something else.
func checkExtra(s *signaling.Signal) string {
	n := 0
	var described, restarts bool
	for _, f := range s.Extra {
		if isWord(f.Name) {
			return fmt.Sprintf("extra field %q is a word of the protocol", f.Name)
		}
		if s.Reconnect != nil && (f.Name == "reason" || f.Name == "sessionDescription") {
			return fmt.Sprintf("extra field %q contradicts the reconnection", f.Name)
		}
		described = described || f.Name == "sessionDescription"
		restarts = restarts || f.Name == "reason" && strings.TrimSpace(f.Value) == reconnect
		if reason := checkField(f, 2, &n); reason != "" { // 2: stanza, extraParams
			return reason
		}
	}
	if described && restarts && s.Kind == signaling.Update {
		return "extra fields spell a reconnection; set Reconnect"
	}
	return ""
}

func checkField(f signaling.Field, depth int, n *int) string {
	*n++
	if err := signaling.CheckName(f.Name); err != nil {
		return "extra field " + err.Error()
	}
	switch {
	case depth >= maxDepth:
		return fmt.Sprintf("extra field %q is nested too deep", f.Name)
	case *n > maxNodes/4: // leaves room for all that is bounded elsewhere
		return "too many extra fields"
	case !validValue(f.Value):
		return fmt.Sprintf("extra field %q is too long or not text", f.Name)
	case f.Value != "" && len(f.Fields) > 0:
		return fmt.Sprintf("extra field %q has both a value and fields", f.Name)
	}
	for _, g := range f.Fields {
		if reason := checkField(g, depth+1, n); reason != "" {
			return reason
		}
	}
	return ""
}

func validValue(s string) bool { return len(s) <= maxText && signaling.ValidText(s) }

// isWord reports whether the protocol itself has an element of this name in extraParams.
func isWord(name string) bool {
	switch name {
	case "userInfo", "sessionID", "callType", "callerID", "opponentsIDs", "sdp", "iceCandidates", "signalType", "platform":
		return true
	}
	return false
}
