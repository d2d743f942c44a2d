package xmpp

import (
	"bufio"
	"net"
)

// maxInput bounds what may arrive between two stanzas, TLS included. Servers limit the
// stanzas of clients to 256 or 512 KB, so no contact can reach it and cut our link;
// a broken or hostile server cannot fill our memory with one endless element.
const maxInput = 1 << 20

// meter is a connection that refuses to read more than its allowance.
type meter struct {
	net.Conn
	left int // touched by the reading goroutine only
}

func (m *meter) refill() { m.left = maxInput }

func (m *meter) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, errFlood
	}
	n, err := m.Conn.Read(p[:min(len(p), m.left)])
	m.left -= n
	return n, err
}

// buffered is a connection that can be read by the byte. An xml.Decoder reads no further
// than it must from one that can, so the decoder of the negotiation leaves to ours what
// the server sent after it.
type buffered struct {
	net.Conn
	r *bufio.Reader
}

func newBuffered(c net.Conn) *buffered { return &buffered{Conn: c, r: bufio.NewReader(c)} }

func (b *buffered) Read(p []byte) (int, error) { return b.r.Read(p) }

func (b *buffered) ReadByte() (byte, error) { return b.r.ReadByte() }
