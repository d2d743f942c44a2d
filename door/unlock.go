package door

import (
	"fmt"
	"time"

	"intercom/signaling"
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
	ReasonNoLock     = "there is no lock"
	ReasonTooSoon    = "opened a moment ago"
	ReasonCommand    = "unknown command"
	ReasonNoLink     = "the chat server is not reached"
)

// asked decides a request of somebody to open. All of it must be right at once.
func (n *step) asked(in Asked) {
	if in.Command == "" {
		return // an update that asks for nothing
	}
	reason := n.refusal(in)
	if reason == "" {
		n.opening = request{call: in.Call, user: in.User}
		n.lastOpen = n.now
		n.do(Open{Lock: n.cfg.Lock, User: in.User})
		return
	}
	n.refuse(in.Call, in.User, reason, fmt.Sprintf("%s asked to %.20q and was refused: %s", n.name(in.User), in.Command, reason))
}

// refusal returns why a request is refused, or "" if it is granted.
func (n *step) refusal(in Asked) string {
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
	case n.cfg.Lock == "":
		return ReasonNoLock
	case n.lockOpen, n.opening != request{}, !n.lastOpen.IsZero() && n.now.Sub(n.lastOpen) < n.cfg.Pause:
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
func (n *step) refuse(call string, user signaling.UserID, reason, text string) {
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
	n.note(Note{Type: NoteRefused, Call: call, User: user, Name: n.cfg.Lock, Reason: reason, Text: text})
	if call != "" {
		n.do(Tell{Call: call, User: user, Info: map[string]string{"event": "refused", "reason": reason}})
	}
}
