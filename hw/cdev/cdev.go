// Package cdev takes the lines of the machine's GPIO chips, by the character devices of
// the Linux kernel (/dev/gpiochip*, uAPI v2, Linux 5.10 or later). It implements hw.Lines.
//
// A line is named "chip:offset" (the chip by its device's name or its label), or by its
// own name in the device tree, or as a pin of the Raspberry Pi's header ("P1_11"). It does
// not know what lines are for, and it is no defence against the end of its process: a line
// that is released has no guaranteed level.
//
// It starts no goroutine: Inputs.Next waits in its caller's.
package cdev

import (
	"errors"
	"fmt"
	"os"
	"sync"

	gpiocdev "github.com/warthog618/go-gpiocdev"
	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"

	"intercom/hw"
	"intercom/hw/edges"
)

// consumer is who uses a line, as other programs see it.
const consumer = "intercom"

// Lines are all lines of the machine. Chips that appear later are found.
type Lines struct{}

var _ hw.Lines = Lines{}

// Inputs takes lines as inputs; see hw.Lines. Each one has a queue of its own in the
// kernel, of QueueSize edges.
func (Lines) Inputs(lines ...hw.Line) (hw.Inputs, error) {
	if len(lines) == 0 {
		return nil, errors.New("inputs: no lines")
	}
	queue, err := edges.New()
	if err != nil {
		return nil, err
	}
	in := &inputs{queue: queue}
	for _, l := range lines {
		if err := in.take(l); err != nil {
			return nil, errors.Join(err, in.Close())
		}
	}
	return in, nil
}

// Output takes a line as an output; see hw.Lines.
func (Lines) Output(l hw.Line, active bool) (hw.Output, error) {
	p, err := find(l.Name)
	if err != nil {
		return nil, fmt.Errorf("line %q: %w", l.Name, err)
	}
	options := []gpiocdev.LineReqOption{gpiocdev.WithConsumer(consumer), gpiocdev.AsOutput(level(active))}
	if l.ActiveLow {
		options = append(options, gpiocdev.AsActiveLow)
	}
	line, err := gpiocdev.RequestLine(p.chip, p.offset, options...)
	if err != nil {
		return nil, fmt.Errorf("line %q: %w", l.Name, p.explain(err))
	}
	return &output{Line: l, taken: line}, nil
}

// output drives a line.
type output struct {
	hw.Line

	mu    sync.Mutex
	taken *gpiocdev.Line
}

// Set is part of hw.Output. A line whose chip was gone and is back is taken again.
func (o *output) Set(active bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	err := o.taken.SetValue(level(active))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gpiocdev.ErrClosed):
		err = os.ErrClosed
	case errors.Is(err, unix.ENODEV):
		again, taken := Lines{}.Output(o.Line, active)
		if taken != nil {
			return fmt.Errorf("line %q: %w", o.Name, errGone)
		}
		_ = o.taken.Close() // of a line that is no more
		o.taken = again.(*output).taken
		return nil
	}
	return fmt.Errorf("line %q: %w", o.Name, err)
}

// Close is part of hw.Output.
func (o *output) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.taken.Close(); err != nil && !errors.Is(err, gpiocdev.ErrClosed) {
		return fmt.Errorf("line %q: %w", o.Name, err)
	}
	return nil
}

func level(active bool) int {
	if active {
		return 1
	}
	return 0
}

// bias are the flags for a pull. The kernel ignores them where the chip has none.
var bias = map[gpio.Pull]uapi.LineFlagV2{
	gpio.PullNoChange: 0,
	gpio.Float:        uapi.LineFlagV2BiasDisabled,
	gpio.PullUp:       uapi.LineFlagV2BiasPullUp,
	gpio.PullDown:     uapi.LineFlagV2BiasPullDown,
}

// request makes the request for an input of both edges.
func request(l hw.Line, offset int) (*uapi.LineRequest, error) {
	flags, ok := bias[l.Pull]
	if !ok {
		return nil, fmt.Errorf("a pull of %v is not known", l.Pull)
	}
	flags |= uapi.LineFlagV2Input | uapi.LineFlagV2EdgeBoth
	if l.ActiveLow {
		flags |= uapi.LineFlagV2ActiveLow
	}
	r := &uapi.LineRequest{Lines: 1, EventBufferSize: QueueSize}
	r.Offsets[0] = uint32(offset)
	copy(r.Consumer[:], consumer)
	r.Config.Flags = flags
	if l.Debounce > 0 {
		r.Config.AddAttribute(uapi.LineConfigAttribute{Attr: uapi.DebouncePeriod(l.Debounce).Encode(), Mask: uapi.NewLineBitMask(1)})
	}
	return r, nil
}

// explain says in plain words what the kernel's refusal of a place means.
func (p place) explain(err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		if by := p.user(); by != "" {
			return fmt.Errorf("%s: is in use by %q", p, by)
		}
		return fmt.Errorf("%s: is in use", p)
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("%s: %w", p, closed(p.chip, err))
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOTTY):
		return fmt.Errorf("%s: the chip refuses to use it so (%w); Linux 5.10 or later is needed", p, err)
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%s: the chip is gone", p)
	}
	return fmt.Errorf("%s: %w", p, err)
}
