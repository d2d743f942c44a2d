package quickblox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"intercom/signaling"
	"intercom/signaling/xmpp"
	"intercom/signaling/xmpp/xmpptest"
)

func newServer() *xmpptest.Server {
	return &xmpptest.Server{Domain: "chat.localhost", Accounts: map[string]string{"2001-99": "one", "2002-99": "two"}}
}

// phone is a running client.
type phone struct {
	*Client
	t    *testing.T
	stop func()
}

func newPhone(t *testing.T, srv *xmpptest.Server, user signaling.UserID, edit func(*Config)) *phone {
	t.Helper()
	cfg := Config{
		AppID: 99, User: user, ChatDomain: "chat.localhost", Address: "tcp://127.0.0.1:5222", Dial: srv.Dial,
		Credentials: func(context.Context) (string, error) {
			return map[signaling.UserID]string{2001: "one", 2002: "two"}[user], nil
		},
	}
	if edit != nil {
		edit(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := &phone{Client: c, t: t}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	p.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	return p
}

func (p *phone) next() signaling.Event {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	e, err := p.Receive(ctx)
	if err != nil {
		p.t.Fatalf("receive: %v", err)
	}
	return e
}

func (p *phone) wantUp() {
	p.t.Helper()
	if e, ok := p.next().(signaling.LinkUp); !ok {
		p.t.Fatalf("got %T, want LinkUp", e)
	}
}

func (p *phone) wantSignal() *signaling.Signal {
	p.t.Helper()
	e := p.next()
	s, ok := e.(*signaling.Signal)
	if !ok {
		p.t.Fatalf("got %T %+v, want a signal", e, e)
	}
	return s
}

func TestNewChecksItsConfig(t *testing.T) {
	ok := Config{AppID: 1, User: 2, Credentials: func(context.Context) (string, error) { return "", nil }}
	c, err := New(ok)
	if err != nil {
		t.Fatalf("good config: %v", err)
	}
	if got, want := c.bare(2), "2-1@chat.quickblox.com"; got != want {
		t.Errorf("address: got %s, want %s", got, want)
	}
	for name, edit := range map[string]func(*Config){
		"application id is missing": func(c *Config) { c.AppID = 0 },
		"user id is missing":        func(c *Config) { c.User = 0 },
		"Credentials is required":   func(c *Config) { c.Credentials = nil },
		"chat domain":               func(c *Config) { c.ChatDomain = "a b" },
		"plaintext would show":      func(c *Config) { c.Address = "tcp://192.0.2.1" },
		"chat resource":             func(c *Config) { c.Resource = "\x00" },
	} {
		c := ok
		edit(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got error %v, want something with %q", err, name)
		}
	}
}

func TestSignalsArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		a := newPhone(t, srv, 2001, func(c *Config) { c.Resource = "door" })
		defer a.stop()
		b := newPhone(t, srv, 2002, nil)
		defer b.stop()
		a.wantUp()
		b.wantUp()
		for kind := signaling.Call; kind <= signaling.Update; kind++ {
			s := valid(kind)
			s.Peer, s.Info = 2002, map[string]string{"n": kind.String(), "bandwidth": "0"}
			if err := a.Send(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if !regexp.MustCompile(`^[0-9a-f]{24}$`).MatchString(s.ID) {
				t.Errorf("id: got %q, want 24 hex digits", s.ID)
			}
			got := b.wantSignal()
			want := *s
			want.Peer, want.Device = 2001, "door"
			if !reflect.DeepEqual(got, &want) {
				t.Errorf("%v:\n got %+v\nwant %+v", kind, got, &want)
			}
		}
		if got := a.Stats(); got != (Stats{Sent: 6}) {
			t.Errorf("sender's counters: got %+v", got)
		}
		if got := b.Stats(); got != (Stats{Received: 6}) {
			t.Errorf("receiver's counters: got %+v", got)
		}
	})
}

// The whole stanza is, byte for byte, what the SDK sent.
func TestStanzaIsWhatTheSDKSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := strings.TrimSpace(string(sample(t, "sent-call-video")))
		s, err := decodeString(want)
		if err != nil {
			t.Fatal(err)
		}
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
		s.Peer = 2002
		if err := a.Send(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if got := <-raw; got != want {
			t.Errorf("stanza:\n got %.300q\nwant %.300q", got, want)
		}
	})
}

func TestDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		a := newPhone(t, srv, 2001, nil)
		defer a.stop()
		phones := map[string]*phone{}
		for _, d := range []string{"hall", "garden & gate"} {
			phones[d] = newPhone(t, srv, 2002, func(c *Config) { c.Resource = d })
			defer phones[d].stop()
			phones[d].wantUp()
		}
		a.wantUp()
		one, all := valid(signaling.Update), valid(signaling.HangUp)
		one.Peer, one.Device = 2002, "garden & gate"
		all.Peer = 2002
		for _, s := range []*signaling.Signal{one, all} {
			if err := a.Send(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		if got := phones["garden & gate"].wantSignal().Kind; got != signaling.Update {
			t.Errorf("garden got %v first, want update", got)
		}
		for d, p := range phones {
			if got := p.wantSignal(); got.Kind != signaling.HangUp || !strings.HasPrefix(got.Device, "intercom_") {
				t.Errorf("%s got %v from device %q, want hangUp from one made up", d, got.Kind, got.Device)
			}
		}
	})
}

func TestBounces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		a := newPhone(t, srv, 2001, nil)
		defer a.stop()
		a.wantUp()
		s := valid(signaling.Call)
		s.Peer = 2002
		if err := a.Send(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		want := &signaling.Bounce{Peer: 2002, ID: s.ID, Condition: "service-unavailable"}
		if got := a.next(); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		c := srv.Session("2001-99")
		bounce := func(from, id, inner string) {
			c.Send("<message xmlns='jabber:client' type='error' from='" + from + "' id='" + id + "'>" + inner + "</message>")
		}
		bounce("2002-99@chat.localhost", "", "")            // of what?
		bounce("2002-99@evil.example", "1", "")             // not whom we wrote to
		bounce("2002-99@chat.localhost/x", "2", "<error/>") // of what kind?
		bounce("chat.localhost", "3", "<extraParams/><error type='wait'><text xmlns='"+nsStanzas+"'> too big </text><policy-violation xmlns='"+nsStanzas+"'/><x xmlns='y'/></error>")
		for _, want := range []*signaling.Bounce{
			{Peer: 2002, Device: "x", ID: "2", Condition: "undefined-condition"},
			{ID: "3", Condition: "policy-violation", Text: "too big"},
		} {
			if got := a.next(); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
		if got := a.Stats(); got != (Stats{Sent: 1, Bounced: 3, Ignored: 2}) {
			t.Errorf("counters: got %+v", got)
		}
	})
}

// deliver makes the server deliver a message to user 2001.
func deliver(srv *xmpptest.Server, from, typ, inner string) {
	srv.Session("2001-99").Send("<message xmlns='jabber:client' from='" + from + "' id='m' type='" + typ + "'>" + inner + "</message>")
}

func TestStrangersAndNonsenseAreDropped(t *testing.T) {
	const phone = "2002-99@chat.localhost/phone"
	hangUp := wrap("hangUp", "")
	call := func(opponent string) string {
		return "<extraParams><sessionID>S</sessionID><callType>1</callType><callerID>2001</callerID><opponentsIDs><opponentID>" + opponent +
			"</opponentID></opponentsIDs><sdp>v=0</sdp><moduleIdentifier>WebRTCVideoChat</moduleIdentifier><signalType>call</signalType></extraParams>"
	}
	carbon := "<sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' type='headline'>" + hangUp + "</message></forwarded></sent>"
	tests := []struct {
		name, from, typ, inner string
		want                   Stats
	}{
		{"user of another server", "2002-99@evil.example/phone", "headline", hangUp, Stats{Dropped: 1}},
		{"user of another application", "2002-98@chat.localhost/phone", "headline", hangUp, Stats{Dropped: 1}},
		{"user of no application", "2002@chat.localhost/phone", "headline", hangUp, Stats{Dropped: 1}},
		{"user with leading zeros", "02002-99@chat.localhost/phone", "headline", hangUp, Stats{Dropped: 1}},
		{"user with a tail", "2002-99-1@chat.localhost/phone", "headline", hangUp, Stats{Dropped: 1}},
		{"negative user", "-2002-99@chat.localhost/phone", "headline", hangUp, Stats{Dropped: 1}},
		{"no address", "@@", "headline", hangUp, Stats{Dropped: 1}},
		{"the server itself", "chat.localhost", "headline", hangUp, Stats{Dropped: 1}},
		{"malformed", phone, "headline", strings.Replace(hangUp, "sessionID", "x", 2), Stats{Dropped: 1}},
		{"unknown kind", phone, "headline", wrap("dance", ""), Stats{Dropped: 1}},
		{"deep nesting", phone, "headline", strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100), Stats{Dropped: 1}},
		{"chat", phone, "chat", "<body>hi</body>", Stats{Ignored: 1}},
		{"empty headline", phone, "headline", "", Stats{Ignored: 1}},
		{"delayed", phone, "headline", hangUp + "<delay xmlns='urn:xmpp:delay'/>", Stats{Ignored: 1}},
		{"our own call to somebody else", "2001-99@chat.localhost/other", "headline", call("2002"), Stats{Ignored: 1}},
		{"carbon copy", "2001-99@chat.localhost", "headline", carbon, Stats{Ignored: 1}},
		{"our own call to ourselves", "2001-99@chat.localhost/other", "headline", call("2001"), Stats{Received: 1}},
		{"another own signal", "2001-99@chat.localhost/other", "headline", hangUp, Stats{Received: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer()
				a := newPhone(t, srv, 2001, nil)
				defer a.stop()
				a.wantUp()
				deliver(srv, tt.from, tt.typ, tt.inner)
				synctest.Wait()
				if got := a.Stats(); got != tt.want {
					t.Errorf("counters: got %+v, want %+v", got, tt.want)
				}
				if tt.want.Received > 0 {
					a.wantSignal()
				}
				deliver(srv, phone, "headline", hangUp)
				if got := a.wantSignal(); got.Kind != signaling.HangUp || got.Peer != 2002 || got.Device != "phone" {
					t.Errorf("after it: got %+v, want a hangUp of 2002's phone", got)
				}
				if got := srv.Dials(); got != 1 {
					t.Errorf("dials: got %d, want 1", got)
				}
			})
		})
	}
}

func TestAStrangerCannotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		srv := newServer()
		a := newPhone(t, srv, 2001, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		defer a.stop()
		a.wantUp()
		for range 10 {
			for range 50 {
				deliver(srv, "2002-98@chat.localhost/phone", "headline", wrap("hangUp", ""))
			}
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if got := a.Stats().Dropped; got != 500 {
			t.Errorf("dropped: got %d, want 500", got)
		}
		if got := strings.Count(log.String(), "signal dropped"); got != 10 {
			t.Errorf("log lines: got %d, want 10:\n%s", got, log.String())
		}
		if !strings.Contains(log.String(), "unsaid=49") {
			t.Errorf("the log does not say how many more there were:\n%s", log.String())
		}
	})
}

// If nobody reads, the link goes down rather than a signal be left out.
func TestOverflowEndsTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		a := newPhone(t, srv, 2001, nil)
		defer a.stop()
		a.wantUp()
		for i := range queueLimit + 5 {
			if c := srv.Session("2001-99"); c != nil {
				c.Send(fmt.Sprintf("<message xmlns='jabber:client' from='2002-99@chat.localhost/phone' id='%d' type='headline'>%s</message>", i, wrap("hangUp", "")))
			}
		}
		time.Sleep(10 * time.Minute) // the link comes and goes, the queue does not grow
		for range 100 {
			if c := srv.Session("2001-99"); c != nil {
				deliver(srv, "2002-99@chat.localhost/phone", "headline", wrap("hangUp", ""))
			}
			time.Sleep(time.Minute)
		}
		for i := range queueLimit {
			if got, want := a.wantSignal().ID, fmt.Sprint(i); got != want {
				t.Fatalf("signal %d: got id %s", i, got)
			}
		}
		if d, ok := a.next().(signaling.LinkDown); !ok || !errors.Is(d.Err, ErrOverflow) {
			t.Fatalf("after the last signal: got %+v, want LinkDown with ErrOverflow", d)
		}
		a.wantUp()
		deliver(srv, "2002-99@chat.localhost/phone", "headline", wrap("hangUp", ""))
		a.wantSignal()
	})
}

func TestLinkEventsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		a := newPhone(t, srv, 2001, nil)
		defer a.stop()
		a.wantUp()
		for range 3 {
			deliver(srv, "2002-99@chat.localhost/phone", "headline", wrap("hangUp", ""))
			srv.Session("2001-99").Send("</stream:stream>")
			a.wantSignal()
			if d, ok := a.next().(signaling.LinkDown); !ok || d.Err == nil {
				t.Fatalf("got %+v, want LinkDown with a reason", d)
			}
			s := valid(signaling.HangUp)
			s.Peer = 2002
			start := time.Now()
			if err := a.Send(t.Context(), s); !errors.Is(err, xmpp.ErrDown) || time.Since(start) != 0 {
				t.Errorf("send while down: got %v after %v, want xmpp.ErrDown at once", err, time.Since(start))
			}
			a.wantUp()
			if err := a.Send(t.Context(), s); err != nil {
				t.Errorf("send after LinkUp: %v", err)
			}
			if _, ok := a.next().(*signaling.Bounce); !ok {
				t.Error("want the bounce of what was sent")
			}
		}
	})
}

func TestReceiveEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		a := newPhone(t, srv, 2001, nil)
		a.wantUp()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if e, err := a.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, %v, want the context's error", e, err)
		}
		deliver(srv, "2002-99@chat.localhost/phone", "headline", wrap("hangUp", ""))
		synctest.Wait()
		a.stop()
		a.wantSignal() // what had arrived is not lost
		if d, ok := a.next().(signaling.LinkDown); !ok {
			t.Errorf("got %T, want LinkDown", d)
		}
		for range 2 {
			if e, err := a.Receive(t.Context()); !errors.Is(err, ErrClosed) {
				t.Errorf("got %v, %v, want ErrClosed", e, err)
			}
		}
		if err := a.Run(t.Context()); err == nil {
			t.Error("the second Run returned nil, want an error")
		}
	})
}

func TestSendRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newPhone(t, newServer(), 2001, nil)
		defer a.stop()
		a.wantUp()
		for name, edit := range map[string]func(*signaling.Signal){
			"peer is missing":       func(s *signaling.Signal) { s.Peer = 0 },
			"is no resource":        func(s *signaling.Signal) { s.Device = "\x00" },
			"id is no attribute":    func(s *signaling.Signal) { s.ID = "a\nb" },
			"opponents are missing": func(s *signaling.Signal) { s.Opponents = nil },
		} {
			s := valid(signaling.HangUp)
			s.Peer = 2002
			edit(s)
			err := a.Send(t.Context(), s)
			var refused *EncodeError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v, want an EncodeError with %q", err, name)
			}
		}
	})
}

func TestReportAndCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		var reports []string
		passwords := []string{"stale", "one"}
		dials := 0
		a := newPhone(t, srv, 2001, func(c *Config) {
			c.Report = func(err error) { reports = append(reports, fmt.Sprint(err)) }
			c.Credentials = func(context.Context) (string, error) {
				p := passwords[0]
				if dials > 1 {
					passwords = passwords[1:]
				}
				return p, nil
			}
			c.Dial = func(ctx context.Context, n, addr string) (net.Conn, error) {
				if dials++; dials == 1 {
					return nil, syscall.ECONNREFUSED
				}
				return srv.Dial(ctx, n, addr)
			}
		})
		defer a.stop()
		a.wantUp()
		synctest.Wait()
		want := []string{"connect tcp://127.0.0.1:5222: connection refused",
			"log in as 2001-99@chat.localhost at tcp://127.0.0.1:5222: not-authorized (Invalid username or password.)",
			"log in as 2001-99@chat.localhost at tcp://127.0.0.1:5222: not-authorized (Invalid username or password.)", "<nil>"}
		if !reflect.DeepEqual(reports, want) {
			t.Errorf("reports:\n got %q\nwant %q", reports, want)
		}
	})
}

func TestIDsAreUnique(t *testing.T) {
	a, b := newIDSource(), newIDSource()
	seen := make(map[string]bool)
	for range 1000 {
		for _, id := range []string{a.next(), b.next()} {
			if seen[id] || len(id) != 24 {
				t.Fatalf("id %q is not new or not of 24 digits", id)
			}
			seen[id] = true
		}
	}
}
