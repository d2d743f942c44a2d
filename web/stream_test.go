package web

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"intercom/internal/control"
)

// pipes is a listener whose connections are in memory, so that a server and its client
// live by a bubble's clock.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error { l.once.Do(func() { close(l.done) }); return nil }

func (l *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

func (l *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve runs a page behind a real server in a bubble, with limits that are shorter than
// any stream, and ends both with the test.
func serve(t *testing.T, p *Page) (client *http.Client, shutdown func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := newPipes()
	server := &http.Server{
		Handler: p, BaseContext: func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: time.Second, ReadTimeout: 2 * time.Second, WriteTimeout: 2 * time.Second, IdleTimeout: time.Second,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	transport := &http.Transport{DialContext: l.dial}
	shutdown = sync.OnceFunc(func() {
		cancel()
		if err := server.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("got %v from the server, want it closed", err)
		}
		transport.CloseIdleConnections()
	})
	return &http.Client{Transport: transport}, shutdown
}

// reader reads a stream of Server-Sent Events.
type reader struct {
	t     *testing.T
	body  io.ReadCloser
	lines *bufio.Reader
}

func open(t *testing.T, client *http.Client) *reader {
	t.Helper()
	response, err := client.Get("http://127.0.0.1:8080/api/events")
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("got status %d, %q, want a stream", response.StatusCode, response.Header.Get("Content-Type"))
	}
	r := &reader{t, response.Body, bufio.NewReader(response.Body)}
	if got := r.block(); got != "retry: 1000" {
		t.Fatalf("the stream begins with %q, want when to come back", got)
	}
	return r
}

// block reads up to the next empty line.
func (r *reader) block() string {
	r.t.Helper()
	var lines []string
	for {
		line, err := r.lines.ReadString('\n')
		if err != nil {
			r.t.Fatalf("the stream ended: %v", err)
		}
		if line == "\n" {
			return strings.Join(lines, "\n")
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
}

// message reads the next message into v and gives its kind.
func (r *reader) message(v any) string {
	r.t.Helper()
	block := r.block()
	event, data, ok := strings.Cut(block, "\ndata: ")
	if !ok {
		r.t.Fatalf("got %q, want a message", block)
	}
	if err := json.Unmarshal([]byte(data), v); err != nil {
		r.t.Fatalf("got data %q: %v", data, err)
	}
	return strings.TrimPrefix(event, "event: ")
}

func (r *reader) status() control.Status {
	r.t.Helper()
	var s control.Status
	if kind := r.message(&s); kind != "status" {
		r.t.Fatalf("got a message %q, want a status", kind)
	}
	return s
}

func TestStreamOfStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStation()
		client, shutdown := serve(t, newPage(t, Config{Station: s}))
		defer shutdown()
		r := open(t, client)
		defer r.body.Close()
		if got := r.status(); got.State != "idle" || got.Time.IsZero() {
			t.Errorf("got %+v at once, want the status and its time", got)
		}
		<-s.watching

		// Nothing changes, so nothing comes, however long, but for heartbeats; the limits
		// of the server are behind.
		start := time.Now()
		before, _ := s.count()
		for range 2 {
			if got := r.block(); got != ": still here" {
				t.Fatalf("got %q without a change, want a heartbeat", got)
			}
		}
		if got := time.Since(start); got != 2*heartbeat {
			t.Errorf("two heartbeats took %v, want %v", got, 2*heartbeat)
		}
		after, _ := s.count()
		if got, most := after-before, int(2*heartbeat/poll); got == 0 || got > most {
			t.Errorf("the station was asked %d times, want up to %d", got, most)
		}

		s.set(func(now *control.Status) { now.State, now.Camera = "calling", true })
		start = time.Now()
		if got := r.status(); got.State != "calling" || !got.Camera {
			t.Errorf("got %+v, want the change", got)
		}
		if got := time.Since(start); got > poll {
			t.Errorf("the change came after %v, want within %v", got, poll)
		}
	})
}

func TestStreamOfEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStation()
		client, shutdown := serve(t, newPage(t, Config{Station: s}))
		defer shutdown()
		one, two := open(t, client), open(t, client)
		for _, r := range []*reader{one, two} {
			r.status()
			<-s.watching
		}
		want := []control.Event{
			{Type: control.Pressed, Name: "front", Text: "Somebody pressed \"Byron\"."},
			{Type: control.Refused, User: 7, Reason: "not a resident", Text: "first line\nsecond line\r\ndata: forged\n\n"},
		}
		for _, e := range want {
			s.emit(e)
		}
		for _, r := range []*reader{one, two} {
			for _, e := range want {
				var got control.Event
				if kind := r.message(&got); kind != "event" || got != e {
					t.Errorf("got %q %+v, want the event %+v", kind, got, e)
				}
			}
		}

		// A browser that goes away frees its watcher; the other stays.
		one.body.Close()
		time.Sleep(writeLimit + poll)
		if _, watchers := s.count(); watchers != 1 {
			t.Errorf("got %d watchers after one browser left, want 1", watchers)
		}
		// The server's end ends the stream in good order, long after the last write too.
		rest := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, two.lines)
			rest <- err
		}()
		shutdown()
		if err := <-rest; err != nil {
			t.Errorf("the stream ended with %v, want in good order", err)
		}
		two.body.Close()
		if _, watchers := s.count(); watchers != 0 {
			t.Errorf("got %d watchers after the end, want none", watchers)
		}
	})
}

func TestStreamEndsWithTheStation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStation()
		s.endWatch = errors.New("stopped")
		client, shutdown := serve(t, newPage(t, Config{Station: s}))
		defer shutdown()
		response, err := client.Get("http://127.0.0.1:8080/api/events")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Errorf("the stream ended with %v, want in good order", err)
		}
	})
}

// A new page shows what happened before it was opened.
func TestStreamBeginsWithThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStation()
		for i := range recent + 10 {
			s.past = append(s.past, control.Event{Type: control.Pressed, Name: strconv.Itoa(i), Text: "pressed"})
		}
		client, shutdown := serve(t, newPage(t, Config{Station: s}))
		defer shutdown()
		r := open(t, client)
		defer r.body.Close()
		r.status()
		for i := range recent {
			var e control.Event
			if kind := r.message(&e); kind != "event" || e.Name != strconv.Itoa(i+10) {
				t.Fatalf("message %d is the %s of %q, want the event of %d", i, kind, e.Name, i+10)
			}
		}
	})
}

// A browser that stops reading is given up, and does not hold the station's events.
func TestStreamGivesUpAStuckBrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStation()
		client, shutdown := serve(t, newPage(t, Config{Station: s}))
		defer shutdown()
		r := open(t, client)
		defer r.body.Close()
		r.status()
		<-s.watching
		start := time.Now()
		for range 10 {
			s.emit(control.Event{Type: control.Pressed, Text: strings.Repeat("long ", 2000)})
		}
		for {
			if _, watchers := s.count(); watchers == 0 {
				break
			}
			time.Sleep(poll)
		}
		if got := time.Since(start); got > writeLimit+time.Second {
			t.Errorf("given up after %v, want within %v", got, writeLimit)
		}
	})
}

func TestStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStation()
		client, shutdown := serve(t, newPage(t, Config{Station: s}))
		defer shutdown()
		var readers []*reader
		for range maxStreams {
			readers = append(readers, open(t, client))
		}
		response, err := client.Get("http://127.0.0.1:8080/api/events")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != 503 || !strings.Contains(complaint(t, string(body)), "open already") {
			t.Errorf("got status %d %s for one too many, want 503 and why", response.StatusCode, body)
		}
		readers[0].body.Close()
		time.Sleep(heartbeat)
		again := open(t, client)
		for _, r := range append(readers[1:], again) {
			r.body.Close()
		}
	})
}
