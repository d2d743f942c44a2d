package m2m

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"intercom/capture"
	"intercom/internal/uapi"
)

const (
	// Level 4.0 is the most that the Raspberry Pi codes.
	maxWidth, maxHeight, maxFPS = 1920, 1088, 60

	// startBitRate is used until Set says otherwise.
	startBitRate = 1_000_000
	// minBitRate: with less than about 290 kbit/s the Raspberry Pi's encoder has been seen
	// to hang until the machine is restarted. Who has less must be sent fewer frames.
	minBitRate = 300_000
	// maxBitRate is the most that level 3.1 allows.
	maxBitRate = 14_000_000
	// keyGap is the least time between key frames that are asked for: peers ask in storms,
	// and those, too, have stopped that encoder. What comes sooner is done when it is over.
	keyGap = 250 * time.Millisecond
	// keyPeriod is how many frames the hardware goes without a key frame by itself. It is
	// far more than anybody waits: whoever needs one asks.
	keyPeriod = 600

	// rawBuffers: one is coded, one waits and one is being written.
	rawBuffers = 3
	// codedBuffers: as many, and one that is being read.
	codedBuffers = 4
	// stuckAfter is how long the hardware may have a frame. It takes 5 to 30 ms.
	stuckAfter = time.Second
	// retryTime is between looks at whether it takes another frame.
	retryTime = 20 * time.Millisecond
	// drainTime is how long it may take to finish when it is closed.
	drainTime = 500 * time.Millisecond
)

var errClosed = errors.New("hardware encoder: it is closed")

// encoder is a capture.Encoder. Encode, Set and Close own what is not said to be shared.
type encoder struct {
	driver driver
	coding coding
	format capture.Format
	layout layout
	out    func(*capture.Packet)
	pool   capture.PacketPool
	raw    [][]byte // buffers of pictures
	coded  [][]byte // buffers of what is coded; the receiver's
	free   []int    // of raw, those that the driver does not have
	closed bool
	done   chan struct{} // closed when the receiver has ended

	rate    int // bits a second, as asked of the hardware
	wantKey bool
	keyAt   time.Time // when a key frame was last asked of the hardware

	mu      sync.Mutex // of what is shared with the receiver
	err     error      // why it ended before Close
	closing bool
	inside  [8]inside // a ring of what the hardware has, by its number
	next    int       // number of the next frame
	oldest  int       // number of the oldest frame inside
	header  []byte    // the receiver's: parameter sets that came by themselves
}

// inside is a frame that the hardware has.
type inside struct {
	at     time.Time // of capture
	queued time.Time
}

func newEncoder(d driver, c coding, f capture.Format, out func(*capture.Packet)) (*encoder, error) {
	e := &encoder{driver: d, coding: c, format: f, out: out, done: make(chan struct{})}
	if err := e.negotiate(); err != nil {
		return nil, err
	}
	for _, s := range c.settings(f) {
		if err := d.setControl(s.id, s.value); err != nil && s.needed {
			return nil, fmt.Errorf("set %s: %w", s.name, err)
		}
	}
	if err := e.setRate(startBitRate); err != nil {
		return nil, err
	}
	if err := e.start(); err != nil {
		return nil, err
	}
	go e.receive()
	return e, nil
}

// negotiate sets the formats, that of the coded side first: it resets the other.
func (e *encoder) negotiate() error {
	f := e.format
	want := uapi.PlaneFormat{Width: f.Width, Height: f.Height, FourCC: e.coding.code, Size: max(512<<10, f.Width*f.Height/2)}
	got, err := e.driver.setFormat(uapi.CaptureQueue, want)
	if err != nil {
		return fmt.Errorf("set the coded format: %w", err)
	}
	if got.FourCC != e.coding.code {
		return fmt.Errorf("set the coded format: the driver made %#x of %#x", got.FourCC, e.coding.code)
	}
	got, err = e.driver.setFormat(uapi.OutputQueue, uapi.PlaneFormat{Width: f.Width, Height: f.Height, FourCC: rawCode})
	if err != nil {
		return fmt.Errorf("set the format of pictures: %w", err)
	}
	if e.layout, err = newLayout(got, f.Width, f.Height); err != nil {
		return err
	}
	if got.Width != f.Width || got.Height != f.Height {
		if err := e.driver.setCrop(f.Width, f.Height); err != nil {
			return fmt.Errorf("the driver codes %dx%d and will not cut it to %dx%d: %w", got.Width, got.Height, f.Width, f.Height, err)
		}
	}
	if err := e.driver.setRate(f.FPS); err != nil && !errors.Is(err, unix.ENOTTY) {
		return fmt.Errorf("set %d frames a second: %w", f.FPS, err)
	}
	return nil
}

// start allocates the buffers and starts both queues.
func (e *encoder) start() (err error) {
	if e.raw, err = e.driver.allocate(uapi.OutputQueue, rawBuffers); err != nil {
		return fmt.Errorf("get memory for pictures: %w", err)
	}
	if e.coded, err = e.driver.allocate(uapi.CaptureQueue, codedBuffers); err != nil {
		return fmt.Errorf("get memory for what is coded: %w", err)
	}
	if len(e.raw) < 2 || len(e.coded) < 2 {
		return fmt.Errorf("get memory: the driver gave %d and %d buffers: %w", len(e.raw), len(e.coded), unix.ENOMEM)
	}
	for i, b := range e.raw {
		if len(b) < e.layout.size {
			return fmt.Errorf("get memory: a buffer has %d bytes, a picture %d", len(b), e.layout.size)
		}
		e.free = append(e.free, i)
	}
	for i := range e.coded {
		if err := e.driver.queue(uapi.CaptureQueue, uapi.VideoBuffer{Index: i}); err != nil {
			return fmt.Errorf("queue a buffer: %w", err)
		}
	}
	for _, q := range []uapi.VideoQueue{uapi.OutputQueue, uapi.CaptureQueue} {
		if err := e.driver.stream(q, true); err != nil {
			return fmt.Errorf("start: %w", err)
		}
	}
	return nil
}

// Encode is part of capture.Encoder. It returns when the hardware has the frame, and waits
// only if that is behind.
func (e *encoder) Encode(f *capture.Frame) error {
	if e.closed {
		return errClosed
	}
	if err := f.CheckI420(e.format.Width, e.format.Height); err != nil {
		return fmt.Errorf("hardware encoder: %w", err)
	}
	i, err := e.buffer()
	if err != nil {
		return fmt.Errorf("hardware encoder: %w", explain(err))
	}
	e.askKey()
	e.layout.write(e.raw[i], f)
	b := uapi.VideoBuffer{Index: i, Used: e.layout.size, Stamp: e.enter(f.Time)}
	if err := e.driver.queue(uapi.OutputQueue, b); err != nil {
		e.free = append(e.free, i)
		return fmt.Errorf("hardware encoder: queue a picture: %w", explain(err))
	}
	return nil
}

// buffer takes a free buffer.
func (e *encoder) buffer() (int, error) {
	for deadline := time.Now().Add(stuckAfter); ; {
		if err := e.failed(); err != nil {
			return 0, err
		}
		for {
			b, err := e.driver.dequeue(uapi.OutputQueue)
			if errors.Is(err, unix.EAGAIN) {
				break
			}
			if err != nil {
				return 0, fmt.Errorf("take a picture back: %w", err)
			}
			if b.Index < 0 || b.Index >= len(e.raw) {
				return 0, fmt.Errorf("take a picture back: the driver has no buffer %d", b.Index)
			}
			e.free = append(e.free, b.Index)
		}
		if n := len(e.free); n > 0 && !e.full() {
			i := e.free[n-1]
			e.free = e.free[:n-1]
			return i, nil
		}
		if time.Now().After(deadline) {
			return 0, errStuck
		}
		if err := e.driver.wait(uapi.OutputQueue, retryTime); err != nil {
			return 0, fmt.Errorf("wait: %w", err)
		}
	}
}

// enter numbers a frame and notes it; the number travels as the buffer's time stamp.
func (e *encoder) enter(at time.Time) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := e.next
	e.next++
	e.inside[n%len(e.inside)] = inside{at: at, queued: time.Now()}
	return time.Duration(n) * time.Microsecond
}

// full tells that no more frames can be noted: the hardware takes pictures and gives nothing.
func (e *encoder) full() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.next-e.oldest == len(e.inside)
}

func (e *encoder) failed() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// askKey asks the hardware for a key frame if one is wanted, but for keyGap.
func (e *encoder) askKey() {
	now := time.Now()
	if !e.wantKey || now.Sub(e.keyAt) < keyGap {
		return
	}
	e.wantKey, e.keyAt = false, now
	if e.coding.key != 0 {
		// It codes on without: a driver that knows no such control has its own period.
		_ = e.driver.setControl(e.coding.key, 1)
	}
}

// Set is part of capture.Encoder.
func (e *encoder) Set(t capture.Target) error {
	if e.closed {
		return errClosed
	}
	if t.KeyFrame {
		e.wantKey = true
	}
	if t.FPS > 0 {
		if err := e.driver.setRate(min(t.FPS, maxFPS)); err != nil && !errors.Is(err, unix.ENOTTY) {
			return fmt.Errorf("hardware encoder: set %d frames a second: %w", t.FPS, explain(err))
		}
	}
	if t.BitRate > 0 {
		return e.setRate(t.BitRate)
	}
	return nil
}

// setRate asks for a bit rate within the bounds.
func (e *encoder) setRate(rate int) error {
	rate = min(max(rate, minBitRate), maxBitRate)
	if rate == e.rate || e.coding.rate == 0 {
		return nil
	}
	if err := e.driver.setControl(e.coding.rate, int32(rate)); err != nil {
		return fmt.Errorf("hardware encoder: set %d bit/s: %w", rate, explain(err))
	}
	e.rate = rate
	return nil
}

// Close is part of capture.Encoder. What the hardware has is still handed out.
func (e *encoder) Close() error {
	if e.closed {
		return nil
	}
	e.closed = true
	if e.failed() == nil && e.driver.drain() == nil {
		end := time.NewTimer(drainTime)
		select {
		case <-e.done:
		case <-end.C:
		}
		end.Stop()
	}
	e.mu.Lock()
	e.closing = true
	e.mu.Unlock()
	e.driver.wake()
	<-e.done
	var all []error
	for _, q := range []uapi.VideoQueue{uapi.OutputQueue, uapi.CaptureQueue} {
		if err := e.driver.stream(q, false); err != nil {
			all = append(all, fmt.Errorf("hardware encoder: stop: %w", explain(err)))
		}
	}
	e.driver.close()
	return errors.Join(all...)
}
