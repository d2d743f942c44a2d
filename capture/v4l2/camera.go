package v4l2

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"

	"intercom/capture"
)

const (
	// buffers is how many pictures the driver has memory for: one is being filled, one is
	// waiting, one is being converted, and one is spare.
	buffers = 4

	// Seconds without a picture after which a camera counts as stalled. The first one
	// takes some cameras long.
	firstWait = 5
	nextWait  = 1

	// badLimit is how many pictures in a row may be spoiled; a bad cable spoils some.
	badLimit = 30
)

// Config says which camera, and what is wanted of it.
type Config struct {
	// Device is a path such as "/dev/video0", a name in /dev/v4l/by-id or by-path, what
	// the camera is plugged into ("usb-0000:01:00.0-1.2"), or its driver's name for it.
	// Only the first one may change when the machine boots. Empty: the only camera.
	Device string
	// Width and Height in pixels and FPS are what is wanted; what is nearest is delivered.
	Width, Height, FPS int
	// Pixel is what the camera must deliver; 0: what costs least. Only capture.AVC makes it
	// deliver coded frames.
	Pixel capture.Pixel
	// DecodeJPEG decodes a picture into an I420 frame of the size that was granted; nil:
	// MJPEG is not used.
	DecodeJPEG func(jpeg []byte, into *capture.Frame) error
	// Controls are set when the camera is opened, by the names that v4l2-ctl gives them
	// (power_line_frequency); a camera that lacks one is not used, and the error says what
	// it has.
	Controls map[string]int
	Logger   *slog.Logger // nil discards
}

// Camera is a capture.Camera.
type Camera struct {
	cfg     Config
	log     *slog.Logger
	spoiled atomic.Int64
}

var _ capture.Camera = (*Camera)(nil)

// New checks the configuration. It opens nothing: a camera may be plugged in later.
func New(c Config) (*Camera, error) {
	switch {
	case c.Width < 2 || c.Height < 2 || c.FPS < 1:
		return nil, fmt.Errorf("v4l2: %dx%d at %d/s is no picture", c.Width, c.Height, c.FPS)
	case c.Pixel != 0 && codes[c.Pixel] == 0:
		return nil, fmt.Errorf("v4l2: pixel format %v is not read from cameras", c.Pixel)
	case c.Pixel == capture.MJPEG && c.DecodeJPEG == nil:
		return nil, errors.New("v4l2: MJPEG needs a decoder")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Camera{cfg: c, log: c.Logger}, nil
}

// Format is what is expected of the camera.
func (c *Camera) Format() capture.Format {
	pixel := capture.I420
	if c.cfg.Pixel == capture.AVC {
		pixel = capture.AVC
	}
	return capture.Format{Pixel: pixel, Width: c.cfg.Width &^ 1, Height: c.cfg.Height &^ 1, FPS: c.cfg.FPS}
}

// Spoiled is how many pictures were left out since the start because they were too short, or
// no JPEG that can be decoded.
func (c *Camera) Spoiled() int64 { return c.spoiled.Load() }

// Offer opens a device for a moment and returns its modes, the one that this camera would
// use of it, and why.
func (c *Camera) Offer(d Device) (list []Mode, best Mode, why string, err error) {
	cam, err := openDevice(d.Path)
	if err != nil {
		return nil, Mode{}, "", fmt.Errorf("camera %s: %w", d.Path, explain(err))
	}
	defer cam.Close()
	list = modes(cam, c.cfg.Width, c.cfg.Height)
	best, why, err = choose(list, c.cfg)
	return list, best, why, err
}

// Find looks for the camera and takes no picture of it: Run would begin with the same error.
func (c *Camera) Find() error {
	_, err := c.find()
	return err
}

func (c *Camera) find() (Device, error) {
	d, err := find(c.cfg.Device)
	switch {
	case err == nil:
		return d, nil
	case c.cfg.Device == "":
		return d, fmt.Errorf("camera: %w", err)
	}
	return d, fmt.Errorf("camera %q: %w", c.cfg.Device, err)
}

// Run is part of capture.Camera. Its errors name the camera. Cancelling takes effect with
// the next picture, at the latest after a second.
func (c *Camera) Run(ctx context.Context, out func(*capture.Frame)) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	d, err := c.find()
	if err != nil {
		return err
	}
	if err := c.stream(ctx, d, out); err != nil && ctx.Err() == nil {
		return fmt.Errorf("camera %s (%s): %w", d.Path, d.Card, explain(err))
	}
	return ctx.Err()
}

func (c *Camera) stream(ctx context.Context, d Device, out func(*capture.Frame)) error {
	cam, err := openDevice(d.Path)
	if err != nil {
		return err
	}
	defer cam.Close()
	r, err := c.open(cam, d)
	if err != nil {
		return err
	}
	if err := begin(cam); err != nil {
		return err
	}
	return r.read(ctx, cam, out)
}

// open has the camera set to the best mode.
func (c *Camera) open(cam *webcam.Webcam, d Device) (*reader, error) {
	best, why, err := choose(modes(cam, c.cfg.Width, c.cfg.Height), c.cfg)
	if err != nil {
		return nil, err
	}
	if _, _, _, err := cam.SetImageFormat(codes[best.Pixel], uint32(best.Width), uint32(best.Height)); err != nil {
		return nil, fmt.Errorf("set %v: %w", best, err)
	}
	if err := cam.SetFramerate(float32(c.cfg.FPS)); err != nil {
		c.log.Debug("camera keeps its own frame rate", "camera", d.Path, "cause", err)
	}
	if err := c.setControls(cam); err != nil {
		return nil, err
	}
	return c.reader(d, best, why)
}

// reader returns what reads the pictures that a camera was set to, as it will deliver them.
func (c *Camera) reader(d Device, best Mode, why string) (*reader, error) {
	got, err := granted(d.Path)
	if err != nil {
		return nil, fmt.Errorf("read the format: %w", err)
	}
	if webcam.PixelFormat(got.FourCC) != codes[best.Pixel] {
		return nil, fmt.Errorf("it was set to %v and delivers another format, %#x", best.Pixel, got.FourCC)
	}
	fps := c.cfg.FPS
	if best.FPS > 0 {
		fps = max(min(fps, int(best.FPS+0.5)), 1)
	}
	stride := got.Stride
	if best.Pixel == capture.MJPEG || best.Pixel == capture.AVC {
		stride = 0 // drivers put all kinds of things there
	}
	l, err := newLayout(best.Pixel, got.Width, got.Height, stride)
	if err != nil {
		return nil, err
	}
	c.log.Info("camera opened", "camera", d.Path, "card", d.Card, "format", best.Pixel.String(), "width", l.width, "height", l.height, "fps", fps, "why", why)
	r := newReader(l, fps, c.cfg.DecodeJPEG)
	r.spoiled = &c.spoiled
	return r, nil
}

// reader makes frames of what the driver delivers.
type reader struct {
	layout
	fps    int
	decode func([]byte, *capture.Frame) error
	raw    *capture.FramePool // of I420
	coded  capture.CodedPool
	bad    int // spoiled pictures in a row

	spoiled *atomic.Int64 // all of them; may be nil
}

func newReader(l layout, fps int, decode func([]byte, *capture.Frame) error) *reader {
	return &reader{layout: l, fps: fps, decode: decode, raw: capture.NewFramePool(l.width, l.height, fps)}
}

// read delivers frames until ctx ends or the camera fails.
func (r *reader) read(ctx context.Context, cam *webcam.Webcam, out func(*capture.Frame)) error {
	wait := uint32(firstWait)
	for ctx.Err() == nil {
		err := cam.WaitForFrame(wait)
		if timeout := (*webcam.Timeout)(nil); errors.As(err, &timeout) {
			return fmt.Errorf("no picture for %d s: it is stalled", wait)
		}
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("wait for a picture: %w", err)
		}
		data, index, err := take(cam.GetFrame)
		if errors.Is(err, unix.EAGAIN) {
			continue
		}
		if err != nil {
			return fmt.Errorf("take a picture: %w", err)
		}
		f, err := r.frame(data, time.Now())
		if again := cam.ReleaseFrame(index); again != nil && err == nil {
			if f != nil {
				f.Release()
			}
			err = fmt.Errorf("give a buffer back: %w", again)
		}
		if err != nil {
			return err
		}
		if f != nil {
			wait = nextWait
			out(f)
			f.Release()
		}
	}
	return ctx.Err()
}

// take takes a picture from the library, which believes what drivers say of their buffers.
func take(get func() ([]byte, uint32, error)) (data []byte, index uint32, err error) {
	defer func() {
		if lie := recover(); lie != nil {
			err = fmt.Errorf("the driver says that a picture is larger than its buffer (%v)", lie)
		}
	}()
	return get()
}

// frame makes a frame of a picture; nil: it is spoiled.
func (r *reader) frame(data []byte, at time.Time) (*capture.Frame, error) {
	f, err := r.decoded(data)
	if err == nil {
		f.Time = at
		r.bad = 0
		return f, nil
	}
	if r.spoiled != nil {
		r.spoiled.Add(1)
	}
	if r.bad++; r.bad == badLimit {
		return nil, fmt.Errorf("%d spoiled pictures in a row: %w", badLimit, err)
	}
	return nil, nil
}

func (r *reader) decoded(data []byte) (*capture.Frame, error) {
	switch r.pixel {
	case capture.AVC:
		if len(data) == 0 {
			return nil, errors.New("it is empty")
		}
		return r.coded.Get(capture.Format{Pixel: capture.AVC, Width: r.width, Height: r.height, FPS: r.fps}, data), nil
	case capture.MJPEG:
		f := r.raw.Get()
		if err := r.decode(data, f); err != nil {
			f.Release()
			return nil, err
		}
		return f, nil
	}
	if need := r.size(); len(data) < need {
		return nil, fmt.Errorf("%d bytes are no %v picture of %dx%d, which has %d", len(data), r.pixel, r.width, r.height, need)
	}
	f := r.raw.Get()
	r.convert(data, f)
	return f, nil
}

// explain says in plain words what errors of a video device mean.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("another program uses it (%w)", err)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w; the service's user needs the group of the device, often video", err)
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("it was unplugged (%w)", err)
	case errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("the USB bus has no bandwidth left for it (%w); try a smaller picture, MJPEG, or another port", err)
	case errors.Is(err, unix.EPIPE), errors.Is(err, unix.EPROTO), errors.Is(err, unix.EIO):
		return fmt.Errorf("the connection to it is disturbed (%w); check cable and power", err)
	}
	return err
}
