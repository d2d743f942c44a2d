// Package rest makes the REST calls of QuickBlox that a door needs: the account's own
// hosts, a session and its renewal, users. The token of a session is also the password for
// the chat server, for as long as it lives. It knows nothing of calls or XMPP.
//
// A Client has no goroutines: whoever needs a token asks for one, and it is renewed then.
package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	// HTTP makes the requests, each within a quarter of a minute; nil: a client of its own.
	HTTP   *http.Client
	Logger *slog.Logger // nil: nothing is logged
}

// String names the user and the server, and no secret.
func (c Config) String() string {
	return fmt.Sprintf("%s, application %d at %s", c.Login, c.ApplicationID, c.API)
}

// GoString hides the secrets from %#v.
func (c Config) GoString() string { return c.String() }

// LogValue hides the secrets from logs.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Times and sizes of requests.
const (
	requestTime = 15 * time.Second
	maxReply    = 1 << 20 // bytes
)

// Client makes requests for one user. Its methods may be called from any goroutine.
type Client struct {
	cfg  Config
	base *url.URL
	http *http.Client
	log  *slog.Logger

	gate chan struct{} // holds a token while a session is being made

	mu      sync.Mutex // guards base and session
	session Session
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
	if p := base.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("rest: %s: port %s is outside 1 to 65535", cfg.API, p)
		}
	}
	if cfg.ApplicationID <= 0 || cfg.AuthKey == "" || cfg.AuthSecret == "" || cfg.Login == "" || cfg.Password == "" {
		return nil, errors.New("rest: application id, auth key, auth secret, login and password are all needed")
	}
	c := &Client{cfg: cfg, base: base, http: cfg.HTTP, log: cfg.Logger, gate: make(chan struct{}, 1)}
	if c.http == nil {
		c.http = &http.Client{}
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

// reply is what a request brought beside its body.
type reply struct {
	expires time.Time // when the token dies, unless it is used before
}

// do makes one request. resource is a path without ".json", perhaps with a query; a nil
// into wants no body.
func (c *Client) do(ctx context.Context, method, resource string, form map[string]string, token string, into any) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	path, query, _ := strings.Cut(resource, "?")
	c.mu.Lock()
	u := *c.base
	c.mu.Unlock()
	u.Path += "/" + path + ".json"
	u.RawQuery = query
	req, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(encode(form)))
	if err != nil {
		return reply{}, fmt.Errorf("rest: %s: %w", path, err)
	}
	c.head(req, path, token)
	resp, err := c.http.Do(req)
	if err != nil {
		// The error of package http repeats the whole address, with its query.
		if ue := (*url.Error)(nil); errors.As(err, &ue) {
			err = ue.Err
		}
		return reply{}, fmt.Errorf("rest: %s %s://%s/%s: %w", method, u.Scheme, u.Host, path, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err != nil {
		return reply{}, fmt.Errorf("rest: %s: read reply: %w", path, err)
	}
	now := time.Now()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		e := &StatusError{Resource: path, Status: resp.StatusCode, Messages: messages(data), Location: resp.Header.Get("Location")}
		if t, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			e.ClockAhead = now.Sub(t).Round(time.Second)
		}
		c.hide(e.Messages, token)
		return reply{}, e
	}
	if len(data) > maxReply {
		return reply{}, fmt.Errorf("rest: %s: the reply has more than %d bytes", path, maxReply)
	}
	if into != nil {
		if err := json.Unmarshal(data, into); err != nil {
			return reply{}, fmt.Errorf("rest: %s: the reply is not what was expected: %w", path, err)
		}
	}
	return reply{expires: expiry(resp.Header, now)}, nil
}

// head sets the headers of a request.
func (c *Client) head(req *http.Request, path, token string) {
	req.Header.Set("QB-OS", "Linux")
	// "web" is a platform that all SDKs know, so we are a JavaScript SDK to the server.
	req.Header.Set("QB-SDK", "JS 2.23.0 - Client")
	req.Header.Set("QuickBlox-REST-API-Version", "0.1.1")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	if token != "" {
		req.Header.Set("QB-Token", token)
	}
	if path == "account_settings" {
		req.Header.Set("QB-Account-Key", c.cfg.AccountKey)
	}
}

// hide removes our secrets from what a server says, should it repeat them.
func (c *Client) hide(texts []string, token string) {
	for i := range texts {
		for _, secret := range []string{c.cfg.Password, c.cfg.AuthSecret, c.cfg.AccountKey, token} {
			if secret != "" {
				texts[i] = strings.ReplaceAll(texts[i], secret, "(secret)")
			}
		}
	}
}

// encode writes a form as the SDKs do: sorted, "user[login]" with its brackets as they
// are, a blank as %20.
func encode(form map[string]string) string {
	pairs := make([]string, 0, len(form))
	for k, v := range form {
		pairs = append(pairs, k+"="+escape(v))
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

func escape(v string) string { return strings.ReplaceAll(url.QueryEscape(v), "+", "%20") }
