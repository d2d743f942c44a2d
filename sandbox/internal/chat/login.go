package chat

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"

	"mellium.im/xmpp/jid"
)

// login takes a connection from its first byte to a bound resource. It returns io.EOF
// when the client goes before.
func (c *conn) login() error {
	if err := c.open(); err != nil {
		return err
	}
	node, err := c.authenticate()
	if err != nil {
		return err
	}
	c.node = node
	c.user.Store(&node)
	// The stream begins anew (RFC 6120, section 6.3.2).
	if err := c.open(); err != nil {
		return err
	}
	if err := c.features("<bind xmlns='" + nsBind + "'><required/></bind><session xmlns='" + nsSession + "'><optional/></session>"); err != nil {
		return err
	}
	return c.bind()
}

// open answers the client's opening of a stream.
func (c *conn) open() error {
	h, err := c.tr.readOpen()
	var bad *streamError
	if err != nil && !errors.As(err, &bad) {
		return err
	}
	// What is wrong is said inside a stream of ours (RFC 6120, section 4.9.1.2).
	if werr := c.tr.writeOpen(c.srv.cfg.Domain, randomID()); werr != nil {
		return werr
	}
	switch {
	case err != nil:
		return err
	case h.space != nsClient:
		return &streamError{"invalid-namespace", "the default namespace of the stream is " + nsClient}
	case h.to != c.srv.cfg.Domain:
		return &streamError{"host-unknown", fmt.Sprintf("this is %s, not %q", c.srv.cfg.Domain, h.to)}
	case h.version != "1.0":
		return &streamError{"unsupported-version", "the version is 1.0"}
	}
	return nil
}

func (c *conn) features(list string) error {
	return c.tr.write([]byte("<stream:features xmlns='" + nsClient + "' xmlns:stream='" + nsStream + "'>" + list + "</stream:features>"))
}

// authenticate offers TLS, where there is any, and SASL PLAIN, and returns the user.
func (c *conn) authenticate() (node string, err error) {
	if err := c.offer(); err != nil {
		return "", err
	}
	for tries := 0; tries < maxTries; {
		e, err := c.tr.read()
		if err != nil {
			return "", err
		}
		switch {
		case e.is(nsTLS, "starttls") && c.canStartTLS():
			if err := c.startTLS(); err != nil {
				return "", err
			}
			if err := c.offer(); err != nil {
				return "", err
			}
		case e.is(nsSASL, "auth"):
			var condition string
			if node, condition, err = c.plain(e); err != nil {
				return "", err
			}
			if condition == "" {
				return node, c.tr.write([]byte("<success xmlns='" + nsSASL + "'/>"))
			}
			c.log.Info("login refused", "user", node, "cause", condition)
			if err := c.tr.write([]byte("<failure xmlns='" + nsSASL + "'><" + condition + "/></failure>")); err != nil {
				return "", err
			}
			tries++
		default:
			return "", &streamError{"not-authorized", "<" + e.name.Local + "> before the login"}
		}
	}
	return "", &streamError{"policy-violation", "too many attempts to log in"}
}

// offer sends the features of a stream that nobody has logged in to.
func (c *conn) offer() error {
	var list string
	if c.canStartTLS() {
		list = "<starttls xmlns='" + nsTLS + "'><required/></starttls>"
	} else {
		list = "<mechanisms xmlns='" + nsSASL + "'><mechanism>PLAIN</mechanism></mechanisms>"
	}
	return c.features(list)
}

func (c *conn) canStartTLS() bool {
	_, ok := c.tr.(*tcp)
	return ok && c.srv.cfg.TLS != nil && !c.tr.secure()
}

func (c *conn) startTLS() error {
	if err := c.tr.write([]byte("<proceed xmlns='" + nsTLS + "'/>")); err != nil {
		return err
	}
	if err := c.tr.(*tcp).startTLS(c.srv.cfg.TLS); err != nil {
		return err
	}
	return c.open()
}

// plain does SASL PLAIN (RFC 4616). The condition is empty if the user is who they say.
func (c *conn) plain(e *element) (node, condition string, err error) {
	if c.canStartTLS() {
		return "", "encryption-required", nil
	}
	if e.get("mechanism") != "PLAIN" {
		return "", "invalid-mechanism", nil
	}
	text := e.text
	if text == "" { // no initial response
		if err := c.tr.write([]byte("<challenge xmlns='" + nsSASL + "'/>")); err != nil {
			return "", "", err
		}
		if e, err = c.tr.read(); err != nil {
			return "", "", err
		}
		if e.is(nsSASL, "abort") {
			return "", "aborted", nil
		}
		if !e.is(nsSASL, "response") {
			return "", "malformed-request", nil
		}
		text = e.text
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", "incorrect-encoding", nil
	}
	parts := strings.Split(string(data), "\x00")
	if len(parts) != 3 || parts[1] == "" || parts[2] == "" {
		return "", "malformed-request", nil
	}
	node = parts[1]
	address, err := jid.New(node, c.srv.cfg.Domain, "")
	switch {
	case err != nil || address.Localpart() != node:
		return "", "not-authorized", nil
	case parts[0] != "" && parts[0] != address.String():
		return node, "invalid-authzid", nil
	case !c.srv.cfg.Authenticate(node, parts[2]):
		return node, "not-authorized", nil
	}
	return node, "", nil
}

// bind gives the connection its resource, and with it its full address. An older
// connection of the same address ends with a conflict.
func (c *conn) bind() error {
	for {
		e, err := c.tr.read()
		if err != nil {
			return err
		}
		if !e.is(nsClient, "iq") {
			return &streamError{"not-authorized", "<" + e.name.Local + "> before a resource is bound"}
		}
		if e.get("type") != "set" || e.get("id") == "" || !e.has(nsBind, "bind") {
			if err := c.tr.write(e.reply("error", errNotAcceptable.bytes())); err != nil {
				return err
			}
			continue
		}
		address, ok := c.address(e)
		if !ok {
			if err := c.tr.write(e.reply("error", errBadRequest.bytes())); err != nil {
				return err
			}
			continue
		}
		c.resource, c.jid = address.Resourcepart(), address.String()
		// Before others can see the connection, so that this is the first they can add to.
		if err := c.tr.write(e.reply("result", "<bind xmlns='"+nsBind+"'><jid>"+escape(c.jid)+"</jid></bind>")); err != nil {
			return err
		}
		if !c.srv.hub.join(c) {
			return &streamError{"resource-constraint", "too many connections of one user"}
		}
		return nil
	}
}

// address reads the resource that a client asks for; without one it gets a random one.
func (c *conn) address(e *element) (jid.JID, bool) {
	var request struct {
		Resource string `xml:"bind>resource"`
	}
	if err := xml.Unmarshal(e.bytes("", "", ""), &request); err != nil {
		return jid.JID{}, false
	}
	if request.Resource == "" {
		request.Resource = randomID()
	}
	address, err := jid.New(c.node, c.srv.cfg.Domain, request.Resource)
	return address, err == nil
}

// randomID returns a name that nobody guesses.
func randomID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
