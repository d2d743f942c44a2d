package guard

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"intercom/hw"
	"intercom/hw/locktest"
)

func TestMain(m *testing.M) { locktest.Main(m, panics) }

// TestPanics: a panic in every goroutine of the guard ends the program, and leaves the lock
// safe.
func TestPanics(t *testing.T) { locktest.Panics(t, "loop", "teller", "acceptor", "server") }

// panics serves a client that opens the lock.
func panics(l locktest.Line, folder string) {
	g, err := New(Config{
		Lines: panicLines{l}, Locks: []Lock{{Line: lockLine, Max: time.Minute}},
		Alive: func() { l.Panic("teller") },
	})
	if err != nil {
		panic(err)
	}
	path := filepath.Join(folder, "s")
	socket, err := Listen(path)
	if err != nil {
		panic(err)
	}
	go func() {
		c := NewClient(ClientConfig{Path: path})
		out, err := c.Output(lockLine, false)
		if err == nil {
			err = out.Set(true)
		}
		if err == nil {
			err = c.Watch(context.Background(), func(error) {})
		}
	}()
	_ = g.Serve(context.Background(), panicListener{socket, l})
}

type panicLines struct{ locktest.Line }

func (panicLines) Inputs(...hw.Line) (hw.Inputs, error) { return nil, errors.New("none") }

// panicListener panics, or its connections do.
type panicListener struct {
	net.Listener
	line locktest.Line
}

func (l panicListener) Accept() (net.Conn, error) {
	l.line.Panic("acceptor")
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if l.line.Where == "acceptor" {
		go func() { <-l.line.Open; l.Listener.(*net.UnixListener).SetDeadline(time.Now()) }()
	}
	return panicConn{c, l.line}, nil
}

type panicConn struct {
	net.Conn
	line locktest.Line
}

func (c panicConn) Read(b []byte) (int, error) {
	c.line.Panic("server")
	return c.Conn.Read(b)
}
