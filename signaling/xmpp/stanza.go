package xmpp

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
	"mellium.im/xmpp/stream"
)

const nsPing = "urn:xmpp:ping"

// Limits on a received stanza. A contact can make the server deliver more; such a stanza
// is skipped and logged, and the link stays.
const (
	maxStanza = 256 << 10 // bytes of text, names and attributes
	maxTokens = 16384
)

// element is one received element at the level of the stream.
type element struct {
	start    xml.StartElement
	child    xml.Name    // of its first child element
	tokens   []xml.Token // all of it; nil if oversize
	oversize bool
}

// stanzaReader reads the elements at the level of the stream. It is our own, for that of
// mellium takes an element of the stream's namespace anywhere for the stream's end: any
// contact could put one into a message.
type stanzaReader struct{ d *xml.Decoder }

func newStanzaReader(r io.Reader, ws bool) *stanzaReader {
	if ws { // every message is a document of its own
		return &stanzaReader{xml.NewDecoder(r)}
	}
	// The negotiation has read the real one.
	head := `<stream:stream xmlns="` + stanza.NSClient + `" xmlns:stream="` + stream.NS + `">`
	d := xml.NewDecoder(io.MultiReader(strings.NewReader(head), r))
	_, _ = d.Token()
	return &stanzaReader{d}
}

// next returns the next element. The end of the stream, by its end tag, by an element
// that says so or by the end of the connection, is an error.
func (r *stanzaReader) next() (*element, error) {
	for {
		t, err := r.d.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.EndElement:
			return nil, errClosed
		case xml.StartElement:
			e, err := r.element(t)
			switch {
			case err != nil:
				return nil, err
			case e.start.Name == xml.Name{Space: nsFraming, Local: "close"}:
				return nil, errClosed
			case e.start.Name == xml.Name{Space: stream.NS, Local: "error"}:
				return nil, streamError(e)
			}
			return e, nil
		}
	}
}

func (r *stanzaReader) element(start xml.StartElement) (*element, error) {
	e := &element{start: start.Copy()}
	e.tokens = append(e.tokens, e.start)
	size := tokenSize(e.start)
	for depth := 1; depth > 0; {
		t, err := r.d.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth++; depth == 2 && e.child.Local == "" {
				e.child = t.Name
			}
		case xml.EndElement:
			depth--
		}
		size += tokenSize(t)
		if e.oversize = e.oversize || size > maxStanza || len(e.tokens) >= maxTokens; e.oversize {
			e.tokens = nil
			continue
		}
		e.tokens = append(e.tokens, xml.CopyToken(t))
	}
	return e, nil
}

// streamError returns the error that the server ends the stream with (RFC 6120, 4.9).
func streamError(e *element) error {
	var se stream.Error
	if err := xml.NewTokenDecoder(&tokenReader{e.tokens}).Decode(&se); err != nil {
		return errClosed
	}
	return se
}

func tokenSize(t xml.Token) int {
	switch t := t.(type) {
	case xml.CharData:
		return len(t)
	case xml.StartElement:
		n := len(t.Name.Local)
		for _, a := range t.Attr {
			n += len(a.Name.Local) + len(a.Value)
		}
		return n
	}
	return 1
}

func (e *element) attr(name string) string {
	for _, a := range e.start.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// condition returns that of an error stanza: what is in its error element, which is its
// child or a later one, for the answer may begin with the question.
func (e *element) condition() string {
	var path []xml.Name
	for _, t := range e.tokens {
		switch t := t.(type) {
		case xml.StartElement:
			path = append(path, t.Name)
			if len(path) == 3 && path[1].Local == "error" && t.Name.Space == nsStanzas && t.Name.Local != "text" {
				return t.Name.Local
			}
		case xml.EndElement:
			path = path[:len(path)-1]
		}
	}
	return "undefined-condition"
}

// dispatcher deals with the stanzas of one session.
type dispatcher struct {
	s      *session
	handle func(Event) error
	up     bool
}

// dispatch deals with one stanza. Only an error of the handler is one: whatever is wrong
// with a stanza, any contact may have sent it, and it must not end the session.
func (d *dispatcher) dispatch(e *element) error {
	var from jid.JID
	if text := e.attr("from"); text != "" {
		var err error
		if from, err = jid.Parse(text); err != nil {
			d.s.link.drop(text, "its sender is not an address")
			return nil
		}
	}
	switch e.start.Name {
	case xml.Name{Space: stanza.NSClient, Local: "iq"}:
		return d.iq(e, from)
	case xml.Name{Space: stanza.NSClient, Local: "message"}:
		if e.oversize {
			d.s.link.drop(from.String(), "it is too large")
			return nil
		}
		// The server routes to us, so it has seen our presence.
		if err := d.announce(); err != nil {
			return err
		}
		return d.handle(&Message{From: from, ID: e.attr("id"), Type: e.attr("type"), tokens: e.tokens})
	}
	return nil // presence, and what we have not asked for
}

// iq takes answers to our pings and answers the requests of others.
func (d *dispatcher) iq(e *element, from jid.JID) error {
	id, sender := e.attr("id"), e.attr("from")
	switch stanza.IQType(e.attr("type")) {
	case stanza.ResultIQ:
		if d.s.answered(id, from, nil) {
			return d.announce()
		}
	case stanza.ErrorIQ:
		if d.s.answered(id, from, &PingError{e.condition()}) {
			return d.announce()
		}
	case stanza.GetIQ:
		if e.child == (xml.Name{Space: nsPing, Local: "ping"}) {
			d.reply(iq(id, sender, stanza.ResultIQ, ""))
			return nil
		}
		d.refuse(id, sender)
	case stanza.SetIQ:
		d.refuse(id, sender)
	}
	return nil
}

// refuse answers a request we do not understand, as RFC 6120 8.4 demands.
func (d *dispatcher) refuse(id, to string) {
	d.reply(iq(id, to, stanza.ErrorIQ,
		`<error type="cancel"><service-unavailable xmlns="`+nsStanzas+`"/></error>`))
}

// reply never blocks: the reading goroutine must stay free for what we wait for.
func (d *dispatcher) reply(b []byte) {
	select {
	case d.s.replies <- b:
	default:
	}
}

// announce says Up once.
func (d *dispatcher) announce() error {
	if d.up {
		return nil
	}
	d.up = true
	d.s.answered("settled", jid.JID{}, nil)
	if err := d.handle(Up{JID: d.s.self}); err != nil {
		return fmt.Errorf("handler refused the connection: %w", err)
	}
	return nil
}

// iq returns an iq stanza as bytes. Its attributes are in the SDK's order.
func iq(id, to string, typ stanza.IQType, payload string) []byte {
	b := []byte(`<iq id="` + escape(id) + `"`)
	if to != "" {
		b = append(b, ` to="`+escape(to)+`"`...)
	}
	return append(b, ` type="`+string(typ)+`" xmlns="`+stanza.NSClient+`">`+payload+`</iq>`...)
}
