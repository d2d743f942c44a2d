package control

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// panel is a station of one button that notes what it was asked for.
type panel struct {
	Hub
	mu     sync.Mutex
	asked  []string
	status Status

	picture []byte // of the camera; nil: it is off
	stuck   bool   // Press does not return before its context ends
}

func (p *panel) note(s string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, s)
}

func (p *panel) Press(ctx context.Context, name string) error {
	if p.stuck {
		<-ctx.Done()
		return ctx.Err()
	}
	if name != "call" {
		return errors.New(`no button "` + name + `"; there is call`)
	}
	p.note("press " + name)
	return nil
}

// watching is the number of watchers the hub knows.
func (p *panel) watching() int {
	p.Hub.mu.Lock()
	defer p.Hub.mu.Unlock()
	return len(p.Hub.watchers)
}

func (p *panel) Type(_ context.Context, keys string) error { p.note("type " + keys); return nil }
func (p *panel) HangUp(context.Context) error              { p.note("hangup"); return nil }
func (p *panel) Status() Status                            { return p.status }
func (p *panel) Snapshot(context.Context) ([]byte, error) {
	if p.picture == nil {
		return nil, errors.New("the camera is off")
	}
	return p.picture, nil
}
func (p *panel) Watch(ctx context.Context, last int, f func(Event) error) error {
	return p.Hub.Watch(ctx, last, f)
}

// start serves st on a socket in a temporary directory until the test ends.
func start(t *testing.T, st Station) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run", "control.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, st, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("socket is left behind: %v", err)
		}
	})
	return path
}

func dial(t *testing.T, path string) *Client {
	t.Helper()
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestRequests(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := &panel{status: Status{Time: now, State: "idle", Link: Link{Up: true, Since: now},
		Buttons: []Button{{Name: "call", Label: "Ring"}}, Health: []Condition{{Name: "camera", Text: "lost", Since: now}}}}
	c := dial(t, start(t, p))
	if err := c.Press(t.Context(), "call"); err != nil {
		t.Errorf("Press: %v", err)
	}
	err := c.Press(t.Context(), "bell")
	if re := (*RefusedError)(nil); !errors.As(err, &re) || !strings.Contains(re.Text, "there is call") {
		t.Errorf("Press of an unknown button: %v, want what the station said", err)
	}
	if _, err := c.Snapshot(t.Context()); err == nil || !strings.Contains(err.Error(), "camera is off") {
		t.Errorf("Snapshot of a camera that is off: %v", err)
	}
	p.picture = bytes.Repeat([]byte{0xff, 0xd8, 0}, 200<<10) // as large as they may be
	if got, err := c.Snapshot(t.Context()); err != nil || !bytes.Equal(got, p.picture) {
		t.Errorf("Snapshot: %d bytes, %v, want %d", len(got), err, len(p.picture))
	}
	if err := c.HangUp(t.Context()); err != nil {
		t.Errorf("HangUp after a refusal: %v", err)
	}
	if err := c.Type(t.Context(), "12#"); err != nil {
		t.Errorf("Type: %v", err)
	}
	got, err := c.Status(t.Context())
	if err != nil || !reflect.DeepEqual(got, p.status) {
		t.Errorf("Status: %+v, %v\nwant %+v", got, err, p.status)
	}
	if got, want := strings.Join(p.asked, ","), "press call,hangup,type 12#"; got != want {
		t.Errorf("station was asked %q, want %q", got, want)
	}
}

func TestStatusThatCannotBeEncoded(t *testing.T) {
	p := &panel{status: Status{Speaker: Level{DBFS: math.Inf(-1)}}}
	c := dial(t, start(t, p))
	if _, err := c.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "unsupported value") {
		t.Errorf("Status: %v, want the reason", err)
	}
}

func TestEvents(t *testing.T) {
	p := &panel{}
	path := start(t, p)
	c := dial(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan Event)
	done := make(chan error, 1)
	go func() {
		done <- c.Events(ctx, func(e Event) error { got <- e; return nil })
	}()
	// The first one is published until the watcher is there.
	stop := make(chan struct{})
	var publisher sync.WaitGroup
	publisher.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				p.Publish(Event{Type: Started, Text: "the station started"})
			}
		}
	})
	if e := <-got; e.Type != Started {
		t.Errorf("first event is %+v", e)
	}
	close(stop)
	publisher.Wait()
	want := Event{Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Type: Refused, Call: "c1", User: 7, Reason: "stranger", Text: "no"}
	p.Publish(want)
	var e Event
	for e = range got {
		if e.Type != Started {
			break
		}
	}
	if !reflect.DeepEqual(e, want) {
		t.Errorf("got %+v, want %+v", e, want)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Events: %v, want the context's error", err)
	}
	waitFor(t, "the server notices that the watcher is gone", func() bool { return p.watching() == 0 })
}

// waitFor polls in real time: sockets are not for bubbles.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func TestMalformedRequests(t *testing.T) {
	for _, tt := range []struct{ name, line, want string }{
		{"empty", "", "empty request"},
		{"not json", "press call", "malformed request"},
		{"array", `["press"]`, "malformed request"},
		{"wrong type", `{"cmd":1}`, "malformed request"},
		{"truncated", `{"cmd":"press"`, "malformed request"},
		{"two objects", `{"cmd":"hangup"}{"cmd":"hangup"}`, "one JSON object a line"},
		{"trailing bracket", `{"cmd":"hangup"}]`, "one JSON object a line"},
		{"unknown field", `{"cmd":"press","nmae":"call"}`, "nmae"},
		{"unknown command", `{"cmd":"open"}`, `unknown command "open"`},
		{"null", `null`, `unknown command ""`},
		{"no name", `{"cmd":"press"}`, "name"},
		{"needless name", `{"cmd":"hangup","name":"call"}`, "takes no"},
		{"needless keys", `{"cmd":"press","name":"call","keys":"1"}`, "takes no"},
		{"no keys", `{"cmd":"type"}`, "keys"},
		{"keys and name", `{"cmd":"type","keys":"1","name":"call"}`, "nothing else"},
		{"too long", `{"cmd":"press","name":"` + strings.Repeat("x", maxRequest) + `"}`, "longer than"},
		{"deep", strings.Repeat("[", maxRequest-10), "malformed request"},
		{"binary", "\x00\xff\xfe", "malformed request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &panel{}
			conn, err := net.Dial("unix", start(t, p))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, tt.line+"\n"); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(conn)
			got, err := r.ReadString('\n')
			if err != nil || !strings.HasPrefix(got, `{"error":`) || !strings.Contains(strings.ReplaceAll(got, `\"`, `"`), tt.want) {
				t.Errorf("reply %q, %v; want an error with %q", got, err, tt.want)
			}
			if len(p.asked) != 0 {
				t.Errorf("station was asked: %q", p.asked)
			}
			if tt.name == "too long" {
				return // where the next request begins is anybody's guess: it is closed
			}
			if _, err := io.WriteString(conn, `{"cmd":"hangup"}`+"\n"); err != nil {
				t.Fatal(err)
			}
			if got, err := r.ReadString('\n'); err != nil || got != `{"ok":true}`+"\n" {
				t.Errorf("the next request got %q, %v", got, err)
			}
		})
	}
}

func TestListen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "deep", "c.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("socket has mode %v, %v; want 0600", fi.Mode().Perm(), err)
	}
	if fi, err := os.Stat(filepath.Dir(path)); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("its directory has mode %v, %v; want 0700", fi.Mode().Perm(), err)
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "another station is running") {
		t.Errorf("second Listen: %v, want a refusal", err)
	}
	// A process that is killed leaves its socket.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if _, err := Dial(t.Context(), path); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Dial of a stale socket: %v, want ErrNotRunning", err)
	}
	l, err = Listen(path)
	if err != nil {
		t.Fatalf("Listen over a stale socket: %v", err)
	}
	l.Close()
	if _, err := Dial(t.Context(), path); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Dial of no socket: %v, want ErrNotRunning", err)
	}
	plain := filepath.Join(dir, "file")
	if err := os.WriteFile(plain, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(plain); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("Listen over a file: %v, want a refusal", err)
	}
	if b, _ := os.ReadFile(plain); string(b) != "precious" {
		t.Errorf("the file is now %q", b)
	}
	if _, err := Listen("/" + strings.Repeat("x", 200)); err == nil || !strings.Contains(err.Error(), "at most 107") {
		t.Errorf("Listen on a long path: %v", err)
	}
}

func TestListenTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.sock")
	stale, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()
	var mu sync.Mutex
	var won []net.Listener
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			l, err := Listen(path)
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			won = append(won, l)
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Errorf("%d of 8 took the stale socket, want one", len(won))
	}
	for _, l := range won {
		l.Close()
	}
}

func TestTooManyConnections(t *testing.T) {
	path := start(t, &panel{})
	for range maxConns {
		c := dial(t, path)
		if err := c.HangUp(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c := dial(t, path)
	if err := c.HangUp(t.Context()); err == nil {
		t.Errorf("connection %d was served, want a refusal", maxConns+1)
	}
}

// pipes is a listener of in-memory connections, for bubbles.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
func (p *pipes) dial() net.Conn { a, b := net.Pipe(); p.conns <- a; return b }

// bubble runs f against a server in a bubble of fake time.
func bubble(t *testing.T, st *panel, f func(*testing.T, *pipes)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p := newPipes()
		done := make(chan error, 1)
		go func() { done <- Serve(ctx, p, st, nil) }()
		f(t, p)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func TestIdleConnectionEnds(t *testing.T) {
	bubble(t, &panel{}, func(t *testing.T, p *pipes) {
		c := p.dial()
		began := time.Now()
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("an idle connection was sent something")
		}
		if got := time.Since(began); got != idleTimeout {
			t.Errorf("closed after %v, want %v", got, idleTimeout)
		}
	})
}

func TestWatcherThatDoesNotRead(t *testing.T) {
	st := &panel{}
	bubble(t, st, func(t *testing.T, p *pipes) {
		c := p.dial()
		defer c.Close()
		if _, err := io.WriteString(c, `{"cmd":"events"}`+"\n"); err != nil {
			t.Fatal(err)
		}
		if got, err := bufio.NewReader(c).ReadString('\n'); err != nil || got != `{"ok":true}`+"\n" {
			t.Fatalf("reply %q, %v", got, err)
		}
		synctest.Wait()
		st.Publish(Event{Type: Pressed})
		time.Sleep(writeTimeout + time.Second)
		if n := st.watching(); n != 0 {
			t.Errorf("%d watchers left of a client that does not read", n)
		}
	})
}

func TestStationThatDoesNotAnswer(t *testing.T) {
	st := &panel{stuck: true}
	bubble(t, st, func(t *testing.T, p *pipes) {
		c := newClient(p.dial())
		defer c.Close()
		began := time.Now()
		err := c.Press(t.Context(), "call")
		if re := (*RefusedError)(nil); !errors.As(err, &re) {
			t.Errorf("Press: %v, want the station's words", err)
		}
		if got := time.Since(began); got != requestTimeout {
			t.Errorf("answered after %v, want %v", got, requestTimeout)
		}
		// The caller's patience may be shorter.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Press(ctx, "call"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Press: %v, want the context's error", err)
		}
	})
}

func TestServeEndsWithBusyConnections(t *testing.T) {
	st := &panel{stuck: true}
	bubble(t, st, func(t *testing.T, p *pipes) {
		for range 3 {
			c := p.dial()
			if _, err := io.WriteString(c, `{"cmd":"press","name":"call"}`+"\n"); err != nil {
				t.Fatal(err)
			}
		}
		p.dial() // and one that says nothing
	})
}

func FuzzParseRequest(f *testing.F) {
	for _, s := range []string{`{"cmd":"press","name":"call"}`, `{"cmd":"hangup"}`, `{"cmd":"status"}`, `{"cmd":"events"}`,
		``, `null`, `[]`, `{"cmd":"press"}`, `{"CMD":"hangup"}`, `{"cmd":"hangup","x":1}`, `{"cmd":"press","name":"\ud800"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := parseRequest(line)
		if err != nil {
			if r != (request{}) || err.Error() == "" || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: %+v, %q", line, r, err)
			}
			return
		}
		switch r.Cmd {
		case cmdPress:
			if r.Name == "" {
				t.Errorf("%q: press without a name", line)
			}
		case cmdHangUp, cmdStatus, cmdEvents, cmdSnap:
			if r.Name != "" {
				t.Errorf("%q: a name came through", line)
			}
		default:
			t.Errorf("%q: command %q came through", line, r.Cmd)
		}
	})
}
