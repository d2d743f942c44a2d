package v4l2

import (
	"time"

	"intercom/capture"
)

// Frames makes frames of pictures as a camera's driver lays them in memory, for those who
// have such memory and no camera: measurements, recordings. It has one user at a time.
type Frames struct{ r *reader }

// NewFrames returns what makes frames of pictures in this format, with stride bytes a row
// (0: no padding). decodeJPEG is as in Config.
func NewFrames(f capture.Format, stride int, decodeJPEG func([]byte, *capture.Frame) error) (*Frames, error) {
	l, err := newLayout(f.Pixel, f.Width, f.Height, stride)
	if err != nil {
		return nil, err
	}
	return &Frames{newReader(l, f.FPS, decodeJPEG)}, nil
}

// Frame makes a frame of a picture, which it copies. nil without an error: it is spoiled.
func (f *Frames) Frame(picture []byte, at time.Time) (*capture.Frame, error) {
	return f.r.frame(picture, at)
}
