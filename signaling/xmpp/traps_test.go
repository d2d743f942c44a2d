package xmpp

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/signaling/xmpp/xmpptest"
)

// Each test here is named after a trap of the XMPP library that this package guards
// against; without the guard it fails, or hangs.

// Trap 1: a context does not cancel a negotiation, so a server that accepts and stays
// silent would hold us for ever.
func TestTrap1SilentServer(t *testing.T) {
	say := func(parts ...string) func(net.Conn) {
		return func(c net.Conn) {
			buf := make([]byte, 4096)
			for _, p := range parts {
				if _, err := c.Read(buf); err != nil {
					return
				}
				if _, err := io.WriteString(c, p); err != nil {
					return
				}
			}
		}
	}
	const (
		open     = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' id='1' from='chat.test'>"
		features = "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>"
	)
	tests := []struct {
		name string
		talk func(net.Conn)
	}{
		{"from the start", say()},
		{"after the stream header", say(open)},
		{"after the features", say(open + features)},
		{"in the middle of the login", say(open+features, "<succ")},
		{"after the login", say(open+features, "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer()
				srv.Accept = func(_ int, c net.Conn) bool {
					defer c.Close()
					tt.talk(c)
					_, _ = io.Copy(io.Discard, c) // open, and silent
					return true
				}
				start := time.Now()
				r := newRig(t, srv, nil)
				defer r.stop()
				err := r.wantReport("negotiate tcp://127.0.0.1:5222: no answer in time")
				asLinkError(t, err, "negotiate")
				if got := time.Since(start); got != 10*time.Second {
					t.Errorf("gave up after %v, want 10s", got)
				}
				r.wantReport("no answer in time") // and it goes on trying
				if got := srv.Dials(); got != 2 {
					t.Errorf("dials: got %d, want 2", got)
				}
			})
		})
	}
}

// Trap 1 again: the server binds us and then answers nothing, not even our first ping.
func TestTrap1SilentAfterBind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		srv.Intercept = func(*xmpptest.Conn, xmpptest.Stanza) bool { return true }
		r := newRig(t, srv, nil)
		defer r.stop()
		r.wantReport("negotiate tcp://127.0.0.1:5222: no answer in time")
		if len(r.events) != 0 {
			t.Errorf("got %T, want no event of a link that never worked", <-r.events)
		}
	})
}

// Trap 1 once more: the end of Run's context ends a negotiation at once.
func TestTrap1CancelledWhileNegotiating(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		srv.Accept = func(_ int, c net.Conn) bool {
			defer c.Close()
			_, _ = io.Copy(io.Discard, c)
			return true
		}
		r := newRig(t, srv, nil)
		synctest.Wait()
		start := time.Now()
		r.stop()
		if got := time.Since(start); got != 0 {
			t.Errorf("Run returned %v after its context ended, want at once", got)
		}
	})
}

// Traps 2 and 3: an empty error iq, an unparsable sender, and everything else a contact
// can make a server deliver, end the session; they must not.
func TestTrap2And3OddStanzas(t *testing.T) {
	tests := []struct{ name, xml string }{
		{"empty error iq", "<iq xmlns='jabber:client' type='error' id='x'/>"},
		{"empty result iq", "<iq xmlns='jabber:client' type='result' id='x'/>"},
		{"iq of no type", "<iq xmlns='jabber:client'/>"},
		{"iq without id", "<iq xmlns='jabber:client' type='get' from='a@b/c'/>"},
		{"iq set from a stranger", "<iq xmlns='jabber:client' type='set' id='1' from='a@b/c'><query xmlns='jabber:iq:roster'/></iq>"},
		{"sender no address", "<message xmlns='jabber:client' from='@/@/' id='y'><body>hi</body></message>"},
		{"ping from no address", "<iq xmlns='jabber:client' type='get' id='1' from='@'><ping xmlns='urn:xmpp:ping'/></iq>"},
		{"sender too long", "<message xmlns='jabber:client' from='" + strings.Repeat("a", 3000) + "@b' id='y'/>"},
		{"presence", "<presence xmlns='jabber:client' from='a@b/c'/>"},
		{"unknown element", "<r xmlns='urn:xmpp:sm:3'/>"},
		{"element of the stream's namespace in a presence", "<presence xmlns='jabber:client'><stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></presence>"},
		{"stream in a presence", "<presence xmlns='jabber:client'><stream:stream/></presence>"},
		{"framing in a presence", "<presence xmlns='jabber:client'><close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/></presence>"},
		{"text too large", "<message xmlns='jabber:client' id='y'><body>" + strings.Repeat("x", maxStanza+1) + "</body></message>"},
		{"too many elements", "<message xmlns='jabber:client' id='y'>" + strings.Repeat("<a/>", maxTokens/2) + "</message>"},
		{"deep", "<presence xmlns='jabber:client'>" + strings.Repeat("<a>", 2000) + strings.Repeat("</a>", 2000) + "</presence>"},
		{"white space", " \n\t"},
		{"comment", "<!-- hello -->"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer()
				r := newRig(t, srv, nil)
				defer r.stop()
				r.wantUp()
				c := srv.Session("2001-99")
				c.Send(tt.xml)
				c.Send(string(message("2001-99@chat.test", "after")))
				r.wantMessage("after")
				if err := r.Probe(t.Context()); err != nil {
					t.Errorf("probe: %v", err)
				}
				if got := srv.Dials(); got != 1 {
					t.Errorf("dials: got %d, want 1: the session did not survive", got)
				}
			})
		})
	}
}

// Trap 3: an error of the handler ended the stream with <undefined-condition/>. Ours
// means it: the connection ends with the handler's own reason, and is made anew.
func TestTrap3HandlerError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		full := errors.New("receive queue is full")
		r := newRig(t, srv, func(r *rig, c *Config) {
			c.Handle = func(e Event) error {
				r.events <- e
				if m, ok := e.(*Message); ok && m.ID == "bad" {
					return full
				}
				return nil
			}
		})
		defer r.stop()
		r.wantUp()
		srv.Session("2001-99").Send(string(message("2001-99@chat.test", "bad")))
		r.wantMessage("bad")
		switch e := r.next().(type) {
		case Down:
			if !errors.Is(e.Err, full) {
				t.Errorf("down: got %v, want the handler's error", e.Err)
			}
		default:
			t.Fatalf("got %T, want Down", e)
		}
		r.wantUp()
	})
}

// Trap 4: an answer that nobody waits for any more, or waits for twice, parked the reader.
func TestTrap4LateAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		srv.Intercept = func(c *xmpptest.Conn, st xmpptest.Stanza) bool {
			if !isPing(st) {
				return false
			}
			answer := "<iq xmlns='jabber:client' type='result' id='" + st.Attr["id"] + "'/>"
			c.Send(answer)
			time.AfterFunc(3*time.Second, func() { c.Send(answer + answer) }) // Pong is 2 s
			return true
		}
		r := newRig(t, srv, nil)
		defer r.stop()
		r.wantUp()
		for range 20 {
			time.Sleep(5 * time.Second)
			if err := r.Probe(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := srv.Dials(); got != 1 {
			t.Errorf("dials: got %d, want 1", got)
		}
	})
}

// Trap 4: the handler may send; the reader needs no answer for it.
func TestTrap4SendFromTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		r := newRig(t, srv, func(r *rig, c *Config) {
			c.Handle = func(e Event) error {
				r.events <- e
				if m, ok := e.(*Message); ok && m.ID == "ask" {
					return r.Send(context.Background(), message("2001-99@chat.test", "answer"))
				}
				return nil
			}
		})
		defer r.stop()
		r.wantUp()
		srv.Session("2001-99").Send(string(message("2001-99@chat.test", "ask")))
		r.wantMessage("ask")
		r.wantMessage("answer") // from ourselves
	})
}

// Trap 5: the resource was not sent.
func TestTrap5Resource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		r := newRig(t, srv, func(_ *rig, c *Config) { c.Resource = "door & gate" })
		defer r.stop()
		if got, want := r.wantUp().JID.String(), "2001-99@chat.test/door & gate"; got != want {
			t.Errorf("address: got %q, want %q", got, want)
		}
	})
}

// Trap 6: what is inside a stanza did not arrive as ",innerxml".
func TestTrap6MessageArrivesWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		r := newRig(t, srv, nil)
		defer r.stop()
		r.wantUp()
		srv.Session("2001-99").Send("<message xmlns='jabber:client' from='2002-99@chat.test/phone' type='headline' id='m'>" +
			"<extraParams><a b='c'>1 &amp; <![CDATA[<2>]]></a></extraParams></message>")
		m := r.wantMessage("m")
		if m.From.String() != "2002-99@chat.test/phone" || m.Type != "headline" {
			t.Errorf("got from %q of type %q", m.From, m.Type)
		}
		for range 2 { // a reader begins anew each time
			var got struct {
				A struct {
					B    string `xml:"b,attr"`
					Text string `xml:",chardata"`
				} `xml:"extraParams>a"`
			}
			if err := xml.NewTokenDecoder(m.TokenReader()).Decode(&got); err != nil {
				t.Fatal(err)
			}
			if got.A.B != "c" || got.A.Text != "1 & <2>" {
				t.Errorf("got %+v", got)
			}
		}
	})
}

// Trap 7: sending a message waited for an error reply, success being a timeout.
func TestTrap7SendDoesNotWaitForAReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		r := newRig(t, srv, nil)
		defer r.stop()
		r.wantUp()
		start := time.Now()
		if err := r.Send(t.Context(), message("2001-99@chat.test", "m")); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("Send took %v, want no waiting", got)
		}
		r.wantMessage("m")
	})
}

// Trap 8: an empty feature list gave a session that is ready, and not logged in.
func TestTrap8EmptyFeatures(t *testing.T) {
	const header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' id='1' from='chat.test'>"
	tests := []struct {
		name, features, want string
		afterLogin           bool
	}{
		{"before the login", "<stream:features/>", "wants no login", false},
		{"before the login, unknown ones", "<stream:features><x xmlns='y'/></stream:features>", "offers no login here", false},
		{"before the login, TLS alone", "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>", "it may want TLS", false},
		{"after the login", "<c xmlns='http://jabber.org/protocol/caps'/>", "gave us no address", true},
		{"after the login, only a session", "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>", "gave us no address", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer()
				if tt.afterLogin {
					srv.Features = tt.features
				} else {
					srv.Accept = func(_ int, c net.Conn) bool {
						defer c.Close()
						go io.Copy(io.Discard, c)
						_, _ = io.WriteString(c, header+tt.features)
						time.Sleep(time.Minute)
						return true
					}
				}
				r := newRig(t, srv, nil)
				defer func() { r.stop(); time.Sleep(time.Hour) }()
				asLinkError(t, r.wantReport(tt.want), "negotiate")
				if err := r.Send(t.Context(), message("2002-99@chat.test", "m")); !errors.Is(err, ErrDown) {
					t.Errorf("send: got %v, want ErrDown", err)
				}
			})
		})
	}
}

// Trap 9: the encoder rewrote namespaces. What we send is on the wire byte for byte.
func TestTrap9BytesAsGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		raw := make(chan string, 10)
		srv.Intercept = func(_ *xmpptest.Conn, st xmpptest.Stanza) bool {
			if st.Name == "message" {
				raw <- st.Raw
			}
			return false
		}
		r := newRig(t, srv, nil)
		defer r.stop()
		r.wantUp()
		want := `<message id="m" to="2002-99@chat.test" type="headline" xmlns="jabber:client"><extraParams xmlns="jabber:client"><sdp>v=0` +
			"\r\n" + `</sdp><a>&apos;</a></extraParams></message>`
		if err := r.Send(t.Context(), []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got := <-raw; got != want {
			t.Errorf("on the wire:\n got %q\nwant %q", got, want)
		}
	})
}

// Trap 10: every send started a goroutine to watch its deadline.
func TestTrap10SendStartsNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		hold := make(chan struct{})
		srv.Intercept = func(_ *xmpptest.Conn, st xmpptest.Stanza) bool {
			if st.Attr["id"] == "hold" {
				<-hold
			}
			return st.Name == "message"
		}
		r := newRig(t, srv, nil)
		defer r.stop()
		r.wantUp()
		synctest.Wait()
		before := bubbled()
		results := make(chan error, 4)
		for _, id := range []string{"hold", "1", "2", "3"} {
			go func() { results <- r.Send(context.Background(), message("2002-99@chat.test", id)) }()
			synctest.Wait()
		}
		// "hold" has returned; of the others one is on the wire, two wait for it.
		if got := bubbled() - before; got != 3 {
			t.Errorf("got %d more goroutines with 3 sends under way, want just those 3", got)
		}
		close(hold)
		for range 4 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}

// bubbled returns how many goroutines are in a bubble; those of earlier tests that wind
// down in real time are not.
func bubbled() int {
	buf := make([]byte, 1<<20)
	return strings.Count(string(buf[:runtime.Stack(buf, true)]), ", synctest bubble ")
}

// Serve returned nil for a clean end of the stream: nil is no reason to stay away.
func TestGoodbyeOfTheServerIsALoss(t *testing.T) {
	for name, end := range map[string]string{
		"end tag":      "</stream:stream>",
		"stream error": "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>",
		"broken XML":   "<message></iq>",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer()
				r := newRig(t, srv, nil)
				defer r.stop()
				r.wantUp()
				srv.Session("2001-99").Send(end)
				r.wantDown("keep tcp://127.0.0.1:5222: ")
				if err := r.Send(t.Context(), message("2002-99@chat.test", "m")); !errors.Is(err, ErrDown) {
					t.Errorf("send: got %v, want ErrDown", err)
				}
				r.wantUp()
				if got := srv.Dials(); got != 2 {
					t.Errorf("dials: got %d, want 2", got)
				}
			})
		})
	}
}
