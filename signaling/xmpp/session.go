package xmpp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
)

const (
	// farewellTimeout bounds the good-bye to the server.
	farewellTimeout = time.Second
	// replyQueue is how many answers to requests of others may wait for the socket. They
	// are dropped beyond that: whoever floods us with pings gets fewer pongs.
	replyQueue = 32
)

// session is one connection, logged in. One goroutine reads, one writes, one pings.
type session struct {
	link   *Link
	conn   net.Conn // with TLS and framing
	meter  *meter   // the bare connection under it
	self   jid.JID
	legacy bool

	writes  chan write
	replies chan []byte
	done    chan struct{} // closed by the first fail

	mu    sync.Mutex
	err   error
	pings map[string]ping // by id
}

// write is a stanza on its way to the writing goroutine.
type write struct {
	stanza []byte
	result chan error // has room for one
}

func newSession(l *Link, conn net.Conn, self jid.JID, legacy bool) *session {
	return &session{
		link: l, conn: conn, self: self, legacy: legacy,
		writes: make(chan write), replies: make(chan []byte, replyQueue), done: make(chan struct{}),
		pings: make(map[string]ping),
	}
}

// run serves the connection until it fails or ctx ends, and says why. It calls handle
// from its own goroutine: Up first, then messages.
func (s *session) run(ctx context.Context, handle func(Event) error) error {
	settled := s.expect("settled", jid.JID{})
	var wg sync.WaitGroup
	wg.Go(func() { s.write(ctx) })
	wg.Go(func() { s.keepAlive(settled) })
	wg.Go(func() { s.expire(ctx) })
	s.fail(s.read(handle))
	wg.Wait()
	if ctx.Err() != nil {
		return errStopped // whatever the server's good-bye looked like
	}
	return s.cause()
}

// fail ends the session; the first reason counts. It does not wait.
func (s *session) fail(err error) {
	s.mu.Lock()
	first := s.err == nil
	if first {
		var already *LinkError
		if !errors.As(err, &already) {
			err = &LinkError{Step: "keep", Address: s.link.addr.text, Err: err}
		}
		s.err = err
		close(s.done)
	}
	s.mu.Unlock()
	if first {
		// The bare connection: closing the layers above would write, and a peer that
		// does not read would hold us.
		_ = s.meter.Close()
	}
}

func (s *session) cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *session) down() error { return fmt.Errorf("%w: %v", ErrDown, s.cause()) }

// send hands one stanza to the writing goroutine and waits until it is written.
func (s *session) send(ctx context.Context, b []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := write{stanza: b, result: make(chan error, 1)}
	select {
	case s.writes <- w:
	case <-s.done:
		return s.down()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-w.result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write is the writing goroutine. It begins with what makes the server route to us.
func (s *session) write(ctx context.Context) {
	for _, b := range s.greeting() {
		if s.put(b, s.link.cfg.Timers.Step) != nil {
			return
		}
	}
	for {
		select {
		case <-s.done:
			return
		case <-ctx.Done():
			for _, b := range s.farewell() {
				if s.put(b, farewellTimeout) != nil {
					return
				}
			}
			s.fail(errStopped)
			return
		case w := <-s.writes:
			w.result <- s.put(w.stanza, s.link.cfg.Timers.Step)
		case b := <-s.replies:
			_ = s.put(b, s.link.cfg.Timers.Step)
		}
	}
}

// expire sees to it that the end of ctx ends the session, even if the writing goroutine
// is held by a server that does not read.
func (s *session) expire(ctx context.Context) {
	select {
	case <-s.done:
		return
	case <-ctx.Done():
	}
	t := time.NewTimer(2 * farewellTimeout)
	defer t.Stop()
	select {
	case <-s.done:
	case <-t.C:
		s.fail(errStopped)
	}
}

// put writes one stanza in one piece, for over WebSocket one write is one message. After
// an error the stream is of no use: half a stanza may be out.
func (s *session) put(b []byte, timeout time.Duration) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(timeout))
	if _, err := s.conn.Write(b); err != nil {
		s.fail(err)
		return s.down()
	}
	// The reading goroutine writes too, below our sight: answers to WebSocket pings and
	// TLS key updates, which a deadline of the past would turn into the connection's end.
	_ = s.conn.SetWriteDeadline(time.Time{})
	return nil
}

// greeting is sent once bound. The ping comes last: its answer proves that the server
// has dealt with our presence, without which nothing is routed to us.
func (s *session) greeting() [][]byte {
	const carbons = `<enable xmlns="urn:xmpp:carbons:2"/>`
	var g [][]byte
	if s.legacy {
		g = append(g, iq("session-"+rand.Text(), "", stanza.SetIQ, `<session xmlns="`+nsSession+`"/>`))
	}
	return append(g,
		iq("carbons-"+rand.Text(), "", stanza.SetIQ, carbons),
		[]byte(`<presence xmlns="`+stanza.NSClient+`"/>`),
		s.pingIQ("settled", s.link.self.Domain()))
}

func (s *session) farewell() [][]byte {
	end := []byte("</stream:stream>")
	if s.link.addr.ws {
		end = []byte(`<close xmlns="` + nsFraming + `"/>`)
	}
	return [][]byte{[]byte(`<presence type="unavailable" xmlns="` + stanza.NSClient + `"/>`), end}
}

// keepAlive is the pinging goroutine.
func (s *session) keepAlive(settled <-chan error) {
	t := s.link.cfg.Timers
	first := time.NewTimer(t.Step)
	defer first.Stop()
	select {
	case <-settled:
	case <-s.done:
		return
	case <-first.C:
		s.fail(&LinkError{Step: "negotiate", Address: s.link.addr.text, Err: errNoAnswer})
		return
	}
	tick := time.NewTicker(t.Ping)
	defer tick.Stop()
	for misses := 0; misses < t.Misses; {
		select {
		case <-s.done:
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), t.Pong)
		err := s.pingServer(ctx)
		cancel()
		if err == nil {
			misses = 0
		} else {
			misses++
		}
	}
	s.fail(errNoAnswer)
}

// read reads stanzas until the stream ends, and says how it ended: never nil, for a
// server that says good-bye is lost like one that does not.
func (s *session) read(handle func(Event) error) error {
	r := newStanzaReader(s.conn, s.link.addr.ws)
	d := dispatcher{s: s, handle: handle}
	for {
		s.meter.refill()
		e, err := r.next()
		if err != nil {
			return err
		}
		if err := d.dispatch(e); err != nil {
			return err
		}
	}
}
