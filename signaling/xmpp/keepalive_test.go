package xmpp

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"intercom/signaling/xmpp/xmpptest"
)

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

// Trap 24 of the protocol: pings of the server and of peers.
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
