// Package door decides what things mean at a door: a press, an answer, a request to open.
// It is a pure table: State.Next takes one input and returns the next state, the effects to
// carry out and the time at which it wants to be woken. It calls nobody, drives no line and
// has no goroutines; internal/station carries its effects out.
//
// The rule everything here serves: there is no Open effect unless a resident who may open
// asked for it in a live call that this door has with that very resident.
package door

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"intercom/signaling"
)

// Config is how one door is set up. It is not changed once New has it.
type Config struct {
	Buttons   []Button
	Residents []Resident
	Locks     []Lock        // who names none in a request means the first; at most MostLocks
	Longest   time.Duration // a call is ended after this; 0: never
	Retry     time.Duration // how long a press waits for a lost link to come back
}

// Button is one that visitors can press.
type Button struct {
	Name      string
	Residents []signaling.UserID // who is called; of a hang-up button nobody
	HangUp    bool
}

// MostLocks is how many locks a door can have.
const MostLocks = 8

// Lock is one that can be opened. Whether its guard lets it is another matter: see hw/relay.
type Lock struct {
	Name  string
	Pause time.Duration // at least this long between two openings
}

// Resident is somebody who lives here. Nobody else can open or call.
type Resident struct {
	ID      signaling.UserID
	Name    string
	MayOpen bool
	MayCall bool
}

// check refuses a setup that contradicts itself.
func (c *Config) check() error {
	known := map[signaling.UserID]bool{}
	for _, r := range c.Residents {
		switch {
		case r.ID <= 0:
			return fmt.Errorf("door: resident %q: user id %d is not positive", r.Name, r.ID)
		case known[r.ID]:
			return fmt.Errorf("door: resident %q: user id %d is another resident's", r.Name, r.ID)
		}
		known[r.ID] = true
	}
	names := map[string]bool{}
	for _, b := range c.Buttons {
		switch {
		case b.Name == "":
			return fmt.Errorf("door: a button has no name")
		case names[b.Name]:
			return fmt.Errorf("door: two buttons are called %q", b.Name)
		case b.HangUp && len(b.Residents) > 0:
			return fmt.Errorf("door: button %q hangs up and cannot call residents as well", b.Name)
		case !b.HangUp && len(b.Residents) == 0:
			return fmt.Errorf("door: button %q calls nobody", b.Name)
		}
		names[b.Name] = true
		for i, u := range b.Residents {
			if !known[u] {
				return fmt.Errorf("door: button %q calls user %d, who is not a resident", b.Name, u)
			}
			if slices.Contains(b.Residents[:i], u) {
				return fmt.Errorf("door: button %q calls user %d twice", b.Name, u)
			}
		}
	}
	if c.Longest < 0 || c.Retry < 0 {
		return fmt.Errorf("door: a duration is negative")
	}
	return c.checkLocks()
}

func (c *Config) checkLocks() error {
	if len(c.Locks) > MostLocks {
		return fmt.Errorf("door: there are %d locks, at most %d are allowed", len(c.Locks), MostLocks)
	}
	for i, l := range c.Locks {
		switch {
		case l.Name == "":
			return fmt.Errorf("door: a lock has no name")
		case l.Pause < 0:
			return fmt.Errorf("door: lock %q: a duration is negative", l.Name)
		case slices.ContainsFunc(c.Locks[:i], func(o Lock) bool { return o.Name == l.Name }):
			return fmt.Errorf("door: two locks are called %q", l.Name)
		}
	}
	return nil
}

// Phase is what the door is doing.
type Phase uint8

// The phases.
const (
	Idle    Phase = iota
	Waiting       // somebody pressed; the chat server is out of reach
	Calling       // phones ring
	Talking       // a resident answered, or called the door
)

var phaseNames = [...]string{Idle: "idle", Waiting: "waiting", Calling: "calling", Talking: "talking"}

// String returns "idle", "waiting", "calling" or "talking".
func (p Phase) String() string { return phaseNames[p] }

// State is a door at one moment. The zero value is not one: see New.
type State struct {
	cfg *Config

	Phase    Phase
	Call     string           // its key; empty when idle or waiting
	User     signaling.UserID // who is talking
	Incoming bool             // the resident called
	Since    time.Time        // of the phase
	Shows    LightState       // what the light shows

	calls     int    // rung so far: the key of the next
	button    string // pressed, while waiting or calling
	link      bool   // the chat server is reached
	fault     bool   // something else is wrong
	blocked   bool   // all locks, because of tampering
	locks     [MostLocks]lock
	deadline  time.Time // of the phase
	connected bool      // media came from User
	ending    bool      // we hung up; Ended has not come yet

	refused      int       // requests, since
	refusedSince time.Time // then
}

// lock is what is known of a lock.
type lock struct {
	open    bool      // as its guard says
	opening request   // sent to the guard, which has not answered yet
	last    time.Time // when it was last asked to open
	alarm   bool      // the door was forced or held open, and is not shut yet
}

// request is an unlock request that was granted.
type request struct {
	call    string
	user    signaling.UserID
	carrier Carrier
}

// New returns a door with nobody in front of it and no link.
func New(cfg Config) (State, error) {
	if err := cfg.check(); err != nil {
		return State{}, err
	}
	s := State{cfg: &cfg}
	s.Shows = s.light()
	return s, nil
}

// Next takes one input. The effects are to be carried out in order; the time is when Wake
// is due, zero if never.
func (s State) Next(now time.Time, in Input) (State, []Effect, time.Time) {
	n := step{State: s, now: now}
	n.take(in)
	if l := n.light(); l != n.Shows {
		n.Shows = l
		n.do(Light{Show: l})
	}
	return n.State, n.effects, n.deadline
}

// step is one call of Next.
type step struct {
	State
	now     time.Time
	effects []Effect
}

func (n *step) do(e Effect) { n.effects = append(n.effects, e) }

func (n *step) take(in Input) {
	switch in := in.(type) {
	case Pressed:
		n.pressed(in.Button)
	case LinkChanged:
		n.linkChanged(in.Up)
	case Incoming:
		n.incoming(in)
	case Answered:
		n.answered(in)
	case Declined:
		if n.Phase == Calling && in.Call == n.Call {
			n.note(Note{Type: NoteDeclined, Call: in.Call, User: in.User, Text: n.name(in.User) + " declined"})
		}
	case MediaStarted:
		if n.Phase == Talking && in.Call == n.Call && in.User == n.User && !n.connected {
			n.connected = true
			n.note(Note{Type: NoteConnected, Call: in.Call, User: in.User, Text: n.name(in.User) + " is heard at the door"})
		}
	case Asked:
		n.asked(in)
	case Ended:
		n.ended(in)
	case LockChanged:
		n.lockChanged(in)
	case LockFailed:
		n.lockFailed(in)
	case Contact:
		n.contact(in)
	case Tamper:
		n.tamper(in)
	case Fault:
		n.fault = in.Wrong
	case Wake:
		n.wake()
	}
}

func (n *step) pressed(name string) {
	i := slices.IndexFunc(n.cfg.Buttons, func(b Button) bool { return b.Name == name })
	if i < 0 {
		return
	}
	b := n.cfg.Buttons[i]
	n.note(Note{Type: NotePressed, Call: n.Call, Name: name, Text: fmt.Sprintf("button %q was pressed", name)})
	if b.HangUp {
		n.hangUp("hung up at the door")
		return
	}
	// Who presses again while phones ring wants them to ring: they do already.
	if n.Phase != Idle {
		return
	}
	if !n.link {
		n.enter(Waiting)
		n.button = name
		n.deadline = n.now.Add(n.cfg.Retry)
		return
	}
	n.ring(b)
}

func (n *step) ring(b Button) {
	n.calls++
	n.enter(Calling)
	n.Call, n.button = strconv.Itoa(n.calls), b.Name
	n.note(Note{Type: NoteRinging, Call: n.Call, Name: b.Name, Text: "calling " + n.names(b.Residents)})
	n.do(Ring{Call: n.Call, Users: b.Residents})
}

// hangUp ends whatever goes on. The call is over for the door at once; that it ended is
// told when it has.
func (n *step) hangUp(reason string) {
	switch n.Phase {
	case Waiting:
		n.enter(Idle)
	case Calling, Talking:
		n.ending = true
		n.do(HangUp{Call: n.Call, Reason: reason})
	}
}

func (n *step) linkChanged(up bool) {
	n.link = up
	if !up || n.Phase != Waiting {
		return
	}
	name := n.button
	n.enter(Idle)
	if i := slices.IndexFunc(n.cfg.Buttons, func(b Button) bool { return b.Name == name }); i >= 0 {
		n.ring(n.cfg.Buttons[i])
	}
}

func (n *step) incoming(in Incoming) {
	r, known := n.resident(in.User)
	refuse := func(reason, text string) {
		n.note(Note{Type: NoteRefused, Call: in.Call, User: in.User, Reason: reason, Text: text})
		n.do(Decline{Call: in.Call, Reason: reason})
	}
	switch {
	case !known:
		refuse(ReasonStranger, n.name(in.User)+" called the door and is not a resident")
	case !r.MayCall:
		refuse(ReasonNotAllowed, r.Name+" called the door and may not")
	case n.Phase == Calling || n.Phase == Talking:
		refuse(ReasonBusy, r.Name+" called the door while it was busy")
	default:
		n.enter(Talking)
		n.Call, n.User, n.Incoming = in.Call, in.User, true
		n.limit()
		n.note(Note{Type: NoteIncoming, Call: in.Call, User: in.User, Text: r.Name + " calls the door"})
		n.do(Answer{Call: in.Call})
	}
}

func (n *step) answered(in Answered) {
	if n.Phase != Calling || in.Call != n.Call || n.ending || !n.rung(in.User) {
		return
	}
	call := n.Call
	n.enter(Talking)
	n.Call, n.User = call, in.User
	n.limit()
	n.note(Note{Type: NoteAnswered, Call: in.Call, User: in.User, Text: n.name(in.User) + " answered"})
}

// rung says whether a user is one of those whose phones ring.
func (n *step) rung(u signaling.UserID) bool {
	return slices.ContainsFunc(n.cfg.Buttons, func(b Button) bool { return b.Name == n.button && slices.Contains(b.Residents, u) })
}

func (n *step) ended(in Ended) {
	if in.Call != n.Call || n.Phase != Calling && n.Phase != Talking {
		return
	}
	if n.Phase == Calling && in.How == EndUnanswered {
		n.note(Note{Type: NoteNotAnswered, Call: in.Call, Reason: in.Reason, Text: "nobody answered"})
	} else {
		n.note(Note{Type: NoteEnded, Call: in.Call, User: n.User, Reason: in.Reason, Text: "the call ended: " + in.Reason})
	}
	n.enter(Idle)
}

func (n *step) wake() {
	if n.deadline.IsZero() || n.now.Before(n.deadline) {
		return
	}
	n.deadline = time.Time{}
	switch n.Phase {
	case Waiting:
		n.note(Note{Type: NoteNotAnswered, Name: n.button, Reason: ReasonNoLink, Text: "nobody could be called: the chat server is not reached"})
		n.enter(Idle)
	case Talking:
		n.hangUp("the longest call time was reached")
	}
}

// enter begins a phase with nothing left of the last one.
func (n *step) enter(p Phase) {
	n.Phase, n.Since, n.deadline = p, n.now, time.Time{}
	n.Call, n.User, n.Incoming, n.button, n.connected, n.ending = "", 0, false, "", false, false
}

// limit bounds the call that was just entered.
func (n *step) limit() {
	if n.cfg.Longest > 0 {
		n.deadline = n.now.Add(n.cfg.Longest)
	}
}

func (n *step) note(e Note) { n.do(e) }

func (s *State) resident(u signaling.UserID) (Resident, bool) {
	if i := slices.IndexFunc(s.cfg.Residents, func(r Resident) bool { return r.ID == u }); i >= 0 {
		return s.cfg.Residents[i], true
	}
	return Resident{}, false
}

// name is how a user is called in sentences.
func (s *State) name(u signaling.UserID) string {
	if r, ok := s.resident(u); ok {
		return r.Name
	}
	return "user " + u.String()
}

func (s *State) names(users []signaling.UserID) string {
	text := ""
	for i, u := range users {
		switch {
		case i > 0 && i == len(users)-1:
			text += " and "
		case i > 0:
			text += ", "
		}
		text += s.name(u)
	}
	return text
}

// light is what the status light shows in this state.
func (s *State) light() LightState {
	switch {
	case slices.ContainsFunc(s.locks[:], func(l lock) bool { return l.open }):
		return LightOpened
	case s.Phase == Talking:
		return LightTalking
	case s.Phase == Calling:
		return LightCalling
	case !s.link || s.fault || s.blocked:
		return LightFault
	}
	return LightIdle
}
