package callcore

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/pion/transport/v4"
	"github.com/pion/webrtc/v4"

	"intercom/signaling"
)

// This file finds out which connections a change of the host's network has cut, without
// waiting for ICE to miss anything.

const (
	// doubtTime is how long a path whose own address is still there, but that may have
	// lost its route, has to bring one packet. Sound comes every 20 ms.
	doubtTime = time.Second

	// flowTime: media that came this recently before the change were flowing. Of a path
	// without any, only ICE can tell.
	flowTime = 500 * time.Millisecond
)

// NetworkChanged says that addresses or routes of the host have changed: an interface came
// up or went down, or DHCP gave another address. The client looks at once whether the chat
// link still works and which connections have lost their path; those are replaced without
// the usual wait of five seconds. A call that only had a change beside it goes on.
//
// It returns at once, may be called from any goroutine at any time, and calls that come
// before the last one was dealt with count as one.
func (c *Client) NetworkChanged() {
	select {
	case c.network <- struct{}{}:
	default:
	}
}

// networkChanged looks at everything that uses the network.
func (l *loop) networkChanged(ctx context.Context) {
	l.log.Info("network changed", keyCause, "told by the application")
	l.probe(ctx)
	l.renewReserve(ctx)
	for _, s := range l.sessions {
		for _, p := range s.peers {
			if p.conn != nil {
				l.give(p, job{kind: checkPath})
			}
		}
	}
}

// checkPath reports a path that is gone, or begins to doubt it.
func (w *conn) checkPath(ctx context.Context) {
	if w.pc == nil || w.pc.LocalDescription() == nil {
		return // it has no addresses yet
	}
	have, err := w.engine.net.addresses()
	if err != nil {
		w.log.Warn("addresses not listed", keyCall, w.wire(), keyError, err)
		return
	}
	used := w.usedAddresses()
	for _, a := range used {
		if have[a] {
			if quiet, ever := w.quiet(); ever && quiet < flowTime {
				w.doubt.Reset(doubtTime)
			}
			return
		}
	}
	if quiet, ever := w.quiet(); len(used) == 0 && ever && quiet < flowTime {
		w.doubt.Reset(doubtTime) // by way of a relay: who knows from where
		return
	}
	if len(used) > 0 || reaches(have) { // there was one, or there is one now
		w.report(ctx, report{what: becameInput, input: pathLost})
	}
}

// doubtDue ends a doubt: a path that has brought nothing since is gone.
func (w *conn) doubtDue(ctx context.Context) {
	if quiet, _ := w.quiet(); quiet >= doubtTime {
		w.report(ctx, report{what: becameInput, input: pathLost})
	}
}

// usedAddresses returns the address that the connection uses, or all that it could use if
// it has not chosen yet. Loopback counts only if it is in use: it is always there.
func (w *conn) usedAddresses() []netip.Addr {
	if pair, err := w.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair(); err == nil && pair != nil {
		text := pair.Local.Address
		if pair.Local.Typ != webrtc.ICECandidateTypeHost {
			text = pair.Local.RelatedAddress
		}
		if a, err := netip.ParseAddr(text); err == nil && !a.IsUnspecified() {
			return []netip.Addr{a.Unmap().WithZone("")}
		}
	}
	_, candidates := cutCandidates(w.pc.LocalDescription().SDP)
	var list []netip.Addr
	for _, c := range candidates {
		if a, ok := hostAddress(c); ok && !a.IsLoopback() {
			list = append(list, a)
		}
	}
	return list
}

// reaches tells whether there is an address to leave the host with.
func reaches(have map[netip.Addr]bool) bool {
	for a := range have {
		if !a.IsLoopback() {
			return true
		}
	}
	return false
}

// hostAddress returns the address of a host candidate (RFC 8839, 5.1).
func hostAddress(c signaling.Candidate) (netip.Addr, bool) {
	f := strings.Fields(c.Candidate)
	if len(f) < 8 || f[7] != webrtc.ICECandidateTypeHost.String() {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(f[4])
	return a.Unmap().WithZone(""), err == nil
}

// addresses returns those of the host now, loopback included.
func (n network) addresses() (map[netip.Addr]bool, error) {
	list, err := n.Interfaces()
	if err != nil {
		return nil, err
	}
	have := map[netip.Addr]bool{}
	for _, i := range list {
		for _, a := range interfaceAddresses(i) {
			have[a] = true
		}
	}
	return have, nil
}

// interfaceAddresses returns the addresses of an interface that is up.
func interfaceAddresses(i *transport.Interface) []netip.Addr {
	addrs, err := i.Addrs()
	if err != nil || i.Flags&net.FlagUp == 0 {
		return nil // one without addresses is of no use either
	}
	var list []netip.Addr
	for _, a := range addrs {
		var ip net.IP
		switch a := a.(type) {
		case *net.IPNet:
			ip = a.IP
		case *net.IPAddr:
			ip = a.IP
		}
		if addr, ok := netip.AddrFromSlice(ip); ok {
			list = append(list, addr.Unmap())
		}
	}
	return list
}
