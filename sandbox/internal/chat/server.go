package chat

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/websocket"
	"mellium.im/xmpp/jid"
)

// Bounds of one connection and of all.
const (
	maxStanza     = 256 << 10        // bytes; an offer has 6 to 20 thousand
	maxQueue      = 1 << 20          // bytes waiting for a slow reader
	maxConns      = 2000             // all connections
	maxResources  = 16               // connections of one user
	maxTries      = 3                // wrong passwords on one connection
	stanzaRate    = 100              // stanzas a second that are read from one connection,
	stanzaBurst   = 500              // once this many have come at once
	loginTimeout  = 30 * time.Second // from the connection to the bound resource
	idleTimeout   = 5 * time.Minute  // phones ping every minute, the SDK every five seconds
	writeTimeout  = 10 * time.Second
	farewellGrace = 2 * time.Second // for the last words of the server
)

// Config is what a Server needs.
type Config struct {
	// Domain is the part of addresses behind the "@".
	Domain string
	// TLS offers STARTTLS on Listeners.Plain, and then no password is taken without it;
	// Listeners.TLS needs it. Nil: neither.
	TLS *tls.Config
	// Authenticate tells whether a password is right for the part of an address before
	// the "@". It may be called from several goroutines at once.
	Authenticate func(node, password string) bool
	// Logger is nil for none.
	Logger *slog.Logger
}

// Listeners are where a Server accepts connections. Each may be nil.
type Listeners struct {
	Plain     net.Listener // RFC 6120; with STARTTLS if there is a TLS configuration
	TLS       net.Listener // RFC 6120, TLS from the first byte
	WebSocket net.Listener // RFC 7395, any path
	// WebSocketSecure says that WebSocket is a TLS listener.
	WebSocketSecure bool
}

// Server routes stanzas between the sessions of one domain.
type Server struct {
	cfg Config
	log *slog.Logger
	hub hub

	mu     sync.Mutex
	conns  map[*conn]struct{}
	closed bool // no new connections
	wg     sync.WaitGroup
}

// New checks the configuration. It starts nothing.
func New(cfg Config) (*Server, error) {
	d, err := jid.Parse(cfg.Domain)
	if err != nil || d.Domain().String() != cfg.Domain {
		return nil, fmt.Errorf("chat domain %q: not a domain name in lower case", cfg.Domain)
	}
	if cfg.Authenticate == nil {
		return nil, errors.New("chat: nobody to check passwords")
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Server{cfg: cfg, log: log, hub: hub{users: map[string][]*conn{}}, conns: map[*conn]struct{}{}}, nil
}

// Run serves until the context ends, or a listener does. It closes the listeners, tells
// the clients, and returns after all goroutines have ended. It is called once.
func (s *Server) Run(ctx context.Context, l Listeners) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	serve := func(ln net.Listener, accept func(net.Listener) error) {
		if ln == nil {
			return
		}
		s.wg.Go(func() {
			err := accept(ln)
			if ctx.Err() == nil {
				cancel(fmt.Errorf("accept chat connections on %s: %w", ln.Addr(), err))
			}
		})
	}
	serve(l.Plain, func(ln net.Listener) error { return s.accept(ln, nil) })
	serve(l.TLS, func(ln net.Listener) error { return s.accept(ln, s.cfg.TLS) })
	web := &http.Server{Handler: s.upgrade(l.WebSocketSecure), ReadHeaderTimeout: loginTimeout, MaxHeaderBytes: 16 << 10,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, rawConn{}, beneath(c))
		},
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	serve(l.WebSocket, web.Serve)

	<-ctx.Done()
	for _, ln := range []net.Listener{l.Plain, l.TLS} {
		if ln != nil {
			ln.Close()
		}
	}
	web.Close() // not the connections that became WebSockets: they are ours
	s.shutdown()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return nil
}

// shutdown tells all clients to go, after a while makes them, and waits for it.
func (s *Server) shutdown() {
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.end(&streamError{condition: "system-shutdown"})
	}
	s.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(gone)
	}()
	grace := time.NewTimer(farewellGrace)
	defer grace.Stop()
	select {
	case <-gone:
	case <-grace.C:
		s.Kick("")
		<-gone
	}
}

// Kick cuts all connections of a user, or of everybody if node is empty, without a word,
// as a broken cable does. It returns how many there were.
func (s *Server) Kick(node string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for c := range s.conns {
		if who := c.user.Load(); node == "" || who != nil && *who == node {
			c.abort()
			n++
		}
	}
	return n
}

// Online returns the resources of a user that are connected and available, sorted.
func (s *Server) Online(node string) []string {
	var names []string
	for _, c := range s.hub.available(node) {
		names = append(names, c.resource)
	}
	slices.Sort(names)
	return names
}

// rawConn is the key of a request's connection in its context.
type rawConn struct{}

// beneath returns the connection that TLS, if there is any, runs on.
func beneath(c net.Conn) net.Conn {
	if t, ok := c.(*tls.Conn); ok {
		return t.NetConn()
	}
	return c
}

// accept takes connections until the listener is closed. cfg is for TLS from the first
// byte.
func (s *Server) accept(ln net.Listener, cfg *tls.Config) error {
	for {
		raw, err := ln.Accept()
		if err != nil {
			return err
		}
		c := newConn(s, newTCP(raw, cfg, maxStanza), raw.RemoteAddr().String())
		if !s.add(c) {
			raw.Close()
			continue
		}
		go func() {
			defer s.remove(c)
			c.serve()
		}()
	}
}

// upgrade makes XMPP streams of HTTP requests (RFC 7395, section 3.1).
func (s *Server) upgrade(secure bool) http.Handler {
	return websocket.Server{
		Handshake: func(cfg *websocket.Config, r *http.Request) error {
			if !slices.Contains(cfg.Protocol, "xmpp") {
				s.log.Info("web socket refused", "from", r.RemoteAddr, "cause", "it does not ask for the subprotocol xmpp")
				return websocket.ErrBadWebSocketProtocol
			}
			// The origin is not looked at: a password is needed in any case.
			cfg.Protocol = []string{"xmpp"}
			return nil
		},
		Handler: func(ws *websocket.Conn) {
			raw := ws.Request().Context().Value(rawConn{}).(net.Conn)
			c := newConn(s, &web{ws: ws, raw: raw, size: maxStanza, tls: secure}, ws.Request().RemoteAddr)
			if !s.add(c) {
				return
			}
			defer s.remove(c)
			c.serve()
		},
	}
}

// add admits a connection, for which Run waits until remove.
func (s *Server) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.conns) >= maxConns {
		return false
	}
	s.conns[c] = struct{}{}
	s.wg.Add(1)
	return true
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.wg.Done()
}
