package callcoretest

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"intercom/callcore"
)

// The few things of STUN and TURN that are spoken here (RFC 8489, RFC 8656).
const (
	stunHeader      = 20
	stunCookie      = 0x2112A442
	bindingRequest  = 0x0001
	bindingSuccess  = 0x0101
	allocateRequest = 0x0003
	xorMappedAddr   = 0x0020
)

// STUN is a server that tells clients their addresses. To those who ask for an allocation,
// as at a TURN server, it says nothing.
type STUN struct {
	addr        net.Addr
	allocations atomic.Int64

	mu    sync.Mutex
	asked map[string]time.Time
	count int
}

// STUN starts a server, which ends with the test.
func (w *World) STUN() *STUN {
	w.tb.Helper()
	host := w.Net()
	c, err := host.ListenPacket("udp4", fmt.Sprintf("10.0.0.%d:3478", 10+w.hosts))
	if err != nil {
		w.tb.Fatal(err)
	}
	s := &STUN{addr: c.LocalAddr(), asked: map[string]time.Time{}}
	ended := make(chan struct{})
	w.tb.Cleanup(func() {
		c.Close()
		<-ended
	})
	go func() {
		defer close(ended)
		s.serve(c)
	}()
	return s
}

// ICE is a configuration with the server, as one for STUN or for TURN.
func (s *STUN) ICE(scheme string) callcore.ICE {
	return callcore.ICE{Servers: []callcore.ICEServer{{URLs: []string{scheme + ":" + s.addr.String()}, Username: "u", Credential: "c"}}}
}

// Bindings is how often an address was asked for.
func (s *STUN) Bindings() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// Asked is when the owner of an address, "host:port", was last told it; zero: never.
func (s *STUN) Asked(address string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[address]
}

// Allocations is how often an allocation was asked for, repeats included.
func (s *STUN) Allocations() int { return int(s.allocations.Load()) }

func (s *STUN) serve(c net.PacketConn) {
	buf := make([]byte, 1500)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		u, ok := from.(*net.UDPAddr)
		if !ok || n < stunHeader || binary.BigEndian.Uint32(buf[4:]) != stunCookie {
			continue
		}
		switch binary.BigEndian.Uint16(buf) {
		case bindingRequest:
			s.mu.Lock()
			s.asked[u.String()] = time.Now()
			s.count++
			s.mu.Unlock()
			c.WriteTo(mapped(buf[8:stunHeader], u), from)
		case allocateRequest:
			s.allocations.Add(1)
		}
	}
}

// mapped is the answer with an IPv4 address.
func mapped(transaction []byte, u *net.UDPAddr) []byte {
	b := binary.BigEndian.AppendUint16(nil, bindingSuccess)
	b = binary.BigEndian.AppendUint16(b, 12) // of attributes
	b = binary.BigEndian.AppendUint32(b, stunCookie)
	b = append(b, transaction...)
	b = binary.BigEndian.AppendUint16(b, xorMappedAddr)
	b = binary.BigEndian.AppendUint16(b, 8)
	b = append(b, 0, 1)
	b = binary.BigEndian.AppendUint16(b, uint16(u.Port)^(stunCookie>>16))
	return binary.BigEndian.AppendUint32(b, binary.BigEndian.Uint32(u.IP.To4())^stunCookie)
}
