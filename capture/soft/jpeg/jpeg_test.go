//go:build cgo

package jpeg

import (
	stdbytes "bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"

	"intercom/capture"
)

const width, height = 160, 96

// painted is a picture with soft colours, which survive any sampling.
func painted(ratio image.YCbCrSubsampleRatio) *image.YCbCr {
	m := image.NewYCbCr(image.Rect(0, 0, width, height), ratio)
	for y := range height {
		for x := range width {
			m.Y[m.YOffset(x, y)] = byte(40 + x + y/2)
			m.Cb[m.COffset(x, y)] = byte(80 + y)
			m.Cr[m.COffset(x, y)] = byte(60 + x/2 + y/4)
		}
	}
	return m
}

// coded is the picture as a camera of this sampling sends it.
func coded(t testing.TB, sampling string) []byte {
	t.Helper()
	if sampling == "gray" {
		m := image.NewGray(image.Rect(0, 0, width, height))
		for i := range m.Pix {
			m.Pix[i] = byte(40 + i%width)
		}
		var b stdbytes.Buffer
		if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	m := painted(image.YCbCrSubsampleRatio444)
	var raw []byte
	for _, plane := range [][]byte{m.Y, m.Cb, m.Cr} {
		raw = append(raw, plane...)
	}
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuvj444p", "-s", "160x96", "-i", "-",
		"-frames:v", "1", "-pix_fmt", sampling, "-q:v", "2", "-f", "mjpeg", "-")
	cmd.Stdin, cmd.Stderr = stdbytes.NewReader(raw), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func open(t testing.TB) *Decoder {
	t.Helper()
	d, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestDecode(t *testing.T) {
	d := open(t)
	want := painted(image.YCbCrSubsampleRatio444)
	for _, sampling := range []string{"yuvj420p", "yuvj422p", "yuvj444p", "yuvj440p"} {
		f := capture.NewFramePool(width, height, 20).Get()
		if err := d.Decode(coded(t, sampling), f); err != nil {
			t.Errorf("%s: %v", sampling, err)
			continue
		}
		var sums [3]float64
		for y := range height {
			for x := range width {
				c := want.At(x, y).(color.YCbCr)
				sums[0] += math.Abs(float64(f.Planes[0][y*f.Stride[0]+x]) - float64(c.Y))
				sums[1] += math.Abs(float64(f.Planes[1][y/2*f.Stride[1]+x/2]) - float64(c.Cb))
				sums[2] += math.Abs(float64(f.Planes[2][y/2*f.Stride[2]+x/2]) - float64(c.Cr))
			}
		}
		for i, s := range sums {
			if off := s / (width * height); off > 2.5 {
				t.Errorf("%s: plane %d is off by %.1f on average", sampling, i, off)
			}
		}
	}
	f := capture.NewFramePool(width, height, 20).Get()
	if err := d.Decode(coded(t, "gray"), f); err != nil {
		t.Error(err)
	}
	if f.Planes[1][0] != 128 || f.Planes[2][len(f.Planes[2])-1] != 128 {
		t.Error("a grey picture has colours")
	}
}

func TestSpoiled(t *testing.T) {
	d, good := open(t), coded(t, "yuvj422p")
	f := capture.NewFramePool(width, height, 20).Get()
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"empty":     {nil, "empty"},
		"no JPEG":   {[]byte("GIF89a"), "decode JPEG"},
		"cut off":   {good[:len(good)/2], "decode JPEG"},
		"head only": {good[:100], "decode JPEG"},
	} {
		if err := d.Decode(tt.data, f); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if err := d.Decode(append(good[:len(good):len(good)], make([]byte, 500)...), f); err != nil {
		t.Errorf("padded by the driver: %v", err)
	}
	if err := d.Decode(good, capture.NewFramePool(width, height/2, 20).Get()); err == nil || !strings.Contains(err.Error(), "another size") {
		t.Errorf("of another size: %v", err)
	}
	f.Planes[1] = f.Planes[1][:10]
	if err := d.Decode(good, f); err == nil {
		t.Error("decoded into planes that are too small")
	}
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Error(err)
	}
	if err := d.Decode(good, f); !errors.Is(err, capture.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestAllocs(t *testing.T) {
	d, data := open(t), coded(t, "yuvj422p")
	f := capture.NewFramePool(width, height, 20).Get()
	if got := testing.AllocsPerRun(20, func() {
		if err := d.Decode(data, f); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("%v allocations a picture, want 0", got)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"yuvj420p", "yuvj422p", "gray"} {
		f.Add(coded(f, s))
	}
	d := open(f)
	frame := capture.NewFramePool(width, height, 20).Get()
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = d.Decode(data, frame) // it neither crashes nor writes outside
	})
}
