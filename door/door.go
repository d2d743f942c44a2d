// Package door decides what things mean at a door: a press, an answer, a request to open.
// It is a pure table: State.Next takes one input and returns the next state, the effects to
// carry out and the time at which it wants to be woken. It calls nobody, drives no line and
// has no goroutines; internal/station carries its effects out.
//
// The rule everything here serves: there is no Open effect unless a resident who may open
// asked for it in a live call that this door has with that very resident, or typed his PIN.
// Who may is decided in door/access.
package door

import (
	"slices"
	"time"

	"intercom/door/access"
	"intercom/signaling"
)

// Phase is what the door is doing.
type Phase uint8

// The phases.
const (
	Idle     Phase = iota
	Dialling       // somebody types
	Waiting        // somebody wants to call; the chat server is out of reach
	Calling        // phones ring
	Talking        // a resident answered, or called the door
)

var phaseNames = [...]string{Idle: "idle", Dialling: "dialling", Waiting: "waiting", Calling: "calling", Talking: "talking"}

// String returns "idle", "dialling", "waiting", "calling" or "talking".
func (p Phase) String() string { return phaseNames[p] }

// State is a door at one moment. The zero value is not one: see New. States share nothing
// that changes: an old one stays what it was.
type State struct {
	cfg *Config

	Phase    Phase
	Call     string           // its key; of several that ring the latest; empty before
	User     signaling.UserID // who is talking
	Incoming bool             // the resident called
	Since    time.Time        // of the phase
	Flat     string           // whom the visitor wants: a flat, or the button of who has none
	Typed    string           // on the keypad; a code shows as stars
	Shows    LightState       // what the light shows

	timers timers
	visit  visit
	locks  [MostLocks]lock
	access access.State
	coding bool   // a code is typed, not a number
	secret string // of it

	calls     int  // rung so far: the key of the next
	link      bool // the chat server is reached
	noClock   bool // the time is not known
	fault     bool // something else is wrong
	blocked   bool // all locks, because of tampering
	connected bool // media came from User
	ending    bool // we hung up; Ended has not come yet

	refused      [2]int    // requests, those of strangers apart, since
	refusedSince time.Time // then
	unnoted      []unnoted // of them; never changed in place
}

// lock is what is known of a lock.
type lock struct {
	open    bool             // as its guard says
	opening request          // sent to the guard, which has not answered yet
	last    time.Time        // when it was last asked to open
	by      signaling.UserID // who opened it; 0: nobody did, or it is shut
	alarm   bool             // the door was forced or held open, and is not shut yet
	forced  time.Time        // when that was told last
	held    time.Time        // likewise
}

// timers are the times at which something is due; zero: it is not.
type timers [timerCount]time.Time

const (
	timerPhase = iota // the phase is over
	timerStep         // the next step of a flat
	timerShot         // a picture of the visitor
	timerLeave        // the end of a call in which the door was opened
	timerTyped        // what was typed is forgotten
	timerCount
)

// next is when the first one is due.
func (t *timers) next() (first time.Time) {
	for _, at := range t {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// due is when something is, whatever the phase.
func (s *State) due() time.Time {
	first := s.timers.next()
	if at := s.refusedSince.Add(refusalsTime); len(s.unnoted) > 0 && (first.IsZero() || at.Before(first)) {
		first = at
	}
	return first
}

// New returns a door with nobody in front of it and no link.
func New(cfg Config) (State, error) {
	if err := cfg.check(); err != nil {
		return State{}, err
	}
	admitted, err := cfg.admit()
	if err != nil {
		return State{}, err
	}
	cfg.prepare()
	s := State{cfg: &cfg, access: admitted}
	s.Shows = s.light()
	return s, nil
}

// Tallies returns what is to be remembered of wrong codes should the station be off.
func (s State) Tallies(now time.Time) []access.Tally { return s.access.Tallies(now) }

// Blocked tells whether no lock opens because somebody tampers with the station.
func (s State) Blocked() bool { return s.blocked }

// Next takes one input. The effects are to be carried out in order; the time is when Wake
// is due, zero if never.
func (s State) Next(now time.Time, in Input) (State, []Effect, time.Time) {
	n := step{State: s, now: now}
	n.take(in)
	if l := n.light(); l != n.Shows {
		n.Shows = l
		n.do(Light{Show: l})
	}
	return n.State, n.effects, n.due()
}

// step is one call of Next.
type step struct {
	State
	now     time.Time
	effects []Effect
}

func (n *step) do(e Effect)       { n.effects = append(n.effects, e) }
func (n *step) note(e Note)       { n.do(e) }
func (n *step) play(name CueName) { n.do(Cue{Name: name}) }

func (n *step) take(in Input) {
	switch in := in.(type) {
	case Pressed:
		n.pressed(in)
	case Key:
		n.key(in.Symbol)
	case LinkChanged:
		n.linkChanged(in.Up)
	case ClockChanged:
		n.noClock = !in.Set
	case Incoming:
		n.incoming(in)
	case Answered:
		n.answered(in)
	case Declined:
		n.declined(in)
	case MediaStarted:
		n.mediaStarted(in)
	case Asked:
		n.asked(in)
	case Ended:
		n.ended(in)
	case LockChanged:
		n.lockChanged(in)
	case LockIs:
		n.lockIs(in)
	case LockFailed:
		n.lockFailed(in)
	case Contact:
		n.contact(in)
	case Tamper:
		n.tamper(in)
	case KeysChanged:
		if n.access = n.access.SetKeys(in.Keys); in.Lost {
			n.access = n.access.LoseKeys()
		}
	case Restored:
		n.restored(in)
	case Fault:
		n.fault = in.Wrong
	case Wake:
		n.wake()
	}
}

// wake does what is due, each thing once.
func (n *step) wake() {
	n.sumUp()
	for i, do := range [timerCount]func(){
		timerPhase: n.phaseOver, timerStep: n.stepDue, timerShot: func() { n.do(Snapshot{}) },
		timerLeave: func() { n.hangUp(ReasonOpened) }, timerTyped: n.forget,
	} {
		if at := n.timers[i]; !at.IsZero() && !n.now.Before(at) {
			n.timers[i] = time.Time{}
			do()
		}
	}
}

// phaseOver ends a phase that has lasted for as long as it may.
func (n *step) phaseOver() {
	switch {
	case n.ending: // whoever was to say so has not
		n.over(Ended{Call: n.Call, Reason: ReasonHungUp})
	case n.Phase == Waiting:
		n.missed(ReasonNoLink, CueFault)
	case n.Phase == Calling:
		n.quit(ReasonUnanswered)
		n.missed(ReasonUnanswered, CueUnanswered)
	case n.Phase == Talking:
		n.hangUp(ReasonLongest)
	}
}

// enter begins a phase with nothing left of the last one but what somebody types.
func (n *step) enter(p Phase) {
	if p == Idle && n.Typed != "" {
		p = Dialling
	}
	typed := n.timers[timerTyped]
	n.Phase, n.Since, n.timers, n.visit = p, n.now, timers{}, visit{}
	n.timers[timerTyped] = typed
	n.Call, n.User, n.Incoming, n.Flat, n.connected, n.ending = "", 0, false, "", false, false
}

// after sets a timer; 0 means never.
func (n *step) after(timer int, d time.Duration) {
	n.timers[timer] = time.Time{}
	if d > 0 {
		n.timers[timer] = n.now.Add(d)
	}
}

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
	case s.Phase == Calling || s.Phase == Waiting:
		return LightCalling
	case !s.link || s.fault || s.blocked:
		return LightFault
	}
	return LightIdle
}
