package xmpp

import (
	"context"
	"net"
	"strings"
	"testing"

	"mellium.im/xmpp/jid"
)

// Whatever the server sends, reading and dispatching it does not panic, and ends only
// with the stream: no stanza is an error.
func FuzzStream(f *testing.F) {
	f.Add("<message xmlns='jabber:client' from='a@b/c' type='headline'><x>1</x></message></stream:stream>", false)
	f.Add("<iq type='error' id='x'/><iq type='get' id='1' from='@'><ping xmlns='urn:xmpp:ping'/></iq> <presence/>", false)
	f.Add("<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>", false)
	f.Add("<message><stream:error/><![CDATA[<]]>&#x1;</message><!-- --><?a b?><!DOCTYPE x>", false)
	f.Add("<iq xmlns='jabber:client' type='result' id='settled'/><close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", true)
	f.Fuzz(func(t *testing.T, text string, ws bool) {
		l, err := New(Config{Address: testAddress, JID: "1-2@chat.test",
			Password: func(context.Context) (string, error) { return "", nil },
			Handle:   func(Event) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		s := newSession(l, nil, jid.MustParse("1-2@chat.test/x"), false)
		s.expect("settled", jid.JID{})
		r := newStanzaReader(strings.NewReader(text), ws)
		d := dispatcher{s: s, handle: func(e Event) error {
			if m, ok := e.(*Message); ok {
				for tr := m.TokenReader(); ; {
					if _, err := tr.Token(); err != nil {
						return nil
					}
				}
			}
			return nil
		}}
		for {
			e, err := r.next()
			if err != nil {
				return
			}
			if err := d.dispatch(e); err != nil {
				t.Fatalf("dispatch of %v: %v", e.start.Name, err)
			}
		}
	})
}

// No address that New takes sends a password in the clear to another machine.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"tcp://127.0.0.1", "ws://localhost:1/x?y", "tcp://127.0.0.1.evil.test", "tcp://localhost:5222@evil.test", "wss://[::1%25eth0]:1", "tls://:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseAddress(s, false)
		if err != nil || a.tls || a.starttls {
			return
		}
		host, _, err := net.SplitHostPort(a.hostport)
		if err != nil {
			t.Fatalf("%q: %v", a.hostport, err)
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			t.Errorf("%q would be plaintext to %s", s, a.hostport)
		}
	})
}
