//go:build cgo

package aec

// #cgo CXXFLAGS: -std=c++17
// #cgo pkg-config: --with-path=${SRCDIR}/pkgconfig webrtc-audio-processing-1
// #cgo LDFLAGS: -lstdc++ -lm
// #include "apm.h"
import "C"

import (
	"errors"
	"unsafe"
)

// engine takes echo and noise out of periods at 16 kHz. There is one; another one is compared
// with it.
type engine interface {
	// cancel is given what was heard and what it may hold the echo of, the middle of which
	// was played from leastLead to reach earlier.
	cancel(heard, played, clean []int16)
	reach() int // in samples
	close()
}

// apm is WebRTC's audio processing module.
type apm struct{ c *C.intercom_apm }

func newAPM() (engine, error) {
	c := C.intercom_apm_new()
	if c == nil {
		return nil, errors.New("echo canceller: the library cannot be set up")
	}
	return apm{c}, nil
}

func (a apm) cancel(heard, played, clean []int16) {
	C.intercom_apm_cancel(a.c, int16s(heard), int16s(played), int16s(clean))
}

func (a apm) reach() int {
	if generation() > 0 {
		return finderTaps * decimation
	}
	return mostLead
}

func (a apm) close() { C.intercom_apm_free(a.c) }

func int16s(s []int16) *C.int16_t { return (*C.int16_t)(unsafe.Pointer(unsafe.SliceData(s))) }

// generation is the library's: see apm.h.
func generation() int { return int(C.intercom_apm_generation()) }
