package pixels

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// room is a plane of random bytes that ends where its rectangle does, so that one byte read or
// written too far is outside its memory or seen.
func room(r *rand.Rand, width, height, padding int) Plane {
	p := Plane{Stride: width + padding}
	if width > 0 && height > 0 {
		p.Pix = make([]byte, (height-1)*p.Stride+width)
	}
	for i := range p.Pix {
		p.Pix[i] = byte(r.Uint32())
	}
	return p
}

func clone(p Plane) Plane { return Plane{bytes.Clone(p.Pix), p.Stride} }

// sizes of half a picture: less than the lanes of a machine, just them, and odd ends.
var sizes = [][2]int{{1, 1}, {3, 2}, {7, 3}, {15, 2}, {16, 2}, {17, 2}, {31, 1}, {32, 3}, {33, 3}, {160, 90}, {161, 91}}

// each runs f with what planes of a size need.
func each(t *testing.T, f func(t *testing.T, r *rand.Rand, w, h, padding int)) {
	for _, size := range sizes {
		for _, padding := range []int{0, 1, 13, 32} {
			t.Run(fmt.Sprintf("%dx%d+%d", size[0], size[1], padding), func(t *testing.T) {
				f(t, rand.New(rand.NewPCG(1, 2)), size[0], size[1], padding)
			})
		}
	}
}

func same(t *testing.T, name string, got, want Plane) {
	t.Helper()
	if !bytes.Equal(got.Pix, want.Pix) {
		t.Errorf("%s is wrong, or what is beside it was written to", name)
	}
}

func TestSplitYUYV(t *testing.T) {
	each(t, func(t *testing.T, r *rand.Rand, w, h, padding int) {
		from := room(r, 4*w, 2*h, padding)
		y, u, v := room(r, 2*w, 2*h, padding), room(r, w, h, padding/2), room(r, w, h, padding)
		wantY, wantU, wantV := clone(y), clone(u), clone(v)
		for row := range 2 * h {
			for x := range 2 * w {
				wantY.Pix[row*y.Stride+x] = from.Pix[row*from.Stride+2*x]
			}
		}
		for row := range h {
			a, b := from.Pix[2*row*from.Stride:], from.Pix[(2*row+1)*from.Stride:]
			for x := range w {
				wantU.Pix[row*u.Stride+x] = byte((int(a[4*x+1]) + int(b[4*x+1]) + 1) / 2)
				wantV.Pix[row*v.Stride+x] = byte((int(a[4*x+3]) + int(b[4*x+3]) + 1) / 2)
			}
		}
		goY, goU, goV := clone(y), clone(u), clone(v)
		goSplitYUYV(goY, goU, goV, from, w, h)
		SplitYUYV(y, u, v, from, 2*w, 2*h)
		for name, p := range map[string][3]Plane{"y": {y, goY, wantY}, "u": {u, goU, wantU}, "v": {v, goV, wantV}} {
			same(t, name, p[0], p[2])
			same(t, "Go's "+name, p[1], p[2])
		}
	})
}

func TestSplitUV(t *testing.T) {
	each(t, func(t *testing.T, r *rand.Rand, w, h, padding int) {
		from, u, v := room(r, 2*w, h, padding), room(r, w, h, padding), room(r, w, h, padding/2)
		wantU, wantV := clone(u), clone(v)
		for row := range h {
			for x := range w {
				wantU.Pix[row*u.Stride+x], wantV.Pix[row*v.Stride+x] = from.Pix[row*from.Stride+2*x], from.Pix[row*from.Stride+2*x+1]
			}
		}
		goU, goV := clone(u), clone(v)
		goSplitUV(goU, goV, from, w, h)
		SplitUV(u, v, from, w, h)
		same(t, "u", u, wantU)
		same(t, "v", v, wantV)
		same(t, "Go's u", goU, wantU)
		same(t, "Go's v", goV, wantV)
	})
}

func TestHalve(t *testing.T) {
	each(t, func(t *testing.T, r *rand.Rand, w, h, padding int) {
		from, to := room(r, 2*w, 2*h, padding), room(r, w, h, padding)
		want := clone(to)
		for row := range h {
			a, b := from.Pix[2*row*from.Stride:], from.Pix[(2*row+1)*from.Stride:]
			for x := range w {
				want.Pix[row*to.Stride+x] = byte((int(a[2*x]) + int(a[2*x+1]) + int(b[2*x]) + int(b[2*x+1]) + 2) / 4)
			}
		}
		inGo := clone(to)
		goHalve(inGo, from, w, h)
		Halve(to, from, w, h)
		same(t, "it", to, want)
		same(t, "Go's", inGo, want)
	})
}

func TestCopy(t *testing.T) {
	each(t, func(t *testing.T, r *rand.Rand, w, h, padding int) {
		for _, less := range []int{0, padding} {
			from, to := room(r, w, h, padding), room(r, w, h, less)
			want := clone(to)
			for row := range h {
				copy(want.Pix[row*to.Stride:][:w], from.Pix[row*from.Stride:])
			}
			inGo := clone(to)
			goCopy(inGo, from, w, h)
			Copy(to, from, w, h)
			same(t, "it", to, want)
			same(t, "Go's", inGo, want)
		}
	})
}

// TestTooSmall: the loops in C do not look, so what calls them does.
func TestTooSmall(t *testing.T) {
	plane := func(width, height int) Plane { return Plane{make([]byte, width*height), width} }
	short := func(p Plane) Plane { return Plane{p.Pix[:len(p.Pix)-1], p.Stride} }
	narrow := func(p Plane) Plane { return Plane{p.Pix, p.Stride - 1} }
	for _, spoil := range []func(Plane) Plane{short, narrow} {
		y, u, v, yuyv, uv := plane(64, 32), plane(32, 16), plane(32, 16), plane(128, 32), plane(64, 16)
		for name, f := range map[string]func(){
			"yuyv, y":        func() { SplitYUYV(spoil(y), u, v, yuyv, 64, 32) },
			"yuyv, u":        func() { SplitYUYV(y, spoil(u), v, yuyv, 64, 32) },
			"yuyv, v":        func() { SplitYUYV(y, u, spoil(v), yuyv, 64, 32) },
			"yuyv, from":     func() { SplitYUYV(y, u, v, spoil(yuyv), 64, 32) },
			"yuyv, odd":      func() { SplitYUYV(y, u, v, yuyv, 63, 32) },
			"uv, u":          func() { SplitUV(spoil(u), v, uv, 32, 16) },
			"uv, v":          func() { SplitUV(u, spoil(v), uv, 32, 16) },
			"uv, from":       func() { SplitUV(u, v, spoil(uv), 32, 16) },
			"halve, to":      func() { Halve(spoil(u), y, 32, 16) },
			"halve, from":    func() { Halve(u, spoil(y), 32, 16) },
			"copy, to":       func() { Copy(spoil(u), v, 32, 16) },
			"copy, from":     func() { Copy(u, spoil(v), 32, 16) },
			"less than none": func() { Copy(u, v, -1, 16) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: it went on", name)
					}
				}()
				f()
			}()
		}
	}
}

// TestNothing: a picture without pixels needs no memory.
func TestNothing(t *testing.T) {
	var none Plane
	SplitYUYV(none, none, none, none, 0, 0)
	SplitUV(none, none, none, 0, 0)
	Halve(none, none, 0, 0)
	Copy(none, none, 0, 0)
}

func TestAllocatesNothing(t *testing.T) {
	y, u, v, from := Plane{make([]byte, 64*32), 64}, Plane{make([]byte, 32*16), 32}, Plane{make([]byte, 32*16), 32}, Plane{make([]byte, 128*32), 128}
	if got := testing.AllocsPerRun(20, func() {
		SplitYUYV(y, u, v, from, 64, 32)
		SplitUV(u, v, y, 32, 16)
		Halve(u, y, 32, 16)
	}); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}

func BenchmarkYUYV(b *testing.B) {
	const w, h = 1280, 720
	y, u, v := Plane{make([]byte, w*h), w}, Plane{make([]byte, w*h/4), w / 2}, Plane{make([]byte, w*h/4), w / 2}
	from := Plane{make([]byte, 2*w*h), 2 * w}
	for name, split := range map[string]func(y, u, v, from Plane, n, rows int){"built": splitYUYV, "Go": goSplitYUYV} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(2 * w * h)
			for b.Loop() {
				split(y, u, v, from, w/2, h/2)
			}
		})
	}
}
