//go:build cgo

package vpx

// #include "shim.h"
import "C"

import (
	"encoding/binary"
	"fmt"
	"time"
	"unsafe"

	"intercom/capture"
)

// maxPixels bounds what one packet from outside can make the decoder allocate: the format
// allows pictures of 16383x16383.
const maxPixels = 1920 * 1920

// Decoder decodes the VP8 of one sender. Its methods are called from one goroutine.
type Decoder struct {
	c    *C.intercom_vp8_dec // nil after Close
	pool *capture.FramePool
	size [2]int // of the pool's frames
}

// NewDecoder returns a decoder, which waits for a key frame.
func NewDecoder() (*Decoder, error) {
	var code C.vpx_codec_err_t
	c := C.intercom_vp8_dec_new(&code)
	if c == nil {
		return nil, fmt.Errorf("open VP8 decoder: %s", errorText(code))
	}
	return &Decoder{c: c}, nil
}

// Decode decodes one VP8 frame captured at t. The caller releases the picture; it is nil
// if the frame is not to be shown. After an error the decoder goes on with the next frame.
func (d *Decoder) Decode(data []byte, t time.Time) (*capture.Frame, error) {
	if d.c == nil {
		return nil, capture.ErrClosed
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("decode VP8: empty frame")
	}
	if w, h := size(data); w*h > maxPixels {
		return nil, fmt.Errorf("decode VP8: picture of %dx%d is larger than %d pixels", w, h, maxPixels)
	}
	if code := C.intercom_vp8_dec_frame(d.c, pixels(data), C.uint(len(data))); code != C.VPX_CODEC_OK {
		return nil, fmt.Errorf("decode VP8: %s", detail(&d.c.ctx, code))
	}
	img := d.c.img
	if img == nil {
		return nil, nil
	}
	w, h := int(img.d_w), int(img.d_h)
	if d.pool == nil || d.size != [2]int{w, h} {
		d.pool, d.size = capture.NewFramePool(w, h, 0), [2]int{w, h}
	}
	f := d.pool.Get()
	f.Time = t
	for i := range f.Planes {
		stride := int(img.stride[i])
		if i > 0 {
			w, h = f.Stride[i], (f.Height+1)/2
		}
		src := unsafe.Slice((*byte)(img.planes[i]), stride*(h-1)+w)
		for y := range h {
			copy(f.Planes[i][y*f.Stride[i]:][:w], src[y*stride:])
		}
	}
	return f, nil
}

// size reads the size in a key frame's header (RFC 6386 section 9.1); 0 for other frames.
func size(data []byte) (w, h int) {
	if len(data) < 10 || data[0]&1 != 0 {
		return 0, 0
	}
	return int(binary.LittleEndian.Uint16(data[6:]) & 0x3fff), int(binary.LittleEndian.Uint16(data[8:]) & 0x3fff)
}

// Close frees the decoder. It may be called more than once.
func (d *Decoder) Close() error {
	if d.c != nil {
		C.intercom_vp8_dec_free(d.c)
		d.c = nil
	}
	return nil
}
