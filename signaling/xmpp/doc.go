// Package xmpp keeps one XMPP client connection up for ever and carries whole stanzas
// over it: direct TLS, STARTTLS, WebSocket (RFC 7395), or plaintext to this machine.
//
// It logs in (SASL PLAIN), binds our own resource, turns on carbons (XEP-0280) and
// presence, pings the server and answers pings (XEP-0199) from anyone. It knows nothing
// of calls: signaling/quickblox reads the messages and writes its own. It queues nothing
// and resends nothing: what was in flight when a connection broke is lost.
//
// mellium.im/xmpp negotiates the stream; after that this package reads and writes whole
// stanzas itself. mellium's Serve would end the session on an odd stanza from any
// contact, its Send would hold a lock across a stalled socket, and its encoder would cut
// a long stanza into several WebSocket messages.
//
// All goroutines live inside Link.Run.
package xmpp

import (
	"encoding/xml"
	"io"

	"mellium.im/xmpp/jid"
)

// Event is what a Link delivers to Config.Handle: Up, Down or *Message.
type Event interface{ xmppEvent() }

// Up says that we are logged in and that the server routes messages to us.
type Up struct{ JID jid.JID } // our own full address

// Down says that the connection was lost, and why; it is being made anew.
type Down struct{ Err error }

// Message is one message stanza of any type.
type Message struct {
	From jid.JID // zero if the server sent it in our own account's name
	ID   string
	Type string // "", "chat", "headline", "error", ...

	tokens []xml.Token
}

func (Up) xmppEvent()       {}
func (Down) xmppEvent()     {}
func (*Message) xmppEvent() {}

// TokenReader returns the stanza's tokens from its start element to its end element.
// Each reader begins anew; the tokens are not to be modified.
func (m *Message) TokenReader() xml.TokenReader { return &tokenReader{m.tokens} }

type tokenReader struct{ rest []xml.Token }

func (r *tokenReader) Token() (xml.Token, error) {
	if len(r.rest) == 0 {
		return nil, io.EOF
	}
	t := r.rest[0]
	r.rest = r.rest[1:]
	return t, nil
}
