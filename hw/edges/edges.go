// Package edges keeps edges that the kernel has told until they are asked for, in the order
// of their time: what backends have in common whose lines are files to be polled, hw/cdev and
// hw/evdev. It opens and reads no such file and knows no line: that is theirs.
//
// It starts no goroutine: Next waits in its caller's.
package edges

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"intercom/hw"
)

// Queue is what an hw.Inputs tells from. What belongs to its backend is free to be used in
// what Next and Close call, one call at a time.
type Queue struct {
	wake int // an eventfd: written when Poll must return

	reading sync.Mutex // held by Next; guards what follows
	edges   []hw.Edge  // not yet told; sorted by time
	last    time.Time  // of what was told

	mu     sync.Mutex
	closed bool
}

// New makes a queue, which is to be closed.
func New() (*Queue, error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("inputs: eventfd: %w", err)
	}
	return &Queue{wake: wake}, nil
}

// Add adds an edge. It is called before the first Next, for levels, which keep their order,
// and by what Next calls.
func (q *Queue) Add(e hw.Edge) { q.edges = append(q.edges, e) }

// Next returns the next edge. While there is none it calls wait, which adds some, or returns
// when Poll does. After Close it is an error that wraps os.ErrClosed.
func (q *Queue) Next(ctx context.Context, wait func() error) (hw.Edge, error) {
	q.reading.Lock()
	defer q.reading.Unlock()
	stop := context.AfterFunc(ctx, q.poke)
	defer stop()
	for {
		switch {
		case q.isClosed():
			return hw.Edge{}, fmt.Errorf("inputs: %w", os.ErrClosed)
		case ctx.Err() != nil:
			return hw.Edge{}, ctx.Err()
		case len(q.edges) > 0:
			return q.first(), nil
		}
		if err := wait(); err != nil {
			return hw.Edge{}, err
		}
		slices.SortStableFunc(q.edges, func(a, b hw.Edge) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	}
}

func (q *Queue) first() hw.Edge {
	e := q.edges[0]
	q.edges = q.edges[1:]
	if e.At.Before(q.last) { // two clocks were read
		e.At = q.last
	}
	q.last = e.At
	return e
}

// Poll waits until something has happened to one of the files (poll(2): negative ones are
// skipped), until a time (zero: for as long as it takes), or until Next has to return. It is
// called by what Next calls.
func (q *Queue) Poll(fds []unix.PollFd, until time.Time) error {
	limit := -1 // ms
	if !until.IsZero() {
		limit = max(0, int((time.Until(until)+time.Millisecond-1)/time.Millisecond))
	}
	all := append(fds, unix.PollFd{Fd: int32(q.wake), Events: unix.POLLIN})
	if _, err := unix.Poll(all, limit); err != nil && err != unix.EINTR {
		return fmt.Errorf("inputs: poll: %w", err)
	}
	copy(fds, all)
	if all[len(fds)].Revents != 0 {
		var count [8]byte
		_, _ = unix.Read(q.wake, count[:]) // it is only reset
	}
	return nil
}

// Close ends a Next that waits, and then releases what the backend has.
func (q *Queue) Close(release func() error) error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return nil
	}
	q.closed = true
	q.write()
	q.mu.Unlock()

	q.reading.Lock()
	defer q.reading.Unlock()
	return errors.Join(unix.Close(q.wake), release())
}

func (q *Queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// poke makes Next look up.
func (q *Queue) poke() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.write()
	}
}

func (q *Queue) write() {
	one := binary.NativeEndian.AppendUint64(nil, 1)
	_, _ = unix.Write(q.wake, one) // it fails only if there is one already
}

// ClockStart returns when CLOCK_MONOTONIC was zero, by which the kernel dates edges.
func ClockStart() time.Time {
	var mono unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono); err != nil {
		return time.Now() // it cannot fail; the edge would be in the future
	}
	return time.Now().Add(-time.Duration(mono.Nano()))
}
