package station

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"intercom/internal/control"
)

// The journal has a size, and who fills it erases what it has. Of events of one type about one
// user and one thing, mostNoted in a time are written to it and to the log; the others are
// counted, and the number is written. Whoever watches sees all of them.
const (
	mostNoted  = 60
	rationTime = 10 * time.Minute
	sumUpEvery = time.Minute
)

// unrationed are the events that nobody can cause at will, or that nobody may miss. What is
// refused is bounded by the door, with its reasons; what is opened, by the lock's pause.
var unrationed = map[string]bool{
	control.Opened: true, control.Locked: true, control.Refused: true, control.Alarm: true, control.Forgotten: true,
	control.Tampered: true, control.TamperOver: true, control.Paired: true, control.Revoked: true,
	control.Started: true, control.Stopped: true, control.Omitted: true,
}

// rations count events. A zero one is ready; its methods may be called from any goroutine.
type rations struct {
	mu sync.Mutex
	of map[ration]*rationed // of users and things that the configuration names: it is bounded
}

type ration struct {
	typ, name string
	user      int64
}

type rationed struct {
	since       time.Time
	noted, left int
}

// take counts an event, and says whether it is to be noted.
func (r *rations) take(e control.Event) bool {
	if unrationed[e.Type] {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := ration{e.Type, e.Name, e.User}
	n := r.of[key]
	if n == nil {
		if r.of == nil {
			r.of = map[ration]*rationed{}
		}
		n = &rationed{since: e.Time}
		r.of[key] = n
	}
	if n.noted == mostNoted {
		n.left++
		return false
	}
	n.noted++
	return true
}

// over returns what was left out in the times that are over, in order, and begins anew.
func (r *rations) over(now time.Time) []control.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	var told []control.Event
	for _, key := range slices.SortedFunc(maps.Keys(r.of), ration.compare) {
		n := r.of[key]
		if now.Sub(n.since) < rationTime {
			continue
		}
		delete(r.of, key)
		if n.left > 0 {
			text := fmt.Sprintf("%d more events of type %q were too many within %v, and are not noted one by one", n.left, key.typ, rationTime)
			told = append(told, control.Event{Type: control.Omitted, Name: key.name, User: key.user, Reason: key.typ, Text: text})
		}
	}
	return told
}

func (a ration) compare(b ration) int {
	text := func(k ration) string { return fmt.Sprintf("%s/%s/%d", k.typ, k.name, k.user) }
	switch x, y := text(a), text(b); {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// sumUp publishes what was left out.
func (s *Station) sumUp() {
	for _, e := range s.rations.over(time.Now()) {
		s.publish(e)
	}
}
