package capturetest

import (
	"testing"
	"time"

	"intercom/capture"
)

// PictureDecoder is what the decoders of pictures have in common.
type PictureDecoder interface {
	Decode(data []byte, t time.Time) (*capture.Frame, error)
	Close() error
}

// Decoder tests a decoder against an encoder of the same codec.
func Decoder(t *testing.T, codec capture.Codec, newEncoder capture.NewEncoder, newDecoder func() (PictureDecoder, error)) {
	film := Film(small, 30)
	r := recorder{codec: codec}
	e := open(t, small, newEncoder, 1_000_000, r.out)
	encode(t, e, film[:20]...)
	if err := e.Set(capture.Target{KeyFrame: true}); err != nil {
		t.Fatal(err)
	}
	encode(t, e, film[20:]...)

	d, err := newDecoder()
	if err != nil {
		t.Fatal(err)
	}
	byTime := make(map[time.Time]*capture.Frame)
	for _, f := range film {
		byTime[f.Time] = f
	}
	low := 99.0
	for i, p := range r.packets {
		f, err := d.Decode(p, r.times[i])
		if err != nil || f == nil {
			t.Fatalf("packet %d: picture %v, error %v", i, f, err)
		}
		low = min(low, PSNR(t, byTime[f.Time], f))
		f.Release()
	}
	t.Logf("worst PSNR %.1f dB", low)
	if low < 28 {
		t.Errorf("worst PSNR %.1f dB, want at least 28", low)
	}

	// It survives a loss and is right again from the next key frame on.
	for i, p := range r.packets {
		if i == 3 || i == 4 {
			continue
		}
		f, err := d.Decode(p, r.times[i])
		if f == nil {
			if i > 20 || i < 3 {
				t.Errorf("packet %d, with a loss before: no picture, error %v", i, err)
			}
			continue
		}
		if got := PSNR(t, byTime[f.Time], f); i > 20 && got < 28 {
			t.Errorf("packet %d, after a key frame: PSNR %.1f dB", i, got)
		}
		f.Release()
	}
	for range 2 {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := d.Decode(r.packets[0], time.Now()); err == nil {
		t.Error("decoded after Close")
	}
}

// FuzzDecode feeds a decoder damaged packets.
func FuzzDecode(f *testing.F, newEncoder capture.NewEncoder, newDecoder func() (PictureDecoder, error)) {
	tiny := capture.Format{Pixel: capture.I420, Width: 64, Height: 48, FPS: 20}
	var r recorder
	e := open(f, tiny, newEncoder, 200_000, r.out)
	encode(f, e, Film(tiny, 4)...)
	for _, p := range r.packets {
		f.Add(p)
	}
	f.Add([]byte{})
	f.Add(r.packets[0][:len(r.packets[0])/2])
	first := r.packets[0]
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<14 {
			return
		}
		d, err := newDecoder()
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		for _, p := range [][]byte{first, data, first} {
			if f, _ := d.Decode(p, time.Time{}); f != nil {
				f.Release()
			}
		}
	})
}
