package audio

import (
	"context"
	"sync"

	"intercom/capture"
)

const (
	// queueLen is how many periods a feed may be behind, 200 ms.
	queueLen = 10
	// freshLen is what is kept of them for one that does not read at all: when its call
	// is answered at last it shall not begin with old sound, which would stay as delay.
	freshLen = 2
)

// feed is a capture.Feed.
type feed struct {
	src   *Source
	ready chan struct{} // of capacity 1: there is a packet, or the feed is closed
	loss  lossReports

	mu     sync.Mutex
	queue  [queueLen]*capture.Packet // a ring
	first  int
	n      int
	behind bool // it was full, and nothing was read since
	closed bool
}

func newFeed(s *Source) *feed { return &feed{src: s, ready: make(chan struct{}, 1)} }

func (f *feed) push(p *capture.Packet) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	limit := queueLen
	if f.behind = f.behind || f.n == queueLen; f.behind {
		limit = freshLen
	}
	for f.n >= limit {
		f.take().Release()
		f.src.stats.dropped.Add(1)
	}
	p.Retain()
	f.queue[(f.first+f.n)%queueLen] = p
	f.n++
	f.signal()
}

// take removes the oldest packet. The lock is held, and there is one.
func (f *feed) take() *capture.Packet {
	p := f.queue[f.first]
	f.queue[f.first] = nil
	f.first = (f.first + 1) % queueLen
	f.n--
	return p
}

func (f *feed) signal() {
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

func (f *feed) pop() (*capture.Packet, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, capture.ErrClosed
	}
	f.behind = false
	if f.n == 0 {
		return nil, nil
	}
	return f.take(), nil
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

// Demand hears what the peer reports of loss, which the encoder is told. Speech has one bit
// rate.
func (f *feed) Demand(d capture.Demand) {
	if d.Reported {
		f.loss.take(d.Loss)
	}
}

// Close gives the place back.
func (f *feed) Close() error {
	f.mu.Lock()
	was := f.closed
	f.closed = true
	for f.n > 0 {
		f.take().Release()
	}
	f.signal()
	f.mu.Unlock()
	if !was {
		f.src.leave(f, nil)
	}
	return nil
}
