// Package wire is what lab/vm and the agent in its guest say to each other, over HTTP on
// a network card of their own: addresses and JSON values, no code and no goroutines.
package wire

import "time"

// Port is the TCP port of the agent.
const Port = 7000

// Paths of the agent. Errors are answered with status 4xx or 5xx and a line of text.
const (
	Clock    = "/clock"    // PUT: a time in RFC 3339; the guest's clock is set to it
	Run      = "/run"      // POST Command: the program's Output, one JSON object a line, as it comes
	Signal   = "/signal"   // POST ?pid=&signal=: to the group of a program that Run began
	File     = "/file"     // GET, or PUT ?mode=, of ?path=: the content
	Line     = "/line"     // GET of ?name=: a LineState; PUT ?high=: its pull
	Sequence = "/sequence" // POST []Step to ?name=: pulls one after the other; answers when they are over
	Watch    = "/watch"    // GET of ?name=&high=&limit=: waits for a level, then a LineState
	Trace    = "/trace"    // GET of ?name=&for=: waits, then the []Change in that time
	Keypad   = "/keypad"   // PUT []uint16 to ?name=: plugs an input device with these keys in; DELETE: unplugs it
	Keys     = "/keys"     // POST []Key to ?name=: presses keys of it; answers when they are released
	Dial     = "/dial"     // GET ?network=&address= with an upgrade to "stream": a connection from inside the guest
)

// Command is a program to run in the guest. It ends when the connection does.
type Command struct {
	Args  []string `json:"args"`          // the first is looked up in /bin
	Env   []string `json:"env,omitempty"` // beyond PATH and HOME
	Stdin []byte   `json:"stdin,omitempty"`
}

// Output is something that happened to a program.
type Output struct {
	PID    int    `json:"pid,omitempty"` // in the first
	Stdout []byte `json:"stdout,omitempty"`
	Stderr []byte `json:"stderr,omitempty"`
	Ended  bool   `json:"ended,omitempty"` // in the last
	Code   int    `json:"code,omitempty"`  // its exit code, -1 if a signal ended it
	Reason string `json:"reason,omitempty"`
}

// LineState is the level of a GPIO line: what the program drives, or else its pull.
type LineState struct {
	High bool      `json:"high"`
	At   time.Time `json:"at"` // when it was read, by the guest's clock
}

// Change is a change of a line's level, as Trace saw it.
type Change = LineState

// Key is a key of a keypad that is held for a while.
type Key struct {
	Code uint16 `json:"code"` // the kernel's number
	For  int64  `json:"for"`  // nanoseconds
}

// Step is one pull of a Sequence.
type Step struct {
	High bool  `json:"high"`
	For  int64 `json:"for"` // nanoseconds until the next
}
