package callcore

import (
	"context"
	"net"
	"slices"
	"time"

	"github.com/pion/transport/v4"
	"github.com/pion/webrtc/v4"

	"intercom/signaling"
)

// This file keeps connections ready for users who are not called yet. A spare one has made
// its offer and found its candidates; once it belongs to a peer it is a connection like any
// other.

const (
	// reflexiveAge is how old server-reflexive candidates may be when they are used: NATs
	// forget an idle mapping, some after 30 s. Spare connections that have any are renewed
	// in turn, so often that none gets older than renewAge and settleTime.
	reflexiveAge = 20 * time.Second
	renewAge     = 15 * time.Second

	// settleTime is how long a spare connection gathers before it takes the place of an
	// older one. It is several round trips to a STUN server.
	settleTime = time.Second

	// refillTime is how long after a call spare connections are made anew, so as not to
	// take time from its start; refillInterval is the time from one to the next, and
	// refillRetry that after one could not be made.
	refillTime     = time.Second
	refillInterval = 100 * time.Millisecond
	refillRetry    = 5 * time.Second
)

// reserve are the spare connections, the newest last. It is the loop's.
type reserve struct {
	spares []*spare
	pause  time.Time // none is made before
	due    time.Time // when to tend it; zero: not before it changes
}

// spare is a connection without a peer, and what its worker has reported.
type spare struct {
	conn *conn
	made time.Time
	sdp  string                // empty: not ready
	ours []signaling.Candidate // found so far
	all  bool                  // that there are
}

func (s *spare) settled(now time.Time) bool {
	return s.sdp != "" && now.Sub(s.made) >= settleTime
}

// tend makes the next spare connection if one is missing or the oldest is to be renewed,
// and lets go of the oldest when there is another one for it.
func (l *loop) tend(ctx context.Context) {
	r, want, now := &l.reserve, l.cfg.Prepared, time.Now()
	if want == 0 {
		return
	}
	settled := 0
	for _, s := range r.spares {
		if s.settled(now) {
			settled++
		}
	}
	if settled > want || len(r.spares) > want+1 {
		r.spares[0].conn.close()
		r.spares = slices.Delete(r.spares, 0, 1)
	}
	next := l.nextSpare(now)
	if !next.IsZero() && !next.After(now) {
		ctx, cancel := context.WithCancel(ctx)
		w := newConn(l.Client, nil, l.reports, cancel)
		w.jobs <- job{kind: makeOffer}
		l.workers.Go(func() { w.run(ctx) })
		r.spares = append(r.spares, &spare{conn: w, made: now})
		next = l.nextSpare(now)
	}
	r.due = next
	if n := len(r.spares); n > want {
		if settles := r.spares[n-1].made.Add(settleTime); settles.After(now) && (next.IsZero() || settles.Before(next)) {
			r.due = settles
		}
	}
}

// nextSpare is when the next spare connection is to be made; zero: never.
func (l *loop) nextSpare(now time.Time) time.Time {
	r, want := &l.reserve, l.cfg.Prepared
	var next time.Time
	switch n := len(r.spares); {
	case n == 0:
		next = now
	case n < want:
		next = r.spares[n-1].made.Add(refillInterval)
	case len(l.cfg.ICE.Servers) == 0:
		return time.Time{} // host candidates do not age
	default:
		next = r.spares[n-1].made.Add(renewAge / time.Duration(want))
	}
	if next.Before(r.pause) {
		return r.pause
	}
	return next
}

// takeSpare gives a peer a connection whose offer is ready, and tells whether there was
// one.
func (l *loop) takeSpare(p *peer) bool {
	r, now := &l.reserve, time.Now()
	if p.session.callType != signaling.Video {
		return false // their offers have a section for pictures
	}
	best := -1
	for i, s := range r.spares {
		old := len(l.cfg.ICE.Servers) > 0 && now.Sub(s.made) > reflexiveAge
		if s.sdp != "" && !old && (best < 0 || s.settled(now)) {
			best = i
		}
	}
	if best < 0 {
		return false
	}
	s := r.spares[best]
	r.spares = slices.Delete(r.spares, best, best+1)
	r.pause = now.Add(refillTime)
	r.due = l.nextSpare(now)
	s.conn.owner, p.conn, p.ours = p, s.conn, s.ours
	p.ice = progress{gathered: s.all}
	l.give(p, job{kind: takePeer, peer: p})
	l.todo = append(l.todo, step{p, offerReady, cause{report: report{sdp: capVideo(s.sdp, p.session.bandwidth)}}})
	return true
}

// spareReported takes what the worker of a spare connection says.
func (l *loop) spareReported(r report) {
	i := slices.IndexFunc(l.reserve.spares, func(s *spare) bool { return s.conn == r.conn })
	if i < 0 {
		return // let go of
	}
	s := l.reserve.spares[i]
	switch {
	case r.what == spareReady:
		s.sdp = r.sdp
	case r.what == becameInput && r.input == candidateFound:
		s.ours = append(s.ours, r.candidate)
	case r.what == allGathered:
		s.all = true
	case r.err != nil:
		l.log.Warn("no connection prepared", keyError, r.err)
		s.conn.close()
		l.reserve.spares = slices.Delete(l.reserve.spares, i, i+1)
		now := time.Now()
		l.reserve.pause = now.Add(refillRetry)
		l.reserve.due = l.nextSpare(now)
	}
}

// renewReserve lets go of all spare connections, whose addresses may be gone, and begins
// to make others.
func (l *loop) renewReserve(ctx context.Context) {
	for _, s := range l.reserve.spares {
		s.conn.close()
	}
	l.reserve.spares, l.reserve.pause = nil, time.Time{}
	l.tend(ctx)
}

// takePeer makes a spare connection that of a peer.
func (w *conn) takePeer(p *peer) {
	w.peer = p
	w.ownTracks()
	w.start()
	close(w.wanted)
}

// wire is the id of the peer's session, for the log. The peer's own is the loop's: it changes
// when two calls cross.
func (w *conn) wire() string {
	if w.peer == nil {
		return "none yet"
	}
	return w.peer.session.id
}

// spareFound tells of candidates as long as there is no peer.
func (w *conn) spareFound() <-chan struct{} {
	if w.peer != nil || w.pc == nil {
		return nil
	}
	return w.found
}

// api returns the API to make the connection with.
func (w *conn) api(ctx context.Context) *webrtc.API {
	if w.peer != nil || len(w.engine.net.turn.servers) == 0 {
		return w.engine.api(w.engine.setting, w.numbering())
	}
	s := w.engine.setting
	g := gate{w.engine.net, w.wanted, ctx.Done()}
	s.SetNet(g)
	s.SetICEProxyDialer(gatedDialer{relayDialer{w.engine.net, w.engine.net.turn}, g})
	return w.engine.api(s, w.numbering())
}

// gate is the network of a spare connection: pion's gathering of relay candidates waits in
// it until the connection is wanted. Each allocation counts against the quota of its user,
// and a door that idles for years would hold several, renewed four times a minute. What
// pion does itself before, such as asking a TURN server for our reflexive address, is not
// of the kinds below.
type gate struct {
	network
	wanted, closed <-chan struct{}
}

func (g gate) wait() error {
	select {
	case <-g.wanted:
		return nil
	case <-g.closed:
		return net.ErrClosed
	}
}

// ListenPacket is part of transport.Net; pion makes the sockets for TURN over UDP with it.
func (g gate) ListenPacket(network, address string) (net.PacketConn, error) {
	if err := g.wait(); err != nil {
		return nil, err
	}
	return g.network.ListenPacket(network, address)
}

// DialUDP is part of transport.Net; pion makes the sockets for TURN over DTLS with it.
func (g gate) DialUDP(network string, laddr, raddr *net.UDPAddr) (transport.UDPConn, error) {
	if err := g.wait(); err != nil {
		return nil, err
	}
	return g.network.DialUDP(network, laddr, raddr)
}

// gatedDialer makes the connections to TURN servers by TCP and TLS.
type gatedDialer struct {
	relayDialer
	gate gate
}

// Dial implements proxy.Dialer.
func (d gatedDialer) Dial(network, address string) (net.Conn, error) {
	if err := d.gate.wait(); err != nil {
		return nil, err
	}
	return d.relayDialer.Dial(network, address)
}
