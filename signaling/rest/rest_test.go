package rest

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"intercom/signaling"
)

// The vectors were computed apart from this code, with the secret "Secret-B".
// TestNonce: trap 26. Many devices share one application.
func TestNonce(t *testing.T) {
	seen := map[string]bool{}
	large := 0
	for range 1000 {
		n := nonce()
		v, err := strconv.ParseInt(n, 10, 32)
		if err != nil || v < 0 {
			t.Fatalf("nonce %q: %v", n, err)
		}
		if seen[n] {
			t.Errorf("nonce %s twice", n)
		}
		seen[n] = true
		if v > 1<<30 {
			large++
		}
	}
	if large < 300 {
		t.Errorf("%d of 1000 nonces use the highest bit", large)
	}
}

// TestSign: trap 26. The signature is of the values as they are, not as they are encoded.
func TestSign(t *testing.T) {
	app := map[string]string{"application_id": "76730", "auth_key": "Key-A", "nonce": "4321", "timestamp": "1700000000"}
	user := map[string]string{"user[login]": "alice", "user[password]": "p@ss word"}
	for k, v := range app {
		user[k] = v
	}
	for _, c := range []struct {
		h    func() hash.Hash
		p    map[string]string
		want string
	}{
		{sha1.New, app, "dfa00a18fc65d9cdf14dbbe94b20df10aa4481fe"},
		{sha1.New, user, "35b0ece4c61790ac3a41f170bcf72dfca7d30549"},
		{sha256.New, user, "95f50042a87cd773b06abd070d9ba608fdb36a7edc50111b84c1661223c0f8d5"},
	} {
		if got := sign(c.h, "Secret-B", c.p); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestExpiry(t *testing.T) {
	now := time.Date(2015, 8, 7, 8, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		header, date string
		want         time.Duration // from now
	}{
		{"2015-08-07 09:06:25 UTC", "", 65*time.Minute + 25*time.Second},
		{"2015-08-07 09:06:25 +0000", "", 65*time.Minute + 25*time.Second},
		{"2015-08-07 11:06:25 +0200", "", 65*time.Minute + 25*time.Second},
		{"2015-08-07 09:06:25 UTC", "Fri, 07 Aug 2015 07:06:25 GMT", tokenLife}, // our clock is ahead
		{"2015-08-07 09:06:25 UTC", "Fri, 07 Aug 2015 08:36:25 GMT", 29 * time.Minute},
		{"2015-08-07 07:06:25 UTC", "", tokenLife}, // their clock is off
		{"2115-08-07 07:06:25 UTC", "", tokenLife},
		{"2015-08-07 09:06:25 CEST", "", tokenLife}, // nobody knows which zone a name means
		{"soon", "now", tokenLife},
		{"", "", tokenLife},
	} {
		h := http.Header{"Qb-Token-Expirationdate": {c.header}, "Date": {c.date}}
		if got := expiry(h, now); !got.Equal(now.Add(c.want)) {
			t.Errorf("%q, %q: got %v, want %v", c.header, c.date, got.Sub(now), c.want)
		}
	}
}

func FuzzExpiry(f *testing.F) {
	f.Add("2015-08-07 09:06:25 UTC", "Fri, 07 Aug 2015 07:06:25 GMT")
	f.Add("2015-08-07 09:06:25 +0000", "")
	now := time.Date(2015, 8, 7, 8, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, header, date string) {
		h := http.Header{"Qb-Token-Expirationdate": {header}, "Date": {date}}
		if life := expiry(h, now).Sub(now); life < -time.Minute || life > maxLife {
			t.Fatalf("a life of %v", life)
		}
	})
}

func TestMessages(t *testing.T) {
	for body, want := range map[string][]string{
		`{"errors":["Required session does not exist"]}`:        {"Required session does not exist"},
		`{"errors":{"base":["Unexpected signature"]}}`:          {"Unexpected signature"},
		`{"errors":{"login":["has already been taken"]}}`:       {"login has already been taken"},
		`{"errors":{"b":"is odd","a":["x","y"]}}`:               {"a x", "a y", "b is odd"},
		`{"code":403,"message":"Forbidden. Need user."}`:        {"Forbidden. Need user."},
		`{"errors":"plain"}`:                                    {"plain"},
		`<html>`:                                                nil,
		`{"errors":[1,2],"message":{"x":1}}`:                    nil,
		`{"errors":["` + strings.Repeat("long ", 100) + `"]}`:   {strings.Repeat("long ", 40)},
		`{"errors":["1","2","3","4","5","6","7","8","9","10"]}`: {"1", "2", "3", "4", "5", "6", "7", "8"},
	} {
		if got := messages([]byte(body)); !reflect.DeepEqual(got, want) {
			t.Errorf("%.60s: got %q, want %q", body, got, want)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(`{"errors":{"b":"is odd","a":["x","y"]}}`)
	f.Add(`{"code":403,"message":"Forbidden"}`)
	f.Fuzz(func(t *testing.T, body string) {
		for _, m := range messages([]byte(body)) {
			if m == "" || len([]rune(m)) > 300 {
				t.Fatalf("got %q", m)
			}
		}
	})
}

// server is a REST server with one user.
type server struct {
	*httptest.Server
	logins atomic.Int32
	life   atomic.Int64 // of the next token
	status atomic.Int32 // of the next login, if it is not 201
	seen   sync.Map     // nonces
}

func newServer(t *testing.T) *server {
	s := &server{}
	s.life.Store(int64(2 * time.Hour))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/session.json":
			n := s.logins.Add(1)
			r.ParseForm()
			if _, again := s.seen.LoadOrStore(r.Form.Get("nonce"), true); again {
				t.Error("a nonce was used twice")
			}
			p := map[string]string{}
			for k, v := range r.PostForm {
				if k != "signature" {
					p[k] = v[0]
				}
			}
			if got := r.Form.Get("signature"); got != sign(sha1.New, "secret", p) {
				t.Errorf("signature %q does not fit %v", got, p)
			}
			if st := s.status.Load(); st != 0 {
				w.WriteHeader(int(st))
				fmt.Fprint(w, `{"errors":["no"]}`)
				return
			}
			w.Header().Set("QB-Token-ExpirationDate", time.Now().Add(time.Duration(s.life.Load())).UTC().Format("2006-01-02 15:04:05 -0700"))
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"session":{"token":"t%d","user_id":7}}`, n)
		case "/users.json":
			if r.Header.Get("QB-Token") == "" {
				t.Error("no token")
			}
			var items []string
			for id := range strings.SplitSeq(strings.TrimPrefix(r.URL.Query().Get("filter[]"), "number id in "), ",") {
				items = append(items, fmt.Sprintf(`{"user":{"id":%s,"login":"u%s"}}`, id, id))
			}
			fmt.Fprintf(w, `{"items":[%s]}`, strings.Join(items, ","))
		case "/users/by_login.json":
			w.WriteHeader(http.StatusNotFound)
		case "/account_settings.json":
			if r.Header.Get("QB-Account-Key") != "key" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			fmt.Fprintf(w, `{"api_endpoint":"http://%s","chat_endpoint":"chat.example"}`, r.Host)
		default:
			http.Redirect(w, r, "/session.json", http.StatusFound)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) client(t *testing.T, change func(*Config)) *Client {
	t.Helper()
	cfg := Config{API: s.URL, ApplicationID: 1, AuthKey: "k", AuthSecret: "secret", Login: "door", Password: "p&w=1"}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSession(t *testing.T) {
	s := newServer(t)
	c := s.client(t, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, err := c.Session(t.Context())
			if err != nil || got.Token != "t1" || got.UserID != 7 {
				t.Errorf("got %+v, %v; want t1 of user 7", got, err)
			}
		})
	}
	wg.Wait()
	if n := s.logins.Load(); n != 1 {
		t.Errorf("%d sessions were made for eight callers, want one", n)
	}
	c.Forget()
	s.life.Store(int64(10 * time.Minute)) // too short to be handed out twice
	for _, want := range []string{"t2", "t3"} {
		if got, err := c.Session(t.Context()); err != nil || got.Token != want {
			t.Errorf("got %+v, %v; want %s", got, err, want)
		}
	}
}

func TestUsers(t *testing.T) {
	c := newServer(t).client(t, nil)
	ids := make([]signaling.UserID, 150)
	for i := range ids {
		ids[i] = signaling.UserID(i + 1)
	}
	users, err := c.Users(t.Context(), ids...)
	if err != nil || len(users) != 150 || users[149] != (User{ID: 150, Login: "u150"}) {
		t.Errorf("got %d users, %v; want 150", len(users), err)
	}
	var status *StatusError
	if _, err := c.UserByLogin(t.Context(), "nobody"); !errors.As(err, &status) || status.Status != 404 || status.Auth() {
		t.Errorf("unknown login: got %v", err)
	}
}

func TestSettings(t *testing.T) {
	s := newServer(t)
	c := s.client(t, func(c *Config) { c.AccountKey = "key" })
	if got, err := c.Settings(t.Context()); err != nil || got.Chat != "chat.example" || got.API != s.URL {
		t.Errorf("got %+v, %v", got, err)
	}
	c = s.client(t, func(c *Config) { c.AccountKey = "other" })
	if _, err := c.Settings(t.Context()); err == nil || !strings.Contains(err.Error(), "account.account_key") {
		t.Errorf("wrong key: got %v", err)
	}
}

func TestErrors(t *testing.T) {
	s := newServer(t)
	c := s.client(t, nil)
	var status *StatusError
	for code, hint := range map[int32]string{401: "account.password", 422: "auth_secret"} {
		s.status.Store(code)
		if _, err := c.Session(t.Context()); !errors.As(err, &status) || !status.Auth() || !strings.Contains(err.Error(), hint) || strings.Contains(err.Error(), "p&w=1") {
			t.Errorf("%d: got %v, want an error that names %s", code, err, hint)
		}
	}
	s.status.Store(503)
	if _, err := c.Session(t.Context()); !errors.As(err, &status) || status.Auth() {
		t.Errorf("503: got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Session(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	s.Close()
	_, err := c.Session(t.Context())
	if err == nil || errors.As(err, &status) || !strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "signature") {
		t.Errorf("server down: got %v", err)
	}
}

func TestNoRedirect(t *testing.T) {
	s := newServer(t)
	c := s.client(t, func(c *Config) { c.API += "/elsewhere" })
	var status *StatusError
	if _, err := c.Session(t.Context()); !errors.As(err, &status) || status.Status != http.StatusFound {
		t.Errorf("got %v, want the redirect itself", err)
	}
}

func TestConfig(t *testing.T) {
	good := Config{API: "https://api.example", ApplicationID: 1, AuthKey: "k", AuthSecret: "s", Login: "l", Password: "p"}
	for name, spoil := range map[string]func(*Config){
		"in the clear":   func(c *Config) { c.API = "http://api.example" },
		"not an address": func(c *Config) { c.API = "api.example" },
		"scheme":         func(c *Config) { c.API = "ftp://api.example" },
		"all needed":     func(c *Config) { c.Password = "" },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	good.API, good.AllowPlaintext = "http://api.example", true
	if _, err := New(good); err != nil {
		t.Error(err)
	}
}
