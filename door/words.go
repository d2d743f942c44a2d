package door

import "intercom/signaling"

// Input is something that happened: one of the types below.
type Input interface{ input() }

// Pressed is a press of a button. One of an unknown name is ignored.
type Pressed struct{ Button string }

// LinkChanged says whether the chat server is reached.
type LinkChanged struct{ Up bool }

// Incoming is a call to the door. Call is a key that no other call has.
type Incoming struct {
	Call string
	User signaling.UserID
}

// Answered says that User accepted the call that a Ring began.
type Answered struct {
	Call string
	User signaling.UserID
}

// Declined says that User will not answer; others may.
type Declined struct {
	Call string
	User signaling.UserID
}

// MediaStarted says that sound or picture of User arrives.
type MediaStarted struct {
	Call string
	User signaling.UserID
}

// Asked is a request in a call, by an update with userInfo {command: ...}. Call is empty
// if the door knows no such call. Live is the call engine's word that it comes from the
// device in the call, with media flowing; NotLive is why not.
type Asked struct {
	Call    string
	User    signaling.UserID
	Command string
	Live    bool
	NotLive string
}

// Ended says that a call is over.
type Ended struct {
	Call        string
	NotAnswered bool // nobody took the call in time
	Reason      string
}

// LockChanged is what the guard of the lock says.
type LockChanged struct {
	Lock string
	Open bool
}

// LockFailed says that the guard did not open after an Open.
type LockFailed struct {
	Lock   string
	Reason string
}

// Fault says whether something else is wrong with the station.
type Fault struct{ Wrong bool }

// Wake is the time that Next asked for.
type Wake struct{}

func (Pressed) input()      {}
func (LinkChanged) input()  {}
func (Incoming) input()     {}
func (Answered) input()     {}
func (Declined) input()     {}
func (MediaStarted) input() {}
func (Asked) input()        {}
func (Ended) input()        {}
func (LockChanged) input()  {}
func (LockFailed) input()   {}
func (Fault) input()        {}
func (Wake) input()         {}

// Effect is something to be carried out: one of the types below.
type Effect interface{ effect() }

// Ring calls residents; the first to answer is in the call.
type Ring struct {
	Call  string
	Users []signaling.UserID
}

// Answer accepts an incoming call.
type Answer struct{ Call string }

// Decline rejects an incoming call.
type Decline struct{ Call, Reason string }

// HangUp ends a call; an Ended follows.
type HangUp struct{ Call, Reason string }

// Tell sends an update to a resident in a call.
type Tell struct {
	Call string
	User signaling.UserID
	Info map[string]string
}

// Open asks the guard of the lock for one opening; a LockChanged or LockFailed follows.
type Open struct {
	Lock string
	User signaling.UserID
}

// Light sets the status light.
type Light struct{ Show LightState }

// LightState is what the status light shows.
type LightState string

// What the light shows.
const (
	LightIdle    LightState = "idle"
	LightCalling LightState = "calling"
	LightTalking LightState = "talking"
	LightOpened  LightState = "opened"
	LightFault   LightState = "fault"
)

// Note is for the journal.
type Note struct {
	Type   NoteType
	Call   string
	User   signaling.UserID
	Name   string // a button's or the lock's
	Reason string
	Text   string // a sentence for a person
}

// NoteType is the word that events of one type have in the journal.
type NoteType string

// The types of notes.
const (
	NotePressed     NoteType = "pressed"
	NoteRinging     NoteType = "ringing"
	NoteIncoming    NoteType = "incoming"
	NoteAnswered    NoteType = "answered"
	NoteDeclined    NoteType = "declined"
	NoteNotAnswered NoteType = "not_answered"
	NoteConnected   NoteType = "connected"
	NoteEnded       NoteType = "ended"
	NoteOpened      NoteType = "opened"
	NoteLocked      NoteType = "locked"
	NoteRefused     NoteType = "refused"
)

func (Ring) effect()    {}
func (Answer) effect()  {}
func (Decline) effect() {}
func (HangUp) effect()  {}
func (Tell) effect()    {}
func (Open) effect()    {}
func (Light) effect()   {}
func (Note) effect()    {}
