package rest

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"intercom/signaling"
)

// Lives of tokens.
const (
	// tokenLife is what a token has without the header that tells (QuickBlox: 2 h after its
	// last use), less a minute for clocks that differ.
	tokenLife = 2*time.Hour - time.Minute
	// maxLife is the longest that is believed.
	maxLife = 30 * 24 * time.Hour
	// renewBefore is how much of its life a token must have left to be handed out: a chat
	// login with it takes seconds, and is tried again for minutes.
	renewBefore = 15 * time.Minute
)

// Session is a session of the application's user.
type Session struct {
	Token   string
	UserID  signaling.UserID
	Expires time.Time // unless it is used before
}

// String names the user, and not the token.
func (s Session) String() string {
	return fmt.Sprintf("session of user %d until %s", s.UserID, s.Expires.Format(time.RFC3339))
}

// GoString hides the token from %#v.
func (s Session) GoString() string { return s.String() }

// LogValue hides the token from logs.
func (s Session) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Session returns a session of the user with at least a quarter of an hour left; it makes a
// new one if there is none. Callers at the same time share one request.
func (c *Client) Session(ctx context.Context) (Session, error) {
	select {
	case c.gate <- struct{}{}:
		defer func() { <-c.gate }()
	case <-ctx.Done():
		return Session{}, ctx.Err()
	}
	if s := c.current(); s.Token != "" && time.Until(s.Expires) > renewBefore {
		return s, nil
	}
	return c.login(ctx)
}

// Forget drops the session: the next one is made anew. It is for a token that the chat
// server has refused.
func (c *Client) Forget() { c.forget(c.current().Token) }

// forget drops the session unless there is another one by now.
func (c *Client) forget(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session.Token == token {
		c.session = Session{}
	}
}

func (c *Client) current() Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// Check asks the server whether the session that Session returned last is alive, which
// prolongs its life, and returns it. A session that is dead is forgotten; the error is a
// *StatusError with status 401 then, as it is if there is no session.
func (c *Client) Check(ctx context.Context) (Session, error) {
	s := c.current()
	if s.Token == "" {
		return Session{}, &StatusError{Resource: "session", Status: http.StatusUnauthorized, Messages: []string{"there is no session"}}
	}
	if err := c.use(ctx, s, http.MethodGet, "session", nil); err != nil {
		return Session{}, err
	}
	return c.current(), nil
}

// Destroy ends the session at the server, which is polite when the device is given away.
// It does nothing if there is none.
func (c *Client) Destroy(ctx context.Context) error {
	s := c.current()
	if s.Token == "" {
		return nil
	}
	c.forget(s.Token)
	_, err := c.do(ctx, http.MethodDelete, "session", nil, s.Token, nil)
	if dead(err) {
		return nil
	}
	return err
}

// ask makes a request in the user's session. One that the server has ended meanwhile is
// replaced, once.
func (c *Client) ask(ctx context.Context, resource string, into any) error {
	s, err := c.Session(ctx)
	if err != nil {
		return err
	}
	if err = c.use(ctx, s, http.MethodGet, resource, into); !dead(err) {
		return err
	}
	if s, err = c.Session(ctx); err != nil {
		return err
	}
	return c.use(ctx, s, http.MethodGet, resource, into)
}

// use makes a request with a token, and learns from the reply how long it lives.
func (c *Client) use(ctx context.Context, s Session, method, resource string, into any) error {
	r, err := c.do(ctx, method, resource, nil, s.Token, into)
	if dead(err) {
		c.forget(s.Token)
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session.Token == s.Token {
		c.session.Expires = r.expires
	}
	return nil
}

// dead tells whether a request failed for its token.
func dead(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Status == http.StatusUnauthorized
}

func (c *Client) login(ctx context.Context) (Session, error) {
	p := map[string]string{
		"application_id": strconv.FormatInt(c.cfg.ApplicationID, 10),
		"auth_key":       c.cfg.AuthKey,
		"nonce":          nonce(),
		"timestamp":      strconv.FormatInt(time.Now().Unix(), 10),
		"user[login]":    c.cfg.Login,
		"user[password]": c.cfg.Password,
	}
	h := sha1.New
	if c.cfg.SHA256 {
		h = sha256.New
	}
	p["signature"] = sign(h, c.cfg.AuthSecret, p)
	var r struct {
		Session struct {
			Token  string           `json:"token"`
			UserID signaling.UserID `json:"user_id"`
		} `json:"session"`
	}
	reply, err := c.do(ctx, http.MethodPost, "session", p, "", &r)
	if err != nil {
		return Session{}, err
	}
	if r.Session.Token == "" || r.Session.UserID <= 0 {
		return Session{}, errors.New("rest: session: the reply has neither a token nor a user")
	}
	s := Session{Token: r.Session.Token, UserID: r.Session.UserID, Expires: reply.expires}
	c.mu.Lock()
	c.session = s
	c.mu.Unlock()
	c.log.Info("a REST session was made", "user", s.UserID, "expires", s.Expires)
	return s, nil
}

// nonce returns 31 random bits in decimal: many devices share one application, and a
// repeated pair of nonce and timestamp is refused. The Android SDK sends any number of 32
// bits with a sign; whether the server takes larger ones is not known.
func nonce() string {
	var b [4]byte
	rand.Read(b[:])
	return strconv.FormatUint(uint64(binary.BigEndian.Uint32(b[:])>>1), 10)
}

// sign returns the signature of a request: HMAC over its raw "name=value" pairs, sorted as
// text and joined by "&", in lower-case hex.
func sign(h func() hash.Hash, secret string, p map[string]string) string {
	pairs := make([]string, 0, len(p))
	for k, v := range p {
		pairs = append(pairs, k+"="+v)
	}
	slices.Sort(pairs)
	m := hmac.New(h, []byte(secret))
	io.WriteString(m, strings.Join(pairs, "&"))
	return hex.EncodeToString(m.Sum(nil))
}

// expiry reads from the headers of a reply when a token dies, less a minute for the way.
// The server's clock tells how long that is from now, so that ours may be off.
func expiry(h http.Header, now time.Time) time.Time {
	at, ok := parseTime(h.Get("QB-Token-ExpirationDate"))
	if !ok {
		return now.Add(tokenLife)
	}
	server := now
	if t, err := http.ParseTime(h.Get("Date")); err == nil {
		server = t
	}
	life := at.Sub(server)
	if life <= 0 || life > maxLife {
		return now.Add(tokenLife)
	}
	return now.Add(life - time.Minute)
}

// parseTime reads the two notations that servers have been seen to use.
func parseTime(text string) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 UTC"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
