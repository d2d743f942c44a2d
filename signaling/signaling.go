// Package signaling holds the words of call signaling: the six signals of QuickBlox
// video calling, system messages, and the channel that carries them. It is vocabulary only: it opens no
// connection, knows no XML and starts no goroutine. signaling/quickblox puts signals on
// the wire, signaling/memory carries them between clients of one process.
package signaling

import (
	"context"
	"errors"
	"strconv"
)

// UserID is a QuickBlox user id, a positive integer. Zero is nobody.
type UserID int64

// String returns the id in decimal, as the wire has it.
func (u UserID) String() string { return strconv.FormatInt(int64(u), 10) }

// Kind tells the six signals apart.
type Kind uint8

// The signals, with the name each has on the wire ("signalType").
const (
	Call       Kind = iota + 1 // call: offer; repeated every dialing interval until answered
	Accept                     // accept: answer
	Reject                     // reject: declined, or busy
	HangUp                     // hangUp: cancelled, or ended
	Candidates                 // iceCandidates: one or more; never empty
	Update                     // update: application data, or a reconnection when Reconnect is set
)

var kindNames = [...]string{Call: "call", Accept: "accept", Reject: "reject", HangUp: "hangUp", Candidates: "iceCandidates", Update: "update"}

// String returns the wire name, such as "hangUp"; a number for an unknown kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "signal(" + strconv.Itoa(int(k)) + ")"
}

// ParseKind returns the kind of a wire name. Names are case-sensitive.
func ParseKind(name string) (Kind, bool) {
	for k, n := range kindNames {
		if n != "" && n == name {
			return Kind(k), true
		}
	}
	return 0, false
}

// CallType is the media a call was started with; the values are those of the wire.
type CallType uint8

// The call types of the QuickBlox SDKs.
const (
	Video CallType = 1 // sound and picture
	Audio CallType = 2 // sound alone
)

// String returns "video" or "audio".
func (t CallType) String() string {
	switch t {
	case Video:
		return "video"
	case Audio:
		return "audio"
	}
	return "calltype(" + strconv.Itoa(int(t)) + ")"
}

// Candidate is one ICE candidate, as RTCIceCandidateInit has it (WebRTC 1.0, 4.8.1.1).
type Candidate struct {
	Candidate     string // "candidate:..."; an empty one means nothing and is never sent
	SDPMid        string
	SDPMLineIndex uint16
}

// Description is the session description of a reconnection ("sessionDescription").
type Description struct {
	OfferID string // pairs an answer with its offer
	Type    string // "offer" or "answer"
	SDP     string
}

// Field is an element of a signal that this package has no word for. Either Value or
// Fields is set.
type Field struct {
	Name   string // an XML local name
	Value  string
	Fields []Field
}

// Signal is one call signal, received or to be sent.
type Signal struct {
	Kind Kind
	// ID is the stanza's id. Send sets one if it is empty; a Bounce names it.
	ID string
	// Peer is whom the signal is from, or goes to.
	Peer UserID
	// Device is the resource of the sender: one user may have several phones. In a
	// signal to be sent, empty means all of the peer's devices (the bare JID).
	Device    string
	Session   string // opaque, compared exactly, case included
	Initiator UserID // who started the session, whoever sends this ("callerID")
	Opponents []UserID
	CallType  CallType
	SDP       string            // call, accept
	Info      map[string]string // the application's data ("userInfo"); flat
	Reconnect *Description      // update with reason=reconnect
	// Candidates is set in Candidates signals only.
	Candidates []Candidate
	Extra      []Field // unknown elements, in order; kept, and sent again when set
}

// Message is a system message of the chat, received or to be sent: application data that
// belongs to no call. Apps whose SDK has no update send it instead.
type Message struct {
	ID     string // the stanza's; Tell sets one if it is empty
	Peer   UserID
	Device string            // as in a Signal
	Info   map[string]string // flat; see CheckInfo
}

// Event is what a Channel delivers: *Signal, *Message, *Bounce, LinkUp or LinkDown.
type Event interface{ signalingEvent() }

// Bounce says that a signal of ours came back undelivered (stanza type "error").
type Bounce struct {
	Peer      UserID
	Device    string // empty if it had been sent to all devices
	ID        string // of the signal that was sent
	Condition string // RFC 6120 section 8.3.3, such as "service-unavailable"
	Text      string // the server's explanation, often empty
}

// LinkUp says that signals can be sent from now on. Signals sent to us before it, since
// the LinkDown, are lost.
type LinkUp struct{}

// LinkDown says that the link was lost and is being repaired. Err tells why.
type LinkDown struct{ Err error }

func (*Signal) signalingEvent()  {}
func (*Message) signalingEvent() {}
func (*Bounce) signalingEvent()  {}
func (LinkUp) signalingEvent()   {}
func (LinkDown) signalingEvent() {}

// ErrUnavailable is what Channel.Ping returns when the answer was service-unavailable.
var ErrUnavailable = errors.New("service unavailable")

// Channel carries signals between this user and others. Its methods may be called from
// any goroutine; Receive has one reader.
type Channel interface {
	// Self returns our own user id.
	Self() UserID
	// Send writes one signal, or returns an error now; it never queues. A nil error
	// says that it was written, not that it arrived.
	Send(context.Context, *Signal) error
	// Tell writes one system message, as Send does a signal.
	Tell(context.Context, *Message) error
	// Receive returns the next event in the order of arrival. The signal is the
	// caller's. More messages than anybody needs are dropped, signals never. The error is the context's, or says that the channel was closed.
	Receive(context.Context) (Event, error)
	// Probe proves that the link works by a round trip to the server, and starts the
	// repair of a dead one, for which it does not wait.
	Probe(context.Context) error
	// Ping asks one device of a user for a sign of life (XEP-0199) and waits for what comes
	// back. Nil says that the device itself has answered. ErrUnavailable is what the server
	// answers when no such device is connected to it (RFC 6121, 8.5.3.2.3), but also what a
	// device may answer that does not know the question, or a server that does not let it be
	// asked: who relies on it has asked before, and was answered. Any other error, such as
	// that of the context, tells nothing about the device.
	Ping(ctx context.Context, u UserID, device string) error
}
