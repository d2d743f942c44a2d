//go:build cgo

package openh264

// #include "shim.h"
import "C"

import (
	"fmt"
	"math"
	"time"
	"unsafe"

	"intercom/capture"
)

// Decoder decodes the H.264 of one sender. Its methods are called from one goroutine.
type Decoder struct {
	c    *C.intercom_h264_dec // nil after Close
	pool *capture.FramePool
	size [2]int // of the pool's frames
}

// NewDecoder returns a decoder, which waits for a key frame.
func NewDecoder() (*Decoder, error) {
	var code C.int
	c := C.intercom_h264_dec_new(&code)
	if c == nil {
		return nil, fmt.Errorf("open H.264 decoder: OpenH264 error %d", code)
	}
	return &Decoder{c: c}, nil
}

// Decode decodes one access unit (Annex B) captured at t. The caller releases the picture;
// it is nil if there is none to show. After an error, which may be the loss of an earlier
// one, the decoder goes on at the next key frame.
func (d *Decoder) Decode(data []byte, t time.Time) (*capture.Frame, error) {
	if d.c == nil {
		return nil, capture.ErrClosed
	}
	if len(data) == 0 || len(data) > math.MaxInt32 {
		return nil, fmt.Errorf("decode H.264: access unit of %d bytes", len(data))
	}
	if code := C.intercom_h264_dec_frame(d.c, pixels(data), C.int(len(data))); code != 0 {
		return nil, fmt.Errorf("decode H.264: OpenH264 state %#x", code)
	}
	if d.c.ready == 0 {
		return nil, nil
	}
	w, h := int(d.c.width), int(d.c.height)
	if d.pool == nil || d.size != [2]int{w, h} {
		d.pool, d.size = capture.NewFramePool(w, h, 0), [2]int{w, h}
	}
	f := d.pool.Get()
	f.Time = t
	for i := range f.Planes {
		stride := int(d.c.stride[i])
		if i > 0 {
			w, h = f.Stride[i], (f.Height+1)/2
		}
		src := unsafe.Slice((*byte)(d.c.plane[i]), stride*(h-1)+w)
		for y := range h {
			copy(f.Planes[i][y*f.Stride[i]:][:w], src[y*stride:])
		}
	}
	return f, nil
}

// Close frees the decoder. It may be called more than once.
func (d *Decoder) Close() error {
	if d.c != nil {
		C.intercom_h264_dec_free(d.c)
		d.c = nil
	}
	return nil
}
