package callcoretest

import (
	"fmt"
	"time"

	"github.com/pion/logging"
	"github.com/pion/transport/v4/vnet"
)

// NAT is a way to translate addresses (RFC 4787): for which peers a port is the same, and
// from whom packets are let in.
type NAT struct{ mapping, filtering vnet.EndpointDependencyType }

// FullCone lets in anybody who knows the port.
func FullCone() NAT { return NAT{vnet.EndpointIndependent, vnet.EndpointIndependent} }

// PortRestricted has one port for all peers and lets in who was sent something, from the
// very port: most homes.
func PortRestricted() NAT { return NAT{vnet.EndpointIndependent, vnet.EndpointAddrPortDependent} }

// Symmetric has another port for each peer: many companies and mobile networks.
func Symmetric() NAT { return NAT{vnet.EndpointAddrPortDependent, vnet.EndpointAddrPortDependent} }

// Behind returns a host of a private network behind a router of its own, and the address
// that others see of it.
func (w *World) Behind(t NAT) (host *vnet.Net, outside string) {
	w.tb.Helper()
	w.hosts++
	outside = fmt.Sprintf("10.0.0.%d", 10+w.hosts)
	r, err := vnet.NewRouter(&vnet.RouterConfig{
		CIDR:      fmt.Sprintf("192.168.%d.0/24", w.hosts),
		StaticIPs: []string{outside},
		MinDelay:  time.Millisecond,
		// Nobody's mappings go while nothing is sent for a moment.
		NATType:       &vnet.NATType{MappingBehavior: t.mapping, FilteringBehavior: t.filtering, MappingLifeTime: 5 * time.Minute},
		LoggerFactory: logging.NewDefaultLoggerFactory(),
	})
	if err != nil {
		w.tb.Fatal(err)
	}
	host, err = vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{fmt.Sprintf("192.168.%d.2", w.hosts)}})
	if err != nil {
		w.tb.Fatal(err)
	}
	if err := r.AddNet(host); err != nil {
		w.tb.Fatal(err)
	}
	if err := w.router.AddRouter(r); err != nil {
		w.tb.Fatal(err)
	}
	if err := r.Start(); err != nil {
		w.tb.Fatal(err)
	}
	return host, outside
}
