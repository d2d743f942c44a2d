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

// Two pings in a row may be lost.

// A server without pings answers with an error, which is a sign of life.

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

// Two writers to a server that does not read: each honours its own context.

// A write that cannot be finished ends the connection: half a stanza may be out.

// Somebody presses the button in the middle of an outage that has just ended.

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
