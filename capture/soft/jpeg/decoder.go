//go:build cgo

package jpeg

// #cgo LDFLAGS: -l:libturbojpeg.a
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"intercom/capture"
)

// Decoder decodes pictures. Its methods are called from one goroutine.
type Decoder struct {
	c *C.intercom_jpeg // nil after Close
}

// NewDecoder returns a decoder.
func NewDecoder() (*Decoder, error) {
	c := C.intercom_jpeg_new()
	if c == nil {
		return nil, errors.New("open JPEG decoder: out of memory")
	}
	return &Decoder{c}, nil
}

// Decode decodes a picture into an I420 frame of the same size. After an error the frame's
// pixels are not defined. A picture that is cut off is an error; padding is none.
func (d *Decoder) Decode(jpeg []byte, into *capture.Frame) error {
	if d.c == nil {
		return capture.ErrClosed
	}
	if len(jpeg) == 0 {
		return errors.New("decode JPEG: it is empty")
	}
	if into.Width < 2 || into.Height < 2 || into.Width%2 != 0 || into.Height%2 != 0 {
		return fmt.Errorf("decode JPEG: into a frame of %dx%d", into.Width, into.Height)
	}
	if err := into.CheckI420(into.Width, into.Height); err != nil {
		return fmt.Errorf("decode JPEG: %w", err)
	}
	if C.intercom_jpeg_decode(d.c, bytes(jpeg), C.ulong(len(jpeg)), bytes(into.Planes[0]), bytes(into.Planes[1]), bytes(into.Planes[2]),
		C.int(into.Stride[0]), C.int(into.Stride[1]), C.int(into.Stride[2]), C.int(into.Width), C.int(into.Height)) != 0 {
		return fmt.Errorf("decode JPEG: %s", C.GoString(&d.c.why[0]))
	}
	return nil
}

func bytes(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))) }

// Close frees the decoder. It may be called more than once.
func (d *Decoder) Close() error {
	if d.c != nil {
		C.intercom_jpeg_free(d.c)
		d.c = nil
	}
	return nil
}
