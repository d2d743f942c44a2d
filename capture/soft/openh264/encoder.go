//go:build cgo

package openh264

// #include "shim.h"
import "C"

import (
	"fmt"
	"time"
	"unsafe"

	_ "github.com/pion/mediadevices/pkg/codec/openh264" // for its static library

	"intercom/capture"
)

const (
	// startBitRate is used until Set says otherwise.
	startBitRate = 1_000_000

	// Level 3.1 (H.264 table A-1): macroblocks of a frame and in a second, bits a second.
	maxFrameBlocks  = 3600
	maxBlocksPerSec = 108_000
	maxBitRate      = 14_000_000
)

// encoder is a capture.Encoder over OpenH264.
type encoder struct {
	c      *C.intercom_h264_enc // nil after Close
	format capture.Format
	out    func(*capture.Packet)
	pool   capture.PacketPool
	last   time.Time     // capture time of the last frame
	clock  time.Duration // the same on the library's clock
	rate   int           // bits a second
	key    bool          // a key frame is owed
}

// NewEncoder returns an encoder of I420 frames, at most 1280x720 at 30 frames a second; it
// is a capture.NewEncoder. It asks for 1 Mbit/s until Set is called. out is called from
// within Encode, once a frame.
func NewEncoder(f capture.Format, out func(*capture.Packet)) (capture.Encoder, error) {
	if f.Pixel != capture.I420 || f.Width < 16 || f.Height < 16 || f.Width%2 != 0 || f.Height%2 != 0 || f.FPS < 1 {
		return nil, fmt.Errorf("open H.264 encoder: cannot code %v %dx%d at %d frames a second", f.Pixel, f.Width, f.Height, f.FPS)
	}
	blocks := ((f.Width + 15) / 16) * ((f.Height + 15) / 16)
	if blocks > maxFrameBlocks || blocks*f.FPS > maxBlocksPerSec {
		return nil, fmt.Errorf("open H.264 encoder: %dx%d at %d frames a second is beyond level 3.1, which ends at 1280x720 at 30", f.Width, f.Height, f.FPS)
	}
	var code C.int
	c := C.intercom_h264_enc_new(C.int(f.Width), C.int(f.Height), C.float(f.FPS), startBitRate, &code)
	if c == nil {
		return nil, fmt.Errorf("open H.264 encoder %dx%d: OpenH264 error %d", f.Width, f.Height, code)
	}
	return &encoder{c: c, format: f, out: out, rate: startBitRate, key: true}, nil
}

// Encode codes one frame.
func (e *encoder) Encode(f *capture.Frame) error {
	if e.c == nil {
		return capture.ErrClosed
	}
	if err := f.CheckI420(e.format.Width, e.format.Height); err != nil {
		return fmt.Errorf("encode H.264: %w", err)
	}
	e.tick(f.Time)
	if code := C.intercom_h264_enc_frame(e.c, pixels(f.Planes[0]), pixels(f.Planes[1]), pixels(f.Planes[2]),
		C.int(f.Stride[0]), C.int(f.Stride[1]), C.int(f.Stride[2]),
		C.int64_t(e.clock.Milliseconds()), flag(e.key)); code != 0 {
		return fmt.Errorf("encode H.264: OpenH264 error %d", code)
	}
	parts := e.c.part[:e.c.parts]
	size := 0
	for _, part := range parts {
		size += int(part.size)
	}
	if size == 0 {
		return nil
	}
	p := e.pool.Get(size)
	defer p.Release()
	// The library keeps the layers of one frame in separate places: parameter sets, picture.
	rest := p.Data
	for _, part := range parts {
		rest = rest[copy(rest, unsafe.Slice((*byte)(part.data), int(part.size))):]
	}
	p.Codec, p.Time, p.Duration, p.Key = capture.H264, f.Time, e.duration(), e.c.key != 0
	if p.Key {
		e.key = false
	}
	e.out(p)
	return nil
}

// tick moves the clock of the rate control on to a frame captured at t. A pause counts as
// one frame, and so does a clock that was set.
func (e *encoder) tick(t time.Time) {
	step := t.Sub(e.last)
	if e.last.IsZero() || step < time.Millisecond || step > time.Second {
		step = e.duration()
	}
	e.last = t
	e.clock += step
}

func (e *encoder) duration() time.Duration { return time.Second / time.Duration(e.format.FPS) }

// Set changes what is asked for, from the next frame on.
func (e *encoder) Set(t capture.Target) error {
	if e.c == nil {
		return capture.ErrClosed
	}
	if t.KeyFrame {
		e.key = true
	}
	if t.FPS > 0 && t.FPS != e.format.FPS {
		if code := C.intercom_h264_enc_fps(e.c, C.float(t.FPS)); code != 0 {
			return fmt.Errorf("set H.264 frame rate %d: OpenH264 error %d", t.FPS, code)
		}
		e.format.FPS = t.FPS
	}
	rate := min(t.BitRate, maxBitRate)
	if rate <= 0 || rate == e.rate {
		return nil
	}
	if code := C.intercom_h264_enc_rate(e.c, C.int(rate)); code != 0 {
		return fmt.Errorf("set H.264 bit rate %d: OpenH264 error %d", rate, code)
	}
	e.rate = rate
	return nil
}

// Close frees the encoder. It may be called more than once.
func (e *encoder) Close() error {
	if e.c != nil {
		C.intercom_h264_enc_free(e.c)
		e.c = nil
	}
	return nil
}

func pixels(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.SliceData(b)) }

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}
