// Package control holds what a running station shows and takes from outside: one JSON
// schema of events and status, behind the control socket and behind the page alike, and
// the socket's server and client. It decides nothing; the station behind it does. All its
// goroutines live inside Serve, one for each connection and one for what that watches.
package control

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Event is one thing that happened, as the journal, the socket and the page show it. One
// JSON object a line.
type Event struct {
	Time time.Time `json:"time"`
	// Type is a word in the past tense, in snake case: see the Type constants.
	Type string `json:"type"`
	Call string `json:"call,omitempty"` // the call's id
	User int64  `json:"user,omitempty"` // the resident, or whoever tried to be one
	Name string `json:"name,omitempty"` // a button's, a lock's, a resident's, a condition's
	// Reason is set where something was refused, failed or ended; a short phrase.
	Reason string `json:"reason,omitempty"`
	Text   string `json:"text"`             // a sentence for a person
	Times  *Times `json:"times,omitempty"`  // of Timed
	Config *Parts `json:"config,omitempty"` // of Configured
}

// The types of events.
const (
	Pressed       = "pressed"        // a button; Name
	Ignored       = "ignored"        // presses of button Name, which were too many; Text says how many
	Ringing       = "ringing"        // the residents' phones are being called
	Incoming      = "incoming"       // a resident calls the door
	Dialled       = "dialled"        // flat Name, at the keypad; Reason if there is none
	Answered      = "answered"       // by User
	Declined      = "declined"       // by User
	NotAnswered   = "not_answered"   // nobody did in time
	Connected     = "connected"      // media flows with User
	Timed         = "timed"          // media flows both ways; Times has how the call came about
	Ended         = "ended"          // the call; Reason
	Opened        = "opened"         // the lock Name, by User, or from inside: Reason
	Locked        = "locked"         // the lock Name is safe again
	Refused       = "refused"        // an unlock or a call; Reason
	DoorOpened    = "door_opened"    // the door of lock Name, says its contact
	DoorClosed    = "door_closed"    // likewise
	Forced        = "forced"         // the door of lock Name was opened and its lock was not
	HeldOpen      = "held_open"      // the door of lock Name stands open for too long
	Shut          = "shut"           // it is shut again
	Tampered      = "tampered"       // with the station: no lock opens
	TamperOver    = "tamper_over"    // they can again
	Forgotten     = "forgotten"      // how often codes were wrong before the start
	Alarm         = "alarm"          // about User, at lock Name: Reason
	Paired        = "paired"         // a phone of User; Name is the id of its key
	Revoked       = "revoked"        // likewise: it opens nothing any more
	LinkUp        = "link_up"        // the chat server is reached
	LinkDown      = "link_down"      // it is not; Reason
	GotDark       = "got_dark"       // before the camera, while it is on
	GotLight      = "got_light"      // again
	Omitted       = "omitted"        // events of type Reason that were too many to be written; Text says how many
	HealthChanged = "health_changed" // condition Name; Reason is empty when it is well again
	Started       = "started"        // the station
	Stopped       = "stopped"        // the station
	Interrupted   = "interrupted"    // the run before did not stop in good order; in the journal alone
	Configured    = "configured"     // with what configuration the station starts; in the journal alone
)

// Parts has a hash of each part of a configuration, without its secrets.
type Parts struct {
	Hashes map[string]string `json:"hashes"`
}

// Status is the state of a station at one moment.
type Status struct {
	Time    time.Time `json:"time"`
	Version string    `json:"version"`
	State   string    `json:"state"` // idle, dialling, waiting (for the link), calling, incoming, talking
	Light   string    `json:"light"` // what the status light shows: idle, calling, talking, opened, fault
	Link    Link      `json:"link"`
	// Cue is what the visitor was told last, for as long as it matters, and Says the same
	// in words.
	Cue       string     `json:"cue,omitempty"`
	Says      string     `json:"says,omitempty"`
	Flat      string     `json:"flat,omitempty"`  // whom the visitor wants
	Typed     string     `json:"typed,omitempty"` // on the keypad; codes are stars
	Buttons   []Button   `json:"buttons"`
	Flats     []Flat     `json:"flats,omitempty"`  // the directory
	Keypad    bool       `json:"keypad,omitempty"` // there is something to be typed
	Locks     []Lock     `json:"locks"`
	Residents []Resident `json:"residents"`
	Call      *Call      `json:"call,omitempty"`
	Camera    bool       `json:"camera"` // on
	// Brightness of the camera's last pictures; nil: not known.
	Brightness *Brightness `json:"brightness,omitempty"`
	Speaker    Level       `json:"speaker"` // what the loudspeaker plays
	Media      Media       `json:"media"`
	Health     []Condition `json:"health"` // what is wrong; empty: all is well
	Journal    *Journal    `json:"journal,omitempty"`
}

// Link is the connection to the chat server.
type Link struct {
	Up     bool      `json:"up"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason,omitempty"` // why it is down
}

// Button is one that can be pressed.
type Button struct {
	Name  string `json:"name"`
	Label string `json:"label"`
}

// Flat is one of the directory.
type Flat struct {
	Name    string `json:"name"`
	Label   string `json:"label,omitempty"`
	Dialled bool   `json:"dialled"` // by its name, at a keypad
}

// Lock is one that can be opened.
type Lock struct {
	Name string `json:"name"`
	Open bool   `json:"open"`
	// Door is what a contact says of the door: open or closed; empty if nothing says so.
	Door string `json:"door,omitempty"`
}

// Resident is somebody whom the door knows.
type Resident struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Call is the call going on.
type Call struct {
	ID       string    `json:"id"`
	Incoming bool      `json:"incoming"`
	User     int64     `json:"user,omitempty"` // who answered, or who calls
	Device   string    `json:"device,omitempty"`
	Since    time.Time `json:"since"`
	Media    bool      `json:"media"` // arrives from the peer
	Codec    string    `json:"codec,omitempty"`
	Times    *Times    `json:"times,omitempty"`   // once somebody has answered
	Network  *Network  `json:"network,omitempty"` // likewise
}

// Network is how a call fares on the network, from here to the resident.
type Network struct {
	Available int     `json:"available"`  // bits a second that it is estimated to carry; 0: not known
	Target    int     `json:"target"`     // bits a second of pictures that were asked for on the resident's behalf; 0: nothing was
	Pictures  float64 `json:"pictures"`   // a second that were sent of late; 0 in the first status
	Lost      float64 `json:"lost"`       // share of the pictures' packets that was lost of late, 0 to 1
	RoundTrip float64 `json:"round_trip"` // seconds that packets take there and back; 0: not known
}

// String is for a person.
func (n Network) String() string {
	if n.Available == 0 {
		return "not measured yet"
	}
	return fmt.Sprintf("carries %d kbit/s, %d for pictures; %.0f pictures/s, %.0f %% lost, %.0f ms there and back",
		n.Available/1000, n.Target/1000, n.Pictures, 100*n.Lost, 1000*n.RoundTrip)
}

// Times says when the call with one resident got how far; what is missing has not happened.
type Times struct {
	Pressed       time.Time `json:"pressed,omitzero"`        // the button, by the kernel's clock where it tells; or the call came
	Sent          time.Time `json:"sent,omitzero"`           // the call, to the chat server; or our answer
	Ringing       time.Time `json:"ringing,omitzero"`        // first heard of the resident's phone
	Accepted      time.Time `json:"accepted,omitzero"`       // answered
	ICE           time.Time `json:"ice,omitzero"`            // a path was found
	DTLS          time.Time `json:"dtls,omitzero"`           // keys were agreed on
	FirstSent     time.Time `json:"first_sent,omitzero"`     // first packet of media to the resident
	FirstReceived time.Time `json:"first_received,omitzero"` // and from there
}

// String tells the times in milliseconds, for a person.
func (t Times) String() string {
	ms := func(from, to time.Time) string {
		if from.IsZero() || to.IsZero() {
			return "?"
		}
		return strconv.FormatFloat(to.Sub(from).Seconds()*1000, 'f', 1, 64)
	}
	return "answered in " + ms(t.Pressed, t.Accepted) + " ms (the call was sent in " + ms(t.Pressed, t.Sent) + " ms); from the answer on: path " +
		ms(t.Accepted, t.ICE) + " ms, keys " + ms(t.Accepted, t.DTLS) + " ms, first packet out " + ms(t.Accepted, t.FirstSent) +
		" ms, in " + ms(t.Accepted, t.FirstReceived) + " ms"
}

// Level is a measurement of sound.
type Level struct {
	On        bool    `json:"on"`
	DBFS      float64 `json:"dbfs"`      // root mean square; 0 is full scale, -100 silence
	Frequency float64 `json:"frequency"` // dominant, in Hz; 0 in silence
}

// Journal is the end of the journal's chain: to be kept elsewhere, for intercom journal --head.
type Journal struct {
	Lines uint64 `json:"lines"` // since it was begun
	Head  string `json:"head"`  // the last one's hash
}

// Condition is something that is wrong with the station.
type Condition struct {
	Name  string    `json:"name"`
	Text  string    `json:"text"`
	Since time.Time `json:"since"`
}

// Brightness is how light it is before the camera.
type Brightness struct {
	Luma int  `json:"luma"` // mean, about 16 for black to 235 for white
	Dark bool `json:"dark"` // with hysteresis
}

// Station is what the socket and the page drive.
type Station interface {
	// Press presses and releases a button. An unknown name is an error that lists the
	// known ones.
	Press(ctx context.Context, name string) error
	// Type presses keys of the keypad, as if they had been: digits, # to confirm, * to
	// begin a code, C to clear.
	Type(ctx context.Context, keys string) error
	// HangUp ends the call, if there is one, like the hang-up button.
	HangUp(ctx context.Context) error
	// Snapshot returns the camera's next picture as a JPEG of at most 600 KiB. The camera
	// is on during calls only.
	Snapshot(ctx context.Context) ([]byte, error)
	Status() Status
	// Watch calls f with the last events, at most as many as last says, and then with
	// each one from now on, in order, until ctx ends or f returns an error, which it
	// returns. A watcher that is too slow loses the oldest events.
	Watch(ctx context.Context, last int, f func(Event) error) error
}
