package xmpp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"intercom/internal/backoff"
	"mellium.im/xmpp/jid"
)

// Timers of a Link. Zero means the default.
type Timers struct {
	// Step bounds each step of connecting, and each write: 10 s.
	Step time.Duration
	// Ping is the time between pings of the server: 5 s, as in the SDKs. Signals are
	// not queued anywhere, so a door must know soon that it cannot be heard; the box
	// has mains power, and a ping is a hundred bytes.
	Ping time.Duration
	// Pong is how long the answer may take: 2 s. The SDK allows 1 s, which a mobile
	// network misses now and then.
	Pong time.Duration
	// Misses is how many pings in a row may stay unanswered: 3. With the other
	// defaults a dead connection is found within 17 s.
	Misses int
}

func (t Timers) withDefaults() Timers {
	if t.Step <= 0 {
		t.Step = 10 * time.Second
	}
	if t.Ping <= 0 {
		t.Ping = 5 * time.Second
	}
	if t.Pong <= 0 {
		t.Pong = 2 * time.Second
	}
	if t.Misses <= 0 {
		t.Misses = 3
	}
	return t
}

// Retry policy. A person at the door is not kept waiting long by an outage that is over;
// wrong credentials are not worth more than a try every few minutes.
const (
	networkCap = 30 * time.Second
	loginBase  = 5 * time.Second
	loginCap   = 5 * time.Minute

	// minRetry is the least time between two attempts when Probe asks for a hurry.
	minRetry = time.Second
	// passwordTimeout bounds Config.Password, which may make several REST requests.
	passwordTimeout = 30 * time.Second
)

// Config of a Link.
type Config struct {
	// Address is a URL: tls://host:5223, starttls://host:5222, wss://host:5291/path;
	// tcp://127.0.0.1:5222 and ws://127.0.0.1:5280/path only to loopback, or with
	// AllowPlaintext.
	Address string
	// JID is our bare address, such as "2001-99@chat.example.com".
	JID string
	// Resource is asked for when binding; empty lets the server choose. The server may
	// give another: Up has the truth.
	Resource string
	// Password is asked before each login, so that an expired token can be renewed. An
	// *AuthError in its error means that retrying soon is pointless.
	Password func(context.Context) (string, error)
	// Handle gets Up, Down and messages, one at a time in order, from Run's goroutine.
	// It must not block, nor call Probe, whose answer it would keep from arriving. An
	// error ends the connection; Run makes a new one.
	Handle func(Event) error
	// TLS is the base for TLS connections. Its default ServerName is the domain of JID
	// (RFC 6120, 13.7.2), or for wss the host of Address.
	TLS            *tls.Config
	AllowPlaintext bool
	Timers         Timers
	// Dial is a seam for tests; nil means net.Dialer.
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Logger *slog.Logger // nil discards
	// Report gets nil whenever the link comes up, else why it is not.
	Report func(error)
}

// Link is a supervised connection. Its methods may be called from any goroutine.
type Link struct {
	cfg  Config
	addr *address
	self jid.JID
	log  *slog.Logger

	started atomic.Bool
	dropped atomic.Uint64
	wake    chan struct{} // somebody cannot wait for the next attempt

	// Of Run's goroutine: when it last warned of a stanza, and what it kept to itself
	// since, for a stranger must not fill the log.
	warned time.Time
	unsaid int

	mu   sync.Mutex
	cur  *session // nil while down
	last error    // why it is down
}

// New checks cfg and starts nothing.
func New(cfg Config) (*Link, error) {
	addr, err := parseAddress(cfg.Address, cfg.AllowPlaintext)
	if err != nil {
		return nil, err
	}
	self, err := jid.Parse(cfg.JID)
	switch {
	case err != nil:
		return nil, fmt.Errorf("chat user %q: %w", cfg.JID, err)
	case self.Localpart() == "" || self.Resourcepart() != "":
		return nil, fmt.Errorf("chat user %q: want user@domain", cfg.JID)
	case cfg.Password == nil || cfg.Handle == nil:
		return nil, errors.New("chat link: Password and Handle are required")
	}
	if _, err := self.WithResource(cfg.Resource); err != nil {
		return nil, fmt.Errorf("chat resource %q: %w", cfg.Resource, err)
	}
	cfg.Timers = cfg.Timers.withDefaults()
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	if cfg.Report == nil {
		cfg.Report = func(error) {}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Link{cfg: cfg, addr: addr, self: self, log: cfg.Logger, wake: make(chan struct{}, 1),
		last: errors.New("not connected yet")}, nil
}

// Run keeps the link up until ctx ends, then takes leave of the server and returns nil.
// Every failure is retried: with full jitter up to 30 s, or 5 minutes after a refused
// login. The waits start small again after a healthy minute. Run may be called once.
func (l *Link) Run(ctx context.Context) error {
	if !l.started.CompareAndSwap(false, true) {
		return errors.New("chat link: Run was called before")
	}
	network := backoff.Backoff{Cap: networkCap}
	login := backoff.Backoff{Base: loginBase, Cap: loginCap}
	var said string
	for {
		began := time.Now()
		err := l.attempt(ctx, func() {
			network.Up()
			login = backoff.Backoff{Base: loginBase, Cap: loginCap}
			said = ""
		})
		if ctx.Err() != nil {
			l.setDown(errStopped)
			return nil
		}
		l.setDown(err)
		l.cfg.Report(err)
		policy, wake := &network, l.wake
		var refused *AuthError
		if errors.As(err, &refused) {
			policy, wake = &login, nil // nobody's hurry makes a password right
		}
		wait := policy.Next()
		level := slog.LevelWarn
		if text := err.Error(); text == said {
			level = slog.LevelDebug // a long outage is one line, not thousands
		} else {
			said = text
		}
		l.log.Log(ctx, level, "chat link down", "cause", err, "retry", wait.Round(time.Millisecond))
		if !pause(ctx, wait, time.Until(began.Add(minRetry)), wake) {
			return nil
		}
	}
}

// attempt makes one connection and serves it until it ends.
func (l *Link) attempt(ctx context.Context, up func()) error {
	pctx, cancel := context.WithTimeout(ctx, passwordTimeout)
	password, err := l.cfg.Password(pctx)
	cancel()
	if err != nil {
		return fmt.Errorf("get the chat password of %s: %w", l.self, err)
	}
	s, err := l.open(ctx, password)
	if err != nil {
		return err
	}
	announced := false
	err = s.run(ctx, func(e Event) error {
		if u, ok := e.(Up); ok {
			announced = true
			up()
			l.setUp(s)
			l.cfg.Report(nil)
			l.log.Info("chat link up", "jid", u.JID.String(), "address", l.addr.text)
		}
		return l.cfg.Handle(e)
	})
	if announced {
		l.setDown(err) // before Down is heard, so that nobody is told otherwise by Send
		_ = l.cfg.Handle(Down{Err: err})
	}
	return err
}

// Send writes one complete stanza, which must say its namespace (jabber:client), in one
// piece. A nil error says that it was handed to the socket. Without a connection it
// returns ErrDown at once. If ctx ends while the stanza is being written, it may have
// gone out.
func (l *Link) Send(ctx context.Context, stanza []byte) error {
	s, err := l.session()
	if err != nil {
		return err
	}
	return s.send(ctx, stanza)
}

// Probe proves the link by a ping. If no answer comes within Timers.Pong, or before the
// deadline of ctx, it ends the connection, so that Run makes a new one. If the link is
// down it makes the next attempt come soon. It does not wait for the repair.
func (l *Link) Probe(ctx context.Context) error {
	s, err := l.session()
	if err != nil {
		l.hurry()
		return err
	}
	pctx, cancel := context.WithTimeout(ctx, l.cfg.Timers.Pong)
	defer cancel()
	err = s.pingServer(pctx)
	if err == nil || errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = &LinkError{Step: "ping", Address: l.addr.text, Err: errNoAnswer}
		s.fail(err)
	}
	l.hurry()
	return err
}

// Dropped returns how many stanzas were so wrong that Handle has not seen them.
func (l *Link) Dropped() uint64 { return l.dropped.Load() }

// drop counts such a stanza, and says so at most once a second.
func (l *Link) drop(from, cause string) {
	l.dropped.Add(1)
	if now := time.Now(); now.Sub(l.warned) >= time.Second {
		l.log.Warn("stanza dropped", "from", from[:min(len(from), 80)], "cause", cause, "unsaid", l.unsaid)
		l.warned, l.unsaid = now, 0
		return
	}
	l.unsaid++
}

func (l *Link) hurry() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *Link) session() (*session, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cur == nil {
		return nil, fmt.Errorf("%w: %v", ErrDown, l.last)
	}
	return l.cur, nil
}

func (l *Link) setUp(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cur, l.last = s, nil
	select { // a hurry from before is satisfied
	case <-l.wake:
	default:
	}
}

func (l *Link) setDown(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cur, l.last = nil, err
}

// pause waits for d, or, woken, for least at the least. It reports false if ctx ended.
func pause(ctx context.Context, d, least time.Duration, wake <-chan struct{}) bool {
	end := time.Now().Add(d)
	soon := time.Now().Add(least)
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
			return true
		case <-wake:
			if soon.Before(end) {
				end = soon
				t.Reset(time.Until(end))
			}
		}
	}
}
