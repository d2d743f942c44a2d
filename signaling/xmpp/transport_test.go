package xmpp

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/websocket"
	"intercom/signaling/xmpp/xmpptest"
)

// listen serves srv on loopback and returns host:port. With direct, TLS comes first.
func listen(t *testing.T, srv *xmpptest.Server, direct *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if direct != nil {
				c = tls.Server(c, direct)
			}
			wg.Go(func() { srv.Serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

func TestTransports(t *testing.T) {
	id := xmpptest.NewIdentity(t, "chat.test", "127.0.0.1")
	tests := []struct {
		scheme string
		serve  func(*testing.T, *xmpptest.Server) string
	}{
		{"tcp", func(t *testing.T, srv *xmpptest.Server) string { return listen(t, srv, nil) }},
		{"tls", func(t *testing.T, srv *xmpptest.Server) string { return listen(t, srv, id.Server) }},
		{"starttls", func(t *testing.T, srv *xmpptest.Server) string {
			srv.TLS = id.Server
			return listen(t, srv, nil)
		}},
		{"ws", func(t *testing.T, srv *xmpptest.Server) string {
			s := httptest.NewServer(srv)
			t.Cleanup(s.Close)
			return s.Listener.Addr().String() + "/xmpp-websocket"
		}},
		{"wss", func(t *testing.T, srv *xmpptest.Server) string {
			s := httptest.NewUnstartedServer(srv)
			s.TLS = id.Server.Clone()
			s.StartTLS()
			t.Cleanup(s.Close)
			return s.Listener.Addr().String()
		}},
	}
	for _, tt := range tests {
		t.Run(tt.scheme, func(t *testing.T) {
			srv := newServer()
			address := tt.scheme + "://" + tt.serve(t, srv)
			a := newRig(t, srv, func(_ *rig, c *Config) { c.Address, c.Dial, c.TLS = address, nil, id.Client })
			defer a.stop()
			if got := a.wantUp().JID.String(); got != "2001-99@chat.test/door" {
				t.Errorf("address: got %s", got)
			}
			// Longer than any buffer on the way, as a session description may be.
			body := strings.Repeat("0123456789abcde\r\n", 4000)
			long := `<message id="long" to="2001-99@chat.test" type="headline" xmlns="jabber:client"><sdp>` + body + `</sdp></message>`
			if err := a.Send(t.Context(), []byte(long)); err != nil {
				t.Fatal(err)
			}
			var got struct {
				SDP string `xml:"sdp"`
			}
			if err := xml.NewTokenDecoder(a.wantMessage("long").TokenReader()).Decode(&got); err != nil {
				t.Fatal(err)
			}
			if want := strings.ReplaceAll(body, "\r\n", "\n"); got.SDP != want {
				t.Errorf("got %d bytes back, want %d", len(got.SDP), len(want))
			}
			if err := a.Probe(t.Context()); err != nil {
				t.Errorf("probe: %v", err)
			}
			srv.Session("2001-99").Close()
			a.wantDown(address)
			a.wantUp()
		})
	}
}

func TestUntrustedServers(t *testing.T) {
	right, wrong := xmpptest.NewIdentity(t, "chat.test"), xmpptest.NewIdentity(t, "other.test", "127.0.0.1")
	tests := []struct {
		name, scheme string
		server       xmpptest.Identity
		client       *tls.Config
		step, want   string
	}{
		{"tls, unknown authority", "tls", right, nil, "connect", "certificate signed by unknown authority"},
		{"starttls, unknown authority", "starttls", right, nil, "negotiate", "certificate signed by unknown authority"},
		// The address is a number and of no matter: the server must be the JID's domain.
		{"tls, another name", "tls", wrong, wrong.Client, "connect", "not chat.test"},
		{"starttls, another name", "starttls", wrong, wrong.Client, "negotiate", "not chat.test"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := newServer()
			var direct *tls.Config
			if tt.scheme == "tls" {
				direct = tt.server.Server
			} else {
				srv.TLS = tt.server.Server
			}
			address := tt.scheme + "://" + listen(t, srv, direct)
			r := newRig(t, srv, func(_ *rig, c *Config) { c.Address, c.Dial, c.TLS = address, nil, tt.client })
			defer r.stop()
			err := r.wantReport(tt.want)
			asLinkError(t, err, tt.step)
			if !strings.Contains(err.Error(), address) {
				t.Errorf("error %q does not name %s", err, address)
			}
		})
	}
}

// Somebody between us and the server makes STARTTLS disappear: no password for them.
func TestStartTLSIsNotOptional(t *testing.T) {
	srv := newServer() // offers PLAIN on plain TCP
	address := "starttls://" + listen(t, srv, nil)
	r := newRig(t, srv, func(_ *rig, c *Config) { c.Address, c.Dial = address, nil })
	defer r.stop()
	asLinkError(t, r.wantReport("negotiate "+address+": the server has no TLS for us"), "negotiate")
}

func TestConnectionRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "tls://" + l.Addr().String()
	l.Close()
	r := newRig(t, newServer(), func(_ *rig, c *Config) { c.Address, c.Dial = address, nil })
	defer r.stop()
	if got, want := r.wantReport("").Error(), "connect "+address+": connection refused"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNoWebSocketThere(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	address := "ws://" + s.Listener.Addr().String() + "/x"
	r := newRig(t, newServer(), func(_ *rig, c *Config) { c.Address, c.Dial = address, nil })
	defer r.stop()
	asLinkError(t, r.wantReport("connect "+address+": "), "connect")
}

// RFC 7395, 3.3: every WebSocket message is one complete stanza, whatever its length.
func TestOneStanzaPerWebSocketMessage(t *testing.T) {
	messages := make(chan string, 50)
	s := httptest.NewServer(websocket.Handler(func(c *websocket.Conn) {
		opened := 0
		for {
			var m string
			if websocket.Message.Receive(c, &m) != nil {
				close(messages)
				return
			}
			messages <- m
			answer := ""
			switch {
			case strings.HasPrefix(m, "<open "):
				features := "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>"
				if opened++; opened == 2 {
					features = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
				}
				_ = websocket.Message.Send(c, "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' id='1' from='chat.test'/>")
				answer = "<stream:features xmlns:stream='http://etherx.jabber.org/streams'>" + features + "</stream:features>"
			case strings.HasPrefix(m, "<auth "):
				answer = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
			case strings.HasPrefix(m, "<iq "):
				_, rest, _ := strings.Cut(m, `id="`)
				id, _, _ := strings.Cut(rest, `"`)
				answer = "<iq xmlns='jabber:client' type='result' id='" + id + "'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>2001-99@chat.test/door</jid></bind></iq>"
			}
			_ = websocket.Message.Send(c, answer)
		}
	}))
	defer s.Close()
	address := "ws://" + s.Listener.Addr().String() + "/x"
	r := newRig(t, newServer(), func(_ *rig, c *Config) { c.Address, c.Dial = address, nil })
	r.wantUp()
	long := `<message id="long" to="2002-99@chat.test" xmlns="jabber:client"><sdp>` + strings.Repeat("x", 100_000) + `</sdp></message>`
	if err := r.Send(t.Context(), []byte(long)); err != nil {
		t.Fatal(err)
	}
	r.stop()
	var all []string
	for m := range messages {
		all = append(all, m)
		d := xml.NewDecoder(strings.NewReader(m))
		if err := d.Decode(&struct{}{}); err != nil {
			t.Errorf("message %.80q is no whole element: %v", m, err)
		}
		if d.InputOffset() != int64(len(m)) {
			t.Errorf("message %.80q has more than one element", m)
		}
	}
	if len(all) < 3 || all[len(all)-3] != long || !strings.HasPrefix(all[len(all)-1], "<close ") {
		t.Errorf("got %d messages, want the long one and then the farewell last", len(all))
	}
}

func TestServerGivesNoAddress(t *testing.T) {
	srv := newServer()
	srv.Features = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
	srv.Domain = "chat.test"
	address := "tcp://" + listen(t, srv, nil)
	r := newRig(t, srv, func(_ *rig, c *Config) {
		c.Address, c.Dial = address, nil
		c.JID = "2001-99@elsewhere.test" // the server greets as chat.test
	})
	defer r.stop()
	var le *LinkError
	if err := r.wantReport(`the server is that of "chat.test", not of "elsewhere.test": check the chat domain`); !errors.As(err, &le) || le.Step != "negotiate" {
		t.Errorf("got %v, want a LinkError of negotiate", err)
	}
}

// pipes is a listener in memory.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p <- there
	return here, nil
}

// A server may ping by WebSocket frames long after we last wrote, which x/net answers
// from the reading goroutine.
func TestWebSocketPingAfterSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		handler := websocket.Server{Handler: func(c *websocket.Conn) {
			ping := websocket.Codec{Marshal: func(any) ([]byte, byte, error) { return []byte("still there?"), websocket.PingFrame, nil }}
			time.AfterFunc(time.Minute, func() { _ = ping.Send(c, nil) })
			srv.ServeWebSocket(c)
		}}
		l := make(pipes)
		server := http.Server{Handler: handler}
		go func() { _ = server.Serve(l) }()
		r := newRig(t, srv, func(_ *rig, c *Config) {
			c.Address, c.Dial, c.Timers.Ping = "ws://localhost/x", l.dial, time.Hour
		})
		r.wantUp()
		time.Sleep(30 * time.Minute)
		if err := r.Probe(t.Context()); err != nil {
			t.Errorf("probe: %v", err)
		}
		if len(r.events) != 0 {
			t.Errorf("got %+v, want no event", <-r.events)
		}
		r.stop()
		close(l)
		server.Close()
	})
}
