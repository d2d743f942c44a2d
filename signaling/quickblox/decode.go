package quickblox

import (
	"encoding/xml"
	"errors"
	"strconv"
	"strings"

	"intercom/signaling"
)

// Decode reads one element, a message stanza or a bare extraParams, and returns the
// signal in it. Of a message it sets ID too; whom it is from is the transport's to say.
//
// The order of elements, their namespaces and white space around numbers do not matter;
// line ends of session descriptions become CR LF whatever the wire had. Nested userInfo
// is flattened to dotted keys. Elements without a word in signaling.Signal are kept in
// Extra, except an sdp in a signal other than call and accept (the SDK's busy reject
// echoes the offer) and platform, which is informational.
//
// The error is ErrNotSignal, ErrDelayed, ErrEndOfCandidates, ErrUnknownKind, a
// *MalformedError, or that of the reader.
func Decode(r xml.TokenReader) (*signaling.Signal, error) {
	root, err := parse(r)
	if err != nil {
		return nil, err
	}
	return decode(root)
}

func decode(root *node) (*signaling.Signal, error) {
	params := root
	if root.name == stanzaName {
		if root.attr("type") != "headline" {
			return nil, ErrNotSignal
		}
		params = root.child("extraParams")
	}
	if params == nil || params.name != "extraParams" {
		return nil, ErrNotSignal
	}
	if m := params.find("moduleIdentifier"); m == nil || strings.TrimSpace(m.text) != module {
		return nil, ErrNotSignal
	}
	if root.find("delay") != nil {
		return nil, ErrDelayed
	}
	name := strings.TrimSpace(params.value("signalType"))
	kind, ok := signaling.ParseKind(name)
	if !ok {
		if name == "" {
			return nil, malformed("", "signalType is missing")
		}
		return nil, &unknownKindError{name}
	}
	d := decoder{params: params, s: &signaling.Signal{Kind: kind}}
	if root != params {
		d.s.ID = root.attr("id")
	}
	if err := d.decode(); err != nil {
		if !errors.Is(err, ErrEndOfCandidates) {
			err = malformed(name, "%v", err)
		}
		return nil, err
	}
	return d.s, nil
}

// unknownKindError is ErrUnknownKind with the name.
type unknownKindError struct{ name string }

func (e *unknownKindError) Error() string {
	return ErrUnknownKind.Error() + " " + strconv.Quote(clip(e.name))
}
func (e *unknownKindError) Is(target error) bool { return target == ErrUnknownKind }

// decoder fills one signal from one extraParams element.
type decoder struct {
	params *node
	s      *signaling.Signal
}

func (d *decoder) decode() error {
	seen := make(map[string]bool)
	restart := d.isReconnect()
	for _, n := range d.params.kids {
		switch {
		case n.name == "moduleIdentifier", n.name == "signalType", n.name == "platform":
		case isWord(n.name), restart && (n.name == "reason" || n.name == "sessionDescription"):
			// Two of a kind: whoever wrote it and whoever reads it could disagree on which counts.
			if seen[n.name] {
				return errors.New(n.name + " occurs twice")
			}
			seen[n.name] = true
			if err := d.word(n); err != nil {
				return err
			}
		default:
			f, err := field(n)
			if err != nil {
				return err
			}
			d.s.Extra = append(d.s.Extra, f)
		}
	}
	return d.complete()
}

// isReconnect tells a reconnection from an update of an application that happens to use
// one of the two words.
func (d *decoder) isReconnect() bool {
	return d.s.Kind == signaling.Update && d.params.child("sessionDescription") != nil &&
		strings.TrimSpace(d.params.value("reason")) == reconnect
}

// word decodes one element that the protocol knows.
func (d *decoder) word(n *node) (err error) {
	s := d.s
	switch n.name {
	case "sessionID":
		s.Session = n.text
	case "callType":
		var v uint64
		if v, err = strconv.ParseUint(strings.TrimSpace(n.text), 10, 8); err != nil || v < 1 || v > 2 {
			return errors.New("callType " + strconv.Quote(clip(n.text)) + " is neither 1 nor 2")
		}
		s.CallType = signaling.CallType(v)
	case "callerID":
		s.Initiator, err = userID(n)
	case "opponentsIDs":
		for _, k := range n.kids {
			if k.name != "opponentID" {
				continue
			}
			id, err := userID(k)
			if err != nil {
				return err
			}
			s.Opponents = append(s.Opponents, id)
		}
		if len(s.Opponents) > maxOpponents {
			return errors.New("too many opponents")
		}
	case "userInfo":
		s.Info, err = info(n)
	case "sdp":
		if s.Kind == signaling.Call || s.Kind == signaling.Accept {
			s.SDP, err = description(n)
		}
	case "iceCandidates":
		if s.Kind == signaling.Candidates {
			s.Candidates, err = candidates(n)
		}
	case "sessionDescription":
		s.Reconnect, err = reconnection(n)
	}
	return err
}

// complete checks that what this kind of signal cannot do without is there.
func (d *decoder) complete() error {
	s := d.s
	switch {
	case strings.TrimSpace(s.Session) == "":
		return errors.New("sessionID is missing")
	case len(s.Session) > maxSession:
		return errors.New("sessionID is too long")
	case s.Kind == signaling.Candidates && len(s.Candidates) == 0:
		return errors.New("iceCandidates is missing")
	case (s.Kind == signaling.Call || s.Kind == signaling.Accept) && s.SDP == "":
		return errors.New("sdp is missing")
	case s.Kind != signaling.Call:
		return nil // the rest is a repetition of the call's own
	case s.Initiator == 0:
		return errors.New("callerID is missing")
	case len(s.Opponents) == 0:
		return errors.New("opponentsIDs is missing")
	case s.CallType == 0:
		return errors.New("callType is missing")
	}
	return nil
}

func userID(n *node) (signaling.UserID, error) {
	id, err := strconv.ParseInt(strings.TrimSpace(n.text), 10, 64)
	if err != nil || id <= 0 {
		return 0, errors.New(n.name + " " + strconv.Quote(clip(n.text)) + " is not a user id")
	}
	return signaling.UserID(id), nil
}

func description(n *node) (string, error) {
	sdp := crlf(n.text)
	switch {
	case len(n.kids) > 0:
		return "", errors.New("sdp has elements in it")
	case strings.TrimSpace(sdp) == "":
		return "", errors.New("sdp is empty")
	case len(sdp) > MaxSDP:
		return "", errors.New("sdp is too long")
	}
	return sdp, nil
}

func candidates(n *node) ([]signaling.Candidate, error) {
	var list []signaling.Candidate
	found := 0
	for _, k := range n.kids {
		if k.name != "iceCandidate" {
			continue
		}
		if found++; found > maxCandidates {
			return nil, errors.New("too many candidates")
		}
		c := signaling.Candidate{Candidate: k.value("candidate"), SDPMid: notNull(k.value("sdpMid"))}
		if strings.TrimSpace(notNull(c.Candidate)) == "" {
			continue
		}
		if v := strings.TrimSpace(notNull(k.value("sdpMLineIndex"))); v != "" {
			i, err := strconv.ParseUint(v, 10, 16)
			if err != nil {
				return nil, errors.New("sdpMLineIndex " + strconv.Quote(clip(v)) + " is not the number of a line")
			}
			c.SDPMLineIndex = uint16(i)
		}
		if len(c.Candidate) > maxText || len(c.SDPMid) > maxText {
			return nil, errors.New("candidate is too long")
		}
		list = append(list, c)
	}
	if found > 0 && len(list) == 0 {
		return nil, ErrEndOfCandidates
	}
	return list, nil
}

// notNull undoes what JavaScript makes of a null: the text "null".
func notNull(s string) string {
	if s == "null" {
		return ""
	}
	return s
}

func reconnection(n *node) (*signaling.Description, error) {
	sdp := n.child("sdp")
	if sdp == nil {
		return nil, errors.New("sessionDescription has no sdp")
	}
	text, err := description(sdp)
	if err != nil {
		return nil, err
	}
	d := &signaling.Description{OfferID: n.value("offerId"), Type: strings.TrimSpace(n.value("type")), SDP: text}
	switch {
	case strings.TrimSpace(d.OfferID) == "" || len(d.OfferID) > maxText:
		return nil, errors.New("sessionDescription has no usable offerId")
	case d.Type != "offer" && d.Type != "answer":
		return nil, errors.New("sessionDescription of type " + strconv.Quote(clip(d.Type)))
	}
	return d, nil
}

// info flattens userInfo; of a key that occurs twice the last value counts, as in the
// SDK. It is nil if there is no key.
func info(n *node) (map[string]string, error) {
	var m map[string]string
	var walk func(prefix string, n *node) error
	walk = func(prefix string, n *node) error {
		for _, k := range n.kids {
			key := prefix + k.name
			if len(k.kids) > 0 {
				if err := walk(key+".", k); err != nil {
					return err
				}
				continue
			}
			if m == nil {
				m = make(map[string]string)
			}
			m[key] = k.text
			if len(m) > maxInfo {
				return errors.New("userInfo has too many entries")
			}
			if len(k.text) > maxText || len(key) > maxText {
				return errors.New("userInfo has an entry that is too long")
			}
		}
		return nil
	}
	if err := walk("", n); err != nil {
		return nil, err
	}
	return m, nil
}

func field(n *node) (signaling.Field, error) {
	f := signaling.Field{Name: n.name}
	if len(n.kids) == 0 {
		if len(n.text) > maxText {
			return f, errors.New("a field is too long: " + clip(n.name))
		}
		f.Value = n.text
		return f, nil
	}
	for _, k := range n.kids {
		g, err := field(k)
		if err != nil {
			return f, err
		}
		f.Fields = append(f.Fields, g)
	}
	return f, nil
}

// clip shortens a stranger's text for a message to a person.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
