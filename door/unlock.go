package door

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"intercom/door/access"
	"intercom/signaling"
)

// CommandUnlock is the command of an unlock request: userInfo {command: unlock}.
const CommandUnlock = "unlock"

// The reasons for which a call or an unlock request is refused, beside those of
// access.Reason. Residents' apps get them, the journal has them. A request in a call that is
// not live has the engine's own words instead.
const (
	ReasonStranger   = string(access.ReasonStranger)
	ReasonNotAllowed = string(access.ReasonNotAllowed)
	ReasonTooSoon    = string(access.ReasonTooSoon)
	ReasonBusy       = "busy"
	ReasonEnding     = "the call is being ended"
	ReasonTampered   = "somebody tampers with the station"
	ReasonCommand    = "unknown command"
	ReasonExit       = "from inside"
	ReasonDuress     = "under duress"
	ReasonNoLink     = "the chat server is not reached"
	ReasonNoFlat     = "there is no such flat"
	ReasonForced     = "the door was forced"
	ReasonHeldOpen   = "the door is held open"
)

// keypad is the name of the one that takes codes.
const keypad = "keypad"

// request is an unlock request, and what became of it.
type request struct {
	call      string
	session   string
	user      signaling.UserID
	device    string
	carrier   Carrier
	way       access.Way
	key       string
	challenge string // the next
}

// asked decides a request of somebody to open. All of it must be right at once.
func (n *step) asked(in Asked) {
	if in.Command == "" {
		return // an update that asks for nothing
	}
	by := request{call: in.Call, session: in.Session, user: in.User, device: in.Device, carrier: in.Carrier}
	switch _, known := n.resident(in.User); {
	case known && in.Command == CommandLock:
		n.askedShut(by, in)
		return
	case known && in.Command != CommandUnlock:
		n.refuse(by, in.Lock, ReasonCommand, fmt.Sprintf("%s asked to %.20q: there is no such command", n.name(in.User), in.Command))
		return
	}
	r := access.Request{
		User: in.User, Call: in.Call, Session: in.Session, Live: in.Live, NotLive: in.NotLive, Carrier: access.Carrier(in.Carrier.String()),
		Lock: in.Lock, Blocked: n.blocked, Key: in.Key, Challenge: in.Challenge, MAC: in.MAC,
	}
	switch {
	case in.Call == "" || n.Phase != Talking || in.Call != n.Call || in.User != n.User:
		r.Live = false
		if r.NotLive == "" {
			r.NotLive = string(access.ReasonNoCall)
		}
	case n.ending:
		r.Live, r.NotLive = false, ReasonEnding
	}
	var v access.Verdict
	n.access, v = n.access.Ask(n.now, r)
	n.judged(by, v, "asked to open")
}

// code takes what somebody typed as a code.
func (n *step) code(pin string) {
	var v access.Verdict
	n.access, v = n.access.Type(n.now, access.Typed{Keypad: keypad, Lock: n.cfg.KeypadLock, PIN: pin, Blocked: n.blocked})
	opens := n.judged(request{user: v.User}, v, "typed a code")
	l := n.lock(v.Lock)
	switch {
	case opens, v.Granted() && l.opening != request{}: // the cue comes with the word of the guard
	case v.Granted() && l.open:
		n.play(CueOpened)
	default:
		n.play(CueRefused)
	}
}

// judged carries a verdict out, and says whether the lock is to open. One that is open, or was
// a moment ago, does not open again.
func (n *step) judged(by request, v access.Verdict, what string) bool {
	if v.AtWorst != nil {
		n.do(Keep{Tallies: v.AtWorst})
		if v.Reason != access.ReasonWrong {
			defer n.do(Keep{Tallies: n.access.Tallies(n.now), Later: true})
		}
	}
	who := n.name(by.user)
	if by.user == 0 {
		who = "somebody"
	}
	by.way, by.key, by.challenge = v.Way, v.Key, v.Next
	reason := string(v.Reason)
	switch {
	case v.Reason == access.ReasonBlocked:
		reason = ReasonTampered
	case v.Detail != "":
		reason = v.Detail
	}
	if v.LockedOut > 0 && v.Reason == access.ReasonWrong {
		n.alarm(by, v.Lock, string(access.ReasonLockedOut), fmt.Sprintf("%s was wrong too often and is not heard for %v", who, v.LockedOut))
	}
	l := n.lock(v.Lock)
	switch {
	case !v.Granted():
	case l.open, l.opening != request{}, !l.last.IsZero() && n.now.Sub(l.last) < n.pause(l):
		reason = ReasonTooSoon
	default:
		l.opening, l.last = by, n.now
		n.do(Open{Lock: v.Lock, User: by.user})
		if v.Duress {
			n.alarm(by, v.Lock, ReasonDuress, fmt.Sprintf("%s opens lock %q under duress", who, v.Lock))
		}
		return true
	}
	if v.Duress { // help is needed whether or not the lock opens
		n.alarm(by, v.Lock, ReasonDuress, fmt.Sprintf("%s is to open lock %q under duress, and was refused: %s", who, v.Lock, reason))
	}
	n.refuse(by, v.Lock, reason, fmt.Sprintf("%s %s and was refused: %s", who, what, reason))
	return false
}

// restored takes what was remembered.
func (n *step) restored(in Restored) {
	n.access = n.access.Restore(n.now, in.Tallies)
	if !in.Doubt {
		return
	}
	n.access = n.access.Doubt(n.now)
	n.note(Note{Type: NoteForgotten, Text: "how often codes were wrong before the start is not known: for a while nobody is heard, and then each wrong one counts as one too many"})
}

// alarm notes what somebody has to know at once, and tells those who want to. Neither the
// visitor nor the phone that asked is to notice it.
func (n *step) alarm(by request, lock, reason, text string) {
	n.note(Note{Type: NoteAlarm, Call: by.call, User: by.user, Name: lock, Reason: reason, Text: text})
	n.warn(by, lock, reason)
}

// warn tells those who want to be told, but for who it was.
func (n *step) warn(by request, lock, reason string) {
	for _, u := range n.cfg.Alarm {
		if u == by.user {
			continue
		}
		info := map[string]string{"event": "alarm", "lock": lock, "reason": reason}
		if by.user != 0 {
			info["user"] = by.user.String()
		}
		n.do(Tell{User: u, Carrier: ByMessage, Info: info})
	}
}

// how says in words how somebody opened.
func (r request) how() string {
	switch r.way {
	case access.WayPIN:
		return " with a PIN"
	case access.WayAccount:
		return " by account alone"
	case access.WayTwoStep:
		return fmt.Sprintf(" with key %s and a PIN", r.key)
	}
	return " with key " + r.key
}

// Refusals are noted and told up to a number in a time: whoever floods the door with
// requests shall neither fill its disk nor make it talk. Strangers have a number of their own:
// they shall not keep residents from being answered, nor hide who else tries.
const (
	refusalsNoted = 30
	refusalsTime  = time.Minute
)

// refuse notes a refusal and tells it to who asked, if there is a call to tell it in.
func (n *step) refuse(by request, lock, reason, text string) {
	if !n.noteRefusal(by, lock, reason, text) {
		return
	}
	info := map[string]string{"event": "refused", "reason": reason}
	if lock != "" {
		info["lock"] = lock
	}
	n.answer(by, info)
}

// nameNoted is how much is noted of the name of a lock that there is not: who asks chose it.
const nameNoted = 40

// noteRefusal notes a refusal, or counts it if there were too many: then it returns false.
func (n *step) noteRefusal(by request, lock, reason, text string) bool {
	n.sumUp()
	if n.now.Sub(n.refusedSince) >= refusalsTime {
		n.refused, n.refusedSince = [2]int{}, n.now
	}
	of := &n.refused[0]
	if _, known := n.resident(by.user); !known && by.user != 0 {
		of = &n.refused[1]
	}
	*of++
	switch {
	case *of > refusalsNoted:
		n.count(reason)
		return false
	case *of == refusalsNoted:
		text += "; what else is refused within a minute is counted"
	}
	if n.lock(lock) == nil {
		lock = fmt.Sprintf("%.*s", nameNoted, lock)
	}
	n.note(Note{Type: NoteRefused, Call: by.call, User: by.user, Name: lock, Reason: reason, Text: text})
	return true
}

// unnoted is how many requests were refused for a reason and not noted one by one.
type unnoted struct {
	reason string
	count  int
}

// reasonsCounted bounds the reasons, of which some are the engine's own words: all further
// ones are counted together.
const reasonsCounted = 30

func (n *step) count(reason string) {
	n.unnoted = slices.Clone(n.unnoted)
	i := slices.IndexFunc(n.unnoted, func(u unnoted) bool { return u.reason == reason })
	if i < 0 && len(n.unnoted) >= reasonsCounted {
		i = reasonsCounted - 1
	}
	if i < 0 {
		i = len(n.unnoted)
		n.unnoted = append(n.unnoted, unnoted{reason: reason})
	}
	n.unnoted[i].count++
}

// sumUp notes how many requests were refused that were not noted, and why, once the time
// for it has come.
func (n *step) sumUp() {
	if len(n.unnoted) == 0 || n.now.Sub(n.refusedSince) < refusalsTime {
		return
	}
	for _, u := range n.unnoted {
		n.note(Note{Type: NoteRefused, Reason: u.reason, Text: fmt.Sprintf("%d more requests were refused: %s", u.count, u.reason)})
	}
	n.unnoted = nil
}

// answer tells what became of a request the way it came, if that leads anywhere: a stranger
// is told nothing but in his own call. The challenge for the next request goes with it.
func (n *step) answer(by request, info map[string]string) {
	_, known := n.resident(by.user)
	if by.challenge != "" && n.access.Paired(by.user) {
		info["challenge"] = by.challenge
	}
	if by.call != "" || known && by.carrier == ByMessage {
		n.do(Tell{Call: by.call, Session: by.session, User: by.user, Device: by.device, Carrier: by.carrier, Info: info})
	}
}

// challenges gives those of some users whose phones are paired what they need to open.
func (n *step) challenges(call string, users []signaling.UserID) map[signaling.UserID]string {
	var given map[signaling.UserID]string
	for _, u := range users {
		var c string
		if n.access, c = n.access.Challenge(n.now, call, u); c != "" && n.access.Paired(u) {
			if given == nil {
				given = map[signaling.UserID]string{}
			}
			given[u] = c
		}
	}
	return given
}

// offer gives who is in the call a fresh challenge.
func (n *step) offer() {
	for u, c := range n.challenges(n.Call, []signaling.UserID{n.User}) {
		n.do(Tell{Call: n.Call, User: u, Carrier: ByUpdate, Info: map[string]string{"event": "challenge", "challenge": c}})
	}
}

// admit tells access what it has to know of the door, and checks it.
func (c *Config) admit() (access.State, error) {
	a := c.Access
	a.Keypads, a.Locks, a.Residents = []string{keypad}, nil, nil
	for _, l := range c.Locks {
		a.Locks = append(a.Locks, l.Name)
	}
	for _, r := range c.Residents {
		a.Residents = append(a.Residents, access.Resident{ID: r.ID, PIN: r.PIN, DuressPIN: r.DuressPIN, Rules: r.Opens})
	}
	for _, u := range c.Alarm {
		if !slices.ContainsFunc(c.Residents, func(r Resident) bool { return r.ID == u }) {
			return access.State{}, fmt.Errorf("door: user %d is told of alarms and is not a resident", u)
		}
	}
	s, err := access.New(a)
	if err != nil {
		return s, fmt.Errorf("door: %w", err)
	}
	return s, nil
}

// stars is how a code is shown.
func stars(code string) string { return "*" + strings.Repeat("*", len(code)) }
