package synth

import (
	"strconv"
	"time"

	"intercom/capture"
)

// Luma of black and white in video range (ITU-R BT.601), and chroma of grey.
const (
	black = 16
	white = 235
	grey  = 128
)

// bars are white, yellow, cyan, green, magenta, red and blue at 75 % (Y, Cb, Cr).
var bars = [7][3]byte{
	{180, 128, 128}, {162, 44, 142}, {131, 156, 44}, {112, 72, 58}, {84, 184, 198}, {65, 100, 212}, {35, 212, 114},
}

// counterBits is the number of blocks in the strip at the bottom.
const counterBits = 16

// layout is where things are, in rows, even numbers all.
type layout struct {
	width, height int
	bars          int // from 0 to here
	band          int // from bars to here: the moving square
	strip         int // from here to the end: the counter for machines
	textX, textY  int
	scale         int // pixels a dot
}

func newLayout(width, height int) layout {
	even := func(n int) int { return n &^ 1 }
	l := layout{width: width, height: height}
	l.strip = even(height * 11 / 12)
	l.bars = even(height / 2)
	l.band = even(height * 2 / 3)
	// The clock's 12 characters and a margin; two lines between band and strip.
	l.scale = max(1, min(width/((glyphWidth+1)*14), (l.strip-l.band)/(2*(glyphHeight+2))))
	l.textX = even((glyphWidth + 1) * l.scale)
	l.textY = even(l.band + l.scale)
	return l
}

// background paints what never changes; the rest is black.
func (l *layout) background(f *capture.Frame) {
	for y := range l.height {
		row := f.Planes[0][y*f.Stride[0]:][:l.width]
		if y < l.bars {
			for x := range row {
				row[x] = bars[x*len(bars)/l.width][0]
			}
		} else {
			fill(row, black)
		}
	}
	for i := 1; i < 3; i++ {
		for y := range l.height / 2 {
			row := f.Planes[i][y*f.Stride[i]:][:l.width/2]
			if 2*y < l.bars {
				for x := range row {
					row[x] = bars[2*x*len(bars)/l.width][i]
				}
			} else {
				fill(row, grey)
			}
		}
	}
}

// update paints what moves: the square, the texts and the strip.
func (l *layout) update(f *capture.Frame, n int, now time.Time) {
	side := min(l.band-l.bars, l.width/2)
	// There and back, in four seconds at 20 frames a second.
	room := l.width - side
	left := n * max(room/40, 1) % (2 * room)
	if left > room {
		left = 2*room - left
	}
	for y := l.bars; y < l.band; y++ {
		row := f.Planes[0][y*f.Stride[0]:][:l.width]
		fill(row[:left], 48)
		fill(row[left:left+side], white)
		fill(row[left+side:], 48)
	}
	var text [32]byte
	l.text(f, 0, strconv.AppendInt(text[:0], int64(n), 10))
	l.text(f, 1, now.AppendFormat(text[:0], "15:04:05.000"))
	l.counter(f, uint16(n))
}

// text writes one of the two lines.
func (l *layout) text(f *capture.Frame, line int, s []byte) {
	x := l.textX
	for _, c := range s {
		glyph := &font[c&127]
		for gy := range glyphHeight * l.scale {
			dots := glyph[gy/l.scale]
			y := l.textY + line*(glyphHeight+2)*l.scale + gy
			row := f.Planes[0][y*f.Stride[0]+x:][:(glyphWidth+1)*l.scale]
			for gx := range row {
				row[gx] = black
				if dots<<(gx/l.scale)&(1<<(glyphWidth-1)) != 0 {
					row[gx] = white
				}
			}
		}
		x += (glyphWidth + 1) * l.scale
	}
}

// counter paints the strip, the most significant bit on the left, white for one.
func (l *layout) counter(f *capture.Frame, n uint16) {
	for y := l.strip; y < l.height; y++ {
		row := f.Planes[0][y*f.Stride[0]:][:l.width]
		for b := range counterBits {
			c := byte(black)
			if n&(1<<(counterBits-1-b)) != 0 {
				c = white
			}
			fill(row[b*l.width/counterBits:(b+1)*l.width/counterBits], c)
		}
	}
}

// ReadCounter reads the number of a frame, modulo 65536, from the strip at the bottom of
// an I420 picture of a Camera, also after coding. The strip is the lowest twelfth of the
// picture: sixteen blocks of equal width, the most significant bit on the left, black for 0
// and white for 1. ok is false if the middle of a block is neither.
func ReadCounter(f *capture.Frame) (n uint16, ok bool) {
	l := newLayout(f.Width, f.Height)
	y := (l.strip + l.height) / 2
	for b := range counterBits {
		x := (2*b + 1) * f.Width / (2 * counterBits)
		n <<= 1
		switch v := f.Planes[0][y*f.Stride[0]+x]; {
		case v > 160:
			n |= 1
		case v > 96:
			return 0, false
		}
	}
	return n, true
}

func fill(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}
