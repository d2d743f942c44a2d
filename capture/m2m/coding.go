package m2m

import (
	"fmt"

	"intercom/capture"
	"intercom/internal/annexb"
	"intercom/internal/uapi"
)

// rawCode is the pixel format that frames have.
var rawCode = uapi.FourCC("YU12")

// coding is what the hardware makes of pictures. Tests on a machine without an H.264 encoder
// have one of their own.
type coding struct {
	codec    capture.Codec
	code     uint32 // pixel format of the coded side
	rate     uint32 // control of the bit rate; 0: there is none
	key      uint32 // control that makes a key frame; 0: there is none
	settings func(capture.Format) []setting
	// look tells what is in a unit. Drivers have a flag for key frames, and not all set it.
	look func(unit []byte) content
}

// content is what a unit holds.
type content struct{ header, picture, key bool }

// setting is a control that is set once.
type setting struct {
	name   string
	id     uint32
	value  int32
	needed bool // there is no encoder without it
}

// Controls (v4l2-controls.h, V4L2_CID_MPEG_VIDEO_*) and values of theirs.
const (
	codecControls = 0x00990900

	bitRateMode = codecControls + 206 // 1 is constant
	bitRate     = codecControls + 207
	headerMode  = codecControls + 216 // 1: headers are with the first picture
	repeatHead  = codecControls + 226
	forceKey    = codecControls + 229
	avcPeriod   = codecControls + 358
	avcLevel    = codecControls + 359
	avcProfile  = codecControls + 363

	constantRate        = 1
	joined              = 1
	level31, level40    = 9, 11
	constrainedBaseline = 1
)

// avc is H.264, constrained baseline.
var avc = coding{
	codec: capture.H264, code: uapi.FourCC("H264"), rate: bitRate, key: forceKey, look: lookAVC,
	settings: func(f capture.Format) []setting {
		level := int32(level31)
		if blocks := (f.Width + 15) / 16 * ((f.Height + 15) / 16); blocks > 3600 || blocks*f.FPS > 108_000 {
			level = level40
		}
		return []setting{
			{"constrained baseline profile", avcProfile, constrainedBaseline, true},
			{"level", avcLevel, level, false},
			{"constant bit rate", bitRateMode, constantRate, false},
			{"headers with the picture", headerMode, joined, false},
			{"repeated headers", repeatHead, 1, true},
			{"period of key frames", avcPeriod, keyPeriod, false},
		}
	},
}

// lookAVC tells what is in an access unit in the Annex B byte stream. It does not go through
// the first slice.
func lookAVC(unit []byte) (c content) {
	for nal, rest := annexb.Next(unit); nal != nil; nal, rest = annexb.Next(rest) {
		switch kind := annexb.Type(nal); {
		case kind == annexb.SPS:
			c.header = true
		case kind >= annexb.Slice && kind <= annexb.IDR:
			c.picture, c.key = true, kind == annexb.IDR
			return c
		}
	}
	return c
}

// layout is a picture in the driver's memory.
type layout struct {
	width, height int
	stride        int // bytes of a row of luma; half of it for chroma
	rows          int // of luma, those below the picture included
	size          int
}

// newLayout understands what the driver made of a request for a picture of this size.
func newLayout(got uapi.PlaneFormat, width, height int) (layout, error) {
	l := layout{width: width, height: height, stride: got.Stride, rows: got.Height, size: got.Stride * got.Height * 3 / 2}
	if got.FourCC != rawCode || got.Width < width || got.Height < height || got.Stride < width || got.Stride%2 != 0 || got.Height%2 != 0 ||
		got.Stride > 1<<13 || got.Height > 1<<13 || got.Size < l.size {
		return layout{}, fmt.Errorf("set the format of pictures: the driver made %dx%d (%#x) with %d bytes a row and %d in all of %dx%d, which cannot be",
			got.Width, got.Height, got.FourCC, got.Stride, got.Size, width, height)
	}
	return l, nil
}

// write copies a picture of the layout's size into a buffer of it.
func (l layout) write(to []byte, f *capture.Frame) {
	at, stride, width, height := 0, l.stride, l.width, l.height
	for i, plane := range f.Planes {
		rows := l.rows
		if i > 0 {
			stride, width, height, rows = l.stride/2, l.width/2, l.height/2, l.rows/2
		}
		dst := to[at:]
		if f.Stride[i] == stride && stride == width {
			copy(dst[:width*height], plane)
		} else {
			for y := range height {
				copy(dst[y*stride:][:width], plane[y*f.Stride[i]:])
			}
		}
		at += rows * stride
	}
}
