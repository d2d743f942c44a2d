//go:build cgo

package openh264

import (
	"bytes"
	"testing"

	"intercom/capture"
	"intercom/capture/capturetest"
)

func TestEncoder(t *testing.T) { capturetest.Encoder(t, capture.H264, NewEncoder) }

func BenchmarkEncoder(b *testing.B) { capturetest.BenchmarkEncoder(b, NewEncoder) }

func newDecoder() (capturetest.PictureDecoder, error) { return NewDecoder() }

func TestDecoder(t *testing.T) { capturetest.Decoder(t, capture.H264, NewEncoder, newDecoder) }

func FuzzDecode(f *testing.F) { capturetest.FuzzDecode(f, NewEncoder, newDecoder) }

// TestAccessUnits: a key frame is SPS, PPS and one IDR slice, every other frame one slice;
// the profile is constrained baseline at level 3.1.
func TestAccessUnits(t *testing.T) {
	format := capture.Format{Pixel: capture.I420, Width: 640, Height: 480, FPS: 20}
	n := 0
	e, err := NewEncoder(format, func(p *capture.Packet) {
		var types []byte
		for i, nal := range bytes.Split(p.Data, []byte{0, 0, 0, 1}) {
			if i == 0 {
				if len(nal) > 0 {
					t.Errorf("frame %d does not begin with a start code", n)
				}
				continue
			}
			types = append(types, nal[0]&31)
			if nal[0]&31 == 7 && (nal[1] != 0x42 || nal[2]&0x40 == 0 || nal[3] != 0x1f) {
				t.Errorf("profile-level-id %x, want constrained baseline at 3.1 (42, constraint_set1, 1f)", nal[1:4])
			}
		}
		want := []byte{1}
		if n%5 == 0 {
			want = []byte{7, 8, 5}
		}
		if !bytes.Equal(types, want) || p.Key != (n%5 == 0) {
			t.Errorf("frame %d: NAL unit types %v, key %v, want %v", n, types, p.Key, want)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, f := range capturetest.Film(format, 20) {
		if err := e.Set(capture.Target{KeyFrame: n%5 == 0}); err != nil {
			t.Fatal(err)
		}
		if err := e.Encode(f); err != nil {
			t.Fatal(err)
		}
		n++
	}
}

func TestLevel(t *testing.T) {
	for _, test := range []struct {
		width, height, fps int
		ok                 bool
	}{{1280, 720, 30, true}, {1280, 720, 31, false}, {1280, 736, 20, false}, {1920, 1080, 15, false}, {640, 480, 60, true}} {
		e, err := NewEncoder(capture.Format{Pixel: capture.I420, Width: test.width, Height: test.height, FPS: test.fps},
			func(*capture.Packet) {})
		if (err == nil) != test.ok {
			t.Errorf("%dx%d at %d: error %v", test.width, test.height, test.fps, err)
		}
		if err == nil {
			e.Close()
		}
	}
}
