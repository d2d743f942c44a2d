package chat

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// both runs a test with clients of either transport.
func both(t *testing.T, test func(t *testing.T, b *bed, dial func() *client)) {
	t.Run("tcp", func(t *testing.T) {
		within(t, func(t *testing.T, b *bed) { test(t, b, func() *client { return b.tcp(t) }) })
	})
	t.Run("websocket", func(t *testing.T) {
		within(t, func(t *testing.T, b *bed) { test(t, b, func() *client { return b.websocket(t) }) })
	})
}

const signal = `<extraParams xmlns="jabber:client"><sdp>v=0
a=x "quoted" &amp; 'more' &lt;</sdp><empty/><x:y xmlns:x="urn:x" x:z="1">  </x:y></extraParams>`

func TestHeadline(t *testing.T) {
	both(t, func(t *testing.T, b *bed, dial func() *client) {
		anna, ben := dial().login("1-1", "a"), b.tcp(t).login("2-1", "b")
		desk := b.websocket(t).login("2-1", "desk")
		ben.take()
		anna.send(`<message id="m1" to="2-1@chat.test" type="headline" xmlns="jabber:client">` + signal + `</message>`)
		want := `<message xmlns="jabber:client" from="1-1@chat.test/a" to="2-1@chat.test" id="m1" type="headline">` + signal + `</message>`
		for _, c := range []*client{ben, desk} {
			if got := c.take(); got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		}
		anna.send(`<message id="m2" to="2-1@chat.test/desk" type="headline" xmlns="jabber:client"><x/></message>`)
		desk.expect(`id="m2"`)
		if got := ben.take(); got != "" {
			t.Errorf("another device got %q", got)
		}
	})
}

func TestBounce(t *testing.T) {
	both(t, func(t *testing.T, b *bed, dial func() *client) {
		anna := dial().login("1-1", "a")
		hidden := b.tcp(t) // bound, without presence
		hidden.open()
		hidden.auth("3-1", "secret")
		hidden.open()
		hidden.send(`<iq id="b" type="set"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/></iq>`)
		hidden.expect("3-1@chat.test/")
		for to, want := range map[string]string{
			"2-1@chat.test":          "service-unavailable", // not connected
			"2-1@chat.test/phone":    "service-unavailable",
			"99-1@chat.test":         "service-unavailable", // no such user
			"3-1@chat.test":          "service-unavailable", // not available
			"1-1@chat.test/other":    "service-unavailable",
			"chat.test":              "service-unavailable",
			"2-1@elsewhere.test":     "remote-server-not-found",
			"@":                      "jid-malformed",
			"a&quot;&lt;b@chat.test": "jid-malformed",
		} {
			anna.send(`<message id="m1" to="` + to + `" type="headline" xmlns="jabber:client"><x/></message>`)
			got := anna.expect(`type='error'`, `id='m1'`, want)
			if strings.Contains(got, "<x/>") {
				t.Errorf("to %s: the content came back: %s", to, got)
			}
			// An error never causes another one.
			anna.send(`<message id="m1" to="` + to + `" type="error" xmlns="jabber:client"><x/></message>`)
			if got := anna.take(); got != "" {
				t.Errorf("to %s: an error was answered with %q", to, got)
			}
		}
	})
}

func TestSpoofedFrom(t *testing.T) {
	both(t, func(t *testing.T, b *bed, dial func() *client) {
		ben := b.tcp(t).login("2-1", "b")
		anna := dial().login("1-1", "a")
		for _, own := range []string{"1-1@chat.test", "1-1@chat.test/a"} {
			anna.send(`<message from="` + own + `" to="2-1@chat.test" type="headline" xmlns="jabber:client"/>`)
			ben.expect(`from="1-1@chat.test/a"`)
		}
		anna.send(`<message from="3-1@chat.test" to="2-1@chat.test" type="headline" xmlns="jabber:client"/>`)
		anna.expect("invalid-from")
		if !anna.closed() {
			t.Error("the stream of a spoofer goes on")
		}
		if got := ben.take(); got != "" {
			t.Errorf("a spoofed message arrived: %q", got)
		}
	})
}

func TestConflict(t *testing.T) {
	both(t, func(t *testing.T, b *bed, dial func() *client) {
		old := dial().login("1-1", "a")
		now := b.tcp(t).login("1-1", "a")
		old.expect("<conflict ")
		if !old.closed() {
			t.Error("the older connection is still open")
		}
		if now.closed() {
			t.Error("the newer connection was closed")
		}
		ben := b.tcp(t).login("2-1", "b")
		ben.send(`<message to="1-1@chat.test/a" type="headline"/>`)
		now.expect("<message")
		if got := b.Online("1-1"); len(got) != 1 || got[0] != "a" {
			t.Errorf("online: got %q, want [a]", got)
		}
	})
}

func TestIQ(t *testing.T) {
	both(t, func(t *testing.T, b *bed, dial func() *client) {
		anna, ben := dial().login("1-1", "a"), b.tcp(t).login("2-1", "b")
		for _, x := range []struct{ send, want string }{
			{`type="get"><ping xmlns="urn:xmpp:ping"/>`, `type='result' id='i'`},
			{`type="get" to="chat.test"><ping xmlns="urn:xmpp:ping"/>`, `type='result' id='i' from='chat.test'`},
			{`type="get"><query xmlns="jabber:iq:roster"/>`, `<query xmlns='jabber:iq:roster'/>`},
			{`type="set"><session xmlns="urn:ietf:params:xml:ns:xmpp-session"/>`, `type='result'`},
			{`type="set"><enable xmlns="urn:xmpp:carbons:2"/>`, `type='result'`},
			{`type="get"><query xmlns="urn:unknown"/>`, "service-unavailable"},
			{`type="get" to="3-1@chat.test/x"><ping xmlns="urn:xmpp:ping"/>`, "service-unavailable"},
			{`type="get" to="2-1@chat.test"><ping xmlns="urn:xmpp:ping"/>`, "service-unavailable"},
			{`type="get" to="elsewhere.test"><ping xmlns="urn:xmpp:ping"/>`, "remote-server-not-found"},
			{`type="get"><a/><b/>`, "bad-request"},
			{`type="get">`, "bad-request"},
			{`type="what"><a/>`, "bad-request"},
		} {
			anna.send(`<iq xmlns="jabber:client" id="i" ` + x.send + `</iq>`)
			anna.expect(x.want)
		}
		// A ping to a peer is the peer's to answer.
		anna.send(`<iq xmlns="jabber:client" id="p" type="get" to="2-1@chat.test/b"><ping xmlns="urn:xmpp:ping"/></iq>`)
		ben.expect(`from="1-1@chat.test/a"`, `id="p"`, "urn:xmpp:ping")
		ben.send(`<iq id="p" type="result" to="1-1@chat.test/a"/>`)
		anna.expect(`from="2-1@chat.test/b"`, `type="result"`)
		// Errors of any shape, to anybody, do no harm.
		ben.send(`<iq type="error" id="p"/><iq type="error" id="p" to="1-1@chat.test/z"/><iq type="result"/>`)
		if got := ben.take(); got != "" {
			t.Errorf("answers were answered with %q", got)
		}
		// It is the server's when the peer has gone: that is how others learn of it.
		ben.conn.Close()
		synctest.Wait()
		anna.send(`<iq xmlns="jabber:client" id="p" type="get" to="2-1@chat.test/b"><ping xmlns="urn:xmpp:ping"/></iq>`)
		anna.expect("service-unavailable", `from='2-1@chat.test/b'`, `id='p'`)
	})
}

func TestPresence(t *testing.T) {
	within(t, func(t *testing.T, b *bed) {
		one := b.tcp(t).login("1-1", "one")
		two := b.websocket(t).login("1-1", "two")
		one.expect(`from="1-1@chat.test/two"`)
		two.send(`<presence xmlns="jabber:client" type="unavailable"/>`)
		one.expect(`from="1-1@chat.test/two"`, `type="unavailable"`)
		two.send(`<presence xmlns="jabber:client"/>`)
		two.expect(`from="1-1@chat.test/one"`) // told who else is there
		two.conn.Close()
		one.expect(`from='1-1@chat.test/two' type='unavailable'`)
		if got := b.Online("1-1"); len(got) != 1 {
			t.Errorf("online: got %q, want [one]", got)
		}
	})
}

func TestCarbons(t *testing.T) {
	within(t, func(t *testing.T, b *bed) {
		phone, desk := b.tcp(t).login("1-1", "phone"), b.websocket(t).login("1-1", "desk")
		ben := b.tcp(t).login("2-1", "b")
		desk.send(`<iq xmlns="jabber:client" id="c" type="set"><enable xmlns="urn:xmpp:carbons:2"/></iq>`)
		phone.take()
		desk.take()
		phone.send(`<message id="m" to="2-1@chat.test" type="chat"><body>hi</body></message>`)
		ben.expect("<body>hi</body>")
		desk.expect("<sent ", `<forwarded xmlns='urn:xmpp:forward:0'><message xmlns="jabber:client" from="1-1@chat.test/phone"`)
		ben.send(`<message id="n" to="1-1@chat.test/phone" type="chat"><body>ho</body></message>`)
		desk.expect("<received ", "<body>ho</body>")
		ben.send(`<message id="o" to="1-1@chat.test/phone" type="headline"><x/></message>`)
		if got := desk.take(); got != "" {
			t.Errorf("a signal was copied: %q", got)
		}
	})
}

func TestGoodbye(t *testing.T) {
	both(t, func(t *testing.T, b *bed, dial func() *client) {
		c := dial().login("1-1", "a")
		c.send(map[bool]string{true: `<close xmlns="urn:ietf:params:xml:ns:xmpp-framing"/>`, false: `</stream:stream>`}[c.web])
		c.expect(map[bool]string{true: `<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />`, false: `</stream:stream>`}[c.web])
		if !c.closed() {
			t.Error("the connection is still open")
		}
		late := dial().login("1-1", "a")
		b.stop()
		late.expect("system-shutdown")
		if !late.closed() {
			t.Error("the connection outlives the server")
		}
	})
}

func TestTimes(t *testing.T) {
	both(t, func(t *testing.T, b *bed, dial func() *client) {
		silent := dial()
		busy := dial().login("1-1", "a")
		time.Sleep(loginTimeout + time.Second)
		if !silent.closed() {
			t.Error("a connection that never logs in stays")
		}
		if busy.closed() {
			t.Error("a connection that did is cut")
		}
		time.Sleep(idleTimeout)
		if !busy.closed() {
			t.Error("a silent connection stays for ever")
		}
	})
}
