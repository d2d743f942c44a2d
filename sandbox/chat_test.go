package sandbox

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"mellium.im/sasl"
	"mellium.im/xmlstream"
	"mellium.im/xmpp"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/ping"
	"mellium.im/xmpp/websocket"
)

// certificate makes one for chat.localhost, and the pool that trusts it.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{DefaultDomain}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

// message is a stanza as a client has it.
type message struct {
	XMLName xml.Name `xml:"message"`
	From    string   `xml:"from,attr"`
	Type    string   `xml:"type,attr"`
	Extra   struct {
		Space xml.Name
		SDP   string `xml:"sdp"`
	} `xml:"jabber:client extraParams"`
}

// peer is a client on mellium, which this package does not use otherwise.
type peer struct {
	*xmpp.Session
	got chan message
}

// dial logs a client in; features are what the transport needs beside the login.
func dial(t *testing.T, conn net.Conn, state xmpp.SessionState, web bool, user, password string, features ...xmpp.StreamFeature) (*peer, error) {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	features = append(features, xmpp.SASL("", password, sasl.Plain), xmpp.BindResource())
	cfg := func(*xmpp.Session, *xmpp.StreamConfig) xmpp.StreamConfig {
		return xmpp.StreamConfig{Features: features}
	}
	negotiator := xmpp.NewNegotiator(cfg)
	if web {
		negotiator = websocket.Negotiator(cfg)
	}
	who := jid.MustParse(user + "@" + DefaultDomain)
	s, err := xmpp.NewSession(context.Background(), who.Domain(), who, conn, state, negotiator)
	if err != nil {
		return nil, err
	}
	p := &peer{Session: s, got: make(chan message, 10)}
	ended := make(chan struct{})
	t.Cleanup(func() {
		conn.Close()
		<-ended
	})
	serve := func(h xmpp.Handler) {
		defer close(ended)
		_ = s.Serve(h) // how a connection ends is not what these tests are about
	}
	go serve(xmpp.HandlerFunc(func(r xmlstream.TokenReadEncoder, start *xml.StartElement) error {
		if start.Name.Local != "message" {
			return nil
		}
		var m message
		if err := xml.NewTokenDecoder(xmlstream.Wrap(r, *start)).Decode(&m); err != nil {
			return nil // then it is missed
		}
		p.got <- m
		return nil
	}))
	return p, s.Send(t.Context(), xmlstream.Wrap(nil, xml.StartElement{Name: xml.Name{Local: "presence"}}))
}

func tcp(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// Each transport, each with a signal there and back: with a password on one side and the
// token of a REST session on the other.
func TestTransports(t *testing.T) {
	cert, pool := certificate(t)
	_, addrs := start(t, func(c *Config) { c.TLS, c.XMPPS = cert, "127.0.0.1:0" })
	client := &tls.Config{RootCAs: pool, ServerName: DefaultDomain}
	a := newAPI(t, addrs)
	a.login("1", "bob", "bob-password")
	for name, connect := range map[string]func(*testing.T) (*peer, error){
		"STARTTLS": func(t *testing.T) (*peer, error) {
			return dial(t, tcp(t, addrs.XMPP), 0, false, "2001-76730", "p@ss word", xmpp.StartTLS(client))
		},
		"TLS": func(t *testing.T) (*peer, error) {
			return dial(t, tls.Client(tcp(t, addrs.XMPPS), client), 0, false, "2001-76730", "p@ss word")
		},
		"WebSocket": func(t *testing.T) (*peer, error) {
			ws, err := websocket.DialDirect(t.Context(), "http://127.0.0.1/", "ws://"+addrs.WebSocket)
			if err != nil {
				return nil, err
			}
			return dial(t, ws, xmpp.Secure, true, "2001-76730", "p@ss word")
		},
	} {
		t.Run(name, func(t *testing.T) {
			alice, err := connect(t)
			if err != nil {
				t.Fatal(err)
			}
			bob, err := dial(t, tls.Client(tcp(t, addrs.XMPPS), client), 0, false, "2002-76730", a.token)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range []*peer{alice, bob} { // proves that the presence has arrived
				if err := ping.Send(t.Context(), p.Session, jid.MustParse(DefaultDomain)); err != nil {
					t.Fatal(err)
				}
			}
			// This client's encoder writes every 4096 bytes, and over WebSocket each write
			// is a message; a stanza in two messages is refused.
			sdp := strings.Repeat("a=candidate <&>\n", 100)
			exchange(t, alice, "2001-76730", bob, "2002-76730", sdp)
			exchange(t, bob, "2002-76730", alice, "2001-76730", strings.Repeat(sdp, 20))
		})
	}
}

// exchange sends a signal and waits for it at the other end.
func exchange(t *testing.T, from *peer, sender string, to *peer, receiver, sdp string) {
	t.Helper()
	body := xmlstream.Wrap(xmlstream.Wrap(xmlstream.Token(xml.CharData(sdp)), xml.StartElement{Name: xml.Name{Local: "sdp"}}),
		xml.StartElement{Name: xml.Name{Space: "jabber:client", Local: "extraParams"}})
	if err := from.Send(t.Context(), xmlstream.Wrap(body, xml.StartElement{Name: xml.Name{Local: "message"}, Attr: []xml.Attr{
		{Name: xml.Name{Local: "to"}, Value: receiver + "@" + DefaultDomain}, {Name: xml.Name{Local: "type"}, Value: "headline"}}})); err != nil {
		t.Fatal(err)
	}
	select {
	case m := <-to.got:
		if !strings.HasPrefix(m.From, sender+"@"+DefaultDomain+"/") || m.Type != "headline" || m.Extra.SDP != sdp {
			t.Errorf("got %.200v, want a headline from %s", m, sender)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the signal did not arrive")
	}
}

func TestPlaintextNeedsTLSWhereThereIsSome(t *testing.T) {
	cert, _ := certificate(t)
	_, addrs := start(t, func(c *Config) { c.TLS = cert })
	if _, err := dial(t, tcp(t, addrs.XMPP), xmpp.Secure, false, "2001-76730", "p@ss word"); err == nil {
		t.Error("a password was taken in the clear")
	}
}

func TestSecureWeb(t *testing.T) {
	cert, pool := certificate(t)
	_, addrs := start(t, func(c *Config) { c.TLS, c.SecureWeb = cert, true })
	a := newAPI(t, addrs)
	a.base = "https://" + addrs.REST
	a.http.Transport = tlsTransport(t, pool)
	a.login("1", "alice", "p@ss word")
	d := websocket.Dialer{Origin: "https://127.0.0.1/", TLSConfig: &tls.Config{RootCAs: pool, ServerName: DefaultDomain}}
	ws, err := d.DialDirect(t.Context(), "wss://"+addrs.WebSocket)
	if err != nil {
		t.Fatal(err)
	}
	p, err := dial(t, ws, xmpp.Secure, true, "2001-76730", a.token)
	if err != nil {
		t.Fatal(err)
	}
	if err := ping.Send(t.Context(), p.Session, jid.MustParse(DefaultDomain)); err != nil {
		t.Error(err)
	}
}

// A server that ends and comes again at the same addresses is what a restart is. Sessions
// and whatever else it knew are gone; passwords are as good as before.
func TestRestart(t *testing.T) {
	cfg := Config{REST: "127.0.0.1:0", XMPP: "127.0.0.1:0", WebSocket: "127.0.0.1:0", Accounts: accounts()}
	for range 3 {
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		addrs, err := s.Listen()
		if err != nil {
			t.Fatal(err)
		}
		cfg.REST, cfg.XMPP, cfg.WebSocket = addrs.REST, addrs.XMPP, addrs.WebSocket
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		p, err := dial(t, tcp(t, addrs.XMPP), xmpp.Secure, false, "2001-76730", "p@ss word")
		if err != nil {
			t.Fatal(err)
		}
		if err := ping.Send(t.Context(), p.Session, jid.MustParse(DefaultDomain)); err != nil {
			t.Fatal(err)
		}
		if got := s.Online(2001); len(got) != 1 {
			t.Errorf("online: got %q, want one", got)
		}
		if n := s.Kick(2002); n != 0 {
			t.Errorf("kicked %d of a user who is not there", n)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if _, err := net.Dial("tcp", addrs.XMPP); err == nil {
			t.Error("it still listens")
		}
	}
}
