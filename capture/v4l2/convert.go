package v4l2

import (
	"fmt"

	"intercom/capture"
	"intercom/internal/pixels"
)

// layout is a raw picture in memory as the driver granted it.
type layout struct {
	pixel         capture.Pixel
	width, height int // even
	stride        int // bytes of a row of the first plane
	rows          int // of the first plane, the ones below the picture included
}

// newLayout understands a granted format. A stride of 0 means no padding.
func newLayout(pixel capture.Pixel, width, height, stride int) (layout, error) {
	l := layout{pixel: pixel, width: width &^ 1, height: height &^ 1, stride: stride, rows: height}
	row := width
	if pixel == capture.YUYV {
		row = 2 * width
	}
	if l.stride == 0 {
		l.stride = row
	}
	if l.width < 2 || l.height < 2 || width > 1<<14 || height > 1<<14 || l.stride < row || l.stride > 1<<17 {
		return layout{}, fmt.Errorf("the driver granted %v %dx%d with %d bytes a row, which cannot be", pixel, width, height, stride)
	}
	return l, nil
}

// size is how many bytes a picture needs at least.
func (l layout) size() int {
	switch l.pixel {
	case capture.YUYV:
		return l.stride*(l.rows-1) + 2*l.width
	case capture.NV12:
		return l.stride*l.rows + l.stride*(l.height/2-1) + l.width
	default: // I420: chroma rows are half as long
		return l.stride*l.rows + 2*(l.stride/2*(l.rows/2)) - l.stride/2 + l.width/2
	}
}

// convert writes a raw picture of at least l.size bytes into an I420 frame of the same size,
// in one pass over it.
func (l layout) convert(src []byte, f *capture.Frame) {
	y, u, v := plane(f, 0), plane(f, 1), plane(f, 2)
	first := pixels.Plane{Pix: src, Stride: l.stride}
	rest := src[min(l.stride*l.rows, len(src)):]
	switch l.pixel {
	case capture.YUYV:
		pixels.SplitYUYV(y, u, v, first, l.width, l.height)
	case capture.NV12:
		pixels.Copy(y, first, l.width, l.height)
		pixels.SplitUV(u, v, pixels.Plane{Pix: rest, Stride: l.stride}, l.width/2, l.height/2)
	default:
		half := l.stride / 2
		pixels.Copy(y, first, l.width, l.height)
		pixels.Copy(u, pixels.Plane{Pix: rest, Stride: half}, l.width/2, l.height/2)
		pixels.Copy(v, pixels.Plane{Pix: rest[half*(l.rows/2):], Stride: half}, l.width/2, l.height/2)
	}
}

func plane(f *capture.Frame, i int) pixels.Plane {
	return pixels.Plane{Pix: f.Planes[i], Stride: f.Stride[i]}
}
