package access

import (
	"crypto/hmac"
	"crypto/subtle"
	"slices"
	"strings"
	"time"

	"intercom/signaling"
)

// Carrier is the signal that brought a request.
type Carrier string

// The carriers.
const (
	ByUpdate  Carrier = "update"
	ByMessage Carrier = "message" // a system message of the chat
	ByHangUp  Carrier = "hangUp"
)

// Request is what an app asks for.
type Request struct {
	User signaling.UserID
	// Call is the name under which challenges were given for it; empty: the request is from
	// no call that is known. Session is its id on the wire.
	Call, Session string
	// Live is the call engine's word that the request is from the device in the call, with
	// media flowing and nobody having hung up; NotLive is why not, in its words.
	Live    bool
	NotLive string
	Carrier Carrier
	Lock    string // empty: the first
	Blocked bool   // locks are blocked, after tampering for instance

	// Key, Challenge and MAC prove that the app is a paired one; all empty: it does not.
	Key, Challenge, MAC string
}

// Typed is what somebody typed at a keypad.
type Typed struct {
	Keypad  string
	Lock    string // empty: the first
	PIN     string
	Blocked bool
}

// Reason is why a request was refused: a phrase, the same for each such refusal. Apps get
// it and the journal has it.
type Reason string

// The reasons.
const (
	ReasonStranger   Reason = "not a resident"
	ReasonNotAllowed Reason = "not allowed"
	ReasonNoLock     Reason = "there is no such lock"
	ReasonNoCall     Reason = "not in this call"
	ReasonNotLive    Reason = "the call is not live"
	ReasonBlocked    Reason = "locks are blocked"
	ReasonLockedOut  Reason = "too many wrong attempts"
	ReasonHours      Reason = "not at this hour"
	ReasonClock      Reason = "the clock is not set"
	ReasonHangUp     Reason = "not with a hang-up"
	ReasonNotPaired  Reason = "this phone is not paired"
	ReasonKeyNeeded  Reason = "a paired phone is needed"
	ReasonTooSoon    Reason = "opened a moment ago"
	ReasonKey        Reason = "unknown key"
	ReasonChallenge  Reason = "unknown challenge"
	ReasonReplayed   Reason = "the challenge was used already"
	ReasonExpired    Reason = "the challenge is too old"
	ReasonWrong      Reason = "wrong code"
	ReasonPIN        Reason = "a PIN is needed, too"
)

// Way is how somebody opened.
type Way string

// The ways.
const (
	WayKey     Way = "key"
	WayTwoStep Way = "key and PIN"
	WayAccount Way = "account" // with nothing but his account
	WayPIN     Way = "PIN"
)

// Verdict is what becomes of a request.
type Verdict struct {
	Reason Reason // empty: the lock may open
	Detail string // the engine's words, for ReasonNotLive
	Lock   string // that was meant; as in the request if there is no such
	User   signaling.UserID
	Way    Way    // how he opens
	Key    string // the id of the key he does it with

	// Duress says that he was forced to: an alarm is due that nobody at the door or at the
	// phone notices, also if he is refused.
	Duress bool
	// LockedOut says that this attempt was wrong once too often, and how long nobody is
	// heard now; an alarm is due. While it lasts it is what remains.
	LockedOut time.Duration
	// Next is the challenge for the next request; empty: he is in no live call.
	Next string

	// AtWorst is not nil if the attempt was held against a secret. It is what there is to
	// remember if it was wrong, and has to be on the disk before anybody can tell whether it
	// was: else who cuts the power in time has guessed for nothing.
	AtWorst []Tally
}

// Granted tells whether the lock may open.
func (v Verdict) Granted() bool { return v.Reason == "" }

// Ask decides a request from an app.
func (s State) Ask(now time.Time, r Request) (State, Verdict) {
	v := Verdict{User: r.User, Lock: r.Lock}
	v.Reason = s.ask(now, r, &v)
	if r.Live && s.call(r.Call, r.User) >= 0 {
		s, v.Next = s.Challenge(now, r.Call, r.User)
	}
	return s, v
}

// ask returns why a request is refused. All of it must be right at once.
func (s *State) ask(now time.Time, r Request, v *Verdict) Reason {
	who := s.resident(r.User)
	if who < 0 {
		return ReasonStranger
	}
	lock, known := s.lock(r.Lock)
	if !known {
		return ReasonNoLock
	}
	v.Lock = lock
	rule, allowed := s.rule(who, lock)
	in := s.call(r.Call, r.User)
	switch {
	case !allowed || !rule.Call:
		return ReasonNotAllowed
	case in < 0 || r.Session == "":
		v.Detail = r.NotLive
		return ReasonNoCall
	case !r.Live:
		v.Detail = r.NotLive
		return ReasonNotLive
	case r.Carrier == ByHangUp && !s.cfg.HangUp:
		return ReasonHangUp
	case r.Blocked:
		return ReasonBlocked
	}
	if reason := s.when(now, rule); reason != "" {
		return reason
	}
	if v.LockedOut = s.users[who].lasts(now); v.LockedOut > 0 {
		return ReasonLockedOut
	}
	if r.Key == "" && r.MAC == "" {
		return s.account(now, r, who, rule, v)
	}
	return s.key(now, r, in, who, rule, v)
}

// when judges the schedule.
func (s *State) when(now time.Time, rule Rule) Reason {
	switch {
	case rule.When == nil:
		return ""
	case now.Before(s.cfg.ClockFrom):
		return ReasonClock
	case !rule.When.Covers(now):
		return ReasonHours
	}
	return ""
}

// account judges a request without a key.
func (s *State) account(now time.Time, r Request, who int, rule Rule, v *Verdict) Reason {
	last := s.byAccount[who]
	switch {
	case s.Paired(r.User):
		return ReasonKeyNeeded
	case !rule.Account:
		return ReasonNotPaired
	case !last.IsZero() && now.Sub(last) < s.cfg.AccountInterval:
		return ReasonTooSoon
	}
	s.byAccount = slices.Clone(s.byAccount)
	s.byAccount[who] = now
	v.Way = WayAccount
	return ""
}

// key judges a request with one.
func (s *State) key(now time.Time, r Request, in, who int, rule Rule, v *Verdict) Reason {
	k := slices.IndexFunc(s.keys, func(k Key) bool { return k.ID == r.Key && k.User == r.User })
	if k < 0 {
		return ReasonKey
	}
	v.Key = r.Key
	// The time of comparing is of no use to anybody: challenges are no secrets.
	c := slices.IndexFunc(s.calls[in].challenges[:], func(c challenge) bool { return c.text != "" && c.text == r.Challenge })
	if c < 0 {
		return ReasonChallenge
	}
	switch age := now.Sub(s.calls[in].challenges[c].given); {
	case s.calls[in].challenges[c].used:
		return ReasonReplayed
	case age < 0 || age > s.cfg.Lifetime:
		return ReasonExpired
	}
	resident := s.cfg.Residents[who]
	proves := func(pin string) bool {
		want := MAC(s.keys[k].Secret, r.Challenge, r.Lock, r.Session, r.User, pin)
		return hmac.Equal([]byte(want), []byte(strings.TrimRight(r.MAC, "=")))
	}
	tried := slices.Clone(s.users)
	lockedOut := tried[who].wrong(now, s.cfg)
	v.AtWorst = s.tallies(now, tried, s.pads)
	// All three are computed, whichever it is: how long it takes tells nobody which.
	plain, own, duress := proves(""), proves(resident.PIN), proves(resident.DuressPIN)
	own, duress = own && resident.PIN != "", duress && resident.DuressPIN != ""
	switch {
	case own && rule.TwoStep:
		v.Way = WayTwoStep
	case own, plain && !rule.TwoStep:
		v.Way = WayKey
	case duress:
		v.Way, v.Duress = WayKey, true
		if rule.TwoStep {
			v.Way = WayTwoStep
		}
	case plain:
		v.AtWorst = nil // the key is right, and no PIN was tried
		return ReasonPIN
	default:
		s.users, v.LockedOut = tried, lockedOut
		return ReasonWrong
	}
	// One opening for a challenge; and those that were given before it are of no use now.
	s.calls = slices.Clone(s.calls)
	for i := range s.calls[in].challenges {
		s.calls[in].challenges[i].used = true
	}
	return ""
}

// Type decides about a PIN at a keypad. Every wrong one looks the same, and nothing is told
// about a PIN while locks are blocked or nobody is heard.
func (s State) Type(now time.Time, t Typed) (State, Verdict) {
	v := Verdict{Lock: t.Lock}
	v.Reason = s.typed(now, t, &v)
	return s, v
}

func (s *State) typed(now time.Time, t Typed, v *Verdict) Reason {
	lock, known := s.lock(t.Lock)
	if !known {
		return ReasonNoLock
	}
	v.Lock = lock
	pad := slices.Index(s.cfg.Keypads, t.Keypad)
	switch {
	case pad < 0:
		return ReasonNotAllowed
	case t.Blocked:
		return ReasonBlocked
	}
	if v.LockedOut = s.pads[pad].lasts(now); v.LockedOut > 0 {
		return ReasonLockedOut
	}
	tried := slices.Clone(s.pads)
	lockedOut := tried[pad].wrong(now, s.cfg)
	v.AtWorst = s.tallies(now, s.users, tried)
	found := -1
	hash := s.hash("pin", t.PIN)
	for i, p := range s.pins { // all of them, whichever it is
		if subtle.ConstantTimeCompare(hash[:], p.hash[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		s.pads, v.LockedOut = tried, lockedOut
		return ReasonWrong
	}
	who := s.pins[found].resident
	v.User, v.Duress = s.cfg.Residents[who].ID, s.pins[found].duress
	rule, allowed := s.rule(who, lock)
	switch {
	case !allowed || !rule.Keypad:
		return ReasonNotAllowed
	}
	if reason := s.when(now, rule); reason != "" {
		return reason
	}
	v.Way = WayPIN
	return ""
}
