package pixels

import "encoding/binary"

// These do in Go what rows.c does, eight bytes at a time: what is built without cgo, and what
// the tests hold the other against.

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

func goCopy(to, from Plane, width, height int) {
	if to.Stride == width && from.Stride == width {
		copy(to.Pix[:width*height], from.Pix)
		return
	}
	for row := range height {
		copy(to.from(row)[:width], from.from(row))
	}
}

// goSplitYUYV takes n pairs of pixels of two rows at a time.
func goSplitYUYV(y, u, v, from Plane, n, rows int) {
	for row := range rows {
		upper, lower := from.from(2 * row)[:4*n], from.from(2*row + 1)[:4*n]
		y0, y1 := y.from(2 * row)[:2*n], y.from(2*row + 1)[:2*n]
		u, v := u.from(row)[:n], v.from(row)[:n]
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

func goSplitUV(u, v, from Plane, width, height int) {
	for row := range height {
		from, u, v := from.from(row)[:2*width], u.from(row)[:width], v.from(row)[:width]
		for len(from) >= 8 && len(u) >= 4 && len(v) >= 4 {
			c := binary.LittleEndian.Uint64(from)
			binary.LittleEndian.PutUint32(u, squeeze(c))
			binary.LittleEndian.PutUint32(v, squeeze(c>>8))
			from, u, v = from[8:], u[4:], v[4:]
		}
		for i := range u {
			u[i], v[i] = from[2*i], from[2*i+1]
		}
	}
}

func goHalve(to, from Plane, width, height int) {
	for row := range height {
		a, b := from.from(2 * row)[:2*width], from.from(2*row + 1)[:2*width]
		to := to.from(row)[:width]
		for x := range to {
			to[x] = byte((int(a[2*x]) + int(a[2*x+1]) + int(b[2*x]) + int(b[2*x+1]) + 2) / 4)
		}
	}
}
