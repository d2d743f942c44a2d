package door

import "fmt"

// CommandLock is the command that ends an opening: userInfo {command: lock}. A lock that is
// held open has no other end but its longest time.
const CommandLock = "lock"

// ReasonShut is why there is nothing to end.
const ReasonShut = "it is not open"

// askedShut decides a request of somebody to end an opening: whoever opened the lock may, and
// whoever talks to the door. It takes no key: what is shut is safe.
func (n *step) askedShut(by request, in Asked) {
	name := in.Lock
	if name == "" && len(n.cfg.Locks) > 0 {
		name = n.cfg.Locks[0].Name
	}
	l := n.lock(name)
	talks := in.Live && n.Phase == Talking && in.Call == n.Call && in.User == n.User
	reason := ""
	switch {
	case l == nil || !l.open:
		reason = ReasonShut
	case l.by != in.User && !talks:
		reason = ReasonNotAllowed
	}
	if reason != "" {
		n.refuse(by, name, reason, fmt.Sprintf("%s asked to shut lock %.20q and was refused: %s", n.name(in.User), name, reason))
		return
	}
	n.do(Shut{Lock: name, User: in.User})
	n.answer(by, map[string]string{"event": "locked", "lock": name})
}
