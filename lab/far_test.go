//go:build e2e

package lab

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// farAway returns an address at which a TCP server on this machine seems to be that far
// away, in each direction, until the test ends.
func farAway(t *testing.T, server string, delay time.Duration) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var (
		all    sync.WaitGroup
		mu     sync.Mutex
		open   []net.Conn
		closed bool
	)
	// keep has a connection closed when the test ends, and now if it has.
	keep := func(c net.Conn) {
		mu.Lock()
		defer mu.Unlock()
		open = append(open, c)
		if closed {
			c.Close()
		}
	}
	all.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return // closed
			}
			keep(near)
			far, err := net.Dial("tcp", server)
			if err != nil {
				near.Close()
				continue
			}
			keep(far)
			all.Go(func() { carry(far, near, delay) })
			all.Go(func() { carry(near, far, delay) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		closed = true
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return l.Addr().String()
}

// carry copies what it reads, later by delay, until either connection ends; then it ends
// the other one.
func carry(to io.WriteCloser, from io.ReadCloser, delay time.Duration) {
	type piece struct {
		due  time.Time
		data []byte
	}
	pieces := make(chan piece, 4096)
	go func() {
		defer close(pieces)
		for {
			buf := make([]byte, 16<<10)
			n, err := from.Read(buf)
			if err != nil {
				return
			}
			pieces <- piece{time.Now().Add(delay), buf[:n]}
		}
	}()
	for p := range pieces {
		time.Sleep(time.Until(p.due)) // this is the distance
		if _, err := to.Write(p.data); err != nil {
			break
		}
	}
	to.Close()
	from.Close()
	for range pieces {
	}
}
