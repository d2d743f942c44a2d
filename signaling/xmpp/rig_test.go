package xmpp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"intercom/signaling/xmpp/xmpptest"
)

const testAddress = "tcp://127.0.0.1:5222"

// rig is a link under test, its server and what it said.
type rig struct {
	*Link
	t      *testing.T
	events chan Event
	report chan error
	stop   func()
}

func newServer() *xmpptest.Server {
	return &xmpptest.Server{Domain: "chat.test", Accounts: map[string]string{"2001-99": "secret", "2002-99": "hidden"}}
}

// newRig runs a link to srv, in memory unless edit changes that. The test must be in a
// bubble, or use real sockets; either way the rig ends with it.
func newRig(t *testing.T, srv *xmpptest.Server, edit func(*rig, *Config)) *rig {
	t.Helper()
	r := &rig{t: t, events: make(chan Event, 100), report: make(chan error, 1000)}
	cfg := Config{
		Address: testAddress, JID: "2001-99@chat.test", Resource: "door",
		Password: func(context.Context) (string, error) { return "secret", nil },
		Handle:   func(e Event) error { r.events <- e; return nil },
		Report:   func(err error) { r.report <- err },
		Dial:     srv.Dial,
	}
	if edit != nil {
		edit(r, &cfg)
	}
	var err error
	if r.Link, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	return r
}

// next returns the next event.
func (r *rig) next() Event {
	r.t.Helper()
	select {
	case e := <-r.events:
		return e
	case <-time.After(time.Minute):
		r.t.Fatal("no event within a minute")
		return nil
	}
}

func (r *rig) wantUp() Up {
	r.t.Helper()
	up, ok := r.next().(Up)
	if !ok {
		r.t.Fatal("got another event, want Up")
	}
	return up
}

func (r *rig) wantDown(text string) {
	r.t.Helper()
	switch e := r.next().(type) {
	case Down:
		if !strings.Contains(e.Err.Error(), text) {
			r.t.Fatalf("down: got %q, want something with %q", e.Err, text)
		}
	default:
		r.t.Fatalf("got %T, want Down with %q", e, text)
	}
}

func (r *rig) wantMessage(id string) *Message {
	r.t.Helper()
	switch e := r.next().(type) {
	case *Message:
		if e.ID != id {
			r.t.Fatalf("message: got %q, want %q", e.ID, id)
		}
		return e
	case Down:
		r.t.Fatalf("got Down (%v), want message %q", e.Err, id)
	default:
		r.t.Fatalf("got %T, want message %q", e, id)
	}
	return nil
}

// wantReport returns the next report, which must have the text.
func (r *rig) wantReport(text string) error {
	r.t.Helper()
	select {
	case err := <-r.report:
		if err == nil || !strings.Contains(err.Error(), text) {
			r.t.Fatalf("report: got %v, want something with %q", err, text)
		}
		return err
	case <-time.After(time.Hour):
		r.t.Fatalf("no report within an hour, want %q", text)
		return nil
	}
}

func message(to, id string) []byte {
	return fmt.Appendf(nil, `<message id=%q to=%q type="headline" xmlns="jabber:client"><extraParams xmlns="jabber:client"><a>1</a></extraParams></message>`, id, to)
}

// isPing reports whether a stanza is a ping of the server.
func isPing(st xmpptest.Stanza) bool {
	return st.Name == "iq" && st.Attr["type"] == "get" && st.Child.Space == "urn:xmpp:ping"
}

func asLinkError(t *testing.T, err error, step string) {
	t.Helper()
	var le *LinkError
	if !errors.As(err, &le) || le.Step != step {
		t.Errorf("got error %v (%T), want a LinkError at step %q", err, err, step)
	}
}
