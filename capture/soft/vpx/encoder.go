//go:build cgo

package vpx

// #cgo LDFLAGS: -l:libvpx.a -lm -lpthread
// #include "shim.h"
import "C"

import (
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"intercom/capture"
)

const (
	// startBitRate is used until Set says otherwise.
	startBitRate = 1_000_000
	// speed is libvpx's cpu-used; negative fixes it, 16 is the end of the scale. Beyond
	// 8 the picture gets worse faster than the work gets less.
	speed = -8
)

// encoder is a capture.Encoder over libvpx.
type encoder struct {
	c      *C.intercom_vp8_enc // nil after Close
	format capture.Format
	out    func(*capture.Packet)
	pool   capture.PacketPool
	last   time.Time // capture time of the last frame
	pts    int64     // the same on libvpx's clock, in microseconds
	rate   int       // bits a second
	key    bool      // a key frame is owed, and stays so over dropped frames
}

// NewEncoder returns an encoder of I420 frames; it is a capture.NewEncoder. It asks for
// 1 Mbit/s until Set is called. out is called from within Encode. When the picture needs
// more bits than there are, a frame is dropped: out is not called for it.
func NewEncoder(f capture.Format, out func(*capture.Packet)) (capture.Encoder, error) {
	if f.Pixel != capture.I420 || f.Width < 16 || f.Height < 16 || f.Width > 16383 || f.Height > 16383 || f.FPS < 1 {
		return nil, fmt.Errorf("open VP8 encoder: cannot code %v %dx%d at %d frames a second", f.Pixel, f.Width, f.Height, f.FPS)
	}
	var code C.vpx_codec_err_t
	c := C.intercom_vp8_enc_new(C.int(f.Width), C.int(f.Height), C.int(threads(f)), speed,
		startBitRate/1000, C.int(f.FPS), &code)
	if c == nil {
		return nil, fmt.Errorf("open VP8 encoder %dx%d: %s", f.Width, f.Height, errorText(code))
	}
	return &encoder{c: c, format: f, out: out, rate: startBitRate, key: true}, nil
}

// threads leaves cores to the rest: libvpx divides a picture by rows, and a second thread
// pays from about VGA on.
func threads(f capture.Format) int {
	if runtime.NumCPU() >= 4 && f.Width*f.Height >= 640*480 {
		return 2
	}
	return 1
}

// Encode codes one frame.
func (e *encoder) Encode(f *capture.Frame) error {
	if e.c == nil {
		return capture.ErrClosed
	}
	if err := f.CheckI420(e.format.Width, e.format.Height); err != nil {
		return fmt.Errorf("encode VP8: %w", err)
	}
	e.tick(f.Time)
	code := C.intercom_vp8_enc_frame(e.c, pixels(f.Planes[0]), pixels(f.Planes[1]), pixels(f.Planes[2]),
		C.int(f.Stride[0]), C.int(f.Stride[1]), C.int(f.Stride[2]),
		C.int64_t(e.pts), C.ulong(e.duration().Microseconds()), flag(e.key))
	if code != C.VPX_CODEC_OK {
		return fmt.Errorf("encode VP8: %s", detail(&e.c.ctx, code))
	}
	if e.c.data == nil {
		return nil
	}
	p := e.pool.Get(int(e.c.size))
	defer p.Release()
	copy(p.Data, unsafe.Slice((*byte)(e.c.data), int(e.c.size)))
	p.Codec, p.Time, p.Duration, p.Key = capture.VP8, f.Time, e.duration(), e.c.key != 0
	if p.Key {
		e.key = false
	}
	e.out(p)
	return nil
}

// tick moves the clock of the rate control on to a frame captured at t. libvpx demands
// that time grows; a pause counts as one frame, or the next one would get all its bits.
func (e *encoder) tick(t time.Time) {
	step := t.Sub(e.last)
	if e.last.IsZero() || step < time.Millisecond || step > time.Second {
		step = e.duration()
	}
	e.last = t
	e.pts += step.Microseconds()
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
	if t.FPS > 0 {
		e.format.FPS = t.FPS
	}
	if t.BitRate <= 0 || t.BitRate == e.rate {
		return nil
	}
	if code := C.intercom_vp8_enc_rate(e.c, C.int(max(t.BitRate/1000, 1))); code != C.VPX_CODEC_OK {
		return fmt.Errorf("set VP8 bit rate %d: %s", t.BitRate, detail(&e.c.ctx, code))
	}
	e.rate = t.BitRate
	return nil
}

// Close frees the encoder. It may be called more than once.
func (e *encoder) Close() error {
	if e.c != nil {
		C.intercom_vp8_enc_free(e.c)
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

func errorText(code C.vpx_codec_err_t) string { return C.GoString(C.vpx_codec_err_to_string(code)) }

func detail(ctx *C.vpx_codec_ctx_t, code C.vpx_codec_err_t) string {
	if s := C.vpx_codec_error_detail(ctx); s != nil {
		return errorText(code) + ": " + C.GoString(s)
	}
	return errorText(code)
}
