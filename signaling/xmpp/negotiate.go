package xmpp

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/websocket"
	"mellium.im/xmpp"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
	xmppws "mellium.im/xmpp/websocket"
)

const (
	nsTLS     = "urn:ietf:params:xml:ns:xmpp-tls"
	nsSASL    = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsBind    = "urn:ietf:params:xml:ns:xmpp-bind"
	nsSession = "urn:ietf:params:xml:ns:xmpp-session"
	nsFraming = "urn:ietf:params:xml:ns:xmpp-framing"
)

// open connects, secures, logs in and binds. Each step has its own deadline.
func (l *Link) open(ctx context.Context, password string) (*session, error) {
	step := l.cfg.Timers.Step
	dctx, cancel := context.WithTimeout(ctx, step)
	defer cancel()
	raw, err := l.cfg.Dial(dctx, "tcp", l.addr.hostport)
	if err != nil {
		return nil, &LinkError{Step: "connect", Address: l.addr.text, Err: err}
	}
	m := &meter{Conn: raw}
	m.refill()
	// mellium clears deadlines that its context sets, so that a server which accepts and
	// stays silent would hold it for ever: it gets a context that never ends, and the
	// connection a deadline and a watcher.
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	s, err := l.handshake(ctx, m, password)
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	_ = raw.SetDeadline(time.Time{})
	return s, nil
}

func (l *Link) handshake(ctx context.Context, m *meter, password string) (*session, error) {
	step := l.cfg.Timers.Step
	_ = m.SetDeadline(time.Now().Add(step))
	conn, err := l.secure(ctx, m)
	if err != nil {
		return nil, &LinkError{Step: "connect", Address: l.addr.text, Err: err}
	}
	_ = m.SetDeadline(time.Now().Add(step))
	n := negotiation{link: l, password: password}
	s, err := n.run(conn)
	var refused *AuthError
	if err != nil && !errors.As(err, &refused) {
		err = &LinkError{Step: "negotiate", Address: l.addr.text, Err: err}
	}
	if err != nil {
		return nil, err
	}
	s.meter = m
	return s, nil
}

// secure puts TLS and WebSocket framing on a connection, as the address says.
func (l *Link) secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	if l.addr.tls {
		c := tls.Client(conn, l.tlsConfig())
		if err := c.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = c
	}
	if !l.addr.ws {
		return conn, nil
	}
	origin := "http://" + l.addr.url.Host
	if l.addr.tls {
		origin = "https://" + l.addr.url.Host
	}
	cfg, err := websocket.NewConfig(l.addr.text, origin)
	if err != nil {
		return nil, err
	}
	cfg.Protocol = []string{xmppws.WSProtocol}
	// Not mellium's dialer: DialDirect ignores its context.
	return websocket.NewClient(cfg, conn)
}

func (l *Link) tlsConfig() *tls.Config {
	cfg := l.cfg.TLS.Clone()
	if cfg == nil {
		cfg = &tls.Config{}
	}
	if cfg.MinVersion == 0 {
		cfg.MinVersion = tls.VersionTLS12
	}
	if cfg.ServerName == "" {
		cfg.ServerName = l.self.Domainpart()
		if l.addr.ws {
			cfg.ServerName = l.addr.url.Hostname()
		}
	}
	return cfg
}

// negotiation is one stream negotiation and what it found out.
type negotiation struct {
	link     *Link
	password string
	bound    jid.JID
	legacy   bool // the server wants a session request (RFC 3921)
}

func (n *negotiation) run(conn net.Conn) (*session, error) {
	a := n.link.addr
	features := []xmpp.StreamFeature{n.sasl(), n.bind(), n.session()}
	state := xmpp.Secure // or plaintext that New has allowed: PLAIN insists on this bit
	if a.starttls {
		state = 0
		features = append(features, n.startTLS())
	}
	config := func(*xmpp.Session, *xmpp.StreamConfig) xmpp.StreamConfig {
		return xmpp.StreamConfig{Features: features}
	}
	negotiator := xmpp.NewNegotiator(config)
	if a.ws {
		negotiator = xmppws.Negotiator(config)
	}
	x, err := xmpp.NewSession(context.Background(), n.link.self.Domain(), n.link.self, newBuffered(conn), state, negotiator)
	if err != nil && strings.HasSuffix(err.Error(), "features advertised out of order") {
		// mellium's words for a list with nothing in it that we know.
		if err = errNoOffer; x.State()&xmpp.Authn != 0 {
			err = errNoBind
		}
	}
	if err != nil {
		return nil, n.domainError(err)
	}
	// An empty feature list makes mellium call the session ready.
	if x.State()&xmpp.Authn == 0 {
		return nil, errNoLogin
	}
	if n.bound.Equal(jid.JID{}) {
		return nil, errNoBind
	}
	return newSession(n.link, x.Conn(), n.bound, n.legacy), nil
}

// domainError says in our words that the server is another one than it is taken for.
func (n *negotiation) domainError(err error) error {
	text, ok := strings.CutPrefix(err.Error(), "xmpp: stream location ")
	name, _, found := strings.Cut(text, " does not match ")
	if !ok || !found {
		return err
	}
	return fmt.Errorf("the server is that of %q, not of %q: check the chat domain", name, n.link.self.Domainpart())
}

// startTLS secures the stream. mellium asks for it even if the server does not offer it,
// so nobody between us can make it disappear.
func (n *negotiation) startTLS() xmpp.StreamFeature {
	return xmpp.StreamFeature{
		Name:       xml.Name{Space: nsTLS, Local: "starttls"},
		Prohibited: xmpp.Secure,
		Parse: func(_ context.Context, d *xml.Decoder, start *xml.StartElement) (bool, any, error) {
			return true, nil, d.DecodeElement(&struct{}{}, start)
		},
		Negotiate: func(_ context.Context, x *xmpp.Session, _ any) (xmpp.SessionState, io.ReadWriter, error) {
			if _, err := io.WriteString(x.Conn(), `<starttls xmlns="`+nsTLS+`"/>`); err != nil {
				return 0, nil, err
			}
			var answer struct{ XMLName xml.Name }
			if err := readElement(x, &answer); err != nil {
				return 0, nil, err
			}
			if answer.XMLName != (xml.Name{Space: nsTLS, Local: "proceed"}) {
				return 0, nil, errors.New("the server has no TLS for us")
			}
			c := tls.Client(x.Conn(), n.link.tlsConfig())
			if err := c.Handshake(); err != nil { // the connection has a deadline
				return 0, nil, err
			}
			return xmpp.Secure, newBuffered(c), nil
		},
	}
}

// sasl logs in with PLAIN (RFC 4616), the one mechanism QuickBlox is known for. mellium's
// own keeps the failure condition to itself when the server adds a text.
func (n *negotiation) sasl() xmpp.StreamFeature {
	return xmpp.StreamFeature{
		Name:       xml.Name{Space: nsSASL, Local: "mechanisms"},
		Necessary:  xmpp.Secure,
		Prohibited: xmpp.Authn,
		Parse: func(_ context.Context, d *xml.Decoder, start *xml.StartElement) (bool, any, error) {
			var offered struct {
				Mechanism []string `xml:"mechanism"`
			}
			err := d.DecodeElement(&offered, start)
			return true, offered.Mechanism, err
		},
		Negotiate: func(_ context.Context, x *xmpp.Session, data any) (xmpp.SessionState, io.ReadWriter, error) {
			offered, _ := data.([]string)
			if err := n.authenticate(x, offered); err != nil {
				return 0, nil, err
			}
			return xmpp.Authn, x.Conn(), nil // a new reader: the stream restarts
		},
	}
}

func (n *negotiation) authenticate(x *xmpp.Session, offered []string) error {
	refused := &AuthError{JID: n.link.self.String(), Address: n.link.addr.text}
	if !slices.Contains(offered, "PLAIN") {
		refused.Condition, refused.Text = "invalid-mechanism", "the server offers only "+strings.Join(offered, ", ")
		return refused
	}
	token := base64.StdEncoding.EncodeToString([]byte("\x00" + n.link.self.Localpart() + "\x00" + n.password))
	if _, err := io.WriteString(x.Conn(), `<auth mechanism="PLAIN" xmlns="`+nsSASL+`">`+token+`</auth>`); err != nil {
		return err
	}
	var answer struct {
		XMLName xml.Name
		Text    string `xml:"text"`
		Any     []struct {
			XMLName xml.Name
		} `xml:",any"`
	}
	if err := readElement(x, &answer); err != nil {
		return err
	}
	switch answer.XMLName {
	case xml.Name{Space: nsSASL, Local: "success"}:
		return nil
	case xml.Name{Space: nsSASL, Local: "failure"}:
	default:
		return errors.New("the server answered the login with " + answer.XMLName.Local)
	}
	refused.Text = strings.TrimSpace(answer.Text)
	refused.Condition = "refused"
	if len(answer.Any) > 0 {
		refused.Condition = answer.Any[0].XMLName.Local
	}
	switch refused.Condition {
	case "temporary-auth-failure", "aborted": // the server's own trouble
		return errors.New("login: " + refused.Condition)
	}
	return refused
}

// bind asks for our resource, which mellium's own forgets to send.
func (n *negotiation) bind() xmpp.StreamFeature {
	return xmpp.StreamFeature{
		Name:       xml.Name{Space: nsBind, Local: "bind"},
		Necessary:  xmpp.Authn,
		Prohibited: xmpp.Ready,
		Parse: func(_ context.Context, d *xml.Decoder, start *xml.StartElement) (bool, any, error) {
			return true, nil, d.DecodeElement(&struct{}{}, start)
		},
		Negotiate: func(_ context.Context, x *xmpp.Session, _ any) (xmpp.SessionState, io.ReadWriter, error) {
			id := rand.Text()
			req := `<iq id="` + id + `" type="set" xmlns="` + stanza.NSClient + `"><bind xmlns="` + nsBind + `">`
			if r := n.link.cfg.Resource; r != "" {
				req += "<resource>" + escape(r) + "</resource>"
			}
			if _, err := io.WriteString(x.Conn(), req+"</bind></iq>"); err != nil {
				return 0, nil, err
			}
			var answer struct {
				XMLName xml.Name
				ID      string        `xml:"id,attr"`
				Type    stanza.IQType `xml:"type,attr"`
				JID     jid.JID       `xml:"bind>jid"`
				Err     *stanza.Error `xml:"error"`
			}
			err := readElement(x, &answer)
			switch {
			case err != nil:
				return 0, nil, err
			case answer.Err != nil:
				return 0, nil, errors.New("the server gives us no address: " + string(answer.Err.Condition))
			case answer.XMLName.Local != "iq" || answer.ID != id || answer.Type != stanza.ResultIQ:
				return 0, nil, errors.New("the server answered our request for an address with something else")
			case answer.JID.Localpart() == "" || answer.JID.Resourcepart() == "":
				return 0, nil, errNoBind
			}
			n.bound = answer.JID
			return xmpp.Ready, nil, nil
		},
	}
}

// session only notes whether the server still wants a session request, and not as an
// option (RFC 6120, appendix D.5).
func (n *negotiation) session() xmpp.StreamFeature {
	return xmpp.StreamFeature{
		Name:      xml.Name{Space: nsSession, Local: "session"},
		Necessary: xmpp.Authn,
		Parse: func(_ context.Context, d *xml.Decoder, start *xml.StartElement) (bool, any, error) {
			var f struct {
				Optional *struct{} `xml:"optional"`
			}
			err := d.DecodeElement(&f, start)
			n.legacy = f.Optional == nil
			return false, nil, err
		},
	}
}

// readElement decodes the next element of the stream into v.
func readElement(x *xmpp.Session, v any) error {
	r := x.TokenReader()
	defer r.Close()
	d := xml.NewTokenDecoder(r)
	for {
		t, err := d.Token()
		if err != nil {
			return err
		}
		if start, ok := t.(xml.StartElement); ok {
			return d.DecodeElement(v, &start)
		}
	}
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}
