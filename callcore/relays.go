package callcore

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// turnDialTime is how long a TURN server may take to accept a connection, TLS
	// included. The system's own limit is two minutes, for which a call that has ended
	// would be kept waiting.
	turnDialTime = 5 * time.Second

	// turnSilence: a server that has not answered any of pion's requests for this long, when
	// pion gives up, does not answer. It gives up after eight seconds, or with the call.
	turnSilence = 3 * time.Second
)

// noAnswer is what is wrong with a server that nothing is heard of, by transport.
var noAnswer = map[string]error{
	"udp": errors.New("it does not answer: check its address; where a firewall stops UDP, transport=tcp may get through"),
	"tcp": errors.New("it takes the connection but does not answer: check that the port is a TURN server's, and whether it wants TLS (turns:)"),
}

// relays watches what TURN servers answer when connections ask them for an address: pion
// tells that its log only. It stands in for the network towards pion, for the sockets that
// lead to such servers. What has changed it keeps for the loop.
type relays struct {
	servers []iceURL
	news    chan struct{} // a token: changed has something

	mu       sync.Mutex
	resolved map[string][]string // "192.0.2.1:3478" to "turn.example.org:3478"
	state    map[string]error    // by URL, of those that fail
	changed  []ServerChanged
}

func newRelays(servers []ICEServer) (*relays, error) {
	r := &relays{news: make(chan struct{}, 1), resolved: map[string][]string{}, state: map[string]error{}}
	for _, s := range servers {
		list, err := s.parse()
		if err != nil {
			return nil, err
		}
		r.servers = append(r.servers, slices.DeleteFunc(list, func(u iceURL) bool { return !u.turn() })...)
	}
	return r, nil
}

// resolve remembers what a name stands for.
func (r *relays) resolve(name, address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.resolved[address], name) {
		r.resolved[address] = append(r.resolved[address], name)
	}
}

// tell takes down how a server fared; nil: it gave us an address.
func (r *relays) tell(address, transport string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range r.servers {
		if u.transport != transport || u.address() != address && !slices.Contains(r.resolved[address], u.address()) {
			continue
		}
		before := r.state[u.text]
		if (err == nil) == (before == nil) && (err == nil || err.Error() == before.Error()) {
			continue
		}
		r.state[u.text] = err
		r.changed = append(r.changed, ServerChanged{Head: Head{Time: time.Now()}, URL: u.text, Err: err})
		select {
		case r.news <- struct{}{}:
		default:
		}
	}
}

// take returns what has changed.
func (r *relays) take() []ServerChanged {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.changed
	r.changed = nil
	return list
}

// relayDialer connects to TURN servers by TCP and TLS. pion would leave TLS to it, and
// knows no IPv6 in this.
type relayDialer struct {
	net    network
	relays *relays
}

// Dial ignores pion's choice of IPv4 if that leads nowhere. It implements proxy.Dialer.
func (d relayDialer) Dial(_, address string) (net.Conn, error) {
	c, err := d.dial(address)
	if err != nil {
		d.relays.tell(address, "tcp", explainDial(err))
		return nil, err
	}
	return &watchedStream{Conn: c, exchange: exchange{relays: d.relays, address: address, transport: "tcp", begun: time.Now()}}, nil
}

func (d relayDialer) dial(address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), turnDialTime)
	defer cancel()
	dialer := d.net.CreateDialer(&net.Dialer{Timeout: turnDialTime})
	c, err := dialer.Dial("tcp4", address)
	if err != nil {
		six, err6 := dialer.Dial("tcp6", address)
		if err6 != nil {
			return nil, err
		}
		c = likeIPv4{six}
	}
	i := slices.IndexFunc(d.relays.servers, func(u iceURL) bool { return u.transport == "tcp" && u.address() == address })
	if i < 0 || !d.relays.servers[i].secure() {
		return c, nil
	}
	t := tls.Client(c, &tls.Config{ServerName: d.relays.servers[i].host})
	if err := t.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return t, nil
}

// likeIPv4 is a connection over IPv6 that looks as if it were over IPv4: pion would ask for
// a relay address of the family of the connection, while that of the peer matters, and all
// servers have IPv4 (RFC 8656, 7.2).
type likeIPv4 struct{ net.Conn }

// LocalAddr is part of net.Conn.
func (c likeIPv4) LocalAddr() net.Addr {
	a, _ := c.Conn.LocalAddr().(*net.TCPAddr)
	if a == nil {
		a = new(net.TCPAddr)
	}
	return &net.TCPAddr{IP: net.IPv4zero, Port: a.Port}
}

// explainDial adds what to do to what is wrong.
func explainDial(err error) error {
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var certificate *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.As(err, &invalid):
		return fmt.Errorf("its certificate is refused: %w; check the clock, then the certificate", err)
	case errors.As(err, &name):
		return fmt.Errorf("its certificate is for somebody else: %w; name the server as its certificate does", err)
	case errors.As(err, &certificate):
		return fmt.Errorf("its certificate is not trusted: %w; add its authority's to the system's, or name a file with it in SSL_CERT_FILE", err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("it does not answer: %w", err)
	}
	return err
}

// exchange follows how one allocation is asked for (RFC 8656, 7).
type exchange struct {
	relays    *relays
	transport string
	decided   atomic.Bool

	mu        sync.Mutex
	address   string // of the server, host and port
	begun     time.Time
	answered  bool
	challenge []byte // the transaction that was told to come back with credentials
}

// STUN, as far as it is followed (RFC 8489, 5 and 14.8; RFC 8656, 18).
const (
	stunHeader       = 20
	allocateSuccess  = 0x0103
	allocateError    = 0x0113
	stunErrorCode    = 0x0009
	codeBadRequest   = 400
	codeUnauthorized = 401
	codeStaleNonce   = 438
)

// heard takes a STUN message from the server.
func (x *exchange) heard(b []byte) {
	if len(b) < stunHeader {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.answered = true
	switch binary.BigEndian.Uint16(b) {
	case allocateSuccess:
		x.decide(nil)
	case allocateError:
		code, reason := errorCode(b[stunHeader:])
		transaction := b[8:stunHeader]
		switch {
		case code == codeStaleNonce:
		case code == codeUnauthorized && (x.challenge == nil || bytes.Equal(x.challenge, transaction)):
			x.challenge = bytes.Clone(transaction)
		case code == codeUnauthorized || code == codeBadRequest && x.challenge != nil: // servers differ
			x.decide(fmt.Errorf("it refuses the user name or the credential (error %s)", reason))
		default:
			x.decide(fmt.Errorf("it gives no address (error %s)", reason))
		}
	}
}

// decide tells the outcome, once. It is called with mu held.
func (x *exchange) decide(err error) {
	if !x.decided.Swap(true) {
		x.relays.tell(x.address, x.transport, err)
	}
}

// ended decides about a server that said nothing at all.
func (x *exchange) ended() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.answered && !x.begun.IsZero() && time.Since(x.begun) >= turnSilence {
		x.decide(noAnswer[x.transport])
	}
}

// errorCode finds the ERROR-CODE among a message's attributes, also as a text.
func errorCode(attributes []byte) (code int, text string) {
	for b := attributes; len(b) >= 4; {
		size := int(binary.BigEndian.Uint16(b[2:]))
		if 4+size > len(b) {
			break
		}
		if v := b[4 : 4+size]; binary.BigEndian.Uint16(b) == stunErrorCode && size >= 4 {
			code := int(v[2]&7)*100 + int(v[3])
			return code, strings.TrimSpace(fmt.Sprintf("%d %.100q", code, bytes.TrimRight(v[4:], "\x00")))
		}
		b = b[min(len(b), 4+(size+3)&^3):]
	}
	return 0, "without a code"
}

// watchedPackets is the socket of one allocation over UDP.
type watchedPackets struct {
	net.PacketConn
	exchange
}

// LocalAddr looks as if the socket were of IPv4: see likeIPv4.
func (c *watchedPackets) LocalAddr() net.Addr {
	a, ok := c.PacketConn.LocalAddr().(*net.UDPAddr)
	if !ok || a.IP.To4() != nil {
		return c.PacketConn.LocalAddr()
	}
	return &net.UDPAddr{IP: net.IPv4zero, Port: a.Port}
}

// WriteTo is part of net.PacketConn.
func (c *watchedPackets) WriteTo(b []byte, to net.Addr) (int, error) {
	n, err := c.PacketConn.WriteTo(b, to)
	if c.decided.Load() {
		return n, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.begun.IsZero() {
		c.address, c.begun = to.String(), time.Now()
	}
	if err != nil && !isClosed(err) {
		c.decide(fmt.Errorf("it cannot be reached: %w", err))
	}
	return n, err
}

// ReadFrom is part of net.PacketConn.
func (c *watchedPackets) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.PacketConn.ReadFrom(b)
	if err == nil && !c.decided.Load() {
		c.heard(b[:n])
	}
	return n, from, err
}

// Close is part of net.PacketConn.
func (c *watchedPackets) Close() error {
	c.ended()
	return c.PacketConn.Close()
}

// watchedStream is the connection of one allocation over TCP or TLS.
type watchedStream struct {
	net.Conn
	exchange
	held []byte // of a message that is not complete; the reader's
}

// Read is part of net.Conn.
func (c *watchedStream) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.decided.Load() {
		return n, err
	}
	// Nothing but STUN comes before there is an allocation.
	c.held = append(c.held, b[:n]...)
	for len(c.held) >= stunHeader {
		size := stunHeader + int(binary.BigEndian.Uint16(c.held[2:]))
		if len(c.held) < size {
			break
		}
		c.heard(c.held[:size])
		c.held = c.held[size:]
	}
	if c.decided.Load() {
		c.held = nil
	}
	return n, err
}

// Close is part of net.Conn.
func (c *watchedStream) Close() error {
	c.ended()
	return c.Conn.Close()
}

// serversChanged tells what TURN servers have come to.
func (l *loop) serversChanged() {
	for _, e := range l.engine.net.turn.take() {
		if e.Err != nil {
			l.log.Warn("a TURN server does not work", keyServer, e.URL, keyError, e.Err)
		} else {
			l.log.Info("a TURN server works again", keyServer, e.URL)
		}
		l.emit(e)
	}
}
