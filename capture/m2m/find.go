package m2m

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"intercom/capture"
	"intercom/internal/uapi"
)

// Device is a hardware encoder of H.264.
type Device struct {
	Path   string // such as "/dev/video11"; it may be another one after a boot
	Card   string // the driver's name for it, such as "bcm2835-codec-encode"
	Driver string // of the kernel, such as "bcm2835-codec"

	coding coding
}

// ErrNone is in the error of a machine without a hardware encoder.
var ErrNone = errors.New("this machine has no H.264 encoder in hardware")

// Find returns the machine's hardware encoder, the first one if there are several. It opens
// every video device for a moment, as nothing else tells what they are.
func Find() (Device, error) { return find(avc) }

func find(c coding) (Device, error) {
	var barred error
	for _, path := range uapi.Nodes("/dev/video") {
		d, ok, err := inspect(path, c)
		if ok {
			return d, nil
		}
		if errors.Is(err, unix.EACCES) {
			barred = fmt.Errorf("; %w: the service's user needs the group of the device, often video", err)
		}
	}
	if barred != nil {
		return Device{}, fmt.Errorf("%w that may be opened%w", ErrNone, barred)
	}
	return Device{}, ErrNone
}

// inspect tells whether a video device codes pictures as we need it.
func inspect(path string, c coding) (d Device, ok bool, err error) {
	fd, err := open(path)
	if err != nil {
		return Device{}, false, err
	}
	defer unix.Close(fd)
	v, err := uapi.QueryVideo(fd)
	if err != nil || v.Caps&uapi.VideoM2MPlanes == 0 || v.Caps&uapi.VideoStreaming == 0 {
		return Device{}, false, err
	}
	codes := slices.Contains(uapi.QueueFormats(fd, uapi.CaptureQueue), c.code)
	takes := slices.Contains(uapi.QueueFormats(fd, uapi.OutputQueue), rawCode)
	return Device{Path: path, Card: v.Card, Driver: v.Driver, coding: c}, codes && takes, nil
}

func open(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// NewEncoder opens an encoder of I420 frames; it is a capture.NewEncoder. It asks for
// 1 Mbit/s until Set is called. out is called from a goroutine of the encoder's, about as
// long after Encode as the hardware takes for a picture.
func (d Device) NewEncoder(f capture.Format, out func(*capture.Packet)) (capture.Encoder, error) {
	if f.Pixel != capture.I420 || f.Width < 32 || f.Height < 32 || f.Width > maxWidth || f.Height > maxHeight ||
		f.Width%2 != 0 || f.Height%2 != 0 || f.FPS < 1 || f.FPS > maxFPS {
		return nil, fmt.Errorf("open %s: cannot code %v %dx%d at %d frames a second", d.Path, f.Pixel, f.Width, f.Height, f.FPS)
	}
	v, err := newVideo(d.Path)
	if err != nil {
		return nil, fmt.Errorf("open hardware encoder: %w", err)
	}
	e, err := newEncoder(v, d.coding, f, out)
	if err != nil {
		v.close()
		return nil, fmt.Errorf("open %s (%s): %w", d.Path, d.Card, explain(err))
	}
	return e, nil
}

// explain says in plain words what errors of an encoder mean.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.ENOMEM):
		return fmt.Errorf("the memory that hardware can reach (CMA) is used up (%w): choose a smaller picture, or give it more in config.txt, as with dtoverlay=vc4-kms-v3d,cma-128, and restart", err)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("other programs use all of its encoders (%w)", err)
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.EIO):
		return fmt.Errorf("the hardware has stopped (%w); if that stays, restart the machine", err)
	}
	return err
}
