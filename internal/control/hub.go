package control

import (
	"context"
	"sync"
)

// What a Hub keeps: enough for a page opened later to show what led to this moment, and
// for a watcher to be late by a whole call without losing anything.
const (
	hubRecent = 200
	hubQueue  = 256
)

// Hub gives every event to every watcher and keeps the last 200. The zero value is ready;
// all methods may be called from any goroutine. It starts no goroutine.
type Hub struct {
	mu       sync.Mutex
	recent   []Event
	watchers map[*watcher]struct{}
}

// watcher is one reader's bounded queue; the hub's mutex guards it.
type watcher struct {
	queue []Event
	more  chan struct{} // holds one token while queue may have something
}

func (w *watcher) push(e Event) {
	w.queue = appendBounded(w.queue, e, hubQueue)
	select {
	case w.more <- struct{}{}:
	default:
	}
}

// appendBounded appends e and forgets the oldest beyond limit.
func appendBounded(q []Event, e Event, limit int) []Event {
	if len(q) == limit {
		copy(q, q[1:])
		q = q[:limit-1]
	}
	return append(q, e)
}

// Publish hands an event to all watchers. It never blocks: a watcher that has not read
// the last 256 loses the oldest of them.
func (h *Hub) Publish(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.recent = appendBounded(h.recent, e, hubRecent)
	for w := range h.watchers {
		w.push(e)
	}
}

// Watch calls f with the last events, at most as many as last says and 200, then with each one
// from now on, in order and from the caller's goroutine, until ctx ends or f returns an
// error; it returns that error. Nothing is lost or seen twice between the two.
func (h *Hub) Watch(ctx context.Context, last int, f func(Event) error) error {
	w := &watcher{more: make(chan struct{}, 1)}
	h.mu.Lock()
	for _, e := range h.recent[max(0, len(h.recent)-max(0, last)):] {
		w.push(e)
	}
	if h.watchers == nil {
		h.watchers = make(map[*watcher]struct{})
	}
	h.watchers[w] = struct{}{}
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watchers, w)
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.more:
		}
		h.mu.Lock()
		batch := w.queue
		w.queue = nil
		h.mu.Unlock()
		for _, e := range batch {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := f(e); err != nil {
				return err
			}
		}
	}
}
