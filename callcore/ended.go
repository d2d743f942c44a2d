package callcore

import (
	"time"

	"intercom/signaling"
)

const (
	// endedSize is far more than the calls of any two minutes.
	endedSize = 256

	// endedTime is the least time for which calls are remembered, however short ours ring:
	// two rings of a phone's.
	endedTime = 2 * defaultAnswer
)

// ended remembers sessions, so that late repeats of their signals are not taken for new
// ones. Its size is bounded; the oldest goes first.
type ended struct {
	keep  time.Duration
	calls []endedCall // in order of time
}

// endedCall is a session on the wire that has ended.
type endedCall struct {
	peerKey                // its user is zero: whoever
	session *Session       // nil: it never was one of ours
	joined  bool           // we called, or accepted: no other device of ours can be in it
	answer  signaling.Kind // to a repeated call; zero: none
	at      time.Time
}

func (e *ended) add(c endedCall) {
	e.expire(c.at)
	if len(e.calls) >= endedSize {
		e.drop(1)
	}
	e.calls = append(e.calls, c)
}

// lookup finds the call with a user, or else with anybody of the same session: it has ended
// for those too who never were in it.
func (e *ended) lookup(k peerKey, now time.Time) (found endedCall, ok bool) {
	e.expire(now)
	for _, c := range e.calls {
		if c.peerKey == k {
			return c, true
		}
		if c.wire == k.wire {
			found, ok = c, true
		}
	}
	return found, ok
}

func (e *ended) expire(now time.Time) {
	n := 0
	for n < len(e.calls) && now.Sub(e.calls[n].at) > e.keep {
		n++
	}
	e.drop(n)
}

// drop forgets the first n, and lets go of their sessions.
func (e *ended) drop(n int) {
	clear(e.calls[:n])
	e.calls = e.calls[n:]
}
