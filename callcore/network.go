package callcore

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"

	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/stdnet"
	"github.com/pion/webrtc/v4"
)

// network lists the interfaces that the configuration has us use, and loopback ones last:
// pion gives all host candidates the same priority, takes the first pair among equals for
// the best, and nominates at once only if the best one works; with the loopback pair in
// front, every call would wait for the next round of checks, 200 ms later.
//
// It is a filter of ours because with a filter of its own pion would make an allocation at
// each TURN server for every address of the host.
type network struct {
	transport.Net
	fresh bool // of the host: list the interfaces anew, as addresses come and go
	ice   ICE
	log   *slog.Logger
	turn  *relays
	bare  *atomic.Bool // the configuration left no interface, and the log says so
}

// newNetwork wraps the network of the configuration, or the host's if there is none.
func newNetwork(cfg Config) (network, error) {
	turn, err := newRelays(cfg.ICE.Servers)
	if err != nil {
		return network{}, err
	}
	n := network{Net: cfg.Net, ice: cfg.ICE, log: cfg.Logger, turn: turn, bare: new(atomic.Bool)}
	if n.Net == nil {
		host, err := stdnet.NewNet()
		if err != nil {
			return network{}, err
		}
		n.Net, n.fresh = host, true
	}
	return n, nil
}

// Interfaces is part of transport.Net.
func (n network) Interfaces() ([]*transport.Interface, error) {
	from := n.Net
	if n.fresh {
		host, err := stdnet.NewNet()
		if err != nil {
			return nil, err
		}
		from = host
	}
	all, err := from.Interfaces()
	if err != nil {
		return nil, err
	}
	var list []*transport.Interface
	var left []string
	for _, i := range all {
		switch {
		case n.ice.uses(i.Name):
			list = append(list, i)
		case loopback(i) == 0 && i.Flags&net.FlagUp != 0:
			left = append(left, i.Name)
		}
	}
	if bare := len(list) == 0 && len(left) > 0; n.bare.Swap(bare) != bare && bare {
		n.log.Warn("no network interface is used for calls: check the list of interfaces to use", "there", left)
	}
	slices.SortStableFunc(list, func(a, b *transport.Interface) int { return loopback(a) - loopback(b) })
	return list, nil
}

// types are the kinds of candidates that are gathered and taken: pion has TCP ones too,
// which the SDKs do not offer. IPv6 is left out where the kernel has none: pion would give
// up multicast DNS for it.
func (n network) types() []webrtc.NetworkType {
	four, six := n.ice.has(IPv4), n.ice.has(IPv6)
	if four && six {
		c, err := n.Net.ListenPacket("udp6", "[::]:0")
		if six = err == nil; six {
			c.Close()
		}
	}
	var list []webrtc.NetworkType
	if four {
		list = append(list, webrtc.NetworkTypeUDP4)
	}
	if six {
		list = append(list, webrtc.NetworkTypeUDP6)
	}
	return list
}

// ListenPacket is part of transport.Net: pion calls it for the sockets to TURN servers by
// UDP, and knows no IPv6 in this.
func (n network) ListenPacket(network, address string) (net.PacketConn, error) {
	var c net.PacketConn
	err := errors.ErrUnsupported
	if n.fresh && network == "udp4" && address == "0.0.0.0:0" {
		c, err = net.ListenPacket("udp", ":0") // both families, if the host has both
	}
	if err != nil {
		if c, err = n.Net.ListenPacket(network, address); err != nil {
			return nil, err
		}
	}
	return &watchedPackets{PacketConn: c, exchange: exchange{relays: n.turn, transport: "udp"}}, nil
}

// ResolveUDPAddr is part of transport.Net.
func (n network) ResolveUDPAddr(network, address string) (*net.UDPAddr, error) {
	a, err := n.Net.ResolveUDPAddr(network, address)
	switch {
	case err == nil:
		n.turn.resolve(address, a.String())
	case network == "udp": // so pion calls it for TURN servers
		n.turn.tell(address, "udp", fmt.Errorf("its name does not lead to an address: %w", err))
	}
	return a, err
}

func loopback(i *transport.Interface) int { return int(i.Flags & net.FlagLoopback) }
