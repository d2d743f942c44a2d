//go:build bench && cgo

package speextest

// #cgo LDFLAGS: -l:libspeexdsp.a -lm
// #include "speex.h"
import "C"

import (
	"errors"
	"unsafe"
)

// Canceller cancels echo at 16 kHz in periods of 20 ms.
type Canceller struct{ c *C.intercom_speex }

// New returns a canceller of echo that lasts for some samples.
func New(tail int) (*Canceller, error) {
	c := C.intercom_speex_new(C.int(tail))
	if c == nil {
		return nil, errors.New("speexdsp: out of memory")
	}
	return &Canceller{c}, nil
}

// Cancel takes what comes of played out of heard. All are periods; clean may be heard.
func (s *Canceller) Cancel(heard, played, clean []int16) {
	C.intercom_speex_cancel(s.c, int16s(heard), int16s(played), int16s(clean))
}

// Close frees it.
func (s *Canceller) Close() { C.intercom_speex_free(s.c) }

func int16s(s []int16) *C.int16_t { return (*C.int16_t)(unsafe.Pointer(unsafe.SliceData(s))) }
