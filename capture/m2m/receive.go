package m2m

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"intercom/capture"
	"intercom/internal/uapi"
)

// errStuck is the wedged hardware of a Raspberry Pi; often only a restart helps.
var errStuck = fmt.Errorf("nothing has come out for %v: the hardware is stuck; if that stays, restart the machine", stuckAfter)

// receive takes what the hardware has coded until the last buffer, Close or a failure.
func (e *encoder) receive() {
	defer close(e.done)
	for {
		last, err := e.take()
		if last {
			return
		}
		if err == nil {
			err = e.driver.wait(uapi.CaptureQueue, stuckAfter/4)
		}
		e.mu.Lock()
		if err == nil && e.oldest < e.next && time.Since(e.inside[e.oldest%len(e.inside)].queued) > stuckAfter {
			err = errStuck
		}
		closing := e.closing
		if err != nil && !closing {
			e.err = err
		}
		e.mu.Unlock()
		if err != nil || closing {
			return
		}
	}
}

// take hands out all that is ready. last tells that nothing will follow.
func (e *encoder) take() (last bool, err error) {
	for {
		b, err := e.driver.dequeue(uapi.CaptureQueue)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return false, nil
		case errors.Is(err, unix.EPIPE):
			return true, nil
		case err != nil:
			return false, fmt.Errorf("take a coded picture: %w", err)
		case b.Index < 0 || b.Index >= len(e.coded) || b.Offset > b.Used || b.Used > len(e.coded[b.Index]):
			return false, fmt.Errorf("take a coded picture: the driver says that %d bytes from %d on of buffer %d are used", b.Used, b.Offset, b.Index)
		}
		p := e.packet(b)
		if b.Flags&uapi.VideoLast == 0 {
			// First the buffer: the hardware may wait for it.
			err = e.driver.queue(uapi.CaptureQueue, uapi.VideoBuffer{Index: b.Index})
		}
		if p != nil {
			e.out(p)
			p.Release()
		}
		if err != nil {
			return false, fmt.Errorf("give a buffer back: %w", err)
		}
		if b.Flags&uapi.VideoLast != 0 {
			return true, nil
		}
	}
}

// packet copies what is in a buffer; nil: nothing that can be sent.
func (e *encoder) packet(b uapi.VideoBuffer) *capture.Packet {
	data := e.coded[b.Index][b.Offset:b.Used]
	if len(data) == 0 {
		return nil
	}
	c := e.coding.look(data)
	if !c.picture {
		if c.header { // some firmware sends parameter sets by themselves
			e.header = append(e.header[:0], data...)
		}
		return nil
	}
	at, ok := e.leave(b.Stamp)
	if !ok || b.Flags&uapi.VideoDamaged != 0 {
		return nil
	}
	var header []byte
	if c.key && !c.header {
		header = e.header
	}
	p := e.pool.Get(len(header) + len(data))
	copy(p.Data[copy(p.Data, header):], data)
	p.Codec, p.Key, p.Time, p.Duration = e.coding.codec, c.key, at, time.Second/time.Duration(e.format.FPS)
	return p
}

// leave returns when the frame was captured that left with this stamp. Frames leave in the
// order they came; what was not coded in between has left, too.
func (e *encoder) leave(stamp time.Duration) (at time.Time, ok bool) {
	n := int(stamp / time.Microsecond)
	e.mu.Lock()
	defer e.mu.Unlock()
	if n < e.oldest || n >= e.next {
		return time.Time{}, false
	}
	e.oldest = n + 1
	return e.inside[n%len(e.inside)].at, true
}
