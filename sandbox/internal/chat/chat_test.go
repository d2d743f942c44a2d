package chat

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/websocket"
)

const domain = "chat.test"

// pipes is a listener whose connections are in-memory pipes, so that everything can run in
// a bubble with its own clock.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p *pipes) dial(t *testing.T) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	select {
	case p.conns <- server:
	case <-p.done:
		t.Fatal("the server is gone")
	}
	return client
}

// bed is a running server.
type bed struct {
	*Server
	plain, web *pipes
	stop       func()
}

// within runs a test in a bubble with a server whose password is always "secret".
func within(t *testing.T, test func(t *testing.T, b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{Domain: domain, Authenticate: func(node, password string) bool {
			return strings.HasSuffix(node, "-1") && password == "secret"
		}})
		if err != nil {
			t.Fatal(err)
		}
		b := &bed{Server: s, plain: newPipes(), web: newPipes()}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, Listeners{Plain: b.plain, WebSocket: b.web}) }()
		stopped := false
		b.stop = func() {
			if stopped {
				return
			}
			stopped = true
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run: %v", err)
			}
		}
		defer b.stop()
		test(t, b)
	})
}

// client is a raw XMPP client: what it sends and what it expects is text.
type client struct {
	t    *testing.T
	conn net.Conn
	web  bool

	mu   sync.Mutex
	got  strings.Builder
	gone bool
}

func newClient(t *testing.T, conn net.Conn, web bool) *client {
	c := &client{t: t, conn: conn, web: web}
	go func() {
		b := make([]byte, 32<<10)
		for {
			n, err := conn.Read(b)
			c.mu.Lock()
			c.got.Write(b[:n])
			c.gone = err != nil
			c.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { conn.Close() })
	return c
}

func (b *bed) tcp(t *testing.T) *client { return newClient(t, b.plain.dial(t), false) }

func (b *bed) websocket(t *testing.T) *client {
	t.Helper()
	cfg, err := websocket.NewConfig("ws://"+domain+"/", "http://"+domain)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Protocol = []string{"xmpp"}
	ws, err := websocket.NewClient(cfg, b.web.dial(t))
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, ws, true)
}

// send writes text; over WebSocket it is one message.
func (c *client) send(text string) {
	c.t.Helper()
	_ = c.conn.SetWriteDeadline(time.Now().Add(time.Second))
	if _, err := io.WriteString(c.conn, text); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		c.t.Errorf("send %.60q: %v", text, err)
	}
}

// take waits until the server has nothing more to do and returns what came.
func (c *client) take() string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.got.String()
	c.got.Reset()
	return s
}

// expect fails the test unless what came has all of the parts.
func (c *client) expect(parts ...string) string {
	c.t.Helper()
	got := c.take()
	for _, p := range parts {
		if !strings.Contains(got, p) {
			c.t.Fatalf("got %q, want %q in it", got, p)
		}
	}
	return got
}

// closed reports whether the server closed the connection.
func (c *client) closed() bool {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone
}

func (c *client) open() {
	if c.web {
		c.send(`<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="chat.test" version="1.0"/>`)
	} else {
		c.send(`<?xml version="1.0"?><stream:stream xmlns="jabber:client" xmlns:stream="http://etherx.jabber.org/streams" to="chat.test" version="1.0">`)
	}
}

func (c *client) auth(user, password string) {
	c.send(`<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">` +
		base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+password)) + `</auth>`)
}

// login takes a client to a bound resource and an available presence.
func (c *client) login(user, resource string) *client {
	c.t.Helper()
	c.open()
	c.expect("PLAIN")
	c.auth(user, "secret")
	c.expect("<success ")
	c.open()
	c.expect("xmpp-bind", "xmpp-session")
	c.send(`<iq xmlns="jabber:client" id="b1" type="set"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"><resource>` + resource + `</resource></bind></iq>`)
	c.expect(`id='b1'`, `<jid>`+user+`@chat.test/`+resource+`</jid>`)
	c.send(`<presence xmlns="jabber:client"/>`)
	c.expect(`from="` + user + `@chat.test/` + resource + `"`)
	return c
}
