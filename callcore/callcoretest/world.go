// Package callcoretest puts clients of callcore on a virtual network and memory
// signaling: real WebRTC with neither sockets nor waiting, for tests inside a
// testing/synctest bubble. Phone is a client with media made of nothing; Script is a
// bare peer that a test drives by hand, signal by signal. It has no assertions beyond the
// ones that something is waited for in vain.
//
// The goroutines of a Phone end with the test; what a test has started itself, it ends.
package callcoretest

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/logging"
	"github.com/pion/transport/v4/vnet"

	"intercom/callcore"
	"intercom/capture"
	"intercom/signaling"
	"intercom/signaling/memory"
)

// patience is how long something is waited for, in the time of the bubble.
const patience = 10 * time.Minute

// World is a virtual network and a hub for signals. Make it inside the bubble.
type World struct {
	Hub *memory.Hub

	tb     testing.TB
	router *vnet.Router
	hosts  byte

	addresses string // a format

	mu        sync.Mutex // guards what follows, once phones run
	listeners []*pipeListener
}

// NewWorld makes a network in which packets and signals take a millisecond or so.
func NewWorld(tb testing.TB) *World {
	tb.Helper()
	return newWorld(tb, "10.0.0.0/24", "10.0.0.%d")
}

// NewWorldIPv6 makes a network of IPv6 only. It has neither relays nor NATs.
func NewWorldIPv6(tb testing.TB) *World {
	tb.Helper()
	return newWorld(tb, "2001:db8::/64", "2001:db8::%d")
}

func newWorld(tb testing.TB, network, addresses string) *World {
	tb.Helper()
	return newWorldAt(tb, network, addresses, time.Millisecond)
}

func newWorldAt(tb testing.TB, network, addresses string, delay time.Duration) *World {
	tb.Helper()
	r, err := vnet.NewRouter(&vnet.RouterConfig{CIDR: network, MinDelay: delay, LoggerFactory: logging.NewDefaultLoggerFactory()})
	if err != nil {
		tb.Fatal(err)
	}
	w := &World{Hub: &memory.Hub{Delay: 5 * time.Millisecond}, tb: tb, router: r, addresses: addresses}
	if err := r.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return w
}

// Net returns another host of the network.
func (w *World) Net() *vnet.Net {
	w.tb.Helper()
	w.hosts++
	n, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{w.address(w.hosts)}})
	if err != nil {
		w.tb.Fatal(err)
	}
	if err := w.router.AddNet(n); err != nil {
		w.tb.Fatal(err)
	}
	return n
}

func (w *World) address(host byte) string { return fmt.Sprintf(w.addresses, 10+host) }

// Move takes a host's addresses away and gives it another one, as when it changes from one
// network to the next; empty: none. Nobody is told.
func (w *World) Move(host *vnet.Net, to string) {
	w.tb.Helper()
	synctest.Wait() // pion reads the addresses that are about to be changed
	i, err := host.InterfaceByName("eth0")
	if err != nil {
		w.tb.Fatal(err)
	}
	addrs, _ := i.Addrs() // an error says that there are none
	for _, a := range addrs {
		if err := host.RemoveAddress("eth0", a.(*net.IPNet).IP); err != nil {
			w.tb.Fatal(err)
		}
	}
	if to == "" {
		return
	}
	if err := host.AddAddress("eth0", &net.IPNet{IP: net.ParseIP(to), Mask: net.CIDRMask(24, 32)}); err != nil {
		w.tb.Fatal(err)
	}
}

// Filter passes each packet of the network to f, which says whether it goes on. Filters
// add up.
func (w *World) Filter(f func(vnet.Chunk) bool) { w.router.AddChunkFilter(f) }

// Join adds a device to the hub until the test ends.
func (w *World) Join(user signaling.UserID, device string) *memory.Client {
	w.tb.Helper()
	c, err := w.Hub.Join(user, device)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.tb.Cleanup(func() { c.Close() })
	return c
}

// Phone is a running client.
type Phone struct {
	*callcore.Client
	User   signaling.UserID
	Device string
	Link   *memory.Client
	Media  *Media
	Net    *vnet.Net // nil: the host's
	// Seen is every event that was read so far.
	Seen []callcore.Event

	tb     testing.TB
	cancel context.CancelFunc
	ended  chan error
}

// Spec says what a Phone is like.
type Spec struct {
	User   signaling.UserID
	Device string          // empty: "phone"
	Codecs []capture.Codec // empty: H.264, VP8 and Opus
	Timers callcore.Timers
	ICE    callcore.ICE
	Net    *vnet.Net // nil: another host of the world's network
	// Prepared is how many connections the phone keeps ready.
	Prepared int
	Logger   *slog.Logger
	// Display may be nil.
	Display callcore.Display
	// Own is used in the place of packets of nothing, if it is not nil.
	Own callcore.Media
	// Host gives it the loopback interface of this machine in the place of the virtual
	// network: real sockets and real time, outside of bubbles.
	Host bool
}

// Phone starts a client, which runs until the test ends or Stop.
func (w *World) Phone(s Spec) *Phone {
	w.tb.Helper()
	if s.Device == "" {
		s.Device = "phone"
	}
	if len(s.Codecs) == 0 {
		s.Codecs = []capture.Codec{capture.H264, capture.VP8, capture.Opus}
	}
	p := &Phone{User: s.User, Device: s.Device, Link: w.Join(s.User, s.Device), Media: NewMedia(s.Codecs...), Net: s.Net, tb: w.tb, ended: make(chan error, 1)}
	cfg := callcore.Config{Channel: p.Link, Media: p.Media, ICE: s.ICE, Timers: s.Timers, Prepared: s.Prepared, Logger: s.Logger, Display: s.Display}
	if s.Own != nil {
		cfg.Media = s.Own
	}
	if s.Host {
		cfg.ICE.Interfaces = []string{"lo"}
	} else {
		if p.Net == nil {
			p.Net = w.Net()
		}
		cfg.Net = &host{Net: p.Net, world: w}
	}
	c, err := callcore.New(cfg)
	if err != nil {
		w.tb.Fatal(err)
	}
	p.Client = c
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() { p.ended <- c.Run(ctx) }()
	w.tb.Cleanup(p.Stop)
	return p
}

// Stop ends the client and waits for it. It may be called more than once.
func (p *Phone) Stop() {
	p.tb.Helper()
	p.cancel()
	if err := <-p.ended; err != nil {
		p.tb.Errorf("phone %s/%s: run: %v", p.User, p.Device, err)
	}
	p.ended <- nil
	if n := p.Media.OpenFeeds() + p.Media.OpenPlayers(); n != 0 {
		p.tb.Errorf("phone %s/%s: %d feeds and players left open", p.User, p.Device, n)
	}
}

// Call calls users, as a ring group if they are several, and returns the session.
func (p *Phone) Call(t signaling.CallType, users ...signaling.UserID) *callcore.Session {
	p.tb.Helper()
	return p.Invite(callcore.Invite{Users: users, CallType: t})
}

// Invite makes a session, calls its users and returns it.
func (p *Phone) Invite(inv callcore.Invite) *callcore.Session {
	p.tb.Helper()
	s, err := p.NewSession(inv)
	if err != nil {
		p.tb.Fatal(err)
	}
	if err := s.Call(context.Background(), nil); err != nil {
		p.tb.Fatal(err)
	}
	return s
}

// Await reads events until there is one of type E, and returns it.
func Await[E callcore.Event](p *Phone) E {
	p.tb.Helper()
	return AwaitWhere(p, func(E) bool { return true })
}

// AwaitWhere reads events until there is one of type E that ok likes, and returns it.
func AwaitWhere[E callcore.Event](p *Phone, ok func(E) bool) E {
	p.tb.Helper()
	limit := time.After(patience)
	for {
		select {
		case e, open := <-p.Events():
			if !open {
				p.tb.Fatalf("phone %s/%s: the events ended before %T; seen: %+v", p.User, p.Device, *new(E), p.Seen)
			}
			p.Seen = append(p.Seen, e)
			if e, is := e.(E); is && ok(e) {
				return e
			}
		case <-limit:
			p.tb.Fatalf("phone %s/%s: no %T; seen: %+v", p.User, p.Device, *new(E), p.Seen)
		}
	}
}

// Idle reads events for a while and returns them.
func (p *Phone) Idle(d time.Duration) []callcore.Event {
	limit := time.After(d)
	var list []callcore.Event
	for {
		select {
		case e, open := <-p.Events():
			if !open {
				return list
			}
			list = append(list, e)
			p.Seen = append(p.Seen, e)
		case <-limit:
			return list
		}
	}
}

// Lose drops this share of the packets from and to an address; by the seed, always the same
// ones as far as packets come in the same order.
func (w *World) Lose(share float64, address string, seed uint64) {
	var mu sync.Mutex
	dice := rand.New(rand.NewPCG(seed, 0))
	w.Filter(func(c vnet.Chunk) bool {
		if !about(c, address) {
			return true
		}
		mu.Lock()
		defer mu.Unlock()
		return dice.Float64() >= share
	})
}

// Block drops all packets from and to an address.
func (w *World) Block(address string) {
	w.Filter(func(c vnet.Chunk) bool { return !about(c, address) })
}

// about tells whether an address sends a packet or gets it.
func about(c vnet.Chunk, address string) bool {
	return strings.HasPrefix(c.SourceAddr().String(), address+":") || strings.HasPrefix(c.DestinationAddr().String(), address+":")
}

// Cut drops all packets from now on. What it returns says whether to go on with that.
func (w *World) Cut() func(cut bool) {
	var dropping atomic.Bool
	dropping.Store(true)
	w.Filter(func(vnet.Chunk) bool { return !dropping.Load() })
	return dropping.Store
}

// Sever prepares, before the first packet, to drop all those between pairs of sockets that
// are in use when what it returns is called: only a new connection then finds a path.
func (w *World) Sever() func() {
	var mu sync.Mutex
	severed := false
	seen, dead := map[string]bool{}, map[string]bool{}
	w.Filter(func(c vnet.Chunk) bool {
		mu.Lock()
		defer mu.Unlock()
		path := c.SourceAddr().String() + " " + c.DestinationAddr().String()
		if !severed {
			seen[path] = true
		}
		return !dead[path]
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		severed, dead = true, seen
	}
}
