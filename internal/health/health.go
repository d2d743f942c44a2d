// Package health keeps the list of what is wrong with a station: a camera that does not
// answer, a chat server that cannot be reached. Parts report to it, whoever shows the
// list reads it. It repairs nothing and has no goroutines but one timer for each condition
// that is settling.
package health

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Condition is something that is wrong.
type Condition struct {
	Name  string    // "camera", "chat", ...
	Text  string    // the error, for a person
	Since time.Time // when it was reported first
}

// Registry is the list. Its methods may be called from any goroutine.
type Registry struct {
	settle time.Duration
	notify func(Condition, bool)

	mu   sync.Mutex
	told sync.Mutex // orders the calls of notify; taken before mu
	all  map[string]*entry
}

// entry is a condition that was reported, and whether the world was told.
type entry struct {
	Condition
	timer *time.Timer
	shown bool
}

// New returns an empty list. A condition is shown after it has lasted for settle, so that
// what repairs itself at once alarms nobody; zero shows it immediately. notify, if not
// nil, is called with each condition that is shown (true) or is over after it was shown
// (false), in order, never two at a time and never with a lock of ours held that a method
// other than Report needs; it must not call Report.
func New(settle time.Duration, notify func(c Condition, wrong bool)) *Registry {
	if notify == nil {
		notify = func(Condition, bool) {}
	}
	return &Registry{settle: settle, notify: notify, all: map[string]*entry{}}
}

// Report says that name suffers from err, or, with nil, that it is well. A condition that
// is reported again keeps its beginning; its text follows.
func (r *Registry) Report(name string, err error) {
	r.told.Lock()
	defer r.told.Unlock()
	r.mu.Lock()
	e := r.all[name]
	switch {
	case err == nil && e == nil:
		r.mu.Unlock()
		return
	case err == nil:
		delete(r.all, name)
		if e.timer != nil {
			e.timer.Stop()
		}
		c, shown := e.Condition, e.shown
		r.mu.Unlock()
		if shown {
			r.notify(c, false)
		}
		return
	case e != nil:
		e.Text = err.Error()
		r.mu.Unlock()
		return
	}
	e = &entry{Condition: Condition{Name: name, Text: err.Error(), Since: time.Now()}}
	r.all[name] = e
	if r.settle > 0 {
		e.timer = time.AfterFunc(r.settle, func() { r.show(e) })
		r.mu.Unlock()
		return
	}
	e.shown = true
	c := e.Condition
	r.mu.Unlock()
	r.notify(c, true)
}

// show is the end of an entry's settling. The entry may be over by now.
func (r *Registry) show(e *entry) {
	r.told.Lock()
	defer r.told.Unlock()
	r.mu.Lock()
	current := r.all[e.Name] == e
	e.shown = current
	c := e.Condition
	r.mu.Unlock()
	if current {
		r.notify(c, true)
	}
}

// Wrong returns what is shown now, sorted by name.
func (r *Registry) Wrong() []Condition {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Condition, 0, len(r.all))
	for _, e := range r.all {
		if e.shown {
			list = append(list, e.Condition)
		}
	}
	slices.SortFunc(list, func(a, b Condition) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Close stops what is settling; nothing is notified after it returned, unless something
// is reported again.
func (r *Registry) Close() {
	r.told.Lock()
	defer r.told.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, e := range r.all {
		if e.timer != nil {
			e.timer.Stop()
		}
		delete(r.all, name)
	}
}
