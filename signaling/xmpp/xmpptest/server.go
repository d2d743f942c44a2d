// Package xmpptest is an XMPP server for tests: enough of RFC 6120 and RFC 7395 to log in
// to and to carry stanzas between accounts, in the memory of the test (inside a synctest
// bubble too) or over sockets. It is written on encoding/xml alone, so that it shares no
// mistake with the client. It is no server for anybody else: see sandbox.
//
// Every connection has two goroutines, which end when the connection is closed.
package xmpptest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/net/websocket"
)

// Namespaces of the protocol.
const (
	nsStream  = "http://etherx.jabber.org/streams"
	nsFraming = "urn:ietf:params:xml:ns:xmpp-framing"
	nsSASL    = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsTLS     = "urn:ietf:params:xml:ns:xmpp-tls"
)

// Server is a server; set its fields before the first connection.
type Server struct {
	Domain   string
	Accounts map[string]string // user -> password
	// TLS makes streams that Serve gets as plain TCP demand STARTTLS.
	TLS *tls.Config
	// Features are sent once logged in; empty means that binding is required.
	Features string
	// Failure answers every login with that SASL failure's content; empty checks the password.
	Failure string
	// Intercept sees each stanza of a client that is logged in, before the server; if
	// it returns true, the server does nothing.
	Intercept func(*Conn, Stanza) bool
	// Accept takes the place of the server for each connection that Dial makes, 0, 1, ...
	// If it returns false the server serves it after all. It must close conn if it returns true.
	Accept func(n int, conn net.Conn) bool

	mu    sync.Mutex
	conns []*Conn
	dials int
}

// Stanza is one stanza of a client.
type Stanza struct {
	Name  string            // message, iq or presence
	Attr  map[string]string // its attributes
	Child xml.Name          // its first child element
	Raw   string            // as it was written
}

// Conn is one connection of a client.
type Conn struct {
	User     string // once logged in
	JID      string // once bound
	Resource string // as the client asked for it

	server *Server
	conn   net.Conn
	ws     bool
	out    chan string
	done   chan struct{}
	once   sync.Once

	mu        sync.Mutex
	available bool
}

// Dial returns a connection in memory that the server serves. It fits xmpp.Config.Dial.
func (s *Server) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	here, there := net.Pipe()
	s.mu.Lock()
	n := s.dials
	s.dials++
	s.mu.Unlock()
	go func() {
		if s.Accept != nil && s.Accept(n, there) {
			return
		}
		s.Serve(there)
	}()
	return here, nil
}

// Dials returns how many connections were made by Dial.
func (s *Server) Dials() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dials
}

// Serve serves one connection until it ends, and closes it.
func (s *Server) Serve(conn net.Conn) { s.serve(conn, false) }

// ServeHTTP serves one connection as a WebSocket.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	websocket.Server{
		Handshake: func(c *websocket.Config, _ *http.Request) error {
			if len(c.Protocol) != 1 || c.Protocol[0] != "xmpp" {
				return websocket.ErrBadWebSocketProtocol
			}
			return nil
		},
		Handler: s.ServeWebSocket,
	}.ServeHTTP(w, r)
}

// ServeWebSocket serves one WebSocket connection until it ends, and closes it.
func (s *Server) ServeWebSocket(c *websocket.Conn) { s.serve(c, true) }

// Session returns the newest connection of a user that is available; nil if there is none.
func (s *Server) Session(user string) *Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.conns) - 1; i >= 0; i-- {
		if c := s.conns[i]; c.User == user && c.isAvailable() {
			return c
		}
	}
	return nil
}

// Send writes text as it is to the client.
func (c *Conn) Send(text string) {
	select {
	case c.out <- text:
	case <-c.done:
	}
}

// Close cuts the connection.
func (c *Conn) Close() {
	c.once.Do(func() {
		close(c.done)
		_ = c.conn.Close()
	})
}

func (c *Conn) isAvailable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.available
}

func (s *Server) serve(conn net.Conn, ws bool) {
	c := &Conn{server: s, conn: conn, ws: ws, out: make(chan string, 64), done: make(chan struct{})}
	defer c.Close()
	if err := c.login(); err != nil {
		return
	}
	s.mu.Lock()
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	defer s.remove(c)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for {
			select {
			case text := <-c.out:
				if c.write(text) != nil {
					c.Close()
					return
				}
			case <-c.done:
				return
			}
		}
	})
	defer c.Close()
	in := newScanner(c.conn, c.ws)
	for {
		st, err := in.stanza()
		if err != nil {
			return
		}
		if s.Intercept == nil || !s.Intercept(c, st) {
			s.route(c, st)
		}
	}
}

func (s *Server) remove(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.conns {
		if other == c {
			s.conns = append(s.conns[:i:i], s.conns[i+1:]...)
			return
		}
	}
}

func (c *Conn) write(text string) error {
	_, err := io.WriteString(c.conn, text)
	return err
}

// login serves the stream until the client is bound.
func (c *Conn) login() error {
	if c.server.TLS != nil && !c.ws {
		if err := c.startTLS(); err != nil {
			return err
		}
	}
	in, err := c.open("<mechanisms xmlns='" + nsSASL + "'><mechanism>PLAIN</mechanism></mechanisms>")
	if err != nil {
		return err
	}
	auth, err := in.stanza()
	if err != nil {
		return err
	}
	if err := c.check(auth); err != nil {
		_ = c.write("<failure xmlns='" + nsSASL + "'>" + err.Error() + "</failure>")
		return err
	}
	if err := c.write("<success xmlns='" + nsSASL + "'/>"); err != nil {
		return err
	}
	features := c.server.Features
	if features == "" {
		features = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
	}
	if in, err = c.open(features); err != nil {
		return err
	}
	bind, err := in.stanza()
	if err != nil {
		return err
	}
	if bind.Child.Local != "bind" {
		return fmt.Errorf("want bind, got %s", bind.Raw)
	}
	resource := "chosen-by-server"
	if _, rest, ok := strings.Cut(bind.Raw, "<resource>"); ok {
		resource, _, _ = strings.Cut(rest, "</resource>")
		resource = html.UnescapeString(resource)
		c.Resource = resource
	}
	c.JID = c.User + "@" + c.server.Domain + "/" + resource
	return c.write("<iq xmlns='jabber:client' type='result' id='" + bind.Attr["id"] + "'>" +
		"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>" + html.EscapeString(c.JID) + "</jid></bind></iq>")
}

func (c *Conn) startTLS() error {
	in, err := c.open("<starttls xmlns='" + nsTLS + "'><required/></starttls>")
	if err != nil {
		return err
	}
	st, err := in.stanza()
	if err != nil || st.Name != "starttls" {
		return fmt.Errorf("want starttls, got %s, %w", st.Raw, err)
	}
	if err := c.write("<proceed xmlns='" + nsTLS + "'/>"); err != nil {
		return err
	}
	c.conn = tls.Server(c.conn, c.server.TLS)
	return nil
}

// open reads the client's stream header and answers it with ours and these features.
func (c *Conn) open(features string) (*scanner, error) {
	in := newScanner(c.conn, c.ws)
	if err := in.header(); err != nil {
		return nil, err
	}
	if c.ws {
		if err := c.write("<open xmlns='" + nsFraming + "' version='1.0' id='1' from='" + c.server.Domain + "'/>"); err != nil {
			return nil, err
		}
		return in, c.write("<stream:features xmlns='jabber:client' xmlns:stream='" + nsStream + "'>" + features + "</stream:features>")
	}
	return in, c.write("<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='" + nsStream +
		"' version='1.0' id='1' from='" + c.server.Domain + "'><stream:features>" + features + "</stream:features>")
}

// check returns what a failure element contains as its error.
func (c *Conn) check(auth Stanza) error {
	if c.server.Failure != "" {
		return fmt.Errorf("%s", c.server.Failure)
	}
	refused := fmt.Errorf("<not-authorized/><text>Invalid username or password.</text>")
	if auth.Name != "auth" || auth.Attr["mechanism"] != "PLAIN" {
		return fmt.Errorf("<invalid-mechanism/>")
	}
	_, rest, _ := strings.Cut(auth.Raw, ">")
	text, _, _ := strings.Cut(rest, "<")
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return refused
	}
	parts := strings.Split(string(plain), "\x00")
	if len(parts) != 3 || parts[0] != "" {
		return refused
	}
	if password, ok := c.server.Accounts[parts[1]]; !ok || password != parts[2] {
		return refused
	}
	c.User = parts[1]
	return nil
}

// route does what a server does with a stanza.
func (s *Server) route(c *Conn, st Stanza) {
	to := st.Attr["to"]
	stamped := strings.Replace(st.Raw, "<"+st.Name, "<"+st.Name+" from='"+html.EscapeString(c.JID)+"'", 1)
	switch {
	case st.Name == "presence":
		c.mu.Lock()
		c.available = st.Attr["type"] != "unavailable"
		c.mu.Unlock()
	case st.Name == "iq" && (to == "" || to == s.Domain):
		if typ := st.Attr["type"]; typ == "get" || typ == "set" {
			c.Send("<iq xmlns='jabber:client' type='result' id='" + st.Attr["id"] + "'/>")
		}
	default:
		if !s.deliver(to, stamped) && st.Attr["type"] != "error" {
			c.Send("<" + st.Name + " xmlns='jabber:client' type='error' id='" + html.EscapeString(st.Attr["id"]) + "' from='" + html.EscapeString(to) + "' to='" + html.EscapeString(c.JID) + "'>" +
				"<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></" + st.Name + ">")
		}
	}
}

// deliver sends text to a full address, or to every available one of a bare address.
func (s *Server) deliver(to, text string) bool {
	bare, resource, full := strings.Cut(to, "/")
	s.mu.Lock()
	var found []*Conn
	for _, c := range s.conns {
		if full && c.JID == bare+"/"+resource || !full && strings.HasPrefix(c.JID, bare+"/") && c.isAvailable() {
			found = append(found, c)
		}
	}
	s.mu.Unlock()
	for _, c := range found {
		c.Send(text)
	}
	return len(found) > 0
}

// scanner reads stanzas and keeps their bytes.
type scanner struct {
	d   *xml.Decoder
	raw bytes.Buffer
	off int64 // of the first byte in raw
	ws  bool
}

func newScanner(r io.Reader, ws bool) *scanner {
	s := &scanner{ws: ws}
	s.d = xml.NewDecoder(io.TeeReader(r, &s.raw))
	return s
}

// header reads up to the stream's opening.
func (s *scanner) header() error {
	for {
		t, err := s.d.Token()
		if err != nil {
			return err
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		want := xml.Name{Space: nsStream, Local: "stream"}
		if s.ws {
			want = xml.Name{Space: nsFraming, Local: "open"}
		}
		if start.Name != want {
			return fmt.Errorf("want %v, got %v", want, start.Name)
		}
		if s.ws {
			return s.d.Skip()
		}
		return nil
	}
}

// stanza reads the next element.
func (s *scanner) stanza() (Stanza, error) {
	for {
		s.raw.Next(int(s.d.InputOffset() - s.off))
		s.off = s.d.InputOffset()
		t, err := s.d.Token()
		if err != nil {
			return Stanza{}, err
		}
		switch t := t.(type) {
		case xml.EndElement:
			return Stanza{}, io.EOF
		case xml.StartElement:
			return s.rest(t)
		}
	}
}

func (s *scanner) rest(start xml.StartElement) (Stanza, error) {
	st := Stanza{Name: start.Name.Local, Attr: make(map[string]string)}
	for _, a := range start.Attr {
		st.Attr[a.Name.Local] = a.Value
	}
	for depth := 1; depth > 0; {
		t, err := s.d.Token()
		if err != nil {
			return Stanza{}, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth++; depth == 2 && st.Child.Local == "" {
				st.Child = t.Name
			}
		case xml.EndElement:
			depth--
		}
	}
	st.Raw = string(s.raw.Bytes()[:s.d.InputOffset()-s.off])
	if s.ws && st.Name == "close" {
		return Stanza{}, io.EOF
	}
	return st, nil
}
