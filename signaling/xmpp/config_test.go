package xmpp

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestNewChecksItsConfig(t *testing.T) {
	ok := Config{
		Address: "tls://chat.example.com", JID: "1-2@chat.example.com",
		Password: func(context.Context) (string, error) { return "", nil },
		Handle:   func(Event) error { return nil },
	}
	if _, err := New(ok); err != nil {
		t.Fatalf("good config: %v", err)
	}
	tests := []struct {
		name string
		edit func(*Config)
		want string
	}{
		{"no address", func(c *Config) { c.Address = "" }, "scheme is none of"},
		{"address without scheme", func(c *Config) { c.Address = "chat.example.com:5223" }, "scheme is none of"},
		{"address of another scheme", func(c *Config) { c.Address = "https://chat.example.com" }, "scheme is none of"},
		{"address no URL", func(c *Config) { c.Address = "tls://[::1" }, "not a URL"},
		{"address without host", func(c *Config) { c.Address = "tls://:5223" }, "host is missing"},
		{"address with credentials", func(c *Config) { c.Address = "tls://a:topsecret@chat.example.com" }, "credentials do not belong"},
		{"address with a path", func(c *Config) { c.Address = "tls://chat.example.com/x" }, "nothing may follow"},
		{"address with a port that cannot be", func(c *Config) { c.Address = "tls://chat.example.com:99999" }, "port 99999 is outside 1 to 65535"},
		{"address with port 0", func(c *Config) { c.Address = "wss://chat.example.com:0/x" }, "port 0 is outside"},
		{"plaintext to another machine", func(c *Config) { c.Address = "tcp://chat.example.com" }, "plaintext would show"},
		{"plaintext WebSocket to another machine", func(c *Config) { c.Address = "ws://192.0.2.1/x" }, "plaintext would show"},
		{"plaintext to a name that only looks local", func(c *Config) { c.Address = "tcp://localhost.example.com" }, "plaintext would show"},
		{"no JID", func(c *Config) { c.JID = "" }, "chat user"},
		{"JID without user", func(c *Config) { c.JID = "chat.example.com" }, "want user@domain"},
		{"JID with resource", func(c *Config) { c.JID = "1@chat.example.com/x" }, "want user@domain"},
		{"bad resource", func(c *Config) { c.Resource = "\x00" }, "chat resource"},
		{"no password", func(c *Config) { c.Password = nil }, "required"},
		{"no handler", func(c *Config) { c.Handle = nil }, "required"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := ok
			tt.edit(&c)
			_, err := New(c)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want something with %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "topsecret") {
				t.Errorf("error %q shows the password", err)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	tests := []struct {
		text      string
		plaintext bool
		hostport  string
	}{
		{"tls://chat.example.com", false, "chat.example.com:5223"},
		{"tls://chat.example.com:443/", false, "chat.example.com:443"},
		{"starttls://chat.example.com", false, "chat.example.com:5222"},
		{"wss://chat.example.com:5291", false, "chat.example.com:5291"},
		{"wss://chat.example.com/xmpp-websocket?x=y", false, "chat.example.com:443"},
		{"ws://localhost:5280/xmpp-websocket", false, "localhost:5280"},
		{"ws://chat.example.com/x", true, "chat.example.com:80"},
		{"tcp://127.0.0.1", false, "127.0.0.1:5222"},
		{"tcp://[::1]:5222", false, "[::1]:5222"},
		{"tcp://10.0.0.1", true, "10.0.0.1:5222"},
	}
	for _, tt := range tests {
		a, err := parseAddress(tt.text, tt.plaintext)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if a.hostport != tt.hostport {
			t.Errorf("%s: got %s, want %s", tt.text, a.hostport, tt.hostport)
		}
	}
}

func TestTheServersAddressIsInTheError(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"refused", &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}, "connect tls://chat.test:5223: connection refused"},
		{"no such host", &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "chat.test"}}, "connect tls://chat.test:5223: look up chat.test: no such host"},
		{"timeout", context.DeadlineExceeded, "connect tls://chat.test:5223: no answer in time"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, newServer(), func(_ *rig, c *Config) {
					c.Address = "tls://chat.test:5223"
					c.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, tt.err }
				})
				defer r.stop()
				err := r.wantReport(tt.want)
				if err.Error() != tt.want {
					t.Errorf("got %q, want %q", err, tt.want)
				}
				asLinkError(t, err, "connect")
				if !errors.Is(err, tt.err) {
					t.Errorf("the cause %v is lost", tt.err)
				}
			})
		})
	}
}

func TestDialHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newServer(), func(_ *rig, c *Config) {
			c.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
		})
		defer r.stop()
		start := time.Now()
		r.wantReport("no answer in time")
		if got := time.Since(start); got != 10*time.Second {
			t.Errorf("gave up dialling after %v, want 10s", got)
		}
	})
}

func TestSendWhenDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newServer(), func(_ *rig, c *Config) {
			c.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ENETUNREACH }
		})
		r.wantReport("network is unreachable")
		start := time.Now()
		err := r.Send(t.Context(), message("2002-99@chat.test", "m"))
		if !errors.Is(err, ErrDown) || time.Since(start) != 0 {
			t.Errorf("send: got %v after %v, want ErrDown at once", err, time.Since(start))
		}
		if want := "chat link is down: connect tcp://127.0.0.1:5222: network is unreachable"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		r.stop()
		if err := r.Send(context.Background(), nil); !errors.Is(err, ErrDown) {
			t.Errorf("send after Run: got %v, want ErrDown", err)
		}
	})
}

func TestRunOnlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newServer(), nil)
		defer r.stop()
		r.wantUp()
		if err := r.Run(t.Context()); err == nil {
			t.Error("the second Run returned nil, want an error")
		}
	})
}
