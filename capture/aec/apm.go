//go:build cgo

package aec

// #cgo CXXFLAGS: -std=c++11 -DWEBRTC_POSIX -DWEBRTC_AUDIO_PROCESSING_ONLY_BUILD -I/usr/include/webrtc_audio_processing
// #cgo LDFLAGS: -l:libwebrtc_audio_processing.a -lstdc++ -lm -lpthread
// #include "apm.h"
import "C"

import (
	"errors"
	"unsafe"
)

// engine takes echo and noise out of periods at 16 kHz. There is one; another one is compared
// with it.
type engine interface {
	// cancel is given what was heard and what it may hold the echo of, which was played from
	// leastLead to tail earlier.
	cancel(heard, played, clean []int16)
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

func (a apm) close() { C.intercom_apm_free(a.c) }

func int16s(s []int16) *C.int16_t { return (*C.int16_t)(unsafe.Pointer(unsafe.SliceData(s))) }
