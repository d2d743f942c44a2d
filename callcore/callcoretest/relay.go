package callcoretest

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/pion/logging"
	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/vnet"
	"github.com/pion/turn/v5"

	"intercom/callcore"
)

// Relay is a TURN server on the network, which is a STUN server too, until the test ends.
type Relay struct {
	IP string // its own, and that of all relay addresses
}

// Who may use a Relay.
const (
	relayUser     = "user"
	relayPassword = "secret"
	relayRealm    = "world"
	relayPort     = 3478
)

// Server is the relay as a client is told of it, for "udp" or "tcp".
func (r Relay) Server(transport string) callcore.ICEServer {
	return callcore.ICEServer{
		URLs:     []string{fmt.Sprintf("turn:%s:%d?transport=%s", r.IP, relayPort, transport)},
		Username: relayUser, Credential: relayPassword,
	}
}

// STUN is the relay as a client is told of it that may only ask for its own address.
func (r Relay) STUN() callcore.ICEServer {
	return callcore.ICEServer{URLs: []string{fmt.Sprintf("stun:%s:%d", r.IP, relayPort)}}
}

// Relay starts a TURN server for UDP and TCP.
func (w *World) Relay() Relay {
	w.tb.Helper()
	n := w.Net()
	r := Relay{IP: w.Address(n)}
	at := net.JoinHostPort(r.IP, fmt.Sprint(relayPort))
	packets, err := n.ListenPacket("udp4", at)
	if err != nil {
		w.tb.Fatal(err)
	}
	listener := &pipeListener{at: &net.TCPAddr{IP: net.ParseIP(r.IP), Port: relayPort}, calls: make(chan net.Conn), closed: make(chan struct{})}
	w.mu.Lock()
	w.listeners = append(w.listeners, listener)
	w.mu.Unlock()
	relays := &turn.RelayAddressGeneratorStatic{RelayAddress: net.ParseIP(r.IP), Address: r.IP, Net: n}
	s, err := turn.NewServer(turn.ServerConfig{
		Realm: relayRealm,
		AuthHandler: func(a *turn.RequestAttributes) (string, []byte, bool) {
			return a.Username, turn.GenerateAuthKey(relayUser, relayRealm, relayPassword), a.Username == relayUser
		},
		PacketConnConfigs: []turn.PacketConnConfig{{PacketConn: packets, RelayAddressGenerator: relays}},
		ListenerConfigs:   []turn.ListenerConfig{{Listener: listener, RelayAddressGenerator: relays}},
		LoggerFactory:     logging.NewDefaultLoggerFactory(),
	})
	if err != nil {
		w.tb.Fatal(err)
	}
	w.tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.tb.Error(err)
		}
	})
	return r
}

// Address returns the address of a host.
func (w *World) Address(n *vnet.Net) string {
	w.tb.Helper()
	i, err := n.InterfaceByName("eth0")
	if err != nil {
		w.tb.Fatal(err)
	}
	addrs, err := i.Addrs()
	if err != nil {
		w.tb.Fatal(err)
	}
	return addrs[0].(*net.IPNet).IP.String()
}

// host is a host of the network that has TCP, which vnet does not: to the relays only, and
// undisturbed by filters and addresses that change.
type host struct {
	*vnet.Net
	world *World
	ports sync.Mutex
	port  int
}

// CreateDialer is part of transport.Net.
func (h *host) CreateDialer(*net.Dialer) transport.Dialer { return h }

// Dial is part of transport.Dialer.
func (h *host) Dial(network, address string) (net.Conn, error) {
	h.world.mu.Lock()
	i := slices.IndexFunc(h.world.listeners, func(l *pipeListener) bool { return l.at.String() == address })
	var l *pipeListener
	if i >= 0 {
		l = h.world.listeners[i]
	}
	h.world.mu.Unlock()
	if l == nil || network == "tcp6" {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
	}
	h.ports.Lock()
	h.port++
	from := &net.TCPAddr{IP: net.ParseIP(h.world.Address(h.Net)), Port: 20000 + h.port}
	h.ports.Unlock()
	near, far := net.Pipe()
	select {
	case l.calls <- pipeConn{far, l.at, from}:
		return pipeConn{near, from, l.at}, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
	}
}

// pipeConn is one end of a net.Pipe between addresses.
type pipeConn struct {
	net.Conn
	local, remote *net.TCPAddr
}

func (c pipeConn) LocalAddr() net.Addr  { return c.local }
func (c pipeConn) RemoteAddr() net.Addr { return c.remote }

// pipeListener accepts what host.Dial dials.
type pipeListener struct {
	at     *net.TCPAddr
	calls  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.calls:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return l.at }
