package display

import (
	"fmt"

	"intercom/capture"
)

// balancedPart is how much of a picture is seen at least if it is Balanced: as much as of
// one with 16:9 on a square, which is what Android's renderer has.
const balancedPart = 9.0 / 16

// Draw scales one I420 picture into another, mirrored or not. What it leaves free is black.
// It allocates nothing.
func Draw(dst, src *capture.Frame, mirror bool, scaling Scaling) error {
	if err := dst.CheckI420(dst.Width, dst.Height); err != nil {
		return fmt.Errorf("draw to: %w", err)
	}
	if err := src.CheckI420(src.Width, src.Height); err != nil {
		return fmt.Errorf("draw from: %w", err)
	}
	to, from := place(dst.Width, dst.Height, src.Width, src.Height, scaling)
	for i := range dst.Planes {
		black, shift := byte(16), 0
		width, height := src.Width, src.Height
		if i > 0 {
			black, shift = 128, 1
			width, height = (width+1)/2, (height+1)/2
		}
		p := plane{
			dst: dst.Planes[i], dstStride: dst.Stride[i], width: dst.Width >> shift, height: dst.Height >> shift,
			src: src.Planes[i], srcStride: src.Stride[i], srcWidth: width, srcHeight: height,
		}
		p.fill(to.shift(shift), black)
		half := float64(int(1) << shift)
		p.scale(to.shift(shift), from.x/half, from.y/half, from.w/half, from.h/half, mirror)
	}
	return nil
}

// rect is a part of a surface, in whole and even pixels.
type rect struct{ x, y, w, h int }

func (r rect) shift(n int) rect { return rect{r.x >> n, r.y >> n, r.w >> n, r.h >> n} }

// part is what is seen of a picture.
type part struct{ x, y, w, h float64 }

// place says where on a surface of WxH what part of a picture of wxh goes.
func place(W, H, w, h int, scaling Scaling) (rect, part) {
	across, down := float64(W)/float64(w), float64(H)/float64(h)
	scale, most := min(across, down), max(across, down)
	switch scaling {
	case Fill:
		scale = most
	case Balanced:
		scale = min(most, scale/balancedPart)
	}
	to := rect{w: even(min(float64(W), float64(w)*scale)), h: even(min(float64(H), float64(h)*scale))}
	to.x, to.y = (W-to.w)/2&^1, (H-to.h)/2&^1
	from := part{w: min(float64(w), float64(to.w)/scale), h: min(float64(h), float64(to.h)/scale)}
	from.x, from.y = (float64(w)-from.w)/2, (float64(h)-from.h)/2
	return to, from
}

func even(v float64) int { return max(2, int(v+0.5)&^1) }

// plane is one of the three of a picture, and where it goes.
type plane struct {
	dst                            []byte
	dstStride, width, height       int
	src                            []byte
	srcStride, srcWidth, srcHeight int
}

// fill paints what is not in r.
func (p *plane) fill(r rect, value byte) {
	for y := range p.height {
		row := p.dst[y*p.dstStride:][:p.width]
		if y < r.y || y >= r.y+r.h {
			paint(row, value)
			continue
		}
		paint(row[:r.x], value)
		paint(row[r.x+r.w:], value)
	}
}

func paint(b []byte, value byte) {
	for i := range b {
		b[i] = value
	}
}

// scale draws the part at x, y of size w, h into r, with the weighted mean of the four
// nearest points. Positions are in 1/65536.
func (p *plane) scale(r rect, x, y, w, h float64, mirror bool) {
	const one = 1 << 16
	stepX, stepY := w/float64(r.w), h/float64(r.h)
	firstX := int((x + stepX/2 - 0.5) * one)
	lastX, lastY := (p.srcWidth-1)*one, (p.srcHeight-1)*one
	for j := range r.h {
		sy := min(max(int((y+(float64(j)+0.5)*stepY-0.5)*one), 0), lastY)
		fy := sy % one >> 8
		row := p.src[sy/one*p.srcStride:]
		below := p.src[min(sy/one+1, p.srcHeight-1)*p.srcStride:]
		out := p.dst[(r.y+j)*p.dstStride+r.x:][:r.w]
		for i := range out {
			sx := min(max(firstX+int(float64(i)*stepX*one), 0), lastX)
			x0, fx := sx/one, sx%one>>8
			x1 := min(x0+1, p.srcWidth-1)
			top := int(row[x0])*(256-fx) + int(row[x1])*fx
			bottom := int(below[x0])*(256-fx) + int(below[x1])*fx
			v := byte((top*(256-fy) + bottom*fy + 1<<15) >> 16)
			if mirror {
				out[len(out)-1-i] = v
			} else {
				out[i] = v
			}
		}
	}
}
