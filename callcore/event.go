package callcore

import (
	"time"

	"intercom/capture"
	"intercom/signaling"
)

// Event is something that happened: one of the types below, by value.
type Event interface{ Header() Head }

// Head is what all events have.
type Head struct {
	Time time.Time
	// Session is nil in events that are about no session we know.
	Session *Session
	// User is whom the event is about; zero: nobody in particular.
	User signaling.UserID
	// Device is the resource that the user signaled from, if it is known.
	Device string
	// Wire is the id by which the user's phone knows the session; see Session.ID. It is empty
	// in events that are about nobody in particular.
	Wire string
}

// Header returns the head.
func (h Head) Header() Head { return h }

// Incoming says that User calls us. Session takes Accept, Reject or HangUp. In a conference
// User may be another one whom the initiator has called, if his call was quicker: then it is
// he alone who says who the initiator is, and who else was called.
type Incoming struct {
	Head
	CallType signaling.CallType
	// Opponents are those whom the caller called, ourselves included.
	Opponents []signaling.UserID
	Info      map[string]string
}

// Accepted says that User answered, on Device, which the call is bound to from now on. In
// a ring group the others have been sent a hangUp. In an incoming conference it is about a
// member whom we had to call.
type Accepted struct {
	Head
	Info map[string]string
}

// Rejected says that User declined or was busy; on the wire there is no difference.
type Rejected struct {
	Head
	Info map[string]string
}

// HungUp says that User hung up, or cancelled while we rang. Live is as in Updated, of the
// moment before: "open, and end the call" may be in Info.
type HungUp struct {
	Head
	Info    map[string]string
	Live    bool
	NotLive string
}

// NotAnswered says that User did not answer in time; or, in an incoming session, that we
// did not answer him; or that he is a member of the conference who neither called us as he
// should have nor declined.
type NotAnswered struct{ Head }

// Updated brings application data of User; it may be in any state of the session. Whoever
// acts on it looks at Live first: it says that it comes from the very device that is in
// this call, with DTLS up, media received within the last three seconds and nobody having
// hung up. It is told up to ten seconds late, as of then, if it came from a device that had
// to show first that it is the one in the call: a phone has another resource after it has
// reconnected to the chat server.
type Updated struct {
	Head
	Info  map[string]string
	Extra []signaling.Field // what else was in the update, as the SDKs put it there
	Live  bool
	// NotLive tells a person why Live is false; empty if it is true.
	NotLive string
}

// Message brings a system message of the chat; apps whose SDK has no update send it
// instead. Session is the live one it is about: that whose id on the wire is in Info as
// "sessionID", or, if there is none in it, that with User. Live is as in Updated. Those of
// the device in a call are told at a rate of their own, one in three seconds and five at
// once; all others together at another one. What is beyond that is dropped.
type Message struct {
	Head
	Info    map[string]string
	Live    bool
	NotLive string
}

// Invalid reports a signal that was not acted upon, for Err. Signal is as it was received;
// Session is nil if there is none with its id.
type Invalid struct {
	Head
	Signal *signaling.Signal
	Err    error
}

// SessionChanged tells the new state of the session, except for the first, which is
// known, and the last, for which there is Closed. With StateClosing the session is about to
// close: its users are released next.
type SessionChanged struct {
	Head
	State SessionState
}

// ConnectionChanged tells the new state of the call with User. When it ends, the event that
// says how, such as HungUp, comes before, and ConnectionClosed after.
type ConnectionChanged struct {
	Head
	State PeerState
}

// ConnectionClosed says that User was released: it is the last event about the call with
// him, whatever ended it.
type ConnectionClosed struct {
	Head
	Reason Reason
}

// Reconnect tells how the reconnection with User goes, as onReconnectListener of the SDKs
// does. ConnectionChanged says the same of the connection itself.
type Reconnect struct {
	Head
	State ReconnectState
}

// MediaStarted says that the first RTP packet of a track of User has arrived; again
// for each connection that replaces a lost one.
type MediaStarted struct {
	Head
	Codec capture.Codec
}

// StatsReport brings statistics of a connection that is up, each Timers.StatsReport, as
// onCallStatsReport of the JS SDK does. Rates are those since the report before.
type StatsReport struct {
	Head
	Stats Stats
}

// Established says that media flow both ways with User, for the first time in this call,
// and how long each step has taken.
type Established struct {
	Head
	Timeline Timeline
}

// MediaFailed says that a track of ours cannot be sent to User, or his not be played; the
// call goes on without it. Err wraps ErrNoCommonCodec if the two have no codec for pictures
// in common.
type MediaFailed struct {
	Head
	Codec capture.Codec
	Err   error
}

// SendFailed says that a signal to User could not be sent. A call is repeated by itself,
// an accept or hangUp when the link is back. Kind is zero for a system message, which is
// not repeated.
type SendFailed struct {
	Head
	Kind signaling.Kind
	Err  error
}

// Undeliverable says that a signal to User came back. Calling goes on: a phone that is
// asleep may be woken by a push message.
type Undeliverable struct {
	Head
	Condition string // RFC 6120 section 8.3.3
	Text      string
}

// LinkChanged says that the link to the chat server came up or was lost.
type LinkChanged struct {
	Head
	Up  bool
	Err error // why it was lost
}

// ServerChanged says that a TURN server fails, or works again: it was asked for an address
// for a call. Calls go on with what other paths there are. There is no such event for TURN
// over DTLS, nor for STUN servers.
type ServerChanged struct {
	Head
	URL string // as in the configuration
	Err error  // what is wrong, and what to do; nil: it works again
}

// Closed is the last event of a session.
type Closed struct {
	Head
	Reason Reason
}

// ReconnectState is how far a reconnection is.
type ReconnectState uint8

// The states of a reconnection, named as in the SDKs.
const (
	Reconnecting    ReconnectState = iota + 1 // the connection was lost, or the peer has replaced it
	Reconnected                               // by itself, or by a new connection
	ReconnectFailed                           // not in time; the peer is released
)

var reconnectStateNames = [...]string{Reconnecting: "reconnecting", Reconnected: "reconnected", ReconnectFailed: "failed"}

// String returns "reconnecting", "reconnected" or "failed".
func (s ReconnectState) String() string { return name(reconnectStateNames[:], s) }

// Reason is why a session closed. In a ring group it is the winner's; without one, that
// one did not answer counts for more than that another declined. In a conference it is what
// we did ourselves, or else that of the one who was the last to leave of those who had come;
// if nobody came, it is as in a ring group.
type Reason uint8

// The reasons.
const (
	ReasonHungUp       Reason = iota + 1 // by us
	ReasonPeerHungUp                     // by the peer, or cancelled by the caller
	ReasonRejected                       // by us
	ReasonPeerRejected                   // by everyone who was called
	ReasonNotAnswered                    // in time
	ReasonBeaten                         // another of the ring group answered; of one peer only
	ReasonNotConnected                   // no path was found in time
	ReasonLost                           // the connection was lost and did not come back
	ReasonFailed                         // WebRTC refused; the log tells what
	ReasonStopped                        // Run ended
	ReasonReleased                       // by ClosePeer
	ReasonElsewhere                      // another device of ours answered
	ReasonNotOffered                     // in time, by a member of the conference who was to call us
)

var reasonNames = [...]string{
	ReasonHungUp: "hung up here", ReasonPeerHungUp: "hung up by the peer", ReasonRejected: "rejected here",
	ReasonPeerRejected: "rejected", ReasonNotAnswered: "not answered", ReasonBeaten: "answered by another",
	ReasonNotConnected: "no connection", ReasonLost: "connection lost", ReasonFailed: "media failed",
	ReasonStopped: "stopped", ReasonElsewhere: "answered on another device", ReasonReleased: "released here",
	ReasonNotOffered: "not offered",
}

// String returns a short phrase, such as "not answered".
func (r Reason) String() string { return name(reasonNames[:], r) }

// name returns the i-th name, or "unknown".
func name[T ~uint8](names []string, i T) string {
	if int(i) < len(names) && names[i] != "" {
		return names[i]
	}
	return "unknown"
}
