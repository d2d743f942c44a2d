package guard

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"intercom/hw"
)

// wire is a lock's line.
type wire struct {
	mu      sync.Mutex
	level   bool
	changes int
	taken   bool
	fault   error
}

func (w *wire) Inputs(...hw.Line) (hw.Inputs, error) { return nil, errors.New("none") }

func (w *wire) Output(_ hw.Line, active bool) (hw.Output, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.taken || w.fault != nil {
		return nil, errors.Join(errors.New("it cannot be taken"), w.fault)
	}
	w.taken = true
	w.set(active)
	return wireOutput{w}, nil
}

func (w *wire) set(active bool) {
	if w.level != active {
		w.level = active
		w.changes++
	}
}

func (w *wire) active() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.level
}

func (w *wire) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = err
}

// wires are several.
type wires map[string]*wire

func (w wires) Inputs(...hw.Line) (hw.Inputs, error) { return nil, errors.New("none") }

func (w wires) Output(l hw.Line, active bool) (hw.Output, error) {
	if w[l.Name] == nil {
		return nil, errors.New("no such line")
	}
	return w[l.Name].Output(l, active)
}

type wireOutput struct{ *wire }

func (o wireOutput) Set(active bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fault == nil {
		o.set(active)
	}
	return o.fault
}

func (o wireOutput) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.taken = false
	return nil
}

// pipes is a listener within a bubble: its connections are net.Pipe's, which keep packets
// apart as unixpacket sockets do.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

func (p *pipes) dial() (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, ErrNotRunning
	}
}

// bench is a guard on a scripted line, in a bubble.
type bench struct {
	*testing.T
	wire  *wire
	pipes *pipes
	stop  context.CancelFunc
	ended chan error
}

var (
	lockLine = hw.Line{Name: "lock"}
	gateLine = hw.Line{Name: "gate", ActiveLow: true}
)

func newBench(t *testing.T, c Config, lock ...Lock) *bench {
	t.Helper()
	b := &bench{T: t, pipes: &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}, ended: make(chan error, 1)}
	b.wire = &wire{}
	if c.Lines == nil {
		c.Lines = b.wire
	}
	if len(lock) == 0 {
		lock = []Lock{{}}
	}
	c.Locks = lock
	c.Locks[0].Line = lockLine
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, b.stop = context.WithCancel(t.Context())
	go func() { b.ended <- g.Serve(ctx, b.pipes) }()
	synctest.Wait()
	return b
}

// end ends the guard.
func (b *bench) end() {
	b.Helper()
	b.stop()
	if err := <-b.ended; err != nil {
		b.Errorf("the guard ended with %v", err)
	}
	b.wantOpen(false)
}

func (b *bench) client() *Client { return NewClient(ClientConfig{Dial: b.pipes.dial}) }

// take has a client take the line, kept alive until the test's bubble ends or stop is called.
func (b *bench) take(c *Client) (out hw.Output, stop func()) {
	b.Helper()
	out, err := c.Output(lockLine, false)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Watch(ctx, func(error) {})
	}()
	return out, func() { cancel(); <-done }
}

func (b *bench) wantOpen(want bool) {
	b.Helper()
	synctest.Wait()
	if got := b.wire.active(); got != want {
		b.Errorf("the line is open: %v, want %v", got, want)
	}
}

func (b *bench) set(out hw.Output, active bool) {
	b.Helper()
	if err := out.Set(active); err != nil {
		b.Errorf("set %v: %v", active, err)
	}
	b.wantOpen(active)
}

func (b *bench) refused(err error, want string) {
	b.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		b.Errorf("got error %v, want one with %q", err, want)
	}
}

// send sends one packet and returns the answer.
func (b *bench) send(c net.Conn, packet string) string {
	b.Helper()
	if _, err := c.Write([]byte(packet)); err != nil {
		b.Fatalf("%q: %v", packet, err)
	}
	buf := make([]byte, maxFrame+1)
	n, err := c.Read(buf)
	if err != nil {
		b.Fatalf("%q: no answer: %v", packet, err)
	}
	return string(buf[:n])
}
