package chat

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

func TestLoginRefused(t *testing.T) {
	plain := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for name, c := range map[string]struct{ attrs, text, want string }{
		"wrong password":     {`mechanism="PLAIN"`, plain("\x001-1\x00wrong"), "not-authorized"},
		"unknown user":       {`mechanism="PLAIN"`, plain("\x001-2\x00secret"), "not-authorized"},
		"no address":         {`mechanism="PLAIN"`, plain("\x00a/b-1\x00secret"), "not-authorized"},
		"for somebody else":  {`mechanism="PLAIN"`, plain("2-1@chat.test\x001-1\x00secret"), "invalid-authzid"},
		"no base64":          {`mechanism="PLAIN"`, "$", "incorrect-encoding"},
		"two parts":          {`mechanism="PLAIN"`, plain("1-1\x00secret"), "malformed-request"},
		"no password":        {`mechanism="PLAIN"`, plain("\x001-1\x00"), "malformed-request"},
		"another mechanism":  {`mechanism="SCRAM-SHA-1"`, plain("n,,n=1-1,r=x"), "invalid-mechanism"},
		"no mechanism":       {``, plain("\x001-1\x00secret"), "invalid-mechanism"},
		"nothing but a user": {`mechanism="PLAIN"`, plain("1-1"), "malformed-request"},
	} {
		both(t, func(t *testing.T, b *bed, dial func() *client) {
			c0 := dial()
			c0.open()
			for range maxTries {
				c0.take()
				c0.send(`<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" ` + c.attrs + `>` + c.text + `</auth>`)
				got := c0.take()
				if !strings.Contains(got, "<failure ") || !strings.Contains(got, c.want) {
					t.Fatalf("%s: got %q, want %q", name, got, c.want)
				}
			}
			if !c0.closed() {
				t.Errorf("%s: the connection goes on after %d attempts", name, maxTries)
			}
		})
	}
}

func TestLoginVariants(t *testing.T) {
	both(t, func(t *testing.T, b *bed, dial func() *client) {
		c := dial() // right at the second attempt, by a challenge, with an authorization identity
		c.open()
		c.auth("1-1", "wrong")
		c.expect("not-authorized")
		c.send(`<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN"/>`)
		c.expect("<challenge ")
		c.send(`<abort xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>`)
		c.expect("aborted")
		c.send(`<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN"/>`)
		c.send(`<response xmlns="urn:ietf:params:xml:ns:xmpp-sasl">` + base64.StdEncoding.EncodeToString([]byte("1-1@chat.test\x001-1\x00secret")) + `</response>`)
		c.expect("<success ")
		c.open()
		c.send(`<iq xmlns="jabber:client" id="q" type="get"><ping xmlns="urn:xmpp:ping"/></iq>`)
		c.expect("not-acceptable") // bind first
		c.send(`<iq xmlns="jabber:client" id="b" type="set"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/></iq>`)
		c.expect("<jid>1-1@chat.test/")
	})
}

func TestTooManyDevices(t *testing.T) {
	within(t, func(t *testing.T, b *bed) {
		for i := range maxResources {
			b.tcp(t).login("1-1", fmt.Sprint(i))
		}
		c := b.tcp(t)
		c.open()
		c.auth("1-1", "secret")
		c.open()
		c.send(`<iq id="b" type="set"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"><resource>more</resource></bind></iq>`)
		c.expect("resource-constraint")
	})
}

// What ends the stream of its sender, and of nobody else. Each comes after the login.
func TestMalformed(t *testing.T) {
	deep := strings.Repeat("<a>", maxDepth) + strings.Repeat("</a>", maxDepth)
	many := "<message"
	for i := range maxAttrs + 1 {
		many += fmt.Sprintf(` a%d=""`, i)
	}
	for _, x := range []struct {
		send, want string
	}{
		{`<message xmlns="jabber:client"><a></b></message>`, "not-well-formed"},
		{`<message xmlns="jabber:client"></presence>`, "not-well-formed"},
		{`<message xmlns="jabber:client" a="1" a="2"/>`, "not-well-formed"},
		{`<message xmlns="jabber:client" xmlns:p="u" xmlns:q="u" p:a="1" q:a="2"/>`, "not-well-formed"},
		{`<message xmlns="jabber:client"><a b="<"/></message>`, "not-well-formed"},
		{`<message xmlns="jabber:client"><a b=c/></message>`, "not-well-formed"},
		{`<message xmlns="jabber:client">&nbsp;</message>`, "not-well-formed"},
		{`<message xmlns="jabber:client">` + "\x01" + `</message>`, "not-well-formed"},
		{`<message xmlns="jabber:client">` + "\xff" + `</message>`, "not-well-formed"},
		{`<message xmlns="jabber:client">]]></message>`, "not-well-formed"},
		{`<message xmlns="jabber:client"><a:b:c xmlns:a="u"/></message>`, "not-well-formed"},
		{`<message xmlns="jabber:client"><:a/></message>`, "not-well-formed"},
		{`<message xmlns="jabber:client"><p:a/></message>`, "bad-namespace-prefix"},
		{`<message xmlns="jabber:client"><a p:b=""/></message>`, "bad-namespace-prefix"},
		{`<message xmlns="jabber:client"><stream:a/></message>`, "bad-namespace-prefix"},
		{`<message xmlns="jabber:client"><a xmlns:p=""/></message>`, "bad-namespace-prefix"},
		{`<message xmlns="jabber:client"><a xmlns:xml="u"/></message>`, "bad-namespace-prefix"},
		{`<c:message xmlns:c="jabber:client"/>`, "bad-namespace-prefix"},
		{`<message xmlns="jabber:client"><!-- x --></message>`, "restricted-xml"},
		{`<message xmlns="jabber:client"><?x y?></message>`, "restricted-xml"},
		{`<!DOCTYPE a [<!ENTITY b "c">]><message xmlns="jabber:client"/>`, "restricted-xml"},
		{`<message xmlns="jabber:client">` + deep + `</message>`, "policy-violation"},
		{many + ` xmlns="jabber:client"/>`, "policy-violation"},
		{`<message xmlns="jabber:server"/>`, "invalid-namespace"},
		{`<what xmlns="jabber:client"/>`, "unsupported-stanza-type"},
		{`<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN"/>`, "invalid-namespace"},
		{`text`, "not-well-formed"},
		{`</a>`, "not-well-formed"},
		{`<message xmlns="jabber:client"><body>` + strings.Repeat("x", maxStanza) + `</body></message>`, "policy-violation"},
	} {
		both(t, func(t *testing.T, b *bed, dial func() *client) {
			bad, other := dial().login("1-1", "a"), b.tcp(t).login("2-1", "b")
			bad.send(x.send)
			got := bad.take()
			if !strings.Contains(got, "<"+x.want+" ") {
				t.Errorf("%.80s: got %q, want %s", x.send, got, x.want)
			}
			if !bad.closed() {
				t.Errorf("%.80s: the stream goes on", x.send)
			}
			other.send(`<iq id="p" type="get"><ping xmlns="urn:xmpp:ping"/></iq>`)
			other.expect(`type='result' id='p'`)
		})
	}
}

// What only one of the transports can get wrong, before the login.
func TestBadOpening(t *testing.T) {
	const begin = `<stream:stream xmlns="jabber:client" xmlns:stream="http://etherx.jabber.org/streams" to="chat.test" version="1.0">`
	for _, x := range []struct{ send, want string }{
		{strings.Replace(begin, "chat.test", "elsewhere.test", 1), "host-unknown"},
		{strings.Replace(begin, "jabber:client", "jabber:server", 1), "invalid-namespace"},
		{strings.Replace(begin, "etherx", "other", 1), "invalid-namespace"},
		{strings.Replace(begin, ` version="1.0"`, "", 1), "unsupported-version"},
		{`<message/>`, "bad-format"},
		{`<!DOCTYPE a>` + begin, "restricted-xml"},
		{`GET / HTTP/1.1` + "\r\n\r\n<", "not-well-formed"},
		{begin + `<message xmlns="jabber:client"/>`, "not-authorized"},
		{begin + begin, "bad-format"},
	} {
		within(t, func(t *testing.T, b *bed) {
			c := b.tcp(t)
			c.send(x.send)
			if got := c.take(); !strings.Contains(got, "<"+x.want+" ") || !c.closed() {
				t.Errorf("%s: got %q, closed %v; want %s", x.send, got, c.closed(), x.want)
			}
		})
	}
	const open = `<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="chat.test" version="1.0"/>`
	for _, x := range []struct{ send, want string }{
		{strings.Replace(open, "chat.test", "elsewhere.test", 1), "host-unknown"},
		{open + open, "not-well-formed"},
		{" " + open, "not-well-formed"},
		{"", "not-well-formed"},
		{`<open xmlns="urn:ietf:params:xml:ns:xmpp-framing"`, "not-well-formed"},
		{`<?xml version="1.0"?>` + open, "restricted-xml"},
		{begin, "bad-format"},
	} {
		within(t, func(t *testing.T, b *bed) {
			c := b.websocket(t)
			c.send(x.send)
			if got := c.take(); !strings.Contains(got, "<"+x.want+" ") || !c.closed() {
				t.Errorf("%s: got %q, closed %v; want %s", x.send, got, c.closed(), x.want)
			}
		})
	}
}

// Browsers cut messages into frames where they like, and put pings between them.
func TestFragments(t *testing.T) {
	within(t, func(t *testing.T, b *bed) {
		raw := b.web.dial(t)
		cfg, err := websocket.NewConfig("ws://"+domain+"/", "http://"+domain)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Protocol = []string{"xmpp"}
		ws, err := websocket.NewClient(cfg, raw)
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(t, ws, true).login("1-1", "a")
		frame := func(first byte, payload string) {
			c.t.Helper()
			b := append([]byte{first, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
			if _, err := raw.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		frame(0x01, `<iq xmlns="jabber:client" id="i" `)
		frame(0x89, "are you there")
		frame(0x00, `type="get">`)
		frame(0x80, `<ping xmlns="urn:xmpp:ping"/></iq>`)
		c.expect(`type='result' id='i'`)
		frame(0x82, `<presence/>`)
		c.expect("bad-format")
	})
}

// Over WebSocket each stanza is a document, and names its namespace (RFC 7395, 3.3.3).
func TestNamespace(t *testing.T) {
	within(t, func(t *testing.T, b *bed) {
		c := b.websocket(t).login("1-1", "a")
		c.send(`<message to="2-1@chat.test"/>`)
		c.expect("<invalid-namespace ")
	})
}

func TestSubprotocol(t *testing.T) {
	within(t, func(t *testing.T, b *bed) {
		client := &http.Client{Transport: &http.Transport{Dial: func(string, string) (net.Conn, error) { return b.web.dial(t), nil }, DisableKeepAlives: true}}
		for protocol, want := range map[string]int{"": 403, "chat": 403, "xmpp": 101} {
			req, err := http.NewRequest("GET", "http://chat.test/", nil)
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
				"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": "http://x", "Sec-WebSocket-Protocol": protocol} {
				req.Header.Set(k, v)
			}
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != want {
				t.Errorf("subprotocol %q: got %d, want %d", protocol, res.StatusCode, want)
			}
		}
	})
}

// A client that does not read is cut off; whoever writes to it is not held up.
func TestSlowReader(t *testing.T) {
	both(t, func(t *testing.T, b *bed, dial func() *client) {
		conn := b.plain.dial(t)
		newClient(t, conn, false).login("2-1", "lazy")
		_ = conn.SetReadDeadline(time.Unix(1, 0)) // its reading goroutine ends here
		anna := dial().login("1-1", "a")
		for range maxQueue/(100<<10) + 2 {
			anna.send(`<message xmlns="jabber:client" to="2-1@chat.test/lazy" type="headline"><x>` + strings.Repeat("x", 100<<10) + `</x></message>`)
		}
		anna.send(`<iq xmlns="jabber:client" id="p" type="get"><ping xmlns="urn:xmpp:ping"/></iq>`)
		anna.expect(`id='p'`)
		if got := b.Online("2-1"); len(got) != 0 {
			t.Errorf("still online: %q", got)
		}
	})
}

// One that reads nothing at all and is sent little is given up by the time of a write.
func TestStuckReader(t *testing.T) {
	within(t, func(t *testing.T, b *bed) {
		conn := b.plain.dial(t)
		newClient(t, conn, false).login("2-1", "lazy")
		_ = conn.SetReadDeadline(time.Unix(1, 0))
		anna := b.tcp(t).login("1-1", "a")
		anna.send(`<message to="2-1@chat.test/lazy" type="headline"><x/></message>`)
		time.Sleep(writeTimeout + time.Second)
		if got := b.Online("2-1"); len(got) != 0 {
			t.Errorf("still online: %q", got)
		}
	})
}

// Whoever floods waits; nothing is lost, and others are not slowed.
func TestFlood(t *testing.T) {
	within(t, func(t *testing.T, b *bed) {
		anna, ben := b.tcp(t).login("1-1", "a"), b.tcp(t).login("2-1", "b")
		begin := time.Now()
		const n = stanzaBurst + 2*stanzaRate
		for range n {
			anna.send(`<message to="2-1@chat.test" type="headline"/>`)
		}
		time.Sleep(time.Second)
		if got := strings.Count(ben.take(), "<message"); got != n {
			t.Errorf("%d of %d arrived", got, n)
		}
		if d := time.Since(begin); d < 2*time.Second || d > 5*time.Second {
			t.Errorf("took %v, want about 3s", d)
		}
	})
}

func TestKick(t *testing.T) {
	both(t, func(t *testing.T, b *bed, dial func() *client) {
		anna, ben := dial().login("1-1", "a"), dial().login("2-1", "b")
		anna.take()
		if n := b.Kick("1-1"); n != 1 {
			t.Errorf("kicked %d, want 1", n)
		}
		if !anna.closed() || ben.closed() {
			t.Errorf("closed: %v and %v, want true and false", anna.closed(), ben.closed())
		}
		if got := anna.take(); got != "" {
			t.Errorf("it was told %q, want nothing", got)
		}
		if n := b.Kick(""); n != 1 || !ben.closed() {
			t.Errorf("kicked %d, want the other one", n)
		}
	})
}

func TestConfig(t *testing.T) {
	right := func(string, string) bool { return true }
	for _, cfg := range []Config{{Domain: "", Authenticate: right}, {Domain: "a@b", Authenticate: right}, {Domain: "Chat.test", Authenticate: right}, {Domain: "chat.test"}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%q: no error", cfg.Domain)
		}
	}
}
