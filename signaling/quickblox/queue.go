package quickblox

import (
	"context"
	"errors"
	"sync"

	"intercom/signaling"
)

// queueLimit is how many signals may wait for Receive: more than a door ever gets, so a
// full queue means that nobody reads.
const queueLimit = 256

// messageLimit is how many system messages may wait: some for each phone of a house.
const messageLimit = 32

var (
	// ErrClosed is returned by Receive after Run has ended.
	ErrClosed = errors.New("quickblox: client is stopped")
	// ErrOverflow ends the link, and is the reason in LinkDown: signals wait and nobody
	// reads them. A signal is never left out while the link claims to be up, since the
	// reader could not know that it missed a hang-up.
	ErrOverflow = errors.New("signals wait and nobody reads them")
)

// queue holds events for one reader.
type queue struct {
	ready chan struct{} // has room for one: something may be there
	done  chan struct{}

	mu      sync.Mutex
	events  []signaling.Event
	signals int // those among events that are neither LinkUp nor LinkDown nor messages
	told    int // messages among them
}

func newQueue() *queue {
	return &queue{ready: make(chan struct{}, 1), done: make(chan struct{})}
}

// put adds a signal or a bounce.
func (q *queue) put(e signaling.Event) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.signals >= queueLimit {
		return ErrOverflow
	}
	q.signals++
	q.add(e)
	return nil
}

// putMessage adds a system message, if there is room for one: nobody has to rely on them, and
// whoever writes many of them shall not end the link.
func (q *queue) putMessage(m *signaling.Message) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.told >= messageLimit {
		return false
	}
	q.told++
	q.add(m)
	return true
}

// putLink adds LinkUp or LinkDown. It always has room: an up that nobody has seen and
// that was followed by nothing vanishes with the down after it, so between two signals
// there are two of them at most; messages are bounded, too.
func (q *queue) putLink(e signaling.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, down := e.(signaling.LinkDown); down && len(q.events) >= 2 {
		last := len(q.events) - 1
		_, up := q.events[last].(signaling.LinkUp)
		_, before := q.events[last-1].(signaling.LinkDown)
		if up && before {
			q.events = q.events[:last]
			return // the earlier reason stands: it is what began the outage
		}
	}
	q.add(e)
}

func (q *queue) add(e signaling.Event) {
	q.events = append(q.events, e)
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// get returns the next event.
func (q *queue) get(ctx context.Context) (signaling.Event, error) {
	for {
		if e, ok := q.take(); ok {
			return e, nil
		}
		select {
		case <-q.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-q.done:
			if e, ok := q.take(); ok { // put before done was closed
				return e, nil
			}
			return nil, ErrClosed
		}
	}
}

func (q *queue) take() (signaling.Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.events) == 0 {
		return nil, false
	}
	e := q.events[0]
	q.events[0] = nil
	q.events = q.events[1:]
	switch e.(type) {
	case signaling.LinkUp, signaling.LinkDown:
	case *signaling.Message:
		q.told--
	default:
		q.signals--
	}
	return e, true
}

// close says that nothing more will come. It must be called once, after the last put.
func (q *queue) close() { close(q.done) }
