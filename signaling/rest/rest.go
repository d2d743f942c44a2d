// Package rest makes the REST calls of QuickBlox that a door needs: the account's own
// hosts, a session and its renewal, users. The token of a session is also the password for
// the chat server, for as long as it lives. It knows nothing of calls or XMPP.
//
// A Client has no goroutines: whoever needs a token asks for one, and it is renewed then.
package rest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"intercom/signaling"
)

// Config is an application, a user of it, and where the server is.
type Config struct {
	API           string // base URL, "https://api.quickblox.com"
	ApplicationID int64
	AuthKey       string
	AuthSecret    string
	AccountKey    string // for Settings; may be empty
	Login         string
	Password      string
	// SHA256 signs with HMAC-SHA256 in place of HMAC-SHA1, for accounts that demand it.
	SHA256 bool
	// AllowPlaintext permits http to other machines than this one.
	AllowPlaintext bool
	// HTTP makes the requests; nil: a client of its own, with a time limit.
	HTTP   *http.Client
	Logger *slog.Logger // nil: nothing is logged
}

// Times and sizes of requests.
const (
	requestTime = 15 * time.Second
	maxReply    = 1 << 20
	// tokenLife is what a token has without the header that tells (QuickBlox: 2 h after its
	// last use), less a minute for clocks that differ.
	tokenLife = 2*time.Hour - time.Minute
	// renewBefore is how much of its life a token must have left to be handed out: a chat
	// login with it takes seconds, and is tried again for minutes.
	renewBefore = 15 * time.Minute
)

// Client makes requests for one user. Its methods may be called from any goroutine.
type Client struct {
	cfg  Config
	base *url.URL
	http *http.Client
	log  *slog.Logger

	gate chan struct{} // holds a token while a session is being made

	mu      sync.Mutex
	session Session
}

// Session is a session of the application's user.
type Session struct {
	Token   string
	UserID  signaling.UserID
	Expires time.Time // unless it is used before
}

// New checks the configuration. It makes no request.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(strings.TrimRight(cfg.API, "/"))
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("rest: %q is not an address like https://api.quickblox.com", cfg.API)
	}
	switch {
	case base.Scheme == "https":
	case base.Scheme != "http":
		return nil, fmt.Errorf("rest: %s: the scheme is neither https nor http", cfg.API)
	case !cfg.AllowPlaintext && !isLoopback(base.Hostname()):
		return nil, fmt.Errorf("rest: %s would send the password in the clear; use https, or allow plaintext", cfg.API)
	}
	if cfg.ApplicationID <= 0 || cfg.AuthKey == "" || cfg.AuthSecret == "" || cfg.Login == "" || cfg.Password == "" {
		return nil, errors.New("rest: application id, auth key, auth secret, login and password are all needed")
	}
	c := &Client{cfg: cfg, base: base, http: cfg.HTTP, log: cfg.Logger, gate: make(chan struct{}, 1)}
	if c.http == nil {
		c.http = &http.Client{Timeout: requestTime}
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	// A redirect would carry token and password to whoever is at its end.
	h := *c.http
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &h
	return c, nil
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// Endpoints are the hosts of an account that has its own.
type Endpoints struct {
	API  string // base URL
	Chat string // host, which is also the chat domain
}

// Settings asks for the account's own hosts, and uses that for further requests. It needs
// the account key.
func (c *Client) Settings(ctx context.Context) (Endpoints, error) {
	var r struct {
		API  string `json:"api_endpoint"`
		Chat string `json:"chat_endpoint"`
	}
	if _, err := c.do(ctx, http.MethodGet, "account_settings", nil, "", &r); err != nil {
		return Endpoints{}, err
	}
	if r.API == "" || r.Chat == "" {
		return Endpoints{}, errors.New("rest: account_settings: the reply names no hosts")
	}
	if !strings.Contains(r.API, "://") {
		r.API = "https://" + r.API
	}
	base, err := url.Parse(strings.TrimRight(r.API, "/"))
	if err != nil || base.Host == "" || base.Scheme != "https" && !(base.Scheme == "http" && (c.cfg.AllowPlaintext || isLoopback(base.Hostname()))) {
		return Endpoints{}, fmt.Errorf("rest: account_settings: the reply's API address %q cannot be used", r.API)
	}
	c.mu.Lock()
	c.base = base
	c.mu.Unlock()
	return Endpoints{API: r.API, Chat: r.Chat}, nil
}

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
func (c *Client) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = Session{}
}

func (c *Client) current() Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
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
	expires, err := c.do(ctx, http.MethodPost, "session", p, "", &r)
	if err != nil {
		return Session{}, err
	}
	if r.Session.Token == "" || r.Session.UserID <= 0 {
		return Session{}, errors.New("rest: session: the reply has neither a token nor a user")
	}
	s := Session{Token: r.Session.Token, UserID: r.Session.UserID, Expires: expires}
	c.mu.Lock()
	c.session = s
	c.mu.Unlock()
	c.log.Info("a REST session was made", "user", s.UserID, "expires", s.Expires)
	return s, nil
}

// nonce returns 63 random bits in decimal: many devices share one application, and a
// repeated pair of nonce and timestamp is refused.
func nonce() string {
	var b [8]byte
	rand.Read(b[:])
	return strconv.FormatUint(binary.BigEndian.Uint64(b[:])>>1, 10)
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

// User is a user of the application.
type User struct {
	ID       signaling.UserID `json:"id"`
	Login    string           `json:"login"`
	FullName string           `json:"full_name"`
}

// Users returns the users with these ids that exist, in no particular order.
func (c *Client) Users(ctx context.Context, ids ...signaling.UserID) ([]User, error) {
	s, err := c.Session(ctx)
	if err != nil {
		return nil, err
	}
	const page = 100 // the most that one reply has
	var users []User
	for part := range slices.Chunk(ids, page) {
		list := make([]string, len(part))
		for i, id := range part {
			list[i] = id.String()
		}
		q := url.Values{"filter[]": {"number id in " + strings.Join(list, ",")}, "per_page": {strconv.Itoa(page)}}
		var r struct {
			Items []struct {
				User User `json:"user"`
			} `json:"items"`
		}
		if _, err := c.do(ctx, http.MethodGet, "users?"+q.Encode(), nil, s.Token, &r); err != nil {
			return nil, err
		}
		for _, i := range r.Items {
			users = append(users, i.User)
		}
	}
	return users, nil
}

// UserByLogin returns a user. The error has status 404 if there is none.
func (c *Client) UserByLogin(ctx context.Context, login string) (User, error) {
	s, err := c.Session(ctx)
	if err != nil {
		return User{}, err
	}
	var r struct {
		User User `json:"user"`
	}
	_, err = c.do(ctx, http.MethodGet, "users/by_login?"+url.Values{"login": {login}}.Encode(), nil, s.Token, &r)
	return r.User, err
}

// do makes one request. resource is a path without ".json", perhaps with a query. It
// returns when the token dies.
func (c *Client) do(ctx context.Context, method, resource string, form map[string]string, token string, into any) (time.Time, error) {
	path, query, _ := strings.Cut(resource, "?")
	c.mu.Lock()
	u := *c.base
	c.mu.Unlock()
	u.Path += "/" + path + ".json"
	u.RawQuery = query
	var body io.Reader
	if form != nil {
		v := url.Values{}
		for k, x := range form {
			v.Set(k, x)
		}
		body = strings.NewReader(v.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return time.Time{}, fmt.Errorf("rest: %s: %w", path, err)
	}
	req.Header.Set("QB-OS", "Linux")
	// "web" is a platform that all SDKs know, so we are a JavaScript SDK to the server.
	req.Header.Set("QB-SDK", "JS 2.23.0 - Client")
	req.Header.Set("QuickBlox-REST-API-Version", "0.1.1")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	}
	if token != "" {
		req.Header.Set("QB-Token", token)
	}
	if path == "account_settings" {
		req.Header.Set("QB-Account-Key", c.cfg.AccountKey)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		// The error of package http repeats the whole address, with its query.
		if ue := (*url.Error)(nil); errors.As(err, &ue) {
			err = ue.Err
		}
		return time.Time{}, fmt.Errorf("rest: %s %s://%s/%s: %w", method, u.Scheme, u.Host, path, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return time.Time{}, fmt.Errorf("rest: %s: read reply: %w", path, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return time.Time{}, &StatusError{Resource: path, Status: resp.StatusCode, Messages: messages(data)}
	}
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(into); err != nil {
		return time.Time{}, fmt.Errorf("rest: %s: the reply is not what was expected: %w", path, err)
	}
	return expiry(resp.Header.Get("QB-Token-ExpirationDate"), time.Now()), nil
}

// expiry reads when a token dies, in the two notations that servers have been seen to use.
func expiry(header string, now time.Time) time.Time {
	for _, layout := range []string{"2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 MST"} {
		if t, err := time.Parse(layout, header); err == nil && t.After(now) {
			return t.Add(-time.Minute)
		}
	}
	return now.Add(tokenLife)
}
