//go:build e2e

package lab

import (
	"net"
	"net/netip"
	"sync"
	"testing"
)

// path carries UDP to a server on this machine, and back, until it is told not to. A page
// that reaches its TURN server only by way of a path, and others only through that, is on
// a network that can fail.
type path struct {
	address string // of its near end
	near    *net.UDPConn
	far     net.Addr
	all     sync.WaitGroup

	mu    sync.Mutex
	flows map[netip.AddrPort]*flow
	down  bool        // nothing passes
	link  *bottleneck // on the way back; nil: it carries anything
}

// flow is what one socket at the near end exchanges with the server.
type flow struct {
	conn *net.UDPConn // at the far end
	dead bool
}

// newPath makes a path to a server, which ends with the test.
func newPath(t *testing.T, server string) *path {
	t.Helper()
	far, err := net.ResolveUDPAddr("udp", server)
	must(t, err)
	near, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	p := &path{address: near.LocalAddr().String(), near: near, far: far, flows: map[netip.AddrPort]*flow{}}
	p.all.Go(p.forward)
	t.Cleanup(func() {
		near.Close()
		p.mu.Lock()
		for _, f := range p.flows {
			f.conn.Close()
		}
		p.flows = nil
		p.mu.Unlock()
		link := p.link
		p.all.Wait()
		if link != nil {
			link.close()
		}
	})
	return p
}

// cut loses for good whatever belongs to the sockets seen so far. New ones work: such is a
// phone that goes from one network to another.
func (p *path) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.flows {
		f.dead = true
	}
}

// block loses everything, until it is called with false: such is a phone in a lift.
func (p *path) block(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// narrow has what the server sends pass a link, which ends with the path.
func (p *path) narrow(link *bottleneck) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.link = link
}

func (p *path) forward() {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := p.near.ReadFromUDPAddrPort(buf)
		if err != nil {
			return // closed
		}
		if f := p.flow(from); f != nil {
			f.conn.Write(buf[:n]) // an error is a lost packet
		}
	}
}

// flow returns what a packet from an address belongs to; nil: it is lost.
func (p *path) flow(from netip.AddrPort) *flow {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down || p.flows == nil {
		return nil
	}
	f := p.flows[from]
	if f == nil {
		conn, err := net.DialUDP("udp", nil, p.far.(*net.UDPAddr))
		if err != nil {
			return nil
		}
		f = &flow{conn: conn}
		p.flows[from] = f
		p.all.Go(func() { p.back(f, from) })
	}
	if f.dead {
		return nil
	}
	return f
}

// back carries what the server sends.
func (p *path) back(f *flow, to netip.AddrPort) {
	buf := make([]byte, 64<<10)
	for {
		n, err := f.conn.Read(buf)
		p.mu.Lock()
		closed, lost, link := p.flows == nil, p.down || f.dead, p.link
		p.mu.Unlock()
		switch {
		case closed:
			return
		case err == nil && !lost && link != nil:
			link.send(buf[:n], to)
		case err == nil && !lost:
			p.near.WriteToUDPAddrPort(buf[:n], to)
		}
	}
}
