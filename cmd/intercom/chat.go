package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"intercom/internal/backoff"
	"intercom/signaling"
	"intercom/signaling/quickblox"
	"intercom/signaling/rest"
	"intercom/signaling/xmpp"
)

// chat is the connection to the chat server from a configuration alone. Which user the door
// is, and with an account key on which hosts, only the REST server knows, and that may be
// out of reach when the door starts: until it has answered, the link counts as down.
type chat struct {
	cfg    *config
	rest   *rest.Client // nil: there is no REST server
	log    *slog.Logger
	report func(error)

	ready chan struct{} // closed when inner is set
	mu    sync.Mutex
	inner *quickblox.Client
}

// errNotYet is why nothing can be sent before the REST server has answered.
var errNotYet = fmt.Errorf("%w: the door is not logged in yet", xmpp.ErrDown)

func newChat(c *config, log *slog.Logger, report func(error)) (*chat, error) {
	ch := &chat{cfg: c, log: log, report: report, ready: make(chan struct{})}
	if c.Server.API != "" {
		var err error
		ch.rest, err = rest.New(rest.Config{
			API: c.Server.API, ApplicationID: c.Account.ApplicationID, AuthKey: c.Account.AuthKey, AuthSecret: c.Account.AuthSecret.Reveal(),
			AccountKey: c.Account.AccountKey.Reveal(), Login: c.Account.Login, Password: c.Account.Password.Reveal(),
			AllowPlaintext: c.Server.AllowPlaintext, Logger: log,
		})
		if err != nil {
			return nil, c.wrong("server.api", "%v", err)
		}
	}
	// A bad address is found now, not when the REST server has answered.
	if _, err := ch.client(max(1, signaling.UserID(c.Account.UserID)), "", ""); err != nil {
		key := "server.chat"
		if errors.Is(err, quickblox.ErrChatDomain) {
			key = "server.chat_domain"
		}
		return nil, c.wrong(key, "%v", err)
	}
	return ch, nil
}

// client makes the connection for a user; hosts that are not empty replace the
// configuration's.
func (ch *chat) client(user signaling.UserID, domain, address string) (*quickblox.Client, error) {
	c := ch.cfg
	if domain == "" {
		domain, address = c.Server.ChatDomain, c.Server.Chat
	}
	return quickblox.New(quickblox.Config{
		AppID: c.Account.ApplicationID, User: user, ChatDomain: domain, Address: address,
		Credentials: ch.password, AllowPlaintext: c.Server.AllowPlaintext, Logger: ch.log,
		Report: func(err error) {
			if refused := (*xmpp.AuthError)(nil); errors.As(err, &refused) {
				if ch.rest != nil {
					ch.rest.Forget() // a refused token is not worth a second try
				}
				err = fmt.Errorf("%w; check %s", err, ch.credentials())
			}
			ch.report(err)
		},
	})
}

// password returns what the next login needs.
func (ch *chat) password(ctx context.Context) (string, error) {
	if ch.cfg.Account.ChatPassword == "password" {
		return ch.cfg.Account.Password.Reveal(), nil
	}
	s, err := ch.rest.Session(ctx)
	if status := (*rest.StatusError)(nil); errors.As(err, &status) && status.Auth() {
		return "", &xmpp.AuthError{JID: ch.cfg.Account.Login, Address: ch.cfg.Server.API, Condition: "not-authorized", Text: err.Error()}
	}
	return s.Token, err
}

// credentials names the settings that a login depends on.
func (ch *chat) credentials() string {
	switch {
	case ch.rest == nil:
		return "account.user_id, account.application_id and account.password"
	case ch.cfg.Account.ChatPassword == "password":
		return "account.login, account.password and whether account.chat_password should be \"token\""
	}
	return "account.login and account.password"
}

// Run logs in and keeps the link up until ctx ends.
func (ch *chat) Run(ctx context.Context) error {
	inner, err := ch.login(ctx)
	if err != nil {
		return err
	}
	ch.mu.Lock()
	ch.inner = inner
	ch.mu.Unlock()
	close(ch.ready)
	return inner.Run(ctx)
}

// Waits between two attempts at the REST server. Wrong credentials are not worth more than
// one every few minutes: somebody has to change them, and then to restart the door.
const (
	restCap    = 30 * time.Second
	refusedCap = 5 * time.Minute
)

// login finds out who the door is, however long it takes.
func (ch *chat) login(ctx context.Context) (*quickblox.Client, error) {
	network, refused := backoff.Backoff{Cap: restCap}, backoff.Backoff{Base: 5 * time.Second, Cap: refusedCap}
	said := ""
	for {
		inner, err := ch.tryLogin(ctx)
		if err == nil || ctx.Err() != nil {
			return inner, ctx.Err()
		}
		ch.report(err)
		wait := network.Next()
		if status := (*rest.StatusError)(nil); errors.As(err, &status) && status.Auth() {
			wait = refused.Next()
		}
		level := slog.LevelWarn
		if err.Error() == said {
			level = slog.LevelDebug // a long outage is one line, not thousands
		}
		said = err.Error()
		ch.log.Log(ctx, level, "the door is not logged in", "cause", err, "retry", wait.Round(time.Millisecond))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (ch *chat) tryLogin(ctx context.Context) (*quickblox.Client, error) {
	if ch.rest == nil {
		return ch.client(signaling.UserID(ch.cfg.Account.UserID), "", "")
	}
	var domain, address string
	if ch.cfg.Account.AccountKey != "" {
		// Without a useful answer the configured hosts serve: that is how the SDKs do it.
		// But a network that is not there yet is no answer.
		e, err := ch.rest.Settings(ctx)
		if unreached := net.Error(nil); errors.As(err, &unreached) {
			return nil, err
		}
		if err != nil {
			ch.log.Warn("the account's own hosts are not known; the configured ones are used", "cause", err)
		} else if e.Chat != ch.cfg.Server.ChatDomain {
			domain, address = e.Chat, "tls://"+e.Chat+":5223"
		}
	}
	s, err := ch.rest.Session(ctx)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(ch.cfg.Resident, func(r resident) bool { return r.ID == int64(s.UserID) }); i >= 0 {
		return nil, fmt.Errorf("account.login: %q is user %d, the resident %s; the door needs an account of its own", ch.cfg.Account.Login, s.UserID, ch.cfg.Resident[i].Name)
	}
	return ch.client(s.UserID, domain, address)
}

func (ch *chat) current() *quickblox.Client {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.inner
}

// Self returns the door's user id; 0 as long as nobody has told.
func (ch *chat) Self() signaling.UserID {
	if c := ch.current(); c != nil {
		return c.Self()
	}
	return signaling.UserID(ch.cfg.Account.UserID)
}

// Send writes one signal, or says that the link is down.
func (ch *chat) Send(ctx context.Context, s *signaling.Signal) error {
	if c := ch.current(); c != nil {
		return c.Send(ctx, s)
	}
	return errNotYet
}

// Tell writes one system message, or says that the link is down.
func (ch *chat) Tell(ctx context.Context, m *signaling.Message) error {
	if c := ch.current(); c != nil {
		return c.Tell(ctx, m)
	}
	return errNotYet
}

// Receive returns the next event; there is none before the login.
func (ch *chat) Receive(ctx context.Context) (signaling.Event, error) {
	select {
	case <-ch.ready:
		return ch.current().Receive(ctx)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Ping asks a device for a sign of life, or says that the link is down.
func (ch *chat) Ping(ctx context.Context, u signaling.UserID, device string) error {
	if c := ch.current(); c != nil {
		return c.Ping(ctx, u, device)
	}
	return errNotYet
}

// Probe proves the link.
func (ch *chat) Probe(ctx context.Context) error {
	if c := ch.current(); c != nil {
		return c.Probe(ctx)
	}
	return errNotYet
}
