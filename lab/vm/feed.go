package vm

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// FedCamera is the camera that exists while a Feed runs.
const FedCamera = "/dev/video10"

// Feed is what FedCamera shows.
type Feed struct {
	Format        string // the fourcc, such as "MJPG", "H264" or "YUYV"
	Width, Height int
	Rate          float64  // frames a second; 0 means 15
	Frames        [][]byte // one after the other, then from the start
}

// Feed plugs in the fed camera. It is there until the Process ends: that is, until it is
// killed by Signal, or ctx ends.
func (m *Machine) Feed(ctx context.Context, f Feed) (*Process, error) {
	if f.Rate == 0 {
		f.Rate = 15
	}
	if len(f.Frames) == 0 {
		return nil, errors.New("feed camera: no frames")
	}
	const folder = "/tmp/feed"
	if _, err := m.Run(ctx, "rm", "-rf", folder); err != nil {
		return nil, err
	}
	for i, frame := range f.Frames {
		if err := m.Put(ctx, fmt.Sprintf("%s/%05d", folder, i), 0o644, frame); err != nil {
			return nil, err
		}
	}
	format := fmt.Sprintf("width=%d,height=%d,pixelformat=%s", f.Width, f.Height, f.Format)
	interval := time.Duration(float64(time.Second) / f.Rate)
	p, err := m.Start(ctx, Command{Args: []string{"agent", "feed", FedCamera, format, interval.String(), folder}})
	if err != nil {
		return nil, err
	}
	// It is a camera from the first frame on.
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	for {
		_, err := m.Run(ctx, "v4l2-ctl", "-d", FedCamera, "--get-fmt-video")
		if err == nil {
			return p, nil
		}
		select {
		case <-p.Ended():
			return nil, p.err
		case <-ctx.Done():
			return nil, fmt.Errorf("feed camera: no camera: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
