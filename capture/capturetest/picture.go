package capturetest

import (
	"math"
	"testing"
	"time"

	"intercom/capture"
)

// Paint draws picture n of an endless film into an I420 frame: shades and edges that stand
// still, a textured square that moves, and over all the grain of a camera in the evening,
// which costs an encoder bits as real pictures do.
func Paint(f *capture.Frame, n int) {
	side := f.Height / 3
	grain := uint32(n)*2654435761 + 1
	left, top := (n*6)%(f.Width-side), f.Height/3
	for y := range f.Height {
		row := f.Planes[0][y*f.Stride[0]:][:f.Width]
		for x := range row {
			grain = grain*1664525 + 1013904223 // Numerical Recipes' generator
			row[x] = byte(48 + (x/2+y/3)&127 + int(grain>>29))
		}
		if y < top || y >= top+side {
			continue
		}
		for x := range side {
			row[left+x] = byte(64 + ((x/8)^((y-top)/8)+n)*5&127)
		}
	}
	for i := 1; i < 3; i++ {
		for y := range (f.Height + 1) / 2 {
			row := f.Planes[i][y*f.Stride[i]:][:(f.Width+1)/2]
			for x := range row {
				row[x] = byte(96 + (x*i+y)/8&63)
			}
		}
	}
}

// roughen adds more grain, as of a cheap camera by night.
func roughen(f *capture.Frame, n int) {
	grain := uint32(n)*747796405 + 1
	for y := range f.Height {
		row := f.Planes[0][y*f.Stride[0]:][:f.Width]
		for x := range row {
			grain = grain*1664525 + 1013904223
			row[x] += byte(grain >> 28)
		}
	}
}

// Film returns n painted frames of this format, one frame's duration apart.
func Film(f capture.Format, n int) []*capture.Frame {
	pool := capture.NewFramePool(f.Width, f.Height, f.FPS)
	start := time.Now()
	film := make([]*capture.Frame, n)
	for i := range film {
		film[i] = pool.Get()
		film[i].Time = start.Add(time.Duration(i) * time.Second / time.Duration(f.FPS))
		Paint(film[i], i)
	}
	return film
}

// PSNR returns how near the luma of two I420 pictures is, in dB; 99 if it is the same.
// Above 30 a person sees the same picture.
func PSNR(t testing.TB, a, b *capture.Frame) float64 {
	t.Helper()
	if err := b.CheckI420(a.Width, a.Height); err != nil {
		t.Fatalf("compare pictures: %v", err)
	}
	var sum int
	for y := range a.Height {
		ra := a.Planes[0][y*a.Stride[0]:][:a.Width]
		rb := b.Planes[0][y*b.Stride[0]:][:a.Width]
		for x := range ra {
			d := int(ra[x]) - int(rb[x])
			sum += d * d
		}
	}
	if sum == 0 {
		return 99
	}
	mse := float64(sum) / float64(a.Width*a.Height)
	return 10 * math.Log10(255*255/mse)
}
