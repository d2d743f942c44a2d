package quickblox

import (
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/signaling"
	"intercom/signaling/xmpp/xmpptest"
)

func told(t *testing.T, stanza string) (*signaling.Message, bool, error) {
	t.Helper()
	root, err := parse(xml.NewDecoder(strings.NewReader(stanza)))
	if err != nil {
		t.Fatal(err)
	}
	return decodeMessage(root)
}

func TestDecodeMessage(t *testing.T) {
	const module = "<moduleIdentifier>SystemNotifications</moduleIdentifier>"
	headline := func(params string) string {
		return `<message id="7" type="headline" xmlns="jabber:client"><body>seen by people</body><extraParams xmlns="jabber:client">` + params + `</extraParams></message>`
	}
	for _, c := range []struct {
		name, stanza string
		want         map[string]string
		is           bool
		err          error
	}{
		{"as the JavaScript SDK sends it", headline(module + "<command>unlock</command><sessionID>S</sessionID>"), map[string]string{"command": "unlock", "sessionID": "S"}, true, nil},
		{"in another order, nested", headline("<a><b>1</b><c>2</c></a> <date_sent>5</date_sent>" + module), map[string]string{"a.b": "1", "a.c": "2", "date_sent": "5"}, true, nil},
		{"empty", headline(module), nil, true, nil},
		{"stored by the server", strings.Replace(headline(module), "<body>", `<delay xmlns="urn:xmpp:delay" stamp="2026-01-01T00:00:00Z"/><body>`, 1), nil, true, ErrDelayed},
		{"a call signal", headline("<moduleIdentifier>WebRTCVideoChat</moduleIdentifier>" + module), nil, false, nil},
		{"chat", strings.Replace(headline(module), "headline", "chat", 1), nil, false, nil},
		{"no data at all", `<message type="headline"/>`, nil, false, nil},
		{"hidden in data", headline("<a>" + module + "</a>"), nil, false, nil},
	} {
		m, is, err := told(t, c.stanza)
		if is != c.is || !errors.Is(err, c.err) {
			t.Errorf("%s: message %v, error %v; want %v, %v", c.name, is, err, c.is, c.err)
		}
		if is && err == nil && (m.ID != "7" || !maps.Equal(m.Info, c.want)) {
			t.Errorf("%s: got %+v, want %v", c.name, m, c.want)
		}
	}
	if _, _, err := told(t, headline(module+"<a>"+strings.Repeat("x", maxText+1)+"</a>")); err == nil {
		t.Error("a value too long was taken")
	}
}

func TestEncodeMessageRefuses(t *testing.T) {
	for name, info := range map[string]map[string]string{"nothing": nil, "delay": {"delay": "1"}, "not text": {"a": "\x00"}, "name": {"a b": "1"}} {
		var refused *EncodeError
		if b, err := EncodeMessage(&signaling.Message{Info: info}); !errors.As(err, &refused) {
			t.Errorf("%s: got %q, %v", name, b, err)
		}
	}
}

// What EncodeMessage takes arrives the same.
func FuzzMessage(f *testing.F) {
	f.Add("command", "unlock", "mac", "<&>'\"\r\n\t")
	f.Add("a.b-c_d", "", "moduleIdentifier", "x")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string) {
		want := map[string]string{k1: v1, k2: v2}
		b, err := EncodeMessage(&signaling.Message{Info: want})
		if err != nil {
			return
		}
		m, is, err := told(t, `<message type="headline">`+string(b)+"</message>")
		if err != nil || !is || !maps.Equal(m.Info, want) {
			t.Errorf("%q: got %+v, %v, %v, want %v", b, m, is, err, want)
		}
	})
}

func TestMessagesArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		a := newPhone(t, srv, 2001, func(c *Config) { c.Resource = "door" })
		defer a.stop()
		b := newPhone(t, srv, 2002, func(c *Config) { c.Resource = "phone" })
		defer b.stop()
		a.wantUp()
		b.wantUp()
		for _, device := range []string{"", "phone"} {
			m := &signaling.Message{Peer: 2002, Device: device, Info: map[string]string{"event": "opened"}}
			if err := a.Tell(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			want := &signaling.Message{ID: m.ID, Peer: 2001, Device: "door", Info: m.Info}
			if got := b.next(); len(m.ID) != 24 || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
		if got := a.Stats(); got != (Stats{Sent: 2}) {
			t.Errorf("sender's counters: got %+v", got)
		}
		for name, m := range map[string]*signaling.Message{
			"peer is missing": {Info: map[string]string{"a": "b"}}, "is no resource": {Peer: 2002, Device: "\x00", Info: map[string]string{"a": "b"}},
			"no attribute": {Peer: 2002, ID: "\n", Info: map[string]string{"a": "b"}}, "nothing in it": {Peer: 2002},
		} {
			if err := a.Tell(t.Context(), m); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	})
}

// Whoever writes many messages fills neither the queue nor ends the link.
func TestAFloodOfMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const notice = `<extraParams xmlns="jabber:client"><moduleIdentifier>SystemNotifications</moduleIdentifier><a>b</a></extraParams>`
		srv := newServer()
		a := newPhone(t, srv, 2001, nil)
		defer a.stop()
		a.wantUp()
		for range queueLimit + 5 {
			deliver(srv, "2002-99@chat.localhost/phone", "headline", notice)
		}
		deliver(srv, "2002-98@chat.localhost/phone", "headline", notice) // of another application
		deliver(srv, "2001-99@chat.localhost/other", "headline", notice) // our own
		deliver(srv, "2002-99@chat.localhost/phone", "headline", wrap("hangUp", ""))
		time.Sleep(time.Minute)
		for i := range messageLimit {
			if m, ok := a.next().(*signaling.Message); !ok || m.Peer != 2002 || m.Device != "phone" {
				t.Fatalf("message %d: got %+v", i, m)
			}
		}
		a.wantSignal()
		if got, want := a.Stats(), (Stats{Received: messageLimit + 1, Ignored: 1, Dropped: queueLimit + 5 - messageLimit + 1}); got != want {
			t.Errorf("counters: got %+v, want %+v", got, want)
		}
		deliver(srv, "2002-99@chat.localhost/phone", "headline", notice)
		if m, ok := a.next().(*signaling.Message); !ok {
			t.Errorf("afterwards: got %+v", m)
		}
		if got := srv.Dials(); got != 1 {
			t.Errorf("dials: got %d, want 1", got)
		}
	})
}

// The whole stanza is as QB.chat.sendSystemMessage writes it.
func TestMessageIsWhatTheSDKSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		raw := make(chan string, 1)
		srv.Intercept = func(_ *xmpptest.Conn, st xmpptest.Stanza) bool {
			if st.Name == "message" {
				raw <- st.Raw
			}
			return false
		}
		a := newPhone(t, srv, 2001, nil)
		defer a.stop()
		a.wantUp()
		m := &signaling.Message{Peer: 2002, Info: map[string]string{"command": "unlock", "a": "<1>"}}
		if err := a.Tell(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`<message id="%s" to="2002-99@chat.localhost" type="headline" xmlns="jabber:client"><extraParams xmlns="jabber:client">`+
			`<moduleIdentifier>SystemNotifications</moduleIdentifier><a>&lt;1&gt;</a><command>unlock</command></extraParams></message>`, m.ID)
		if got := <-raw; got != want {
			t.Errorf("stanza:\n got %q\nwant %q", got, want)
		}
	})
}
