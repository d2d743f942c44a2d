//go:build cgo

package vpx

import (
	"strings"
	"testing"
	"time"

	"intercom/capture"
	"intercom/capture/capturetest"
)

func TestEncoder(t *testing.T) { capturetest.Encoder(t, capture.VP8, NewEncoder) }

func BenchmarkEncoder(b *testing.B) { capturetest.BenchmarkEncoder(b, NewEncoder) }

func newDecoder() (capturetest.PictureDecoder, error) { return NewDecoder() }

func TestDecoder(t *testing.T) { capturetest.Decoder(t, capture.VP8, NewEncoder, newDecoder) }

func FuzzDecode(f *testing.F) { capturetest.FuzzDecode(f, NewEncoder, newDecoder) }

// TestHugePicture: the size that a key frame claims is not believed.
func TestHugePicture(t *testing.T) {
	d, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	key := []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f, 0, 0}
	if f, err := d.Decode(key, time.Time{}); err == nil || !strings.Contains(err.Error(), "16383x16383") {
		t.Errorf("picture %v, error %v, want one that names the size", f, err)
	}
}
