package chat

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/net/websocket"
)

// header is what a client says when it opens a stream.
type header struct{ space, to, version string }

// transport is the framing of a stream. One goroutine reads and one writes.
type transport interface {
	// readOpen reads the client's opening of a stream, or of the restarted one.
	readOpen() (header, error)
	// writeOpen answers it. The arguments need no escaping.
	writeOpen(domain, id string) error
	// read returns the next element; io.EOF says that the client closed the stream.
	read() (*element, error)
	// write sends one whole element.
	write(element []byte) error
	// closeTag is what ends our side of the stream.
	closeTag() []byte
	// secure reports whether the connection is encrypted.
	secure() bool
	// close closes the connection behind the last element.
	close()
	// abort closes it without a word. It does not block, whatever else goes on.
	abort()
}

// lineConn sets a deadline for each read and write: a peer that stays silent, or does not
// read, is given up.
type lineConn struct {
	net.Conn
}

func (c lineConn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(idleTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c lineConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// meter bounds what is read for one element. It is an io.ByteReader, from which the
// decoder takes no byte more than the element has.
type meter struct {
	r    *bufio.Reader
	left int
	max  int
}

func (m *meter) Read(b []byte) (int, error) {
	c, err := m.ReadByte()
	if err != nil || len(b) == 0 {
		return 0, err
	}
	b[0] = c
	return 1, nil
}

func (m *meter) ReadByte() (byte, error) {
	if m.left == 0 {
		return 0, &streamError{"policy-violation", fmt.Sprintf("a stanza has more than %d bytes", m.max)}
	}
	m.left--
	return m.r.ReadByte()
}

// next starts a new element, behind the white space that keeps connections alive.
func (m *meter) next() error {
	m.left = m.max
	for {
		c, err := m.r.ReadByte()
		if err != nil {
			return err
		}
		switch c {
		case ' ', '\t', '\r', '\n':
		case '<':
			return m.r.UnreadByte()
		default: // the decoder would wait for a "<"
			return errText
		}
	}
}

// tcp is RFC 6120's framing: one document, of which stanzas are the children.
type tcp struct {
	raw   net.Conn
	conn  net.Conn // raw with deadlines, or TLS over that
	in    *meter
	space string // default namespace of the document
	tls   bool
}

// newTCP makes a transport of a connection; cfg is for TLS from the first byte, or nil.
func newTCP(raw net.Conn, cfg *tls.Config, size int) *tcp {
	t := &tcp{raw: raw, conn: lineConn{raw}}
	if cfg != nil {
		t.conn, t.tls = tls.Server(t.conn, cfg), true
	}
	t.in = &meter{r: bufio.NewReader(t.conn), max: size}
	return t
}

// startTLS secures the connection. What the client sent in the clear before it knew that
// it may go on would count as secured, so there must be none.
func (t *tcp) startTLS(cfg *tls.Config) error {
	if t.in.r.Buffered() > 0 {
		return &streamError{"policy-violation", "data behind starttls"}
	}
	t.conn, t.tls = tls.Server(t.conn, cfg), true
	t.in.r = bufio.NewReader(t.conn)
	return nil
}

func (t *tcp) readOpen() (header, error) {
	if err := t.in.next(); err != nil {
		return header{}, err
	}
	dec := xml.NewDecoder(t.in)
	for {
		tok, err := dec.RawToken()
		if err != nil {
			return header{}, notWellFormed(err)
		}
		switch tok := tok.(type) {
		case xml.ProcInst:
			if tok.Target != "xml" {
				return header{}, errRestricted
			}
		case xml.CharData:
			if len(bytes.TrimSpace(tok)) > 0 {
				return header{}, &streamError{"not-well-formed", "text before the stream"}
			}
		case xml.StartElement:
			return t.header(tok)
		default:
			return header{}, errRestricted
		}
	}
}

func (t *tcp) header(start xml.StartElement) (header, error) {
	var h header
	prefix := ""
	for _, a := range start.Attr {
		switch rawName(a.Name) {
		case "xmlns":
			h.space = a.Value
		case "xmlns:" + start.Name.Space:
			prefix = a.Value
		case "to":
			h.to = a.Value
		case "version":
			h.version = a.Value
		}
	}
	if start.Name.Space != "stream" || start.Name.Local != "stream" {
		return h, &streamError{"bad-format", "a stream begins with <stream:stream>"}
	}
	if prefix != nsStream {
		return h, &streamError{"invalid-namespace", "the stream's namespace is " + nsStream}
	}
	t.space = h.space
	return h, nil
}

func (t *tcp) writeOpen(domain, id string) error {
	return t.write([]byte("<?xml version='1.0'?><stream:stream xmlns='" + nsClient + "' xmlns:stream='" + nsStream +
		"' id='" + id + "' from='" + domain + "' version='1.0' xml:lang='en'>"))
}

func (t *tcp) read() (*element, error) {
	if err := t.in.next(); err != nil {
		return nil, err
	}
	return readElement(t.in, t.space)
}

func (t *tcp) write(b []byte) error {
	_, err := t.conn.Write(b)
	return err
}

func (t *tcp) closeTag() []byte { return []byte("</stream:stream>") }
func (t *tcp) secure() bool     { return t.tls }
func (t *tcp) close()           { t.conn.Close() }
func (t *tcp) abort()           { t.raw.Close() } // beneath TLS, which would say good-bye

// web is RFC 7395's framing: each message is a document of its own.
type web struct {
	ws   *websocket.Conn
	raw  net.Conn // the TCP connection beneath
	size int
	tls  bool
}

// read returns the next message's element.
func (w *web) read() (*element, error) {
	data, err := w.message()
	if err != nil {
		return nil, err
	}
	if len(data) == 0 || data[0] != '<' {
		return nil, &streamError{"not-well-formed", "a message begins with < (RFC 7395, section 3.3.3)"}
	}
	r := bytes.NewReader(data)
	e, err := readElement(r, "")
	if errors.Is(err, io.EOF) {
		return nil, &streamError{"not-well-formed", "an end tag alone"}
	}
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(data[len(data)-r.Len():])) > 0 {
		return nil, &streamError{"not-well-formed", "a message is one element"}
	}
	if e.is(nsFraming, "close") {
		return nil, io.EOF
	}
	return e, nil
}

// message reads one text message, of one or several frames. It does what websocket.Message
// does, which however takes each frame for a message, and browsers cut where they like.
func (w *web) message() ([]byte, error) {
	var data []byte
	for {
		if err := w.ws.SetReadDeadline(time.Now().Add(idleTimeout)); err != nil {
			return nil, err
		}
		frame, err := w.ws.NewFrameReader()
		if err != nil {
			return nil, err
		}
		var first [1]byte
		if _, err := io.ReadFull(frame.HeaderReader(), first[:]); err != nil {
			return nil, err
		}
		// HandleFrame answers pings; they may stand between two parts of a message.
		if err := w.ws.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return nil, err
		}
		if frame, err = w.ws.HandleFrame(frame); err != nil {
			return nil, err
		}
		if frame == nil {
			continue
		}
		if frame.PayloadType() != websocket.TextFrame {
			return nil, &streamError{"bad-format", "messages are text"}
		}
		part, err := io.ReadAll(io.LimitReader(frame, int64(w.size-len(data)+1)))
		if err != nil {
			return nil, err
		}
		if data = append(data, part...); len(data) > w.size {
			return nil, &streamError{"policy-violation", fmt.Sprintf("a stanza has more than %d bytes", w.size)}
		}
		if last := first[0]&0x80 != 0; last { // FIN, RFC 6455, section 5.2
			return data, nil
		}
	}
}

func (w *web) readOpen() (header, error) {
	e, err := w.read()
	if err != nil {
		return header{}, err
	}
	if !e.is(nsFraming, "open") {
		return header{}, &streamError{"bad-format", "a stream begins with <open/> in " + nsFraming}
	}
	return header{space: nsClient, to: e.get("to"), version: e.get("version")}, nil
}

func (w *web) writeOpen(domain, id string) error {
	return w.write([]byte(`<open xmlns="` + nsFraming + `" id="` + id + `" from="` + domain + `" version="1.0" xml:lang="en"/>`))
}

func (w *web) write(b []byte) error {
	if err := w.ws.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := w.ws.Write(b)
	return err
}

// The SDK compares this text, blank included.
func (w *web) closeTag() []byte { return []byte(`<close xmlns="` + nsFraming + `" />`) }
func (w *web) secure() bool     { return w.tls }
func (w *web) close()           { w.ws.Close() }
func (w *web) abort()           { w.raw.Close() }
