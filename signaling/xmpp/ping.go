package xmpp

import (
	"context"
	"crypto/rand"
	"errors"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
)

// nsStanzas is the namespace of error conditions (RFC 6120, 8.3.3).
const nsStanzas = "urn:ietf:params:xml:ns:xmpp-stanzas"

// PingError is an answer of type error: of whoever was asked, or of the server in its name.
type PingError struct {
	Condition string // RFC 6120 section 8.3.3, such as "service-unavailable"
}

func (e *PingError) Error() string { return "answered " + e.Condition }

// Ping asks whoever has an address for a sign of life (XEP-0199), and waits for what comes
// back. An error is a *PingError, ErrDown or that of ctx. Unlike Probe it proves nothing
// about the link, and repairs nothing.
func (l *Link) Ping(ctx context.Context, to jid.JID) error {
	s, err := l.session()
	if err != nil {
		return err
	}
	return s.ping(ctx, to)
}

// ping is a question that waits for its answer.
type ping struct {
	from jid.JID // that the answer has to be; zero: any, as a server's own may have none
	pong chan error
}

// pingServer asks the server. An error answer is a sign of life, too: it has made the round
// trip.
func (s *session) pingServer(ctx context.Context) error {
	err := s.exchange(ctx, s.link.self.Domain(), jid.JID{})
	if refused := (*PingError)(nil); errors.As(err, &refused) {
		return nil
	}
	return err
}

func (s *session) ping(ctx context.Context, to jid.JID) error { return s.exchange(ctx, to, to) }

// exchange sends a ping and waits for its answer.
func (s *session) exchange(ctx context.Context, to, from jid.JID) error {
	id := rand.Text()
	pong := s.expect(id, from)
	defer s.forget(id)
	if err := s.send(ctx, s.pingIQ(id, to)); err != nil {
		return err
	}
	select {
	case err := <-pong:
		return err
	case <-s.done:
		return s.down()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *session) pingIQ(id string, to jid.JID) []byte {
	return iq(id, to.String(), stanza.GetIQ, `<ping xmlns="`+nsPing+`"/>`)
}

// expect prepares for the answer to the ping with that id.
func (s *session) expect(id string, from jid.JID) <-chan error {
	c := make(chan error, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pings[id] = ping{from, c}
	return c
}

func (s *session) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pings, id)
}

// answered resolves the ping with that id. An answer from somebody else, a second one, or
// one that nobody waits for any more, is nothing.
func (s *session) answered(id string, from jid.JID, answer error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.pings[id]
	if !ok || !p.from.Equal(jid.JID{}) && !p.from.Equal(from) {
		return false
	}
	delete(s.pings, id)
	p.pong <- answer
	return true
}
