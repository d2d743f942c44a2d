package quickblox

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"intercom/signaling"
	"intercom/signaling/xmpp"
	"mellium.im/xmpp/jid"
)

// DefaultChatDomain is the chat host of accounts without one of their own.
const DefaultChatDomain = "chat.quickblox.com"

// Config of a Client.
type Config struct {
	AppID int64            // application id
	User  signaling.UserID // who we are
	// ChatDomain is the domain of chat addresses; empty means DefaultChatDomain. Paying
	// accounts have their own (account_settings, chat_endpoint).
	ChatDomain string
	// Address is where to connect, as in xmpp.Config; empty means tls://ChatDomain:5223.
	Address string
	// Credentials returns the chat password, which is the user's session token or own
	// password. It is called before each login, so that a token can be renewed. An
	// *xmpp.AuthError in its error says that retrying soon is pointless.
	Credentials func(context.Context) (string, error)
	// Resource tells our devices apart; empty makes up one for the life of the Client.
	// It must not be shared: a server drops the older of two with the same.
	Resource       string
	TLS            *tls.Config // base for TLS connections
	AllowPlaintext bool        // tcp and ws to other machines
	Timers         xmpp.Timers
	Logger         *slog.Logger // nil discards
	Report         func(error)  // nil when the link comes up, else why it is not
	// Dial is a seam for tests; nil means net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Stats counts signals and system messages since New.
type Stats struct {
	Sent, Received uint64
	Bounced        uint64 // our signals that came back
	Ignored        uint64 // well made, and not for us to act upon: chat, delayed, our own echo
	Dropped        uint64 // malformed, of unknown kind, from no user of our application, or messages beyond what may wait
}

// Client is a signaling.Channel over a supervised chat link. Run must run for it to do
// anything. Send and Probe return xmpp.ErrDown at once while the link is down.
type Client struct {
	cfg  Config
	link *xmpp.Link
	log  *slog.Logger
	in   *queue
	ids  idSource

	started                                   atomic.Bool
	sent, received, bounced, ignored, dropped atomic.Uint64

	// Of the goroutine that handles messages: when it last warned, and what it kept to
	// itself since, for a stranger must not fill the log.
	warned time.Time
	unsaid int
}

var _ signaling.Channel = (*Client)(nil)

// ErrChatDomain is in New's error if Config.ChatDomain cannot be a domain.
var ErrChatDomain = errors.New("quickblox: chat domain")

// New checks cfg and starts nothing.
func New(cfg Config) (*Client, error) {
	switch {
	case cfg.AppID <= 0:
		return nil, errors.New("quickblox: application id is missing")
	case cfg.User <= 0:
		return nil, errors.New("quickblox: user id is missing")
	case cfg.Credentials == nil:
		return nil, errors.New("quickblox: Credentials is required")
	}
	if cfg.ChatDomain == "" {
		cfg.ChatDomain = DefaultChatDomain
	}
	domain, err := jid.New("", cfg.ChatDomain, "")
	if err != nil {
		return nil, fmt.Errorf("%w %q: %w", ErrChatDomain, cfg.ChatDomain, err)
	}
	cfg.ChatDomain = domain.Domainpart() // as it will come back in addresses
	if cfg.Address == "" {
		cfg.Address = "tls://" + net.JoinHostPort(cfg.ChatDomain, "5223")
	}
	if cfg.Resource == "" {
		cfg.Resource = "intercom_" + strings.ToLower(rand.Text()[:12])
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Client{cfg: cfg, log: cfg.Logger, in: newQueue(), ids: newIDSource()}
	c.link, err = xmpp.New(xmpp.Config{
		Address: cfg.Address, JID: c.bare(cfg.User), Resource: cfg.Resource,
		Password: cfg.Credentials, Handle: c.handle,
		TLS: cfg.TLS, AllowPlaintext: cfg.AllowPlaintext, Timers: cfg.Timers,
		Dial: cfg.Dial, Logger: cfg.Logger, Report: cfg.Report,
	})
	if err != nil {
		return nil, fmt.Errorf("quickblox: %w", err)
	}
	return c, nil
}

// Run keeps the link up until ctx ends, and returns nil then. It may be called once.
func (c *Client) Run(ctx context.Context) error {
	if !c.started.CompareAndSwap(false, true) {
		return errors.New("quickblox: Run was called before")
	}
	defer c.in.close()
	return c.link.Run(ctx)
}

// Self returns our own user id.
func (c *Client) Self() signaling.UserID { return c.cfg.User }

// Stats returns the counters.
func (c *Client) Stats() Stats {
	return Stats{Sent: c.sent.Load(), Received: c.received.Load(), Bounced: c.bounced.Load(),
		Ignored: c.ignored.Load(), Dropped: c.dropped.Load() + c.link.Dropped()}
}

// Send writes one signal, to all devices of s.Peer or to one. If s.ID is empty, it makes
// one up and sets it. A signal that must not be sent is refused with an *EncodeError.
func (c *Client) Send(ctx context.Context, s *signaling.Signal) error {
	params, err := Encode(s)
	if err != nil {
		return err
	}
	return c.write(ctx, s.Kind.String(), &s.ID, s.Peer, s.Device, params)
}

// write puts what was encoded into a stanza and writes that.
func (c *Client) write(ctx context.Context, kind string, id *string, peer signaling.UserID, device string, params []byte) error {
	refuse := func(reason string) error { return &EncodeError{Kind: kind, Reason: reason} }
	if peer <= 0 {
		return refuse("peer is missing")
	}
	to := c.bare(peer)
	if device != "" {
		full, err := jid.New(c.node(peer), c.cfg.ChatDomain, device)
		if err != nil {
			return refuse("device " + strconv.Quote(clip(device)) + " is no resource")
		}
		to = full.String()
	}
	if *id == "" {
		*id = c.ids.next()
	}
	if !signaling.ValidText(*id) || strings.ContainsAny(*id, "\t\r\n") || len(*id) > maxSession {
		return refuse("id is no attribute value")
	}
	if err := c.link.Send(ctx, envelope(*id, to, params)); err != nil {
		return fmt.Errorf("send %s to %v: %w", kind, peer, err)
	}
	c.sent.Add(1)
	return nil
}

// Receive returns the next event. After Run has ended and all events are delivered, the
// error is ErrClosed.
func (c *Client) Receive(ctx context.Context) (signaling.Event, error) { return c.in.get(ctx) }

// Probe proves the link by a ping of the server. See xmpp.Link.Probe.
func (c *Client) Probe(ctx context.Context) error { return c.link.Probe(ctx) }

// Ping asks one device of a user for a sign of life. See signaling.Channel.
func (c *Client) Ping(ctx context.Context, u signaling.UserID, device string) error {
	to, err := jid.New(c.node(u), c.cfg.ChatDomain, device)
	if err != nil || u <= 0 || device == "" {
		return fmt.Errorf("ping %v: device %q is no resource", u, clip(device))
	}
	err = c.link.Ping(ctx, to)
	if refused := (*xmpp.PingError)(nil); errors.As(err, &refused) && refused.Condition == unavailable {
		err = signaling.ErrUnavailable
	}
	if err != nil {
		return fmt.Errorf("ping %v: %w", u, err)
	}
	return nil
}

// envelope returns the message stanza as the JavaScript SDK writes it.
func envelope(id, to string, params []byte) []byte {
	b := make([]byte, 0, 128+len(id)+len(to)+len(params))
	b = append(b, `<message id="`...)
	b = appendText(b, id)
	b = append(b, `" to="`...)
	b = appendText(b, to)
	b = append(b, `" type="headline" xmlns="`+nsClient+`">`...)
	b = append(b, params...)
	return append(b, "</"+stanzaName+">"...)
}

// node returns the local part of a user's address, as in 2001-99@chat.quickblox.com.
func (c *Client) node(u signaling.UserID) string {
	return u.String() + "-" + strconv.FormatInt(c.cfg.AppID, 10)
}

func (c *Client) bare(u signaling.UserID) string { return c.node(u) + "@" + c.cfg.ChatDomain }

// user returns whose address j is; zero if it is none of our application's at our
// server. The SDKs look at the leading integer alone. We do not: with that, a user 2001
// of any other application or federated server could pass for ours, and open the door.
func (c *Client) user(j jid.JID) signaling.UserID {
	number, _, _ := strings.Cut(j.Localpart(), "-")
	id, err := strconv.ParseInt(number, 10, 64)
	u := signaling.UserID(id)
	if err != nil || u <= 0 || j.Domainpart() != c.cfg.ChatDomain || j.Localpart() != c.node(u) {
		return 0
	}
	return u
}

// handle gets the link's events. It never blocks.
func (c *Client) handle(e xmpp.Event) error {
	switch e := e.(type) {
	case xmpp.Up:
		c.in.putLink(signaling.LinkUp{})
	case xmpp.Down:
		c.in.putLink(signaling.LinkDown{Err: e.Err})
	case *xmpp.Message:
		return c.message(e)
	}
	return nil
}

var errStranger = errors.New("sender is no user of this application")

// sender is whom a stanza is from; no user, if of no application of ours.
type sender struct {
	address jid.JID
	user    signaling.UserID
	device  string
}

// message deals with one message stanza. The only error is ErrOverflow: nothing that a
// stranger writes ends the link.
func (c *Client) message(m *xmpp.Message) error {
	root, err := parse(m.TokenReader())
	if err != nil {
		c.drop(m.From, err)
		return nil
	}
	if m.Type == "error" {
		return c.bounce(m, root)
	}
	if t, ok, err := decodeMessage(root); ok {
		c.told(sender{m.From, c.user(m.From), m.From.Resourcepart()}, t, err)
		return nil
	}
	s, err := decode(root)
	switch {
	case errors.Is(err, ErrNotSignal), errors.Is(err, ErrDelayed), errors.Is(err, ErrEndOfCandidates):
		c.ignored.Add(1)
		c.log.Debug("message ignored", "from", m.From.String(), "cause", err)
		return nil
	case err != nil:
		c.drop(m.From, err)
		return nil
	}
	if s.Peer = c.user(m.From); s.Peer == 0 {
		c.drop(m.From, errStranger)
		return nil
	}
	s.Device = m.From.Resourcepart()
	if c.isEcho(s) {
		c.ignored.Add(1)
		return nil
	}
	c.received.Add(1)
	return c.in.put(s)
}

// isEcho tells our own call, which the server also delivers to our other devices, from
// one that we are invited to.
func (c *Client) isEcho(s *signaling.Signal) bool {
	if s.Kind != signaling.Call || s.Peer != c.cfg.User {
		return false
	}
	for _, u := range s.Opponents {
		if u == c.cfg.User {
			return false
		}
	}
	return true
}

// bounce deals with a message of type error: one of ours that came back, from the
// address we sent it to or from the server itself.
func (c *Client) bounce(m *xmpp.Message, root *node) error {
	b := &signaling.Bounce{Peer: c.user(m.From), Device: m.From.Resourcepart(), ID: m.ID, Condition: "undefined-condition"}
	server := m.From.Equal(jid.JID{}) || m.From.String() == c.cfg.ChatDomain
	if b.ID == "" || b.Peer == 0 && !server {
		c.ignored.Add(1)
		return nil
	}
	if e := root.child("error"); e != nil {
		for _, k := range e.kids {
			switch {
			case k.space != nsStanzas:
			case k.name == "text":
				b.Text = strings.TrimSpace(k.text)
			default:
				b.Condition = k.name
			}
		}
	}
	c.bounced.Add(1)
	return c.in.put(b)
}

// drop counts a stanza that nobody can act upon, and says so at most once a second.
func (c *Client) drop(from jid.JID, cause error) {
	c.dropped.Add(1)
	if now := time.Now(); now.Sub(c.warned) >= time.Second {
		c.log.Warn("signal dropped", "from", from.String(), "cause", cause, "unsaid", c.unsaid)
		c.warned, c.unsaid = now, 0
		return
	}
	c.unsaid++
}

// idSource makes stanza ids in the style of a BSON object id, as the SDK does: 8 hex
// digits of time, 10 of the process, 6 of a counter.
type idSource struct {
	process string
	counter atomic.Uint32
}

func newIDSource() idSource {
	var b [5]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return idSource{process: hex.EncodeToString(b[:])}
}

func (s *idSource) next() string {
	var b [8]byte
	binary.BigEndian.PutUint32(b[:4], uint32(time.Now().Unix()))
	binary.BigEndian.PutUint32(b[4:], s.counter.Add(1)&0xFFFFFF)
	return hex.EncodeToString(b[:4]) + s.process + hex.EncodeToString(b[5:])
}
