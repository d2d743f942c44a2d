package video

import (
	"context"
	"sync"
	"sync/atomic"

	"intercom/capture"
)

// queueLen is how far behind a watcher may fall: 400 ms at 20 frames a second. Its packets
// are worth less than the newest picture then.
const queueLen = 8

// feed is a capture.Feed.
type feed struct {
	lane    *lane
	bitRate atomic.Int64
	resting atomic.Bool // its network is too slow for pictures
	rest    rest
	ready   chan struct{} // of capacity 1: there is a packet, or the feed is closed

	mu      sync.Mutex
	queue   [queueLen]*capture.Packet // a ring
	first   int
	n       int
	needKey bool
	begun   bool // it had its first key frame
	hungry  bool // the reader waits
	closed  bool
	dropped int64
}

func newFeed(l *lane) *feed {
	return &feed{lane: l, ready: make(chan struct{}, 1), needKey: true}
}

// push queues a packet. It returns false if a key frame must be asked for: a watcher that
// does not read needs none, and would burden the others with them.
func (f *feed) push(p *capture.Packet) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return true
	}
	if f.resting.Load() {
		f.clear()
		f.needKey = true
		return true
	}
	if f.n == queueLen {
		f.drop(f.n)
		f.clear()
		f.needKey = true
	}
	if f.needKey && !p.Key {
		if f.begun {
			f.drop(1)
		}
		return !f.hungry
	}
	f.needKey, f.begun, f.hungry = false, true, false
	p.Retain()
	f.queue[(f.first+f.n)%queueLen] = p
	f.n++
	f.signal()
	return true
}

func (f *feed) signal() {
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

// clear empties the queue. The lock is held.
func (f *feed) clear() {
	for ; f.n > 0; f.n-- {
		f.queue[f.first].Release()
		f.queue[f.first] = nil
		f.first = (f.first + 1) % queueLen
	}
}

// drop counts what the watcher was too late for.
func (f *feed) drop(n int) {
	f.dropped += int64(n)
	f.lane.src.dropped.Add(int64(n))
}

// pop returns the oldest packet, or nil.
func (f *feed) pop() (*capture.Packet, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, capture.ErrClosed
	}
	if f.n == 0 {
		if f.needKey && f.begun && !f.hungry {
			f.lane.demandKey()
		}
		f.hungry = true
		return nil, nil
	}
	p := f.queue[f.first]
	f.queue[f.first] = nil
	f.first = (f.first + 1) % queueLen
	f.n--
	return p, nil
}

// Next returns the next packet.
func (f *feed) Next(ctx context.Context) (*capture.Packet, error) {
	for {
		p, err := f.pop()
		if p != nil || err != nil {
			return p, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.ready:
		}
	}
}

// Demand says what this watcher needs.
func (f *feed) Demand(d capture.Demand) {
	if d.BitRate > 0 {
		f.bitRate.Store(int64(d.BitRate))
	}
	if d.KeyFrame {
		f.lane.demandKey()
	}
}

// Close gives the place back.
func (f *feed) Close() error {
	if dropped, ok := f.shut(); ok {
		f.lane.src.left(f)
		if dropped > 0 {
			f.lane.src.log.Warn("watcher was late", "codec", f.lane.codec, "dropped", dropped)
		}
	}
	return nil
}

// shut closes the feed towards its reader. ok is false if it was closed before.
func (f *feed) shut() (dropped int64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, false
	}
	dropped = f.dropped
	f.clear()
	f.closed = true
	f.signal()
	return dropped, true
}
