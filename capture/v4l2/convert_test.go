package v4l2

import (
	"math/rand/v2"
	"testing"
	"time"

	"intercom/capture"
)

// reference is convert, written for the eye: pixel by pixel, as the formats are defined in
// the kernel's documentation.
func reference(l layout, src []byte) (y, u, v []byte) {
	sample := func(row, col int) (y, u, v int) {
		switch l.pixel {
		case capture.YUYV:
			pair := src[row*l.stride+col/2*4:]
			return int(pair[col%2*2]), int(pair[1]), int(pair[3])
		case capture.NV12:
			c := src[l.stride*l.rows+row/2*l.stride+col/2*2:]
			return int(src[row*l.stride+col]), int(c[0]), int(c[1])
		}
		half := l.stride / 2
		u0 := l.stride * l.rows
		v0 := u0 + half*(l.rows/2)
		at := row/2*half + col/2
		return int(src[row*l.stride+col]), int(src[u0+at]), int(src[v0+at])
	}
	for row := range l.height {
		for col := range l.width {
			a, _, _ := sample(row, col)
			y = append(y, byte(a))
			if row%2 == 0 && col%2 == 0 {
				_, u0, v0 := sample(row, col)
				_, u1, v1 := sample(row+1, col)
				u, v = append(u, byte((u0+u1+1)/2)), append(v, byte((v0+v1+1)/2))
			}
		}
	}
	return y, u, v
}

func TestConvert(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, pixel := range []capture.Pixel{capture.I420, capture.NV12, capture.YUYV} {
		for _, tt := range []struct{ width, height, padding int }{
			{320, 180, 0}, {320, 180, 64}, {640, 480, 0}, {2, 2, 0}, {2, 2, 30}, {322, 182, 62}, {321, 181, 31}, {1280, 720, 0},
		} {
			stride := tt.width + tt.padding
			if pixel == capture.YUYV {
				stride += tt.width
			}
			l, err := newLayout(pixel, tt.width, tt.height, stride)
			if err != nil {
				t.Fatal(err)
			}
			src := make([]byte, l.size()) // not a byte more than it says
			for i := range src {
				src[i] = byte(r.Uint32())
			}
			f := capture.NewFramePool(l.width, l.height, 20).Get()
			l.convert(src, f)
			y, u, v := reference(l, src)
			for i, want := range [][]byte{y, u, v} {
				if string(f.Planes[i]) != string(want) {
					t.Errorf("%v %dx%d with rows of %d: plane %d is wrong", pixel, tt.width, tt.height, stride, i)
				}
			}
		}
	}
}

// TestFramesAllocateNothing: whatever the camera delivers.
func TestFramesAllocateNothing(t *testing.T) {
	for _, pixel := range []capture.Pixel{capture.I420, capture.NV12, capture.YUYV, capture.MJPEG, capture.AVC} {
		l, err := newLayout(pixel, 640, 480, 0)
		if err != nil {
			t.Fatal(err)
		}
		r, src := newReader(l, 20, func([]byte, *capture.Frame) error { return nil }), make([]byte, l.size())
		run := func() {
			f, err := r.frame(src, time.Now())
			if err != nil || f == nil {
				t.Fatalf("%v: frame %v, error %v", pixel, f, err)
			}
			f.Release()
		}
		if got := testing.AllocsPerRun(20, run); got != 0 {
			t.Errorf("%v: %v allocations a frame, want 0", pixel, got)
		}
	}
}

func TestLayoutRefused(t *testing.T) {
	for _, tt := range []struct {
		pixel                 capture.Pixel
		width, height, stride int
	}{
		{capture.YUYV, 640, 480, 640}, {capture.I420, 640, 480, 639}, {capture.I420, 0, 0, 0}, {capture.I420, 1, 1, 1},
		{capture.I420, 640, 480, 1 << 30}, {capture.I420, 1 << 20, 480, 1 << 20}, {capture.NV12, 640, -2, 640}, {capture.NV12, 640, 480, -640},
	} {
		if l, err := newLayout(tt.pixel, tt.width, tt.height, tt.stride); err == nil {
			t.Errorf("%v %dx%d, rows of %d, was taken: %+v", tt.pixel, tt.width, tt.height, tt.stride, l)
		}
	}
}

func BenchmarkConvert(b *testing.B) {
	for _, pixel := range []capture.Pixel{capture.I420, capture.NV12, capture.YUYV} {
		b.Run(pixel.String(), func(b *testing.B) {
			l, err := newLayout(pixel, 1280, 720, 0)
			if err != nil {
				b.Fatal(err)
			}
			src, f := make([]byte, l.size()), capture.NewFramePool(1280, 720, 20).Get()
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				l.convert(src, f)
			}
		})
	}
}
