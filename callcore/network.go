package callcore

import (
	"log/slog"
	"net"
	"slices"
	"sync/atomic"

	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/stdnet"
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
	bare  *atomic.Bool // the configuration left no interface, and the log says so
}

// newNetwork wraps the network of the configuration, or the host's if there is none.
func newNetwork(cfg Config) (network, error) {
	n := network{Net: cfg.Net, ice: cfg.ICE, log: cfg.Logger, bare: new(atomic.Bool)}
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

func loopback(i *transport.Interface) int { return int(i.Flags & net.FlagLoopback) }
