package station

import (
	"bytes"
	"image/jpeg"
	"testing"

	"intercom/capture"
)

// TestJPEG: a camera's white is white, its black is black, and grain does not make it too
// large.
func TestJPEG(t *testing.T) {
	f := capture.NewFramePool(64, 32, 10).Get()
	for i := range f.Planes[0] {
		f.Planes[0][i] = 16
		if i%64 >= 32 {
			f.Planes[0][i] = 235
		}
	}
	for _, p := range f.Planes[1:] {
		for i := range p {
			p[i] = 128
		}
	}
	data, err := codeJPEG(f)
	if err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if b := img.Bounds(); b.Dx() != 64 || b.Dy() != 32 {
		t.Errorf("a picture of %v", b)
	}
	black, _, _, _ := img.At(8, 16).RGBA()
	white, _, _, _ := img.At(56, 16).RGBA()
	if black>>8 > 4 || white>>8 < 251 {
		t.Errorf("black is %d and white %d of 255", black>>8, white>>8)
	}

	grain := capture.NewFramePool(1920, 1080, 10).Get()
	seed := uint32(1)
	for _, p := range grain.Planes {
		for i := range p {
			seed = seed*1664525 + 1013904223
			p[i] = byte(seed >> 24)
		}
	}
	if data, err = codeJPEG(grain); err == nil && len(data) > snapshotLimit {
		t.Errorf("%d bytes, want at most %d", len(data), snapshotLimit)
	}
	f.Planes[2] = f.Planes[2][:10]
	if _, err := codeJPEG(f); err == nil {
		t.Error("a short plane was coded")
	}
}
