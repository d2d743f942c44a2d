package evdev

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"intercom/hw"
	"intercom/hw/edges"
	"intercom/internal/uapi"
)

// retryEvery is how often a device that is not there is looked for.
const retryEvery = time.Second

// atOnce bounds how many events are taken before they are told, from one device.
const atOnce = 256

// inputs waits for edges of keys.
type inputs struct {
	owner   *Lines
	queue   *edges.Queue // its Next, one at a time, uses what follows
	keys    []*key       // in the order they were taken
	devices []*device
}

// device is an input device as lines name it.
type device struct {
	name    string
	keys    []*key
	fd      int       // -1: it is not there
	retry   time.Time // when to look for it again
	dropped bool      // events were lost: the levels are to be asked for
}

// key is one line.
type key struct {
	line hw.Line
	wanted
	down bool      // as the device has said
	told bool      // active, as an edge or the first level told
	deaf bool      // it was held as the device came back: it counts when it is released
	due  time.Time // when a level that differs from told is believed; zero: it does not
	lost int
}

func (k *key) active() bool { return k.down != k.line.ActiveLow }

// add notes a line; it opens nothing.
func (in *inputs) add(l hw.Line) error {
	if slices.ContainsFunc(in.keys, func(k *key) bool { return k.line.Name == l.Name }) {
		return errors.New("named twice")
	}
	name, w, err := split(l)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(in.devices, func(d *device) bool { return d.name == name })
	if i < 0 {
		i = len(in.devices)
		in.devices = append(in.devices, &device{name: name, fd: -1})
	}
	k := &key{line: l, wanted: w}
	in.keys, in.devices[i].keys = append(in.keys, k), append(in.devices[i].keys, k)
	return nil
}

// begin opens a device for the first time.
func (in *inputs) begin(d *device) error {
	pressed, err := in.open(d)
	if away := (*awayError)(nil); in.owner.cfg.Await && errors.As(err, &away) {
		in.owner.mark(d.name, err)
		d.retry = time.Now().Add(retryEvery)
		return nil
	}
	for _, k := range d.keys {
		k.down = pressed.Has(k.code)
	}
	return err
}

// tellLevels tells the first level of each line.
func (in *inputs) tellLevels() {
	for _, k := range in.keys {
		k.told = k.active()
		in.queue.Add(hw.Edge{Line: k.line.Name, Active: k.told, At: time.Now()})
	}
}

// open finds the device, takes it for us alone and returns which keys are down.
func (in *inputs) open(d *device) (uapi.KeySet, error) {
	keys := make([]wanted, len(d.keys))
	for i, k := range d.keys {
		keys[i] = k.wanted
	}
	found, err := find(in.owner.kernel.list(), d.name, keys)
	if err != nil {
		return uapi.KeySet{}, err
	}
	fd, err := in.owner.kernel.open(found.Path)
	if err != nil {
		return uapi.KeySet{}, fmt.Errorf("%s (%s): %w", found.Path, found.Name, explain(err))
	}
	pressed, err := in.owner.kernel.pressed(fd)
	if err != nil {
		return uapi.KeySet{}, errors.Join(fmt.Errorf("%s (%s): %w", found.Path, found.Name, explain(err)), unix.Close(fd))
	}
	d.fd, d.dropped = fd, false
	return pressed, nil
}

// Next is part of hw.Inputs.
func (in *inputs) Next(ctx context.Context) (hw.Edge, error) { return in.queue.Next(ctx, in.wait) }

// wait takes what has happened, or returns when the queue is to.
func (in *inputs) wait() error {
	fds := make([]unix.PollFd, len(in.devices), len(in.devices)+1)
	for i, d := range in.devices {
		fds[i] = unix.PollFd{Fd: int32(d.fd), Events: unix.POLLIN}
	}
	if err := in.queue.Poll(fds, in.due()); err != nil {
		return err
	}
	for i, d := range in.devices {
		if fds[i].Revents != 0 {
			in.read(d)
		}
		if d.fd < 0 && !time.Now().Before(d.retry) {
			in.again(d)
		}
	}
	now := time.Now()
	for _, k := range in.keys {
		if !k.due.IsZero() && !now.Before(k.due) {
			in.tell(k, k.due)
		}
	}
	return nil
}

// due is when there is something to be done whatever the kernel tells; zero: never.
func (in *inputs) due() (first time.Time) {
	sooner := func(t time.Time) {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for _, d := range in.devices {
		if d.fd < 0 {
			sooner(d.retry)
		}
	}
	for _, k := range in.keys {
		sooner(k.due)
	}
	return first
}

// read takes a device's events out of the kernel's queue.
func (in *inputs) read(d *device) {
	var buffer [64 * uapi.InputEventSize]byte
	for range atOnce / 64 {
		n, err := unix.Read(d.fd, buffer[:])
		switch {
		case err == unix.EAGAIN:
			return
		case err == unix.EINTR:
			continue
		case err != nil || n == 0:
			in.unplugged(d, err)
			return
		}
		start := edges.ClockStart()
		for b := buffer[:n]; len(b) >= uapi.InputEventSize; b = b[uapi.InputEventSize:] {
			e := uapi.ParseInputEvent(b)
			in.event(d, e, start.Add(e.At))
		}
		if d.dropped && !in.resync(d) {
			return
		}
	}
}

// event takes one event. What was read behind a SYN_DROPPED is older than the levels that will
// be asked for.
func (in *inputs) event(d *device, e uapi.InputEvent, at time.Time) {
	switch {
	case e.Type == uapi.EventSync && e.Code == uapi.SyncDropped:
		d.dropped = true
	case e.Type == uapi.EventKey && e.Value < 2 && !d.dropped:
		for _, k := range d.keys {
			if k.code == e.Code {
				in.set(k, e.Value == 1, at)
			}
		}
	}
}

// resync asks for the levels: events were lost. It says whether the device is still there.
func (in *inputs) resync(d *device) bool {
	pressed, err := in.owner.kernel.pressed(d.fd)
	if err != nil {
		in.unplugged(d, err)
		return false
	}
	d.dropped = false
	for _, k := range d.keys {
		k.lost = 1
		in.set(k, pressed.Has(k.code), time.Now())
	}
	return true
}

// set takes note of a key's level.
func (in *inputs) set(k *key, down bool, at time.Time) {
	k.down = down
	switch {
	case k.deaf:
		k.deaf = down
	case k.active() == k.told:
		k.due = time.Time{} // it bounced back in time
	case k.line.Debounce == 0:
		in.tell(k, at)
	default:
		k.due = at.Add(k.line.Debounce)
	}
}

func (in *inputs) tell(k *key, at time.Time) {
	k.told, k.due = k.active(), time.Time{}
	in.queue.Add(hw.Edge{Line: k.line.Name, Active: k.told, At: at, Lost: k.lost})
	k.lost = 0
}

// unplugged releases a device's keys.
func (in *inputs) unplugged(d *device, why error) {
	if why == nil {
		why = errUnplugged
	}
	unix.Close(d.fd) // it is gone: there is nothing to say
	d.fd, d.retry = -1, time.Now().Add(retryEvery)
	for _, k := range d.keys {
		k.down, k.deaf, k.due = false, false, time.Time{}
		if k.active() != k.told {
			in.tell(k, time.Now())
		}
	}
	in.owner.mark(d.name, fmt.Errorf("input device %q: %w", d.name, explain(why)))
}

// again looks for a device that was not there.
func (in *inputs) again(d *device) {
	pressed, err := in.open(d)
	in.owner.mark(d.name, err)
	if err != nil {
		d.retry = time.Now().Add(retryEvery)
		return
	}
	for _, k := range d.keys {
		k.down = pressed.Has(k.code)
		k.deaf = k.down
	}
}

// Close is part of hw.Inputs. A Next that waits returns.
func (in *inputs) Close() error {
	return in.queue.Close(func() error {
		var errs []error
		for _, d := range in.devices {
			if d.fd >= 0 {
				errs = append(errs, unix.Close(d.fd))
			}
			in.owner.mark(d.name, nil)
		}
		return errors.Join(errs...)
	})
}
