package callcore

import (
	"net"
	"slices"

	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/stdnet"
)

// network lists loopback interfaces last. pion gives all host candidates the same
// priority, takes the first pair among equals for the best, and nominates at once only if
// the best one works; with the loopback pair in front, every call would wait for the next
// round of checks, 200 ms later.
type network struct {
	transport.Net
	fresh bool // of the host: list the interfaces anew, as addresses come and go
}

// newNetwork wraps n, or the host's network if it is nil.
func newNetwork(n transport.Net) (network, error) {
	if n != nil {
		return network{Net: n}, nil
	}
	host, err := stdnet.NewNet()
	if err != nil {
		return network{}, err
	}
	return network{Net: host, fresh: true}, nil
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
	list, err := from.Interfaces()
	if err != nil {
		return nil, err
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b *transport.Interface) int { return loopback(a) - loopback(b) })
	return list, nil
}

func loopback(i *transport.Interface) int { return int(i.Flags & net.FlagLoopback) }
