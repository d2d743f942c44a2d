package xmpp

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"mellium.im/xmpp/jid"

	"intercom/signaling/xmpp/xmpptest"
)

// TestPing asks a device for a sign of life. What counts is an answer that comes from the
// very address that was asked, whoever knows how the question is named.
func TestPing(t *testing.T) {
	const (
		phone  = "2002-99@chat.test/phone"
		absent = "<error type='cancel'><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>gone</text><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
	)
	answer := func(from, typ, content string) func(string) string {
		return func(id string) string {
			return "<iq xmlns='jabber:client' from='" + from + "' type='" + typ + "' id='" + id + "'>" + content + "</iq>"
		}
	}
	for _, c := range []struct {
		name    string
		answers []func(id string) string
		want    string // a condition; empty: none
		waits   bool   // in vain
	}{
		{"there", []func(string) string{answer(phone, "result", "")}, "", false},
		{"not there", []func(string) string{answer(phone, "error", absent)}, "service-unavailable", false},
		{"with the question", []func(string) string{answer(phone, "error", "<ping xmlns='urn:xmpp:ping'><error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></ping>"+absent)}, "service-unavailable", false},
		{"says nothing", []func(string) string{answer(phone, "error", "")}, "undefined-condition", false},
		{"of another namespace", []func(string) string{answer(phone, "error", "<error><service-unavailable xmlns='urn:x'/></error>")}, "undefined-condition", false},
		{"from another device", []func(string) string{answer("2002-99@chat.test/tablet", "error", absent)}, "", true},
		{"from all devices", []func(string) string{answer("2002-99@chat.test", "error", absent)}, "", true},
		{"from the server", []func(string) string{answer("chat.test", "error", absent)}, "", true},
		{"from somebody else, then there", []func(string) string{answer("2003-99@chat.test/phone", "error", absent), answer(phone, "result", "")}, "", false},
		{"twice", []func(string) string{answer(phone, "result", ""), answer(phone, "error", absent)}, "", false},
		{"to another question", []func(string) string{func(string) string { return answer(phone, "error", absent)("another") }}, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer()
				srv.Intercept = func(conn *xmpptest.Conn, st xmpptest.Stanza) bool {
					if !isPing(st) || st.Attr["to"] != phone {
						return false
					}
					for _, a := range c.answers {
						conn.Send(a(st.Attr["id"]))
					}
					return true
				}
				r := newRig(t, srv, nil)
				defer r.stop()
				r.wantUp()
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				err := r.Ping(ctx, jid.MustParse(phone))
				var refused *PingError
				switch {
				case c.waits:
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("got %v, want no answer", err)
					}
				case c.want == "":
					if err != nil {
						t.Errorf("got %v, want an answer", err)
					}
				case !errors.As(err, &refused) || refused.Condition != c.want:
					t.Errorf("got %v, want %s", err, c.want)
				}
			})
		})
	}
}

// TestPingWithoutLink: nobody is asked, and nothing is repaired.
func TestPingWithoutLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		r := newRig(t, srv, nil)
		defer r.stop()
		r.wantUp()
		asked := make(chan struct{})
		srv.Intercept = func(_ *xmpptest.Conn, st xmpptest.Stanza) bool {
			if isPing(st) && st.Attr["to"] != srv.Domain {
				close(asked)
				return true
			}
			return false
		}
		go func() {
			<-asked
			srv.Session("2001-99").Close()
		}()
		to := jid.MustParse("2002-99@chat.test/phone")
		if err := r.Ping(t.Context(), to); !errors.Is(err, ErrDown) {
			t.Errorf("the link is lost: got %v, want %v", err, ErrDown)
		}
		r.stop()
		if err := r.Ping(t.Context(), to); !errors.Is(err, ErrDown) {
			t.Errorf("there is no link: got %v, want %v", err, ErrDown)
		}
	})
}
