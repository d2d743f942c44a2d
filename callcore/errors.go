package callcore

import (
	"errors"
	"strings"
)

// The rules that a use of the API can break. An OpError wraps one of them.
var (
	ErrNoUsers          = errors.New("there is nobody to call")
	ErrOwnID            = errors.New("one cannot call oneself")
	ErrBadUser          = errors.New("a user id is positive")
	ErrDuplicateUser    = errors.New("a user is listed twice")
	ErrTooManyUsers     = errors.New("more users than a ring group may have")
	ErrTooManyOpponents = errors.New("more opponents than a conference may have")
	ErrBadMode          = errors.New("the mode is neither a ring group nor a conference")
	ErrBadCallType      = errors.New("the call type is neither video nor audio")
	ErrBadBandwidth     = errors.New("the bandwidth is between 0 and 1000000 kbit/s")
	ErrNotCalled        = errors.New("the session was not called yet")
	ErrAlreadyCalled    = errors.New("the session was called already")
	ErrAlreadyAccepted  = errors.New("the call was accepted already")
	ErrIncoming         = errors.New("the session is an incoming one")
	ErrNotIncoming      = errors.New("the session is not an incoming one")
	ErrNotInSession     = errors.New("the user is not in the session")
	ErrBadInfo          = errors.New("the application data cannot be sent")
	ErrBadTrack         = errors.New("the track is neither AudioTrack nor VideoTrack")
	ErrClosed           = errors.New("the session is closed")
	ErrStopped          = errors.New("the client was stopped")
)

// OpError says which operation of the API was refused and which rule it broke; errors.Is
// tells the rules apart.
type OpError struct {
	Op      string // "new session", "call", "accept", ...
	Session string // its id; empty if there is none
	Err     error  // one of the Err variables, perhaps with details around it
}

// Error returns "callcore: accept 88f4f5be-...: the session is closed".
func (e *OpError) Error() string {
	var b strings.Builder
	b.WriteString("callcore: ")
	b.WriteString(e.Op)
	if e.Session != "" {
		b.WriteString(" " + e.Session)
	}
	b.WriteString(": " + e.Err.Error())
	return b.String()
}

// Unwrap returns the rule.
func (e *OpError) Unwrap() error { return e.Err }

// What makes a received signal invalid; an Invalid event wraps one of them.
var (
	ErrUnknownSession = errors.New("there is no such session")
	ErrEnded          = errors.New("the session has ended")
	ErrBusy           = errors.New("another call is live; it was rejected")
	ErrOtherDevice    = errors.New("it is not from the device that is in the call")
	ErrNotParticipant = errors.New("the sender is not in the session")
	ErrOutOfPlace     = errors.New("it has no place in this state of the call")
	ErrMalformed      = errors.New("it is malformed")
	ErrNoCommonCodec  = errors.New("there is no codec that both have")
	ErrOverflow       = errors.New("too many candidates were waiting")
	// ErrTooManyRequests: a peer may ask for a new connection five times at once, and then
	// every three seconds.
	ErrTooManyRequests = errors.New("too many requests to reconnect")
)

// ErrVideoRefused is why a MediaFailed says that there are no pictures in a call with who
// could decode them; with who could not it is ErrNoCommonCodec.
var ErrVideoRefused = errors.New("the peer takes no pictures")

// ErrRunBefore is why Run did nothing: a Client runs once.
var ErrRunBefore = errors.New("the client has been run already")

// ErrEventsUnread is why Run ended when nobody read Events.
var ErrEventsUnread = errors.New("nobody reads the events")
