//go:build cgo

package vpx

import (
	"testing"

	"intercom/capture"
	"intercom/capture/capturetest"
)

func TestEncoder(t *testing.T) { capturetest.Encoder(t, capture.VP8, NewEncoder) }

func BenchmarkEncoder(b *testing.B) { capturetest.BenchmarkEncoder(b, NewEncoder) }

func newDecoder() (capturetest.PictureDecoder, error) { return NewDecoder() }

func TestDecoder(t *testing.T) { capturetest.Decoder(t, capture.VP8, NewEncoder, newDecoder) }

func FuzzDecode(f *testing.F) { capturetest.FuzzDecode(f, NewEncoder, newDecoder) }
