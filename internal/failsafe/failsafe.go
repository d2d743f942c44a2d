// Package failsafe is how whoever drives the lines of locks ends, on purpose or by a panic:
// with all lines safe. It does not know what safe is, nor does it help against the death of
// the process. It starts no goroutine.
package failsafe

import (
	"fmt"
	"sync"
	"time"
)

// How often lines that do not obey are driven for the last time. More would keep the
// service manager waiting, which has means of its own.
const (
	tries = 5
	pause = 100 * time.Millisecond
)

// patience is how long a panic waits for the lines to be safe: longer than Leave tries.
const patience = time.Second

// Leave has each of n lines driven safe, some times if that fails, and returns what is left
// of it for each: nil if it is safe. A driver that panics with one of them does not keep the
// others open.
func Leave(n int, safe func(i int) error) []error {
	left := make([]error, n)
	for try := range tries {
		again := false
		for i := range left {
			if try == 0 || left[i] != nil {
				left[i] = calm(func() error { return safe(i) })
				again = again || left[i] != nil
			}
		}
		if !again {
			break
		}
		if try < tries-1 {
			time.Sleep(pause)
		}
	}
	return left
}

// calm makes an error of a panic.
func calm(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its driver panics: %v", p)
		}
	}()
	return f()
}

// Panics are those of the goroutines beside the one that drives the lines.
type Panics struct {
	left <-chan struct{}
	seen chan struct{}
	once sync.Once
}

// NewPanics makes a Panics. The one that drives closes left when it has left its lines.
func NewPanics(left <-chan struct{}) *Panics {
	return &Panics{left: left, seen: make(chan struct{})}
}

// Seen is closed when a goroutine panics: the one that drives the lines leaves them then.
func (p *Panics) Seen() <-chan struct{} { return p.seen }

// Wrap returns what a goroutine is to do in the place of f: should f panic, the lines are
// left before the program ends.
func (p *Panics) Wrap(f func()) func() {
	return func() {
		well := false
		defer func() {
			if well {
				return
			}
			p.once.Do(func() { close(p.seen) })
			select {
			case <-p.left:
			case <-time.After(patience):
			}
		}()
		f()
		well = true
	}
}
