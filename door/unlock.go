package door

import (
	"fmt"
	"time"
)

// CommandUnlock is the command of an unlock request: userInfo {command: unlock}.
const CommandUnlock = "unlock"

// The reasons for which a call or an unlock request is refused. Residents' apps get them,
// the journal has them. A request in a call that is not live has the engine's own words
// instead.
const (
	ReasonStranger   = "not a resident"
	ReasonNotAllowed = "not allowed"
	ReasonBusy       = "busy"
	ReasonNoCall     = "not in this call"
	ReasonEnding     = "the call is being ended"
	ReasonNotLive    = "the call is not live"
	ReasonNoLock     = "there is no such lock"
	ReasonTampered   = "somebody tampers with the station"
	ReasonTooSoon    = "opened a moment ago"
	ReasonCommand    = "unknown command"
	ReasonExit       = "from inside"
	ReasonNoLink     = "the chat server is not reached"
	ReasonNoFlat     = "there is no such flat"
)

// asked decides a request of somebody to open. All of it must be right at once.
func (n *step) asked(in Asked) {
	if in.Command == "" {
		return // an update that asks for nothing
	}
	by := request{call: in.Call, user: in.User, carrier: in.Carrier}
	name := in.Lock
	if name == "" && len(n.cfg.Locks) > 0 {
		name = n.cfg.Locks[0].Name
	}
	l := n.lock(name)
	reason := n.refusal(in, l)
	if reason == "" {
		l.opening, l.last = by, n.now
		n.do(Open{Lock: name, User: in.User})
		return
	}
	n.refuse(by, name, reason, fmt.Sprintf("%s asked to %.20q and was refused: %s", n.name(in.User), in.Command, reason))
}

// refusal returns why a request to open a lock is refused, or "" if it is granted; l is nil
// if there is no such lock.
func (n *step) refusal(in Asked, l *lock) string {
	r, known := n.resident(in.User)
	switch {
	case !known:
		return ReasonStranger
	case in.Command != CommandUnlock:
		return ReasonCommand
	case !r.MayOpen:
		return ReasonNotAllowed
	case in.Call == "" || n.Phase != Talking || in.Call != n.Call || in.User != n.User:
		if in.NotLive != "" {
			return in.NotLive
		}
		return ReasonNoCall
	case n.ending:
		return ReasonEnding
	case !in.Live:
		if in.NotLive != "" {
			return in.NotLive
		}
		return ReasonNotLive
	case l == nil:
		return ReasonNoLock
	case n.blocked:
		return ReasonTampered
	case l.open, l.opening != request{}, !l.last.IsZero() && n.now.Sub(l.last) < n.pause(l):
		return ReasonTooSoon
	}
	return ""
}

// Refusals are noted and told up to a number in a time: whoever floods the door with
// requests shall neither fill its disk nor make it talk.
const (
	refusalsNoted = 30
	refusalsTime  = time.Minute
)

// refuse notes a refusal and tells it to who asked, if there is a call to tell it in.
func (n *step) refuse(by request, lock, reason, text string) {
	if n.now.Sub(n.refusedSince) >= refusalsTime {
		n.refused, n.refusedSince = 0, n.now
	}
	n.refused++
	switch {
	case n.refused > refusalsNoted:
		return
	case n.refused == refusalsNoted:
		text += "; what is refused in the next minute is not noted"
	}
	n.note(Note{Type: NoteRefused, Call: by.call, User: by.user, Name: lock, Reason: reason, Text: text})
	n.tell(by, map[string]string{"event": "refused", "lock": lock, "reason": reason})
}

// tell answers a request the way it came, if that leads anywhere: a stranger is told nothing
// but in his own call.
func (n *step) tell(by request, info map[string]string) {
	_, known := n.resident(by.user)
	if by.call != "" || known && by.carrier == ByMessage {
		n.do(Tell{Call: by.call, User: by.user, Carrier: by.carrier, Info: info})
	}
}
