// Package quickblox speaks the call signaling of the QuickBlox SDKs, and the system messages
// of their chat: Encode and Decode turn signals into the extraParams element of an XMPP
// message and back, and Client is a signaling.Channel that carries them over a
// signaling/xmpp link.
//
// It knows nothing of sessions, timers or media; see callcore. It never sends what an SDK
// cannot stand: a browser that gets a call without opponents, or an empty candidate
// list, hears nothing more until it logs in again, so Encode refuses such signals.
//
// Encode and Decode start no goroutine. Those of a Client live inside Client.Run.
package quickblox

import (
	"errors"
	"fmt"
)

// Limits on one signal, for both directions. What exceeds them is refused, never cut.
const (
	MaxSDP        = 64 << 10 // bytes of one session description
	maxSession    = 256      // bytes of a session id
	maxText       = 16 << 10 // bytes of any other value
	maxOpponents  = 256
	maxCandidates = 256
	maxInfo       = 256 // entries of userInfo
	maxDepth      = 16  // elements within one another, the stanza itself included
	maxNodes      = 4096
)

// Words of the wire that are no signal fields.
const (
	nsClient   = "jabber:client"
	nsStanzas  = "urn:ietf:params:xml:ns:xmpp-stanzas" // RFC 6120, 8.3.3
	module     = "WebRTCVideoChat"
	platform   = "web" // known to every SDK, and what the JavaScript one sends
	reconnect  = "reconnect"
	infoBand   = "bandwidth"
	stanzaName = "message"

	unavailable = "service-unavailable" // RFC 6120, 8.3.3.19
)

// Errors of Decode for a stanza that is well made and yet no signal to act upon.
var (
	// ErrNotSignal: a message that has nothing to do with calls.
	ErrNotSignal = errors.New("not a call signal")
	// ErrDelayed: the server stored it and delivers it late (XEP-0203); the SDKs, too,
	// ignore a signal with an element named delay anywhere.
	ErrDelayed = errors.New("delayed signal")
	// ErrEndOfCandidates: browsers send an empty candidate when gathering ends.
	ErrEndOfCandidates = errors.New("end of candidates, which carries nothing")
	// ErrUnknownKind: a signalType that this package has no word for.
	ErrUnknownKind = errors.New("unknown signal type")
)

// MalformedError says why a received stanza cannot be understood as a signal.
type MalformedError struct {
	Kind   string // its signalType, if it got that far
	Reason string
}

func (e *MalformedError) Error() string {
	if e.Kind == "" {
		return "malformed signal: " + e.Reason
	}
	return "malformed " + e.Kind + ": " + e.Reason
}

// EncodeError says why a signal must not be sent. It is a mistake of the caller's: the
// same signal will never go.
type EncodeError struct {
	Kind   string
	Reason string
}

func (e *EncodeError) Error() string { return "encode " + e.Kind + ": " + e.Reason }

func malformed(kind, format string, a ...any) error {
	return &MalformedError{Kind: kind, Reason: fmt.Sprintf(format, a...)}
}
