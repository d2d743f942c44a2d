package v4l2

import (
	"encoding/binary"
	"fmt"

	"intercom/capture"
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
	switch l.pixel {
	case capture.YUYV:
		l.fromYUYV(src, f)
	case capture.NV12:
		copyRows(f.Planes[0], f.Stride[0], src, l.stride, l.width, l.height)
		l.splitChroma(src[l.stride*l.rows:], f)
	default:
		half, chroma := l.stride/2, l.stride/2*(l.rows/2)
		copyRows(f.Planes[0], f.Stride[0], src, l.stride, l.width, l.height)
		src = src[l.stride*l.rows:]
		copyRows(f.Planes[1], f.Stride[1], src, half, l.width/2, l.height/2)
		copyRows(f.Planes[2], f.Stride[2], src[chroma:], half, l.width/2, l.height/2)
	}
}

func copyRows(dst []byte, dstStride int, src []byte, srcStride, width, height int) {
	if dstStride == width && srcStride == width {
		copy(dst[:width*height], src)
		return
	}
	for range height - 1 {
		copy(dst[:width], src)
		dst, src = dst[dstStride:], src[srcStride:]
	}
	copy(dst[:width], src)
}

// Lanes of eight bytes, as a little-endian word has them.
const (
	evenBytes = 0x00ff00ff00ff00ff
	ones      = 0x0001000100010001
)

// squeeze packs the even bytes of a word into its lower half.
func squeeze(x uint64) uint32 {
	x &= evenBytes
	x = (x | x>>8) & 0x0000ffff0000ffff
	return uint32(x | x>>16)
}

// pair packs the even bytes of two words into one.
func pair(x, y uint64) uint64 { return uint64(squeeze(x)) | uint64(squeeze(y))<<32 }

// fromYUYV takes two rows at a time, and sixteen bytes of each: the chroma of a pixel is the
// mean of both.
func (l layout) fromYUYV(src []byte, f *capture.Frame) {
	n := l.width / 2
	for y := 0; y < l.height; y += 2 {
		upper := src[y*l.stride:][:4*n]
		lower := src[(y+1)*l.stride:][:4*n]
		y0 := f.Planes[0][y*f.Stride[0]:][:2*n]
		y1 := f.Planes[0][(y+1)*f.Stride[0]:][:2*n]
		u := f.Planes[1][y/2*f.Stride[1]:][:n]
		v := f.Planes[2][y/2*f.Stride[2]:][:n]
		for len(upper) >= 16 && len(lower) >= 16 && len(y0) >= 8 && len(y1) >= 8 && len(u) >= 4 && len(v) >= 4 {
			a0, a1 := binary.LittleEndian.Uint64(upper), binary.LittleEndian.Uint64(upper[8:])
			b0, b1 := binary.LittleEndian.Uint64(lower), binary.LittleEndian.Uint64(lower[8:])
			binary.LittleEndian.PutUint64(y0, pair(a0, a1))
			binary.LittleEndian.PutUint64(y1, pair(b0, b1))
			// u v u v u v u v
			c := pair((a0>>8&evenBytes+b0>>8&evenBytes+ones)>>1, (a1>>8&evenBytes+b1>>8&evenBytes+ones)>>1)
			binary.LittleEndian.PutUint32(u, squeeze(c))
			binary.LittleEndian.PutUint32(v, squeeze(c>>8))
			upper, lower, y0, y1, u, v = upper[16:], lower[16:], y0[8:], y1[8:], u[4:], v[4:]
		}
		for i := range u {
			y0[2*i], y0[2*i+1], y1[2*i], y1[2*i+1] = upper[4*i], upper[4*i+2], lower[4*i], lower[4*i+2]
			u[i] = byte((uint16(upper[4*i+1]) + uint16(lower[4*i+1]) + 1) / 2)
			v[i] = byte((uint16(upper[4*i+3]) + uint16(lower[4*i+3]) + 1) / 2)
		}
	}
}

// splitChroma parts the interleaved chroma of NV12.
func (l layout) splitChroma(src []byte, f *capture.Frame) {
	n := l.width / 2
	for y := range l.height / 2 {
		row := src[y*l.stride:][:2*n]
		u := f.Planes[1][y*f.Stride[1]:][:n]
		v := f.Planes[2][y*f.Stride[2]:][:n]
		for len(row) >= 8 && len(u) >= 4 && len(v) >= 4 {
			c := binary.LittleEndian.Uint64(row)
			binary.LittleEndian.PutUint32(u, squeeze(c))
			binary.LittleEndian.PutUint32(v, squeeze(c>>8))
			row, u, v = row[8:], u[4:], v[4:]
		}
		for i := range u {
			u[i], v[i] = row[2*i], row[2*i+1]
		}
	}
}
