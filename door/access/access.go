// Package access decides who may open a lock, and when: a resident in a live call, with a
// paired key or by the account alone, or with a PIN at the keypad. It is a pure table: each
// method of State takes the time and what somebody asks for and returns a verdict with a
// reason of a known type, and the next State. It reads no clock and no file, drives no line
// and starts no goroutine; what it needs of randomness is given to it once.
//
// It does not know whether a call is live. The call engine does, and its word is part of
// the request: there is no opening without it, whatever key somebody has.
//
// The message of a paired app proves three things at once: that it has the key, that it
// means this door and this call, and that it was made for a challenge which this door gave
// out a moment ago and has not taken before. MAC computes what such a message carries.
package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"intercom/door/schedule"
	"intercom/signaling"
)

// Config says who may open what. It is not changed once New has it.
type Config struct {
	Residents []Resident
	Locks     []string // names; the first is the one that a request without a name means
	Keypads   []string // names of those that take PINs

	Lifetime        time.Duration // of a challenge; 0: DefaultLifetime
	AccountInterval time.Duration // between two openings of one resident by account; 0: DefaultAccountInterval
	Attempts        int           // wrong ones until the first lock-out; 0: DefaultAttempts
	LockOut         time.Duration // how long that is; each further wrong attempt doubles it. 0: DefaultLockOut
	LongestLockOut  time.Duration // it grows to this, and after this time one wrong attempt is forgiven. 0: DefaultLongestLockOut
	HangUp          bool          // a request may come with a hang-up, "open and end"
	ClockFrom       time.Time     // an earlier time is of a clock that was not set: schedules cannot be judged then

	// Seed makes challenges unforeseeable: random, of each start its own, and secret.
	Seed [32]byte
}

// The defaults of Config.
const (
	DefaultLifetime        = time.Minute
	DefaultAccountInterval = 30 * time.Second
	DefaultAttempts        = 5
	DefaultLockOut         = time.Minute
	DefaultLongestLockOut  = time.Hour
)

// Resident is somebody who may open. Who is not among them never does.
type Resident struct {
	ID        signaling.UserID
	PIN       string // digits, his own; empty: none
	DuressPIN string // opens as the other does, and raises an alarm
	Rules     []Rule // at most one for a lock; without one for it he cannot open it
}

// Rule says how a resident may open one lock.
type Rule struct {
	Lock    string
	Call    bool           // from his app, in his own live call, with a paired key
	Account bool           // so without a key, as long as he has none
	Keypad  bool           // by his PIN at a keypad
	TwoStep bool           // only from his app with both, key and PIN
	When    *schedule.Week // only then; nil: at any time
}

// Lengths of a PIN, and the least of a key's secret.
const (
	MinPIN    = 4
	MaxPIN    = 12
	MinSecret = 16 // bytes
)

// Key is the secret that an app was paired with.
type Key struct {
	ID     string // names it in requests, and is no secret
	User   signaling.UserID
	Secret []byte
}

const (
	callsKept      = 64 // residents in calls; beyond that the oldest is forgotten
	challengesKept = 8  // of one resident in one call
)

// State is what is remembered from one request to the next. It is a value: a method leaves
// its receiver as it was. The zero value is none: see New.
type State struct {
	cfg  *Config
	pins []pin

	keys        []Key
	lost        bool   // nobody knows which keys there are
	calls       []call // oldest first
	given       uint64 // challenges, so far
	users, pads []tally
	byAccount   []time.Time // of each resident, his last opening
}

// pin is a PIN that is nobody's to read: its keyed hash.
type pin struct {
	hash     [sha256.Size]byte
	resident int
	duress   bool
}

// call is a resident in a call.
type call struct {
	key        string
	user       signaling.UserID
	challenges [challengesKept]challenge
}

type challenge struct {
	text  string // empty: there is none
	given time.Time
	used  bool
}

// New checks cfg. Nobody is in a call and no key is known.
func New(cfg Config) (State, error) {
	cfg.Lifetime = orDefault(cfg.Lifetime, DefaultLifetime)
	cfg.AccountInterval = orDefault(cfg.AccountInterval, DefaultAccountInterval)
	cfg.Attempts = orDefault(cfg.Attempts, DefaultAttempts)
	cfg.LockOut = orDefault(cfg.LockOut, DefaultLockOut)
	cfg.LongestLockOut = orDefault(cfg.LongestLockOut, DefaultLongestLockOut)
	if err := cfg.check(); err != nil {
		return State{}, fmt.Errorf("access: %w", err)
	}
	s := State{cfg: &cfg, users: make([]tally, len(cfg.Residents)), pads: make([]tally, len(cfg.Keypads)), byAccount: make([]time.Time, len(cfg.Residents))}
	for i, r := range cfg.Residents {
		if r.PIN != "" {
			s.pins = append(s.pins, pin{s.hash("pin", r.PIN), i, false})
		}
		if r.DuressPIN != "" {
			s.pins = append(s.pins, pin{s.hash("pin", r.DuressPIN), i, true})
		}
	}
	return s, nil
}

func orDefault[T time.Duration | int](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// SetKeys replaces the paired keys: what is not among them opens nothing from now on. A key
// of nobody who lives here, or with a secret shorter than MinSecret, is of no use.
func (s State) SetKeys(keys []Key) State {
	s.lost = false
	s.keys = slices.DeleteFunc(slices.Clone(keys), func(k Key) bool {
		return k.ID == "" || len(k.Secret) < MinSecret || s.resident(k.User) < 0
	})
	return s
}

// LoseKeys is for a door that does not know which keys there are, until SetKeys. None opens
// anything. Every resident may have had one, so nobody opens by his account alone.
func (s State) LoseKeys() State {
	s.keys, s.lost = nil, true
	return s
}

// Paired tells whether a resident has a key, or may have one.
func (s State) Paired(user signaling.UserID) bool {
	return s.lost && s.resident(user) >= 0 || slices.ContainsFunc(s.keys, func(k Key) bool { return k.User == user })
}

// Challenge gives out a challenge for a resident in a call, in which he may ask from now
// on. It is to be given when his phone is called, when he has answered, and with each
// receipt; the last few of them count, each for one opening. Call is the caller's own name
// for it, which no other call has. It returns "" for who is no resident.
func (s State) Challenge(now time.Time, inCall string, user signaling.UserID) (State, string) {
	if s.resident(user) < 0 || inCall == "" {
		return s, ""
	}
	s.calls = slices.Clone(s.calls)
	i := s.call(inCall, user)
	if i < 0 {
		if len(s.calls) >= callsKept {
			s.calls = s.calls[1:]
		}
		i = len(s.calls)
		s.calls = append(s.calls, call{key: inCall, user: user})
	}
	s.given++
	h := s.hash("challenge", string(binary.BigEndian.AppendUint64(nil, s.given)))
	text := base64.RawURLEncoding.EncodeToString(h[:18])
	c := &s.calls[i].challenges
	copy(c[1:], c[:])
	c[0] = challenge{text: text, given: now}
	return s, text
}

// End forgets a call: nobody opens from it any more.
func (s State) End(inCall string) State {
	s.calls = slices.DeleteFunc(slices.Clone(s.calls), func(c call) bool { return c.key == inCall })
	return s
}

// MAC returns what proves that somebody has the key: HMAC-SHA256 over the challenge, the
// lock as the request names it, the wire's id of the session, the user and, if the resident
// entered one into his app, his PIN; in base64 for URLs, without padding.
func MAC(secret []byte, challenge, lock, session string, user signaling.UserID, pin string) string {
	m := hmac.New(sha256.New, secret)
	text := "intercom-unlock-1\n" + challenge + "\n" + lock + "\n" + session + "\n" + user.String()
	if pin != "" {
		text += "\n" + pin
	}
	m.Write([]byte(text)) // never fails
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// hash is a hash that nobody computes without the seed.
func (s *State) hash(purpose, text string) [sha256.Size]byte {
	m := hmac.New(sha256.New, s.cfg.Seed[:])
	m.Write([]byte(purpose + "\n" + text))
	return [sha256.Size]byte(m.Sum(nil))
}

func (s *State) resident(u signaling.UserID) int {
	return slices.IndexFunc(s.cfg.Residents, func(r Resident) bool { return r.ID == u })
}

func (s *State) call(inCall string, u signaling.UserID) int {
	return slices.IndexFunc(s.calls, func(c call) bool { return c.key == inCall && c.user == u })
}

// lock returns the name of the lock that a request means; false: there is no such.
func (s *State) lock(name string) (string, bool) {
	if name == "" && len(s.cfg.Locks) > 0 {
		return s.cfg.Locks[0], true
	}
	return name, name != "" && slices.Contains(s.cfg.Locks, name)
}

// rule returns how a resident may open a lock; false: not at all.
func (s *State) rule(resident int, lock string) (Rule, bool) {
	rules := s.cfg.Residents[resident].Rules
	if i := slices.IndexFunc(rules, func(r Rule) bool { return r.Lock == lock }); i >= 0 {
		return rules[i], true
	}
	return Rule{}, false
}

// check refuses what contradicts itself.
func (c *Config) check() error {
	switch {
	case c.Seed == [32]byte{}:
		return fmt.Errorf("the seed is missing")
	case c.Lifetime < 0 || c.AccountInterval < 0 || c.Attempts < 0 || c.LockOut < 0 || c.LongestLockOut < c.LockOut:
		return fmt.Errorf("a limit is negative, or the longest lock-out shorter than the first")
	}
	if name, twice := repeated(c.Locks); twice {
		return fmt.Errorf("lock %q has no name of its own", name)
	}
	if name, twice := repeated(c.Keypads); twice {
		return fmt.Errorf("keypad %q has no name of its own", name)
	}
	pins := map[string]bool{}
	users := map[signaling.UserID]bool{}
	for _, r := range c.Residents {
		if r.ID <= 0 || users[r.ID] {
			return fmt.Errorf("user %d is no user, or a resident twice", r.ID)
		}
		users[r.ID] = true
		for _, p := range []string{r.PIN, r.DuressPIN} {
			if p == "" {
				continue
			}
			if err := CheckPIN(p); err != nil {
				return fmt.Errorf("user %d: %w", r.ID, err)
			}
			if pins[p] { // which one must not be in any log
				return fmt.Errorf("user %d: a PIN of his is somebody's already: they tell residents apart", r.ID)
			}
			pins[p] = true
		}
		if err := c.checkRules(r); err != nil {
			return fmt.Errorf("user %d: %w", r.ID, err)
		}
	}
	return nil
}

func (c *Config) checkRules(r Resident) error {
	var ruled []string
	for _, rule := range r.Rules {
		switch {
		case !slices.Contains(c.Locks, rule.Lock):
			return fmt.Errorf("there is no lock %q", rule.Lock)
		case slices.Contains(ruled, rule.Lock):
			return fmt.Errorf("there are two rules for lock %q", rule.Lock)
		case rule.TwoStep && r.PIN == "":
			return fmt.Errorf("lock %q opens in two steps, and there is no PIN for the second", rule.Lock)
		case rule.TwoStep && (rule.Account || rule.Keypad):
			return fmt.Errorf("lock %q opens in two steps, so neither by account nor by PIN alone", rule.Lock)
		case rule.Account && !rule.Call, rule.TwoStep && !rule.Call:
			return fmt.Errorf("lock %q does not open in a call, so neither by account nor in two steps", rule.Lock)
		case rule.Keypad && r.PIN == "":
			return fmt.Errorf("lock %q opens by PIN, and there is none", rule.Lock)
		}
		ruled = append(ruled, rule.Lock)
	}
	return nil
}

// CheckPIN says why a text is no PIN; nil: it is one. The error does not tell the text.
func CheckPIN(p string) error {
	if len(p) < MinPIN || len(p) > MaxPIN || strings.Trim(p, "0123456789") != "" {
		return fmt.Errorf("a PIN is %d to %d digits", MinPIN, MaxPIN)
	}
	return nil
}

func repeated(names []string) (string, bool) {
	for i, n := range names {
		if n == "" || slices.Contains(names[:i], n) {
			return n, true
		}
	}
	return "", false
}
