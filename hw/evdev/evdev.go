// Package evdev takes keys of input devices as lines: USB keypads, and buttons and key matrices
// that the kernel's drivers gpio-keys and gpio-matrix-keypad make input devices of, by the
// kernel's event devices (/dev/input/event*). It implements hw.Lines, but for outputs.
//
// A line is named "evdev:DEVICE/KEY". DEVICE is what the device calls itself ("USB Keypad"), its
// link in /dev/input/by-id or by-path, where it is plugged in, its serial number, or, for as
// long as the machine runs, its node ("event3"). KEY is the kernel's name (KEY_1, KEY_KPENTER),
// or the number of one that has none; with a "?" behind it the device may lack the key, which
// then is never pressed. Active is pressed. A key has no pull; what the kernel repeats while it
// is held is no edge.
//
// A device belongs to the Inputs that took a key of it, and to nobody else: what is typed at the
// door is not typed into a console. One that is unplugged releases its keys, and is taken again
// when it comes back; a key that is held then counts once it is released.
//
// The kernel keeps 64 events or more of a device for a reader. When it has lost some it does not
// say how many of which key: the next edge of each of the device's keys has Lost 1.
//
// It starts no goroutine: Inputs.Next waits in its caller's.
package evdev

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"periph.io/x/conn/v3/gpio"

	"intercom/hw"
	"intercom/hw/edges"
)

// Prefix is what the names of lines begin with.
const Prefix = "evdev:"

// Config says what to do about devices that are not there.
type Config struct {
	// Await has a device that is not there waited for: one that is slow to come, or was
	// unplugged, shall not keep a door from starting. Otherwise it is an error.
	Await bool
}

// Lines are the keys of the machine's input devices.
type Lines struct {
	cfg    Config
	kernel kernel

	mu      sync.Mutex
	away    map[string]error // devices that are waited for, and why they are not there
	changed chan struct{}    // closed when that changes
}

var _ hw.Lines = (*Lines)(nil)

// New returns the machine's keys. It opens nothing.
func New(cfg Config) *Lines {
	return &Lines{cfg: cfg, kernel: machine(), away: map[string]error{}, changed: make(chan struct{})}
}

// Inputs takes keys; see hw.Lines.
func (l *Lines) Inputs(lines ...hw.Line) (hw.Inputs, error) {
	if len(lines) == 0 {
		return nil, errors.New("inputs: no lines")
	}
	queue, err := edges.New()
	if err != nil {
		return nil, err
	}
	in := &inputs{owner: l, queue: queue}
	for _, line := range lines {
		if err := in.add(line); err != nil {
			return nil, errors.Join(fmt.Errorf("line %q: %w", line.Name, err), in.Close())
		}
	}
	for _, d := range in.devices {
		if err := in.begin(d); err != nil {
			return nil, errors.Join(fmt.Errorf("line %q: %w", d.keys[0].line.Name, err), in.Close())
		}
	}
	in.tellLevels()
	return in, nil
}

// Output is part of hw.Lines. A key is no output: it is an error.
func (l *Lines) Output(line hw.Line, _ bool) (hw.Output, error) {
	return nil, fmt.Errorf("line %q: a key of an input device is no output", line.Name)
}

// Watch tells report which devices are not there, and nil when all are, at once and whenever
// that changes, until ctx ends.
func (l *Lines) Watch(ctx context.Context, report func(error)) error {
	for {
		err, changed := l.missing()
		report(err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

func (l *Lines) missing() (error, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []string
	for _, name := range slices.Sorted(maps.Keys(l.away)) {
		errs = append(errs, l.away[name].Error())
	}
	if len(errs) == 0 {
		return nil, l.changed
	}
	return errors.New(strings.Join(errs, "; ")), l.changed
}

// mark says why a device is not there; nil: it is.
func (l *Lines) mark(device string, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, was := l.away[device]
	if why == nil {
		if !was {
			return
		}
		delete(l.away, device)
	} else {
		if was && before.Error() == why.Error() {
			return
		}
		l.away[device] = why
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// split reads the name of a line.
func split(line hw.Line) (device string, k wanted, err error) {
	rest, ok := strings.CutPrefix(line.Name, Prefix)
	i := strings.LastIndexByte(rest, '/')
	if !ok || i <= 0 {
		return "", wanted{}, fmt.Errorf(`a key is given as "%sDEVICE/KEY_1"`, Prefix)
	}
	if line.Pull != gpio.PullNoChange {
		return "", wanted{}, errors.New("a key has no pull")
	}
	name, maybe := strings.CutSuffix(rest[i+1:], "?")
	code, err := KeyCode(name)
	return rest[:i], wanted{code, maybe}, err
}
