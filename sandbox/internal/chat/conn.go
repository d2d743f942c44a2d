package chat

import (
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// conn is one connection: its goroutine reads, logs the client in and routes its stanzas;
// a second one, from the login on, writes.
type conn struct {
	srv  *Server
	tr   transport
	log  *slog.Logger
	out  outbox
	stop chan struct{} // closed by abort
	once sync.Once

	user atomic.Pointer[string] // the node, once logged in; for Kick
	slow atomic.Bool            // it was cut off for not reading

	// Set before the connection is in the hub, then constant.
	node, resource, jid string

	// Guarded by hub.mu.
	present bool   // sent an available presence
	shown   []byte // that presence, as others see it
	carbons bool   // wants copies (XEP-0280)
}

func newConn(s *Server, tr transport, from string) *conn {
	return &conn{srv: s, tr: tr, log: s.log.With("from", from), out: outbox{wake: make(chan struct{}, 1)}, stop: make(chan struct{})}
}

// abort cuts the connection. It may be called from any goroutine, more than once.
func (c *conn) abort() {
	c.once.Do(func() {
		close(c.stop)
		c.tr.abort()
	})
}

// send queues a stanza. A client that does not take what it is sent is cut off rather
// than waited for. It is called with locks held, and does not block.
func (c *conn) send(stanza []byte) {
	if !c.out.put(stanza) {
		c.slow.Store(true)
		c.abort()
	}
}

// end queues the server's farewell; what was queued before still goes out.
func (c *conn) end(err *streamError) {
	var last []byte
	if err != nil {
		last = err.bytes()
	}
	c.out.close(last, c.tr.closeTag())
}

// serve runs the connection until it ends.
func (c *conn) serve() {
	defer c.abort()
	limit := time.AfterFunc(loginTimeout, c.abort)
	err := c.login()
	limit.Stop()
	if err != nil {
		c.log.Info("client not logged in", "cause", cause(err))
		c.farewell(err)
		return
	}
	c.log.Info("client logged in", "user", c.jid)
	var wg sync.WaitGroup
	wg.Go(c.write)
	err = c.session()
	c.srv.hub.leave(c)
	if c.slow.Load() {
		c.log.Warn("client cut off", "user", c.jid, "cause", "it does not read what it is sent")
	} else {
		c.log.Info("client left", "user", c.jid, "cause", cause(err))
	}
	var last *streamError
	errors.As(err, &last)
	c.end(last)
	wg.Wait()
}

// farewell ends a stream that has no writer yet.
func (c *conn) farewell(err error) {
	var last *streamError
	if errors.As(err, &last) {
		if c.tr.write(last.bytes()) != nil {
			return
		}
	}
	if c.tr.write(c.tr.closeTag()) == nil {
		c.tr.close()
	}
}

// cause tells why a connection ended.
func cause(err error) string {
	if err == nil || errors.Is(err, io.EOF) {
		return "the stream was closed"
	}
	return err.Error()
}

// write sends what is queued, until the farewell is out or the connection is cut.
func (c *conn) write() {
	defer c.abort() // ends the reading too
	for {
		batch, more := c.out.take()
		for _, b := range batch {
			if err := c.tr.write(b); err != nil {
				return
			}
		}
		if !more {
			c.tr.close()
			return
		}
		select {
		case <-c.out.wake:
		case <-c.stop:
			return
		}
	}
}

// outbox is a bounded queue of elements to be written. Putting never blocks.
type outbox struct {
	wake chan struct{} // holds a token when there is something new

	mu     sync.Mutex
	queue  [][]byte
	size   int // bytes in the queue
	closed bool
}

// put queues an element; false says that there is no room. Behind a farewell it is
// dropped.
func (o *outbox) put(b []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return true
	}
	if o.size+len(b) > maxQueue {
		return false
	}
	o.queue, o.size = append(o.queue, b), o.size+len(b)
	o.signal()
	return true
}

// close queues the farewell, of which empty parts are left out. Only the first counts.
func (o *outbox) close(parts ...[]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.closed = true
	for _, b := range parts {
		if len(b) > 0 {
			o.queue = append(o.queue, b)
		}
	}
	o.signal()
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// isClosed reports whether there was a farewell.
func (o *outbox) isClosed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed
}

// take empties the queue; more is false when nothing will follow.
func (o *outbox) take() (batch [][]byte, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	batch, o.queue, o.size = o.queue, nil, 0
	return batch, !o.closed
}

// bucket bounds the rate at which stanzas are read from one connection: its sender waits,
// and nobody else.
type bucket struct {
	level float64 // stanzas above the rate
	last  time.Time
}

// delay counts a stanza and returns how long to wait before the next is read.
func (b *bucket) delay(now time.Time) time.Duration {
	if !b.last.IsZero() {
		b.level = max(0, b.level-now.Sub(b.last).Seconds()*stanzaRate)
	}
	b.last = now
	b.level++
	if b.level <= stanzaBurst {
		return 0
	}
	return time.Second / stanzaRate
}
