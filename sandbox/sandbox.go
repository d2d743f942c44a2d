// Package sandbox is a QuickBlox-compatible server: the REST calls that a calling
// application uses, and the chat that carries its signals. Its users are given, its memory
// is gone when it ends, and it is strict: what it accepts, the cloud is known to accept.
// It serves the demo, the tests, and a building without a connection to the world.
//
// It is not a place for secrets to travel through by default: it listens on loopback
// addresses only, until told otherwise.
//
// All goroutines live inside Server.Run.
package sandbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"intercom/sandbox/internal/chat"
)

// DefaultDomain is the chat domain if Config names none.
const DefaultDomain = "chat.localhost"

// TokenLife is how long a session lives after its last request, if Config does not say.
const TokenLife = 2 * time.Hour

// Config is what a Server needs. Addresses are "host:port" with a literal IP address or
// "localhost"; port 0 takes a free one, which Addrs tells. An empty address means that the
// service is not offered.
type Config struct {
	REST      string // HTTP: api.quickblox.com
	WebSocket string // XMPP over WebSocket, any path: wss://chat.quickblox.com:5291
	XMPP      string // XMPP over TCP, with STARTTLS if TLS is set: port 5222
	XMPPS     string // XMPP over TLS, needs TLS: port 5223

	// Domain is the domain of chat addresses. Empty: DefaultDomain.
	Domain string
	// Accounts are the application and its users. See LoadAccounts.
	Accounts Accounts

	// TLS is the server's certificate, or nil for none.
	TLS *tls.Config
	// SecureWeb says that REST is HTTPS and WebSocket is wss. It needs TLS.
	SecureWeb bool
	// AllowRemote permits addresses that other machines reach. Without TLS, passwords
	// are then readable on the way.
	AllowRemote bool

	// TokenLife is how long a session lives after its last request. Zero: TokenLife.
	TokenLife time.Duration
	// Listen opens listeners. Nil: net.Listen.
	Listen func(network, address string) (net.Listener, error)
	// Logger is nil for none.
	Logger *slog.Logger
}

// Addrs are the real addresses of a Server, "host:port"; empty for what is not offered.
type Addrs struct{ REST, WebSocket, XMPP, XMPPS string }

// Server is the sandbox. Make it with New, then call Run; Listen between the two tells the
// addresses earlier. To restart it, end Run and make another at the same addresses.
type Server struct {
	cfg   Config
	log   *slog.Logger
	store *store
	chat  *chat.Server

	mu    sync.Mutex
	rest  net.Listener
	chats chat.Listeners
	addrs Addrs
	bound bool
}

// New checks the configuration. It starts nothing and opens nothing.
func New(cfg Config) (*Server, error) {
	if cfg.Domain == "" {
		cfg.Domain = DefaultDomain
	}
	if cfg.TokenLife == 0 {
		cfg.TokenLife = TokenLife
	}
	if cfg.Listen == nil {
		cfg.Listen = net.Listen
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.REST == "" && cfg.WebSocket == "" && cfg.XMPP == "" && cfg.XMPPS == "" {
		return nil, errors.New("sandbox: no address to serve at")
	}
	if cfg.TLS == nil && (cfg.XMPPS != "" || cfg.SecureWeb) {
		return nil, errors.New("sandbox: encrypted services need a certificate (Config.TLS)")
	}
	if cfg.TokenLife < 0 {
		return nil, fmt.Errorf("sandbox: a token life of %v", cfg.TokenLife)
	}
	for _, a := range []string{cfg.REST, cfg.WebSocket, cfg.XMPP, cfg.XMPPS} {
		if err := checkAddress(a, cfg.AllowRemote); err != nil {
			return nil, err
		}
	}
	if err := cfg.Accounts.check(nil); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: cfg.Logger, store: newStore(cfg.Accounts, cfg.TokenLife)}
	c := chat.Config{Domain: cfg.Domain, Authenticate: s.store.chatPassword, Logger: cfg.Logger}
	if cfg.TLS != nil {
		c.TLS = cfg.TLS.Clone()
	}
	var err error
	if s.chat, err = chat.New(c); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return s, nil
}

// checkAddress refuses an address that is none, or that other machines reach.
func checkAddress(address string, remote bool) error {
	if address == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("sandbox: address %q: write it as host:port", address)
	}
	if remote || host == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("sandbox: address %q is open to other machines; use 127.0.0.1, or allow it explicitly", address)
}

// Listen opens the listeners and returns their addresses. It need not be called: Run does
// it. Listeners without a Run are closed by Close.
func (s *Server) Listen() (Addrs, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bound {
		return s.addrs, nil
	}
	for _, l := range []struct {
		address, service string
		secure           bool
		ln               *net.Listener
		real             *string
	}{
		{s.cfg.REST, "REST", s.cfg.SecureWeb, &s.rest, &s.addrs.REST},
		{s.cfg.WebSocket, "WebSocket", s.cfg.SecureWeb, &s.chats.WebSocket, &s.addrs.WebSocket},
		{s.cfg.XMPP, "XMPP", false, &s.chats.Plain, &s.addrs.XMPP},
		{s.cfg.XMPPS, "XMPP over TLS", false, &s.chats.TLS, &s.addrs.XMPPS},
	} {
		if l.address == "" {
			continue
		}
		ln, err := s.cfg.Listen("tcp", l.address)
		if err != nil {
			s.closeListeners()
			return Addrs{}, fmt.Errorf("listen for %s: %w", l.service, err)
		}
		*l.real = ln.Addr().String()
		if l.secure {
			cfg := s.cfg.TLS.Clone()
			cfg.NextProtos = []string{"http/1.1"} // WebSocket needs a connection to itself
			ln = tls.NewListener(ln, cfg)
		}
		*l.ln = ln
	}
	s.chats.WebSocketSecure = s.cfg.SecureWeb
	s.bound = true
	return s.addrs, nil
}

// Close closes the listeners of a Server that does not Run. It is safe to call twice, and
// after Run.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeListeners()
	return nil
}

func (s *Server) closeListeners() {
	for _, ln := range []net.Listener{s.rest, s.chats.WebSocket, s.chats.Plain, s.chats.TLS} {
		if ln != nil {
			ln.Close()
		}
	}
}

// Addrs returns the addresses that Listen opened; before, all are empty.
func (s *Server) Addrs() Addrs {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addrs
}

// Run serves until the context ends, or a listener does, which is an error. It returns
// after the last connection has been closed. It is called once.
func (s *Server) Run(ctx context.Context) error {
	a, err := s.Listen()
	if err != nil {
		return err
	}
	defer s.Close()
	s.log.Info("sandbox serves", "rest", a.REST, "websocket", a.WebSocket, "xmpp", a.XMPP, "xmpps", a.XMPPS, "domain", s.cfg.Domain)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	failed := make(chan error, 2)
	wg.Go(func() { failed <- s.chat.Run(ctx, s.chats) })
	if s.rest != nil {
		web := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute,
			WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
			ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
		wg.Go(func() {
			if err := web.Serve(s.rest); ctx.Err() == nil {
				failed <- fmt.Errorf("accept REST connections on %s: %w", a.REST, err)
			}
		})
		defer stopWeb(web)
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// stopWeb lets requests come to their end, which takes no time: nothing here waits for
// anything. Connections that have not asked for anything yet are not waited for long.
func stopWeb(web *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if web.Shutdown(ctx) != nil {
		web.Close()
	}
}

// Kick cuts all chat connections of a user without a word, as a broken cable does, and
// returns how many there were. User 0 is everybody.
func (s *Server) Kick(user int64) int {
	if user == 0 {
		return s.chat.Kick("")
	}
	return s.chat.Kick(s.store.node(user))
}

// Online returns the chat resources at which a user is available, sorted.
func (s *Server) Online(user int64) []string { return s.chat.Online(s.store.node(user)) }

// base returns the URL of the REST service.
func (s *Server) base() string {
	if s.cfg.SecureWeb {
		return "https://" + s.Addrs().REST
	}
	return "http://" + s.Addrs().REST
}
