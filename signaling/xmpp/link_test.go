package xmpp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"intercom/signaling/xmpp/xmpptest"
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

func TestLoginRefused(t *testing.T) {
	tests := []struct{ name, failure, condition, text string }{
		{"wrong password", "", "not-authorized", "Invalid username or password."},
		{"no text", "<not-authorized/>", "not-authorized", ""},
		{"text first", "<text xml:lang='en'>gone</text><account-disabled/>", "account-disabled", "gone"},
		{"expired", "<credentials-expired/>", "credentials-expired", ""},
		{"nothing", " ", "refused", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer()
				srv.Failure = tt.failure
				r := newRig(t, srv, func(_ *rig, c *Config) {
					c.Password = func(context.Context) (string, error) { return "wrong", nil }
				})
				defer r.stop()
				err := r.wantReport("log in as 2001-99@chat.test at tcp://127.0.0.1:5222: " + tt.condition)
				var refused *AuthError
				if !errors.As(err, &refused) {
					t.Fatalf("got %T, want an AuthError", err)
				}
				if refused.Condition != tt.condition || refused.Text != tt.text {
					t.Errorf("got condition %q, text %q, want %q, %q", refused.Condition, refused.Text, tt.condition, tt.text)
				}
				if strings.Contains(err.Error(), "wrong") {
					t.Errorf("error %q shows the password", err)
				}
			})
		})
	}
}

func TestTemporaryLoginFailureIsTheNetworks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		srv.Failure = "<temporary-auth-failure/>"
		r := newRig(t, srv, nil)
		defer r.stop()
		asLinkError(t, r.wantReport("temporary-auth-failure"), "negotiate")
	})
}

// A renewed token mends a refused login, and until then nobody storms the server.
func TestPasswordIsAskedBeforeEachLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		var asked atomic.Int32
		r := newRig(t, srv, func(_ *rig, c *Config) {
			c.Password = func(context.Context) (string, error) {
				if asked.Add(1) < 20 {
					return "expired token", nil
				}
				return "secret", nil
			}
		})
		defer r.stop()
		start := time.Now()
		time.Sleep(20 * time.Minute)
		// Windows of 5, 10, ... 160, 300 s halve on average: 5 min 15 s for seven tries.
		if got := asked.Load(); got < 6 || got > 25 {
			t.Errorf("logins in the first 20 minutes: got %d, want about 12", got)
		}
		for len(r.events) == 0 {
			time.Sleep(time.Minute)
		}
		r.wantUp()
		if got := time.Since(start); got < 10*time.Minute {
			t.Errorf("20 logins within %v, want slower", got)
		}
	})
}

// Nobody's hurry makes a password right.
func TestProbeDoesNotHurryRefusedLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		srv.Failure = "<not-authorized/>"
		r := newRig(t, srv, nil)
		defer r.stop()
		for range 600 {
			if err := r.Probe(t.Context()); !errors.Is(err, ErrDown) {
				t.Fatalf("probe: got %v, want ErrDown", err)
			}
			time.Sleep(time.Second)
		}
		if got := srv.Dials(); got > 20 {
			t.Errorf("logins in 10 minutes: got %d, want about 9", got)
		}
	})
}

func TestPasswordErrorIsRetriedAndSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newServer(), func(_ *rig, c *Config) {
			n := 0
			c.Password = func(context.Context) (string, error) {
				if n++; n == 1 {
					return "", errors.New("api.test: connection refused")
				}
				return "secret", nil
			}
		})
		defer r.stop()
		r.wantReport("get the chat password of 2001-99@chat.test: api.test: connection refused")
		r.wantUp()
		if err := <-r.report; err != nil {
			t.Errorf("report when up: got %v, want nil", err)
		}
	})
}

// An outage of an hour costs the server some hundred attempts, not thousands, and the
// link is back within the cap.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		var down atomic.Bool
		var dials atomic.Int32
		r := newRig(t, srv, func(_ *rig, c *Config) {
			c.Dial = func(ctx context.Context, n, a string) (net.Conn, error) {
				dials.Add(1)
				if down.Load() {
					return nil, syscall.ECONNREFUSED
				}
				return srv.Dial(ctx, n, a)
			}
		})
		defer r.stop()
		r.wantUp()
		time.Sleep(2 * time.Minute)
		down.Store(true)
		srv.Session("2001-99").Close()
		r.wantDown("closed by the server")
		time.Sleep(time.Hour)
		// A wait is 15 s on average.
		if got := dials.Load(); got < 150 || got > 350 {
			t.Errorf("dials within an hour: got %d, want about 240", got)
		}
		down.Store(false)
		start := time.Now()
		r.wantUp()
		if got := time.Since(start); got > networkCap {
			t.Errorf("up again after %v, want within %v", got, networkCap)
		}
	})
}

// A server that accepts everybody and drops them at once is not stormed either.
func TestFlappingServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		srv.Intercept = func(c *xmpptest.Conn, st xmpptest.Stanza) bool {
			if isPing(st) {
				c.Send("<iq xmlns='jabber:client' type='result' id='" + st.Attr["id"] + "'/></stream:stream>")
				return true
			}
			return false
		}
		var ups atomic.Int32
		r := newRig(t, srv, func(_ *rig, c *Config) {
			c.Handle = func(e Event) error {
				if _, ok := e.(Up); ok {
					ups.Add(1)
				}
				return nil
			}
		})
		defer r.stop()
		time.Sleep(time.Hour)
		if got := ups.Load(); got < 150 || got > 350 {
			t.Errorf("connections within an hour: got %d, want about 240", got)
		}
	})
}

func TestDeadConnectionIsFoundByPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		var deaf atomic.Bool
		srv.Intercept = func(*xmpptest.Conn, xmpptest.Stanza) bool { return deaf.Load() }
		r := newRig(t, srv, nil)
		defer r.stop()
		r.wantUp()
		time.Sleep(time.Minute)
		deaf.Store(true)
		start := time.Now()
		r.wantDown("keep tcp://127.0.0.1:5222: no answer in time")
		if got := time.Since(start); got > 17*time.Second {
			t.Errorf("found after %v, want within 17s", got)
		}
	})
}

// Two pings in a row may be lost.
func TestMissesAreForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		var n atomic.Int32
		srv.Intercept = func(_ *xmpptest.Conn, st xmpptest.Stanza) bool { return isPing(st) && n.Add(1)%3 != 1 }
		r := newRig(t, srv, nil)
		defer r.stop()
		r.wantUp()
		time.Sleep(time.Hour)
		if got := srv.Dials(); got != 1 {
			t.Errorf("dials: got %d, want 1", got)
		}
	})
}

// A server without pings answers with an error, which is a sign of life.
func TestErrorAnswerIsAPong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		srv.Intercept = func(c *xmpptest.Conn, st xmpptest.Stanza) bool {
			if !isPing(st) {
				return false
			}
			c.Send("<iq xmlns='jabber:client' type='error' id='" + st.Attr["id"] + "'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>")
			return true
		}
		r := newRig(t, srv, nil)
		defer r.stop()
		r.wantUp()
		time.Sleep(time.Hour)
		if got := srv.Dials(); got != 1 {
			t.Errorf("dials: got %d, want 1", got)
		}
	})
}

func TestRequestsAreAnswered(t *testing.T) {
	tests := []struct{ name, request, want string }{
		{"ping of the server", "<iq xmlns='jabber:client' type='get' id='p1'><ping xmlns='urn:xmpp:ping'/></iq>",
			`<iq id="p1" type="result" xmlns="jabber:client"></iq>`},
		{"ping of a peer", "<iq xmlns='jabber:client' type='get' id='&lt;2&quot;&gt;' from='2002-99@chat.test/phone'><ping xmlns='urn:xmpp:ping'/></iq>",
			`<iq id="&lt;2&#34;&gt;" to="2002-99@chat.test/phone" type="result" xmlns="jabber:client"></iq>`},
		{"something else", "<iq xmlns='jabber:client' type='get' id='v' from='2002-99@chat.test/phone'><query xmlns='jabber:iq:version'/></iq>",
			`<iq id="v" to="2002-99@chat.test/phone" type="error" xmlns="jabber:client"><error type="cancel"><service-unavailable xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error></iq>`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer()
				got := make(chan string, 10)
				srv.Intercept = func(_ *xmpptest.Conn, st xmpptest.Stanza) bool {
					if typ := st.Attr["type"]; st.Name == "iq" && (typ == "result" || typ == "error") {
						got <- st.Raw
						return true
					}
					return false
				}
				r := newRig(t, srv, nil)
				defer r.stop()
				r.wantUp()
				start := time.Now()
				srv.Session("2001-99").Send(tt.request)
				if answer := <-got; answer != tt.want {
					t.Errorf("answer:\n got %s\nwant %s", answer, tt.want)
				}
				if took := time.Since(start); took != 0 {
					t.Errorf("answered after %v, want at once: peers allow 1s", took)
				}
			})
		})
	}
}

func TestGreetingAndFarewell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		srv.Features = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>"
		var got []string
		srv.Intercept = func(_ *xmpptest.Conn, st xmpptest.Stanza) bool {
			got = append(got, st.Name+" "+st.Attr["type"]+" "+st.Child.Local)
			return false
		}
		r := newRig(t, srv, nil)
		r.wantUp()
		r.stop()
		synctest.Wait()
		want := "iq set session, iq set enable, presence  , iq get ping, presence unavailable "
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("stanzas:\n got %s\nwant %s", s, want)
		}
		r.wantDown("link is stopped")
	})
}

// A message proves that the server routes to us, even if our first ping is still out.
func TestMessageBeforeTheFirstPong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		srv.Intercept = func(c *xmpptest.Conn, st xmpptest.Stanza) bool {
			if st.Name == "presence" {
				c.Send(string(message("2001-99@chat.test", "early")))
			}
			return false
		}
		r := newRig(t, srv, nil)
		defer r.stop()
		r.wantUp()
		r.wantMessage("early")
	})
}

// stall makes a server stop reading at the stanza with id "hold".
func stall(srv *xmpptest.Server) (release func()) {
	hold := make(chan struct{})
	srv.Intercept = func(_ *xmpptest.Conn, st xmpptest.Stanza) bool {
		if st.Attr["id"] == "hold" {
			<-hold
		}
		return false
	}
	return func() { close(hold) }
}

// Two writers to a server that does not read: each honours its own context.
func TestWritersHonourTheirOwnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		release := stall(srv)
		r := newRig(t, srv, nil)
		defer r.stop()
		defer release()
		r.wantUp()
		if err := r.Send(t.Context(), message("2002-99@chat.test", "hold")); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		type result struct {
			err  error
			took time.Duration
		}
		results := make(chan result, 3)
		for i := range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i+1)*time.Second)
			defer cancel()
			go func() {
				err := r.Send(ctx, message("2002-99@chat.test", "m"))
				results <- result{err, time.Since(start)}
			}()
			synctest.Wait()
		}
		for i := range 3 {
			got := <-results
			if want := time.Duration(i+1) * time.Second; !errors.Is(got.err, context.DeadlineExceeded) || got.took != want {
				t.Errorf("send %d: got %v after %v, want deadline exceeded after %v", i, got.err, got.took, want)
			}
		}
	})
}

// A write that cannot be finished ends the connection: half a stanza may be out.
func TestStalledWriteEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		release := stall(srv)
		r := newRig(t, srv, func(_ *rig, c *Config) { c.Timers.Ping = time.Hour })
		defer r.stop()
		defer release()
		r.wantUp()
		if err := r.Send(t.Context(), message("2002-99@chat.test", "hold")); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		err := r.Send(t.Context(), message("2002-99@chat.test", "m"))
		if got := time.Since(start); !errors.Is(err, ErrDown) || got != 10*time.Second {
			t.Errorf("send: got %v after %v, want ErrDown after 10s", err, got)
		}
		r.wantDown("no answer in time")
	})
}

func TestRunEndsThoughTheServerDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		release := stall(srv)
		r := newRig(t, srv, nil)
		defer release()
		r.wantUp()
		if err := r.Send(t.Context(), message("2002-99@chat.test", "hold")); err != nil {
			t.Fatal(err)
		}
		go func() { _ = r.Send(context.Background(), message("2002-99@chat.test", "m")) }()
		synctest.Wait()
		start := time.Now()
		r.stop()
		if got := time.Since(start); got > 2*farewellTimeout {
			t.Errorf("Run ended %v after its context, want within %v", got, 2*farewellTimeout)
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

func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		var deaf atomic.Bool
		srv.Intercept = func(_ *xmpptest.Conn, st xmpptest.Stanza) bool {
			return deaf.Load() && srv.Dials() == 1 && isPing(st)
		}
		r := newRig(t, srv, func(_ *rig, c *Config) { c.Timers.Ping = time.Hour })
		defer r.stop()
		r.wantUp()
		if err := r.Probe(t.Context()); err != nil {
			t.Fatalf("of a good link: %v", err)
		}

		deaf.Store(true)
		cancelled, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := r.Probe(cancelled); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: got %v, want its context's error", err)
		}
		if err := r.Send(t.Context(), message("2001-99@chat.test", "m")); err != nil {
			t.Errorf("a cancelled probe says nothing of the link, but: %v", err)
		}
		r.wantMessage("m")

		time.Sleep(time.Minute)
		start := time.Now()
		err := r.Probe(t.Context())
		asLinkError(t, err, "ping")
		if got := time.Since(start); got != 2*time.Second {
			t.Errorf("of a dead link: took %v, want 2s", got)
		}
		r.wantDown("ping tcp://127.0.0.1:5222: no answer in time")
		r.wantUp()
		if got := time.Since(start); got != 2*time.Second {
			t.Errorf("repaired %v after the probe began, want at once after its 2s", got)
		}
	})
}

// Somebody presses the button in the middle of an outage that has just ended.
func TestProbeHurriesTheNextAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		var down atomic.Bool
		down.Store(true)
		var dials atomic.Int32
		r := newRig(t, srv, func(_ *rig, c *Config) {
			c.Dial = func(ctx context.Context, n, a string) (net.Conn, error) {
				dials.Add(1)
				if down.Load() {
					return nil, syscall.ECONNREFUSED
				}
				return srv.Dial(ctx, n, a)
			}
		})
		defer r.stop()
		time.Sleep(10 * time.Minute)
		before := dials.Load()
		for range 100 { // leaning on the button is no storm
			if err := r.Probe(t.Context()); !errors.Is(err, ErrDown) {
				t.Fatalf("probe: got %v, want ErrDown", err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if got := dials.Load() - before; got > 12 {
			t.Errorf("dials within 10s of probing: got %d, want about one a second", got)
		}
		down.Store(false)
		start := time.Now()
		_ = r.Probe(t.Context())
		r.wantUp()
		if got := time.Since(start); got > minRetry {
			t.Errorf("up %v after the probe, want within %v", got, minRetry)
		}
	})
}

// One endless element must not fill our memory.
func TestFloodEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		r := newRig(t, srv, nil)
		defer r.stop()
		r.wantUp()
		c := srv.Session("2001-99")
		go func() {
			c.Send("<message xmlns='jabber:client'><body>")
			for range 2 * maxInput / 65536 {
				c.Send(strings.Repeat("x", 65536))
			}
		}()
		r.wantDown("more than a stanza may hold")
		r.wantUp()
	})
}

func TestFloodWhileNegotiating(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		srv.Accept = func(n int, c net.Conn) bool {
			if n > 0 {
				return false
			}
			defer c.Close()
			go io.Copy(io.Discard, c)
			_, _ = io.WriteString(c, "<stream:stream xmlns='")
			for {
				if _, err := io.WriteString(c, strings.Repeat("x", 65536)); err != nil {
					return true
				}
			}
		}
		r := newRig(t, srv, nil)
		defer r.stop()
		r.wantReport("more than a stanza may hold")
		r.wantUp()
	})
}

// A contact can make the server deliver nonsense; it must not fill the log.
func TestDroppedStanzasAreCountedAndHardlyLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		srv := newServer()
		r := newRig(t, srv, func(_ *rig, c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		defer r.stop()
		r.wantUp()
		for range 10 {
			for range 50 {
				srv.Session("2001-99").Send("<message xmlns='jabber:client' from='@@" + strings.Repeat("x", 3000) + "'/>")
			}
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if got := r.Dropped(); got != 500 {
			t.Errorf("dropped: got %d, want 500", got)
		}
		if got := strings.Count(log.String(), "stanza dropped"); got != 10 || log.Len() > 10*300 {
			t.Errorf("got %d log lines of %d bytes in all, want 10 short ones", got, log.Len())
		}
		if !strings.Contains(log.String(), "unsaid=49") {
			t.Errorf("the log does not say how many more there were:\n%s", log.String())
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
