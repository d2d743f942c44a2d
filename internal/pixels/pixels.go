package pixels

// Plane is a rectangle of bytes in memory.
type Plane struct {
	Pix    []byte // from its first byte on; the last row may end where the rectangle does
	Stride int    // bytes from one row to the next
}

// check panics unless the plane holds height rows of width bytes: the loops behind it, some of
// them in C, do not look.
func (p Plane) check(width, height int) {
	if width < 0 || height < 0 || p.Stride < width {
		panic("pixels: a row is longer than the stride")
	}
	if width > 0 && height > 0 {
		_ = p.Pix[(height-1)*p.Stride+width-1]
	}
}

// from returns the plane from one of its rows on.
func (p Plane) from(row int) []byte { return p.Pix[row*p.Stride:] }

// Copy copies height rows of width bytes. It panics if a plane does not hold them.
func Copy(to, from Plane, width, height int) {
	to.check(width, height)
	from.check(width, height)
	if width > 0 && height > 0 {
		copyRows(to, from, width, height)
	}
}

// SplitYUYV makes planes of packed 4:2:2 (Y U Y V). The chroma of a pixel is the mean of two
// rows, rounded up. width and height are those of y, in pixels, and even. It panics if a plane
// does not hold the picture.
func SplitYUYV(y, u, v, from Plane, width, height int) {
	y.check(width, height)
	u.check(width/2, height/2)
	v.check(width/2, height/2)
	from.check(2*width, height)
	even(width, height)
	if width > 0 && height > 0 {
		splitYUYV(y, u, v, from, width/2, height/2)
	}
}

// SplitUV makes planes of interleaved chroma, as NV12 has it. width and height are those of u,
// in pixels. It panics if a plane does not hold them.
func SplitUV(u, v, from Plane, width, height int) {
	u.check(width, height)
	v.check(width, height)
	from.check(2*width, height)
	if width > 0 && height > 0 {
		splitUV(u, v, from, width, height)
	}
}

// Halve makes a plane half as wide and high: the mean of four pixels, rounded. width and
// height are those of to. It panics if a plane does not hold them.
func Halve(to, from Plane, width, height int) {
	to.check(width, height)
	from.check(2*width, 2*height)
	if width > 0 && height > 0 {
		halve(to, from, width, height)
	}
}

func even(width, height int) {
	if width%2 != 0 || height%2 != 0 {
		panic("pixels: a side is odd")
	}
}
