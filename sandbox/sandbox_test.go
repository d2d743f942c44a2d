package sandbox

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"intercom/internal/conf"
)

// accounts are those of protocol.md's test vectors, with two users.
func accounts() Accounts {
	return Accounts{
		Application: Application{ID: 76730, AuthKey: "Key-A", AuthSecret: "Secret-B", AccountKey: "Account-C"},
		Users: []User{
			{ID: 2001, Login: "alice", Password: "p@ss word", FullName: "Alice Doe", Email: "alice@example.org", Tags: []string{"first"}},
			{ID: 2002, Login: "bob", Password: "bob-password", FullName: "Bob Doe", Tags: []string{"first", "second"}},
			{ID: 2003, Email: "carol@example.org", Password: "carol-password"},
		},
	}
}

// start runs a server on free loopback ports until the test ends.
func start(t *testing.T, change func(*Config)) (*Server, Addrs) {
	t.Helper()
	cfg := Config{REST: "127.0.0.1:0", WebSocket: "127.0.0.1:0", XMPP: "127.0.0.1:0", Accounts: accounts()}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	addrs, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s, addrs
}

// api speaks to the REST service.
type api struct {
	t     *testing.T
	base  string
	token string
	http  *http.Client
}

func newAPI(t *testing.T, addrs Addrs) *api {
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	return &api{t: t, base: "http://" + addrs.REST, http: client}
}

// do sends a form, or a JSON text if it begins with "{", and returns the status and the
// decoded body.
func (a *api) do(method, path, body string) (int, map[string]any, http.Header) {
	a.t.Helper()
	req, err := http.NewRequest(method, a.base+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	if strings.HasPrefix(body, "{") {
		req.Header.Set("Content-Type", "application/json")
	}
	if a.token != "" {
		req.Header.Set("QB-Token", a.token)
	}
	res, err := a.http.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	if bytes.HasPrefix(data, []byte("[")) {
		data = fmt.Appendf(nil, `{"list":%s}`, data)
	}
	var v map[string]any
	if len(data) > 0 {
		if err := json.Unmarshal(data, &v); err != nil {
			a.t.Fatalf("%s %s: body %q: %v", method, path, data, err)
		}
	}
	return res.StatusCode, v, res.Header
}

// want is do with a status that must come.
func (a *api) want(status int, method, path, body string) map[string]any {
	a.t.Helper()
	got, v, _ := a.do(method, path, body)
	if got != status {
		a.t.Fatalf("%s %s %s: got %d %v, want %d", method, path, body, got, v, status)
	}
	return v
}

// sign makes the form of a session request.
func sign(params map[string]string, secret string) string {
	var pairs, form []string
	for _, k := range slices.Sorted(maps.Keys(params)) {
		pairs = append(pairs, k+"="+params[k])
		form = append(form, k+"="+url.QueryEscape(params[k]))
	}
	slices.Sort(pairs)
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(strings.Join(pairs, "&")))
	return strings.Join(form, "&") + "&signature=" + hex.EncodeToString(mac.Sum(nil))
}

// request is what opens a session; later pairs of more replace earlier ones.
func request(nonce string, more ...string) map[string]string {
	p := map[string]string{"application_id": "76730", "auth_key": "Key-A", "nonce": nonce, "timestamp": fmt.Sprint(time.Now().Unix())}
	for i := 0; i < len(more); i += 2 {
		p[more[i]] = more[i+1]
	}
	return p
}

// login opens a user's session and keeps its token.
func (a *api) login(nonce, login, password string) {
	a.t.Helper()
	v := a.want(201, "POST", "/session.json", sign(request(nonce, "user[login]", login, "user[password]", password), "Secret-B"))
	a.token = v["session"].(map[string]any)["token"].(string)
}

func TestNew(t *testing.T) {
	for name, x := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no address":     {func(c *Config) { *c = Config{Accounts: accounts()} }, "no address"},
		"all interfaces": {func(c *Config) { c.REST = ":8080" }, "open to other machines"},
		"a remote one":   {func(c *Config) { c.XMPP = "192.0.2.1:5222" }, "open to other machines"},
		"a name":         {func(c *Config) { c.XMPP = "door.example.org:5222" }, "open to other machines"},
		"no port":        {func(c *Config) { c.XMPP = "127.0.0.1" }, "host:port"},
		"no certificate": {func(c *Config) { c.XMPPS = "127.0.0.1:0" }, "certificate"},
		"bad domain":     {func(c *Config) { c.Domain = "a/b" }, "domain"},
		"no application": {func(c *Config) { c.Accounts.Application = Application{} }, "application.id"},
		"same id":        {func(c *Config) { c.Accounts.Users[1].ID = 2001 }, "user.1.id"},
		"same login":     {func(c *Config) { c.Accounts.Users[1].Login = "alice" }, "user.1.login"},
		"no password":    {func(c *Config) { c.Accounts.Users[2].Password = "" }, "user.2.password"},
		"no name":        {func(c *Config) { c.Accounts.Users[2].Email = "" }, "user.2.login"},
		"bad email":      {func(c *Config) { c.Accounts.Users[2].Email = "x" }, "user.2.email"},
	} {
		cfg := Config{REST: "127.0.0.1:0", Accounts: accounts()}
		x.change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: got %v, want %q in it", name, err, x.want)
		}
	}
	if _, err := New(Config{REST: "0.0.0.0:0", AllowRemote: true, Accounts: accounts()}); err != nil {
		t.Errorf("explicitly allowed: %v", err)
	}
}

func TestPortInUse(t *testing.T) {
	_, addrs := start(t, nil)
	s, err := New(Config{REST: "127.0.0.1:0", XMPP: addrs.XMPP, Accounts: accounts()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), addrs.XMPP) {
		t.Errorf("got %v, want the address %s in it", err, addrs.XMPP)
	}
}

func TestSecretsStayHidden(t *testing.T) {
	a := accounts()
	for _, text := range []string{fmt.Sprint(a), fmt.Sprintf("%+v", a), fmt.Sprintf("%#v", a)} {
		for _, secret := range []conf.Secret{a.Application.AuthSecret, a.Users[1].Password} {
			if strings.Contains(text, secret.Reveal()) {
				t.Errorf("%q is in %s", secret.Reveal(), text)
			}
		}
	}
}

// tlsTransport trusts a certificate of ours.
func tlsTransport(t *testing.T, pool *x509.CertPool) *http.Transport {
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}
