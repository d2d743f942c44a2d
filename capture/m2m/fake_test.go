package m2m

import (
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"intercom/internal/uapi"
)

// fake is a driver that codes at once. It is strict about the order of requests, pads
// pictures as the Raspberry Pi's does, and fails as it is told.
type fake struct {
	fail     map[string]error // of a request, by name
	stuck    bool             // takes pictures and gives nothing
	greedy   bool             // does not give the pictures back either
	apart    bool             // parameter sets come in a buffer of their own
	noDrain  bool             // never ends
	mangle   func(*uapi.VideoBuffer)
	pictures func(picture []byte, stride, rows int) // sees what is queued

	mu        sync.Mutex
	changed   chan struct{} // closed when something happens
	awake     bool
	closed    bool
	size      map[uapi.VideoQueue]int
	streaming map[uapi.VideoQueue]bool
	stride    int
	rows      int
	cropped   [2]int
	controls  map[uint32]int32
	keys      int // forced
	memory    map[uapi.VideoQueue][][]byte
	raw       []uapi.VideoBuffer // to be coded
	rawDone   []uapi.VideoBuffer
	coded     []uapi.VideoBuffer // to be filled
	codedDone []uapi.VideoBuffer
	coming    bool // a key frame
	draining  bool
	ended     bool
}

func newFake() *fake {
	return &fake{
		fail: map[string]error{}, changed: make(chan struct{}), coming: true, size: map[uapi.VideoQueue]int{},
		streaming: map[uapi.VideoQueue]bool{}, controls: map[uint32]int32{}, memory: map[uapi.VideoQueue][][]byte{},
	}
}

func (f *fake) setFormat(q uapi.VideoQueue, p uapi.PlaneFormat) (uapi.PlaneFormat, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fail["setFormat"]; err != nil {
		return p, err
	}
	if len(f.memory) > 0 {
		return p, unix.EBUSY
	}
	if q == uapi.OutputQueue {
		p.Width, p.Height = (p.Width+31)&^31, (p.Height+15)&^15
		p.Stride = (p.Width + 63) &^ 63
		p.Size = p.Stride * p.Height * 3 / 2
		f.stride, f.rows, f.cropped = p.Stride, p.Height, [2]int{p.Width, p.Height}
	}
	f.size[q] = p.Size
	return p, nil
}

func (f *fake) setRate(int) error { return f.fail["setRate"] }

func (f *fake) setCrop(width, height int) error {
	f.cropped = [2]int{width, height}
	return f.fail["setCrop"]
}

func (f *fake) setControl(id uint32, value int32) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id == avcProfile && f.fail["profile"] != nil {
		return f.fail["profile"]
	}
	f.controls[id] = value
	if id == forceKey {
		f.keys++
		f.coming = true
	}
	return f.fail["setControl"]
}

func (f *fake) allocate(q uapi.VideoQueue, n int) ([][]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fail["allocate"]; err != nil {
		return nil, err
	}
	if f.size[q] == 0 {
		return nil, unix.EINVAL
	}
	for range n {
		f.memory[q] = append(f.memory[q], make([]byte, f.size[q]))
	}
	return f.memory[q], nil
}

func (f *fake) stream(q uapi.VideoQueue, on bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.streaming[q] = on
	f.tell()
	return f.fail["stream"]
}

func (f *fake) queue(q uapi.VideoQueue, b uapi.VideoBuffer) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.fail["queue"] != nil:
		return f.fail["queue"]
	case b.Index < 0 || b.Index >= len(f.memory[q]):
		return unix.EINVAL
	case q == uapi.CaptureQueue:
		f.coded = append(f.coded, b)
	default:
		if f.pictures != nil {
			f.pictures(f.memory[q][b.Index][:b.Used], f.stride, f.rows)
		}
		f.raw = append(f.raw, b)
	}
	f.work()
	return nil
}

var (
	parameterSets = []byte{0, 0, 0, 1, 0x67, 0x42, 0xe0, 0x1f, 0, 0, 0, 1, 0x68, 0xce}
	idr           = []byte{0, 0, 0, 1, 0x65, 0x88}
	delta         = []byte{0, 0, 0, 1, 0x41, 0x9a}
)

// work codes what there is. The lock is held.
func (f *fake) work() {
	for len(f.raw) > 0 && len(f.coded) > 0 && !f.greedy {
		in := f.raw[0]
		f.raw, f.rawDone = append(f.raw[:0], f.raw[1:]...), append(f.rawDone, in)
		if f.stuck {
			continue
		}
		switch {
		case f.coming && f.apart:
			f.give(uapi.VideoBuffer{}, parameterSets)
			f.give(uapi.VideoBuffer{Stamp: in.Stamp, Flags: uapi.VideoKeyFrame}, idr)
		case f.coming:
			f.give(uapi.VideoBuffer{Stamp: in.Stamp, Flags: uapi.VideoKeyFrame}, parameterSets, idr)
		default:
			f.give(uapi.VideoBuffer{Stamp: in.Stamp}, delta)
		}
		f.coming = false
	}
	if f.draining && !f.ended && len(f.raw) == 0 && len(f.coded) > 0 {
		f.give(uapi.VideoBuffer{Flags: uapi.VideoLast})
	}
	f.tell()
}

func (f *fake) give(b uapi.VideoBuffer, parts ...[]byte) {
	b.Index = f.coded[0].Index
	f.coded = append(f.coded[:0], f.coded[1:]...)
	for _, p := range parts {
		b.Used += copy(f.memory[uapi.CaptureQueue][b.Index][b.Used:], p)
	}
	if f.mangle != nil {
		f.mangle(&b)
	}
	f.codedDone = append(f.codedDone, b)
}

// tell wakes those that wait. The lock is held.
func (f *fake) tell() {
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fake) dequeue(q uapi.VideoQueue) (uapi.VideoBuffer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	done := &f.rawDone
	if q == uapi.CaptureQueue {
		done = &f.codedDone
		if err := f.fail["dequeue"]; err != nil {
			return uapi.VideoBuffer{}, err
		}
	}
	switch {
	case !f.streaming[q]:
		return uapi.VideoBuffer{}, unix.EINVAL
	case f.ended && q == uapi.CaptureQueue:
		return uapi.VideoBuffer{}, unix.EPIPE
	case len(*done) == 0:
		return uapi.VideoBuffer{}, unix.EAGAIN
	}
	b := (*done)[0]
	*done = append((*done)[:0], (*done)[1:]...)
	f.ended = f.ended || b.Flags&uapi.VideoLast != 0
	return b, nil
}

func (f *fake) drain() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.draining = !f.noDrain
	f.work()
	return f.fail["drain"]
}

func (f *fake) wait(q uapi.VideoQueue, most time.Duration) error {
	f.mu.Lock()
	changed, ready := f.changed, f.awake
	if q == uapi.CaptureQueue {
		ready = ready || len(f.codedDone) > 0
	} else {
		ready = ready || len(f.rawDone) > 0
	}
	err := f.fail["wait"]
	f.mu.Unlock()
	if ready || err != nil {
		return err
	}
	select {
	case <-changed:
	case <-time.After(most):
	}
	return nil
}

func (f *fake) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.awake = true
	f.tell()
}

func (f *fake) close() { f.closed = true }

// check says what is wrong after Close.
func (f *fake) check() error {
	switch {
	case !f.closed:
		return errors.New("the device is open")
	case slices.Contains([]bool{f.streaming[uapi.OutputQueue], f.streaming[uapi.CaptureQueue]}, true):
		return errors.New("a queue streams")
	}
	return nil
}
