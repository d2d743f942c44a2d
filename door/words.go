package door

import (
	"time"

	"intercom/door/access"
	"intercom/signaling"
)

// Input is something that happened: one of the types below.
type Input interface{ input() }

// Pressed is a press of a button. One of an unknown name is ignored. A button that is held
// is pressed twice: at once, and Long when it has been held for a while.
type Pressed struct {
	Button string
	Long   bool
}

// Key is a press of a key of the keypad: '0' to '9' and the symbols below. Any other is
// ignored.
type Key struct{ Symbol rune }

// The keys of a keypad that are no digits.
const (
	KeyConfirm = '#' // what was typed is complete
	KeyCode    = '*' // a code follows; or what was typed is cleared
	KeyClear   = 'C' // clears what was typed; with nothing typed, hangs up
)

// LinkChanged says whether the chat server is reached. Before the first it is not.
type LinkChanged struct{ Up bool }

// ClockChanged says whether the clock can be trusted. Before the first it can.
type ClockChanged struct{ Set bool }

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

// Asked is a request {command: ...}. Call is empty if the door knows no such call. Live is
// the call engine's word that it comes from the device in the call, with media flowing;
// NotLive is why not. What does not come with the request is empty.
type Asked struct {
	Call    string
	Session string // the call's id on the wire with User, which the MAC covers
	User    signaling.UserID
	Device  string // it came from
	Carrier Carrier
	Command string
	Lock    string // empty: the first of Config.Locks
	// Challenge is the one that the MAC answers, and Key the id of the key that made it.
	Challenge, Key, MAC string
	Live                bool
	NotLive             string
}

// Carrier is how a request came. What there is to tell of it goes back the same way.
type Carrier uint8

// The carriers.
const (
	ByUpdate  Carrier = iota // application data of an update in the call
	ByMessage                // a system message of the chat
	ByHangUp                 // application data of the hangUp that ended the call
)

var carrierNames = [...]string{ByUpdate: "update", ByMessage: "message", ByHangUp: "hangUp"}

// String returns "update", "message" or "hangUp".
func (c Carrier) String() string { return carrierNames[c] }

// Ended says that a call is over.
type Ended struct {
	Call   string
	How    End
	Reason string
}

// End is how a call ended, as far as a visitor cares.
type End uint8

// The ends.
const (
	EndOver       End = iota // somebody hung up
	EndUnanswered            // nobody took the call in time
	EndDeclined              // everybody declined it
	EndFailed                // no connection was made, or it was lost
)

// LockChanged is what the guard of a lock says.
type LockChanged struct {
	Lock string
	Open bool
	Exit bool // opened from inside, by the button for who leaves
}

// LockIs says how a lock was at a time, in place of LockChanged that were lost before.
type LockIs struct {
	Lock string
	Open bool
	At   time.Time
}

// LockFailed says that the guard did not open after an Open.
type LockFailed struct {
	Lock   string
	Reason string
}

// Contact is what the contact of a lock's door says.
type Contact struct {
	Lock  string
	State ContactState
}

// ContactState is how a door leaf stands, and how it came to.
type ContactState string

// The states.
const (
	ContactClosed ContactState = "closed"
	ContactOpen   ContactState = "open"
	ContactForced ContactState = "forced"    // it opened and its lock had not
	ContactHeld   ContactState = "held_open" // it has been open for too long
)

// Tamper says whether the locks are blocked because somebody tampered with the station.
type Tamper struct {
	Blocked bool
	Until   time.Time // zero: for as long as the tamper contact says so
}

// KeysChanged says which keys phones are paired with from now on. Lost says that nobody knows.
type KeysChanged struct {
	Keys []access.Key
	Lost bool
}

// Restored has what was remembered of wrong codes before the station was off. Doubt says that
// this is not known.
type Restored struct {
	Tallies []access.Tally
	Doubt   bool
}

// Fault says whether something else is wrong with the station.
type Fault struct{ Wrong bool }

// Wake is the time that Next asked for.
type Wake struct{}

func (Pressed) input()      {}
func (Key) input()          {}
func (LinkChanged) input()  {}
func (ClockChanged) input() {}
func (Incoming) input()     {}
func (Answered) input()     {}
func (Declined) input()     {}
func (MediaStarted) input() {}
func (Asked) input()        {}
func (Ended) input()        {}
func (LockChanged) input()  {}
func (LockIs) input()       {}
func (LockFailed) input()   {}
func (Contact) input()      {}
func (Tamper) input()       {}
func (KeysChanged) input()  {}
func (Restored) input()     {}
func (Fault) input()        {}
func (Wake) input()         {}

// Effect is something to be carried out: one of the types below.
type Effect interface{ effect() }

// Ring calls residents; the first to answer is in the call. Those whose phones are paired are
// told a challenge each.
type Ring struct {
	Call       string
	Users      []signaling.UserID
	Challenges map[signaling.UserID]string
}

// Answer accepts an incoming call.
type Answer struct{ Call string }

// Decline rejects an incoming call.
type Decline struct{ Call, Reason string }

// HangUp ends a call; an Ended follows.
type HangUp struct{ Call, Reason string }

// Tell sends something to a resident by a carrier. Call is empty if there is none; then
// only a message gets there. Session is the call's id on the wire with User, if it answers a
// request. Device is the one to tell; empty: that in the call, or all.
type Tell struct {
	Call    string
	Session string
	User    signaling.UserID
	Device  string
	Carrier Carrier
	Info    map[string]string
}

// Open asks the guard of a lock for one opening; a LockChanged, a LockIs of a later time or a
// LockFailed follows.
type Open struct {
	Lock string
	User signaling.UserID
}

// Shut asks the guard of a lock to end an opening; a LockChanged follows.
type Shut struct {
	Lock string
	User signaling.UserID
}

// Keep has what is to be remembered of wrong codes written down. Unless it is Later, it is on
// the disk before the effects that follow are carried out: they show whether a code was right.
type Keep struct {
	Tallies []access.Tally
	Later   bool
}

// Cue has the visitor hear something, in place of what he heard before.
type Cue struct{ Name CueName }

// CueName is what a cue says.
type CueName string

// The cues.
const (
	CueNone       CueName = ""           // ends what is played
	CueCalling    CueName = "calling"    // phones ring; again and again until the next cue
	CueConnected  CueName = "connected"  // a resident is heard from now on
	CueIncoming   CueName = "incoming"   // a resident calls the door, and is heard in a moment
	CueUnanswered CueName = "unanswered" // nobody answered
	CueBusy       CueName = "busy"       // everybody declined
	CueQuiet      CueName = "quiet"      // nobody is called at this hour
	CueOpened     CueName = "opened"     // the door is open
	CueRefused    CueName = "refused"    // the code is wrong, or may not open now
	CueDial       CueName = "dial"       // type the number of a flat and confirm
	CueUnknown    CueName = "unknown"    // there is no flat of this number
	CueWait       CueName = "wait"       // the chat server is not reached, and tried again
	CueFault      CueName = "fault"      // nobody could be called, or the connection was lost
)

// Snapshot takes a picture of the visitor and keeps it until the next one. It may take a
// while, and fail.
type Snapshot struct{}

// Record writes down a visitor whom nobody answered, with the picture of the last Snapshot.
type Record struct {
	Name   string // the flat, or the button
	Reason string
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
	Name   string // a button's, a flat's or a lock's
	Reason string
	Text   string // a sentence for a person
}

// NoteType is the word that events of one type have in the journal.
type NoteType string

// The types of notes.
const (
	NotePressed     NoteType = "pressed"
	NoteDialled     NoteType = "dialled" // a flat, Name; Reason if there is none
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
	NoteForced      NoteType = "forced"    // a door was opened and its lock had not
	NoteHeldOpen    NoteType = "held_open" // a door has been open for too long
	NoteShut        NoteType = "shut"      // a door that was forced or held open is shut
	NoteTampered    NoteType = "tampered"
	NoteTamperOver  NoteType = "tamper_over"
	NoteForgotten   NoteType = "forgotten" // what was tried before the station was off is not known
	NoteAlarm       NoteType = "alarm"     // somebody opens under duress, or tries codes: Reason
)

func (Ring) effect()     {}
func (Answer) effect()   {}
func (Decline) effect()  {}
func (HangUp) effect()   {}
func (Tell) effect()     {}
func (Open) effect()     {}
func (Shut) effect()     {}
func (Keep) effect()     {}
func (Cue) effect()      {}
func (Snapshot) effect() {}
func (Record) effect()   {}
func (Light) effect()    {}
func (Note) effect()     {}
