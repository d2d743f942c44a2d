package evdev

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"intercom/internal/uapi"
)

// kernelQueue is how many events the kernel keeps for a reader at least.
const kernelQueue = 64

// fake is a machine whose input devices are pipes. It does what the kernel does: it tells
// changes only, drops the queue that nobody reads, and unplugs.
type fake struct {
	t       *testing.T
	mu      sync.Mutex
	devices []*fakeDevice
	plugged int
}

type fakeDevice struct {
	name, path string
	keys, down uapi.KeySet
	r, w       int // of the pipe; 0: nobody has it
	dropped    int // times
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t}
	t.Cleanup(func() {
		for _, d := range f.devices {
			d.close()
		}
	})
	return f
}

func (f *fake) kernel() kernel { return kernel{f.list, f.open, f.pressed} }

// lines returns the machine's keys.
func (f *fake) lines(cfg Config) *Lines {
	l := New(cfg)
	l.kernel = f.kernel()
	return l
}

// plug adds a device.
func (f *fake) plug(name string, keys ...string) *fakeDevice {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := &fakeDevice{name: name, path: fmt.Sprintf("%s/event%d", folder, f.plugged)}
	f.plugged++
	for _, k := range keys {
		code, err := KeyCode(k)
		f.must(err)
		setBit(&d.keys, code, true)
	}
	f.devices = append(f.devices, d)
	return d
}

func setBit(s *uapi.KeySet, code uint16, on bool) {
	if on {
		s[code/8] |= 1 << (code % 8)
	} else {
		s[code/8] &^= 1 << (code % 8)
	}
}

// unplug takes a device away.
func (f *fake) unplug(d *fakeDevice) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.devices = slices.DeleteFunc(f.devices, func(o *fakeDevice) bool { return o == d })
	d.close()
}

func (d *fakeDevice) close() {
	if d.w > 0 {
		unix.Close(d.w)
	}
	d.r, d.w = 0, 0
}

func (f *fake) must(err error) {
	if err != nil {
		f.t.Error(err)
	}
}

func (f *fake) list() []Device {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []Device
	for _, d := range f.devices {
		x := Device{Path: d.path, Name: d.name, keys: d.keys}
		for _, c := range d.keys.Codes() {
			x.Keys = append(x.Keys, keyName(c))
		}
		all = append(all, x)
	}
	return all
}

func (f *fake) open(path string) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.devices, func(d *fakeDevice) bool { return d.path == path })
	if i < 0 {
		return -1, unix.ENOENT
	}
	d := f.devices[i]
	if d.w > 0 {
		p := []unix.PollFd{{Fd: int32(d.w)}}
		if _, err := unix.Poll(p, 0); err != nil || p[0].Revents&unix.POLLERR == 0 {
			return -1, unix.EBUSY
		}
		d.close() // its reader has gone
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		return -1, err
	}
	d.r, d.w = fds[0], fds[1]
	return d.r, nil
}

func (f *fake) pressed(fd int) (uapi.KeySet, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range f.devices {
		if d.r == fd {
			drain(fd)
			return d.down, nil
		}
	}
	return uapi.KeySet{}, unix.ENODEV
}

func drain(fd int) {
	var b [4096]byte
	for {
		if n, err := unix.Read(fd, b[:]); n <= 0 || err != nil {
			return
		}
	}
}

// set presses or releases a key.
func (f *fake) set(d *fakeDevice, name string, down bool) {
	code, err := KeyCode(name)
	f.must(err)
	f.mu.Lock()
	defer f.mu.Unlock()
	if d.down.Has(code) == down {
		return
	}
	setBit(&d.down, code, down)
	if d.w == 0 {
		return
	}
	value := int32(0)
	if down {
		value = 1
	}
	waiting, err := unix.IoctlGetInt(d.r, unix.TIOCINQ)
	if err == nil && waiting/uapi.InputEventSize+2 > kernelQueue {
		drain(d.r)
		d.dropped++
		f.write(d, uapi.EventSync, uapi.SyncDropped, 0)
	}
	f.write(d, uapi.EventKey, code, value)
	f.write(d, uapi.EventSync, uapi.SyncReport, 0)
}

// write puts one event into the pipe; a reader that is just closing it is no matter.
func (f *fake) write(d *fakeDevice, kind, code uint16, value int32) {
	var now unix.Timespec
	f.must(unix.ClockGettime(unix.CLOCK_MONOTONIC, &now))
	b := make([]byte, 0, uapi.InputEventSize)
	for _, n := range []int64{int64(now.Sec), int64(now.Nsec) / 1000} {
		if uapi.InputEventSize == 16 {
			b = binary.NativeEndian.AppendUint32(b, uint32(n))
		} else {
			b = binary.NativeEndian.AppendUint64(b, uint64(n))
		}
	}
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, code)
	b = binary.NativeEndian.AppendUint32(b, uint32(value))
	if _, err := unix.Write(d.w, b); err != nil && err != unix.EPIPE {
		f.t.Errorf("%s: write an event: %v", filepath.Base(d.path), err)
	}
}

// patience with goroutines of this process.
const patience = 10 * time.Second
