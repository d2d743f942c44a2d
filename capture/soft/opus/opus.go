//go:build cgo

package opus

// #include "include/opus.h"
//
// // opus_encoder_ctl takes a variable number of arguments, which cgo cannot pass.
// static int intercom_opus_set(OpusEncoder *e, int request, opus_int32 value) {
//   return opus_encoder_ctl(e, request, value);
// }
import "C"

import (
	"fmt"
	"math"
	"unsafe"

	_ "github.com/pion/mediadevices/pkg/codec/opus" // for its static library

	"intercom/capture"
)

const (
	bitRate    = 32_000 // full-band speech
	complexity = 5      // half the work of 9, which few hear the difference to
	lossShare  = 10     // percent; what in-band FEC prepares for until it is told

	// MaxPacket is the longest packet of one Opus frame in bytes (RFC 6716 section 3.4).
	MaxPacket = 1275
	// MaxSamples is the longest period of sound in one packet, 120 ms.
	MaxSamples = 6 * capture.PeriodSamples
)

// encoder is a capture.SoundEncoder.
type encoder struct {
	c *C.OpusEncoder // nil after Close
}

// NewEncoder returns an encoder of speech at 32 kbit/s. Its Encode needs room for
// MaxPacket bytes.
func NewEncoder() (capture.SoundEncoder, error) {
	var code C.int
	c := C.opus_encoder_create(capture.SampleRate, 1, C.OPUS_APPLICATION_VOIP, &code)
	if c == nil {
		return nil, fmt.Errorf("open Opus encoder: %s", errorText(code))
	}
	for _, s := range []struct{ request, value C.int }{
		{C.OPUS_SET_BITRATE_REQUEST, bitRate},
		{C.OPUS_SET_COMPLEXITY_REQUEST, complexity},
		{C.OPUS_SET_SIGNAL_REQUEST, C.OPUS_SIGNAL_VOICE},
		{C.OPUS_SET_INBAND_FEC_REQUEST, 1},
		{C.OPUS_SET_PACKET_LOSS_PERC_REQUEST, lossShare},
	} {
		if code := C.intercom_opus_set(c, s.request, C.opus_int32(s.value)); code != C.OPUS_OK {
			C.opus_encoder_destroy(c)
			return nil, fmt.Errorf("set up Opus encoder, request %d: %s", s.request, errorText(code))
		}
	}
	return &encoder{c: c}, nil
}

// Encode codes one period.
func (e *encoder) Encode(pcm []int16, dst []byte) (int, error) {
	if e.c == nil {
		return 0, capture.ErrClosed
	}
	if len(pcm) != capture.PeriodSamples || len(dst) == 0 {
		return 0, fmt.Errorf("encode Opus: %d samples into %d bytes, want %d samples", len(pcm), len(dst), capture.PeriodSamples)
	}
	n := C.opus_encode(e.c, samples(pcm), C.int(len(pcm)), bytes(dst), C.opus_int32(len(dst)))
	if n < 0 {
		return 0, fmt.Errorf("encode Opus: %s", errorText(n))
	}
	return int(n), nil
}

// Expect sets how much in-band FEC prepares for: a share of the bits goes into it. With 5 % or
// less the sound keeps its band width, and FEC is left out when there is no room for it.
func (e *encoder) Expect(loss float64) error {
	if e.c == nil {
		return capture.ErrClosed
	}
	if !(loss >= 0 && loss <= 1) {
		return fmt.Errorf("expect loss: %v is no share", loss)
	}
	if code := C.intercom_opus_set(e.c, C.OPUS_SET_PACKET_LOSS_PERC_REQUEST, C.opus_int32(math.Round(100*loss))); code != C.OPUS_OK {
		return fmt.Errorf("expect loss: %s", errorText(code))
	}
	return nil
}

// Close frees the encoder. It may be called more than once.
func (e *encoder) Close() error {
	if e.c != nil {
		C.opus_encoder_destroy(e.c)
		e.c = nil
	}
	return nil
}

// decoder is a capture.SoundDecoder.
type decoder struct {
	c *C.OpusDecoder // nil after Close
}

// NewDecoder returns a decoder of one peer's sound; stereo comes out as mono. Its Decode
// needs room for MaxSamples; after an error it goes on with the next packet. To conceal a
// loss it takes whole multiples of 2.5 ms.
func NewDecoder() (capture.SoundDecoder, error) {
	var code C.int
	c := C.opus_decoder_create(capture.SampleRate, 1, &code)
	if c == nil {
		return nil, fmt.Errorf("open Opus decoder: %s", errorText(code))
	}
	return &decoder{c: c}, nil
}

// Decode decodes one packet, or conceals a lost one.
func (d *decoder) Decode(packet []byte, pcm []int16) (int, error) {
	if d.c == nil {
		return 0, capture.ErrClosed
	}
	if len(pcm) == 0 {
		return 0, fmt.Errorf("decode Opus: no room for samples")
	}
	if packet != nil && len(packet) == 0 {
		return 0, fmt.Errorf("decode Opus: empty packet") // libopus would conceal
	}
	n := C.opus_decode(d.c, bytes(packet), C.opus_int32(len(packet)), samples(pcm), C.int(len(pcm)), 0)
	if n < 0 {
		return 0, fmt.Errorf("decode Opus: %s", errorText(n))
	}
	return int(n), nil
}

// Recover decodes what a packet brings of the one before it.
func (d *decoder) Recover(next []byte, pcm []int16) error {
	if d.c == nil {
		return capture.ErrClosed
	}
	if len(next) == 0 || len(pcm) == 0 {
		return fmt.Errorf("recover Opus: %d samples of a packet of %d bytes", len(pcm), len(next))
	}
	n := C.opus_decode(d.c, bytes(next), C.opus_int32(len(next)), samples(pcm), C.int(len(pcm)), 1)
	if n < 0 {
		return fmt.Errorf("recover Opus: %s", errorText(n))
	}
	if int(n) != len(pcm) {
		return fmt.Errorf("recover Opus: %d samples of %d", n, len(pcm))
	}
	return nil
}

// Close frees the decoder. It may be called more than once.
func (d *decoder) Close() error {
	if d.c != nil {
		C.opus_decoder_destroy(d.c)
		d.c = nil
	}
	return nil
}

func samples(s []int16) *C.opus_int16 { return (*C.opus_int16)(unsafe.SliceData(s)) }
func bytes(b []byte) *C.uchar         { return (*C.uchar)(unsafe.SliceData(b)) }

func errorText(code C.int) string { return C.GoString(C.opus_strerror(code)) }
