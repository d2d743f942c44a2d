package cdev

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"intercom/hw"
	"intercom/hw/edges"
)

// QueueSize is how many edges of one line the kernel keeps for a reader. Then the oldest
// go, and are counted.
const QueueSize = 64

// eventSize is the size of struct gpio_v2_line_event.
const eventSize = 48

// inputs waits for edges of lines. Each line is a request of its own: the kernel takes at
// most ten different settings in one.
//
// It reads them by itself: the library's watcher spins when a chip is unplugged, and does
// not merge the lines of several chips by time.
type inputs struct {
	queue *edges.Queue // its Next, one at a time, uses what follows
	lines []*input
	again time.Time // when lines whose chip is gone are looked for once more
}

// input is one line.
type input struct {
	hw.Line
	fd   int  // -1: its chip is gone
	said bool // an edge or the first level told this
	seq  uint32
}

// goneTime is between looks for a chip that is gone.
const goneTime = time.Second

var errGone = errors.New("its GPIO chip is gone; the line is taken again when it is back")

// take requests a line and notes its level.
func (in *inputs) take(l hw.Line) error {
	if slices.ContainsFunc(in.lines, func(other *input) bool { return other.Name == l.Name }) {
		return fmt.Errorf("line %q: named twice", l.Name)
	}
	i := &input{Line: l}
	if err := i.open(); err != nil {
		return err
	}
	in.lines = append(in.lines, i)
	in.queue.Add(hw.Edge{Line: i.Name, Active: i.said, At: time.Now()})
	return nil
}

// open requests the line and reads its level.
func (l *input) open() error {
	p, err := find(l.Name)
	if err != nil {
		return fmt.Errorf("line %q: %w", l.Name, err)
	}
	fd, err := p.open(l.Line)
	if err != nil {
		return fmt.Errorf("line %q: %w", l.Name, p.explain(err))
	}
	values := uapi.LineValues{Mask: uapi.NewLineBitMask(1)}
	if err := uapi.GetLineValuesV2(uintptr(fd), &values); err != nil {
		return errors.Join(fmt.Errorf("line %q: read level: %w", l.Name, err), unix.Close(fd))
	}
	l.fd, l.said, l.seq = fd, values.Get(0) == 1, 0
	return nil
}

// open asks the kernel for the line. Reads from the descriptor do not block.
func (p place) open(l hw.Line) (int, error) {
	r, err := request(l, p.offset)
	if err != nil {
		return 0, err
	}
	chip, err := os.OpenFile("/dev/"+p.chip, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer chip.Close()
	if err := uapi.GetLine(chip.Fd(), r); err != nil {
		return 0, err
	}
	fd := int(r.Fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return 0, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// Next is part of hw.Inputs.
func (in *inputs) Next(ctx context.Context) (hw.Edge, error) { return in.queue.Next(ctx, in.wait) }

// takeAgain takes lines whose chip was gone and is back. A level that has changed meanwhile is
// an edge.
func (in *inputs) takeAgain() error {
	var missing error
	for _, l := range in.lines {
		if l.fd >= 0 {
			continue
		}
		before := l.said
		if err := l.open(); err != nil {
			missing = fmt.Errorf("line %q: %w", l.Name, errGone)
			continue
		}
		if l.said != before {
			in.queue.Add(hw.Edge{Line: l.Name, Active: l.said, At: time.Now()})
		}
	}
	return missing
}

// wait takes all that the kernel has, or returns when the queue is to. Lines whose chip is
// gone are an error from time to time; the others go on.
func (in *inputs) wait() error {
	var until time.Time
	if slices.ContainsFunc(in.lines, func(l *input) bool { return l.fd < 0 }) {
		if until = in.again; !time.Now().Before(until) {
			in.again = time.Now().Add(goneTime)
			return in.takeAgain()
		}
	}
	fds := make([]unix.PollFd, len(in.lines), len(in.lines)+1)
	for i, l := range in.lines {
		fds[i] = unix.PollFd{Fd: int32(l.fd), Events: unix.POLLIN}
	}
	if err := in.queue.Poll(fds, until); err != nil {
		return err
	}
	for i, l := range in.lines {
		if fds[i].Revents == 0 {
			continue
		}
		if err := in.read(l); err != nil {
			return fmt.Errorf("line %q: %w", l.Name, err)
		}
	}
	return nil
}

// read takes the edges of a line out of the kernel's queue.
func (in *inputs) read(l *input) error {
	var buffer [16 * eventSize]byte
	for {
		n, err := unix.Read(l.fd, buffer[:])
		switch {
		case err == unix.EAGAIN:
			return nil
		case err == unix.EINTR:
			continue
		case err == unix.ENODEV || err == nil && n == 0:
			fd := l.fd
			l.fd, in.again = -1, time.Now().Add(goneTime)
			return errors.Join(errGone, unix.Close(fd))
		case err != nil:
			return fmt.Errorf("read edges: %w", err)
		}
		start := edges.ClockStart()
		for b := buffer[:n]; len(b) >= eventSize; b = b[eventSize:] {
			if e, ok := l.edge(b, start); ok {
				in.queue.Add(e)
			}
		}
	}
}

// edge makes an edge of a struct gpio_v2_line_event. The edge that came while the first
// level was read tells what is known, and is none.
func (l *input) edge(event []byte, start time.Time) (hw.Edge, bool) {
	at := time.Duration(binary.NativeEndian.Uint64(event))
	rising := uapi.LineEventID(binary.NativeEndian.Uint32(event[8:])) == uapi.LineEventRisingEdge
	seq := binary.NativeEndian.Uint32(event[20:])
	lost := int(seq - l.seq - 1) // it wraps around, like the kernel's
	l.seq = seq
	if lost == 0 && rising == l.said {
		return hw.Edge{}, false
	}
	l.said = rising
	return hw.Edge{Line: l.Name, Active: rising, At: start.Add(at), Lost: lost}, true
}

// Close is part of hw.Inputs. A Next that waits returns.
func (in *inputs) Close() error {
	return in.queue.Close(func() error {
		var errs []error
		for _, l := range in.lines {
			if l.fd >= 0 {
				errs = append(errs, unix.Close(l.fd))
			}
		}
		return errors.Join(errs...)
	})
}
