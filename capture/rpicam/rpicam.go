// Package rpicam is a camera module of the Raspberry Pi (CSI). Its video devices give raw
// sensor data, which only libcamera makes pictures of; so rpicam-vid (libcamera-vid on older
// systems) runs as a child and writes to a pipe: H.264 from the hardware encoder up to Pi 4,
// or I420, which Pi 5 needs as it has no encoder. It implements capture.Camera.
//
// It neither encodes nor chooses a camera for you, and USB cameras are not for it: see
// capture/v4l2. Run owns the child, which does not outlive it, and starts no goroutine but
// those of os/exec.
package rpicam

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"intercom/capture"
)

// programs are the names of the child, the newer one first.
var programs = []string{"rpicam-vid", "libcamera-vid"}

const (
	// firstWait and nextWait are how long the child may be silent: it loads tuning files
	// and measures exposure before the first picture.
	firstWait = 10 * time.Second
	nextWait  = 2 * time.Second

	// unitGap ends an access unit. The child writes one at once, by two calls of the kernel,
	// and then waits for the next picture; to wait for that, too, would cost a picture's time
	// in delay. It is long enough for a busy machine to come back to the child in between.
	unitGap = 8 * time.Millisecond
	// pipeSize holds an access unit, so that it is written at once.
	pipeSize = 1 << 20
	// maxUnit bounds what may come without an end.
	maxUnit = 4 << 20

	// rowStep is what the width of a raw picture is a multiple of, or its rows are padded.
	rowStep = 128

	// stopTime is how long the child may take to end by itself.
	stopTime = 2 * time.Second
)

// Config says what the camera is to deliver.
type Config struct {
	// Program is the child; empty: rpicam-vid or libcamera-vid, whichever there is.
	Program string
	// Camera is its number, as "rpicam-vid --list-cameras" tells.
	Camera int
	// Width and Height in pixels; the width of raw pictures is a multiple of 128, as the
	// camera's hardware pads others: it fills rows of chroma to 64 bytes, and a Pi 5 makes those
	// of luma twice as long. FPS is frames a second.
	Width, Height, FPS int
	// Coded asks for H.264 (constrained baseline) of BitRate bits a second with a key frame
	// every second; else I420.
	Coded   bool
	BitRate int
	Logger  *slog.Logger // nil discards
}

// Camera is a capture.Camera.
type Camera struct {
	cfg   Config
	log   *slog.Logger
	raw   *capture.FramePool
	coded capture.CodedPool
}

var _ capture.Camera = (*Camera)(nil)

// New checks the configuration. It starts nothing.
func New(c Config) (*Camera, error) {
	switch {
	case c.Width < 64 || c.Height < 64 || c.Width > 1920 || c.Height > 1080 || c.Width%2 != 0 || c.Height%2 != 0:
		return nil, fmt.Errorf("rpicam: %dx%d is outside 64x64 to 1920x1080, or odd", c.Width, c.Height)
	case c.FPS < 1 || c.FPS > 60:
		return nil, fmt.Errorf("rpicam: %d frames a second are outside 1 to 60", c.FPS)
	case !c.Coded && c.Width%rowStep != 0:
		return nil, fmt.Errorf("rpicam: the width of raw pictures is a multiple of %d, such as 640 or 1280, and %d is none", rowStep, c.Width)
	case c.Coded && c.BitRate < 50_000:
		return nil, fmt.Errorf("rpicam: a bit rate of %d is below 50000", c.BitRate)
	case c.Camera < 0:
		return nil, fmt.Errorf("rpicam: camera %d is below 0", c.Camera)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Camera{cfg: c, log: c.Logger, raw: capture.NewFramePool(c.Width, c.Height, c.FPS)}, nil
}

// Format is what the camera delivers.
func (c *Camera) Format() capture.Format {
	pixel := capture.I420
	if c.cfg.Coded {
		pixel = capture.AVC
	}
	return capture.Format{Pixel: pixel, Width: c.cfg.Width, Height: c.cfg.Height, FPS: c.cfg.FPS}
}

// Program returns the path of the child that would be run; ok is false if there is none.
func Program() (path string, ok bool) {
	for _, p := range programs {
		if path, err := exec.LookPath(p); err == nil {
			return path, true
		}
	}
	return "", false
}

// Find looks for the program, without which Run fails. Whether a module is plugged in is known
// to that alone.
func (c *Camera) Find() error {
	_, err := c.find()
	return err
}

func (c *Camera) find() (program string, err error) {
	if c.cfg.Program != "" {
		return c.cfg.Program, nil
	}
	program, ok := Program()
	if !ok {
		return "", fmt.Errorf("camera module: there is no %s on this system; install rpicam-apps", strings.Join(programs, " and no "))
	}
	return program, nil
}

// Run is part of capture.Camera. Its errors have the child's last words.
func (c *Camera) Run(ctx context.Context, out func(*capture.Frame)) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	program, err := c.find()
	if err != nil {
		return err
	}
	if err := c.run(ctx, program, out); err != nil && ctx.Err() == nil {
		return fmt.Errorf("camera module %d: %w", c.cfg.Camera, err)
	}
	return ctx.Err()
}

func (c *Camera) run(ctx context.Context, program string, out func(*capture.Frame)) error {
	// The child is killed when the thread that started it ends, so that must stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	defer r.Close()
	if _, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, pipeSize); err != nil {
		c.log.Debug("pipe of the camera module keeps its size", "cause", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	child := exec.CommandContext(ctx, program, c.args()...)
	child.Cancel = func() error { return child.Process.Signal(syscall.SIGTERM) }
	child.WaitDelay = stopTime
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var words tail
	child.Stdout, child.Stderr = w, &words
	err = child.Start()
	w.Close()
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	c.log.Info("camera module started", "program", program, "coded", c.cfg.Coded, "width", c.cfg.Width, "height", c.cfg.Height, "fps", c.cfg.FPS)
	stop := context.AfterFunc(ctx, func() { r.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if c.cfg.Coded {
		err = c.readCoded(ctx, r, out)
	} else {
		err = c.readRaw(ctx, r, out)
	}
	cancel()
	ended := child.Wait()
	if errors.Is(err, io.EOF) && ended != nil {
		err = ended
	}
	return fmt.Errorf("%s: %w%s", program, err, words.said())
}

// args are the child's.
func (c *Camera) args() []string {
	n := strconv.Itoa
	args := []string{"--timeout", "0", "--nopreview", "--camera", n(c.cfg.Camera), "--width", n(c.cfg.Width), "--height", n(c.cfg.Height),
		"--framerate", n(c.cfg.FPS), "--flush", "--output", "-"}
	if !c.cfg.Coded {
		return append(args, "--codec", "yuv420")
	}
	return append(args, "--codec", "h264", "--profile", "baseline", "--level", "4", "--inline", "--intra", n(c.cfg.FPS), "--bitrate", n(c.cfg.BitRate))
}

// await sets how long the next read may take, unless ctx has ended.
func await(ctx context.Context, r *os.File, d time.Duration) error {
	if err := r.SetReadDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	return ctx.Err() // after it: the end's deadline must not be replaced unseen
}

func silent(err error, d time.Duration) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("no picture for %v: it is stalled", d)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it ended: %w", io.EOF)
	}
	return err
}

// readRaw delivers pictures of a known size.
func (c *Camera) readRaw(ctx context.Context, r *os.File, out func(*capture.Frame)) error {
	wait := firstWait
	for {
		f := c.raw.Get()
		for i, p := range f.Planes {
			if err := await(ctx, r, wait); err != nil {
				f.Release()
				return err
			}
			if _, err := io.ReadFull(r, p); err != nil {
				f.Release()
				return silent(err, wait)
			}
			if i == 0 {
				f.Time = time.Now()
				wait = nextWait
			}
		}
		out(f)
		f.Release()
	}
}

// readCoded delivers access units.
func (c *Camera) readCoded(ctx context.Context, r *os.File, out func(*capture.Frame)) error {
	format := c.Format()
	buffer, n := make([]byte, 64<<10), 0
	var at time.Time
	wait := firstWait
	for {
		now := wait
		if n > 0 {
			now = unitGap
		}
		if err := await(ctx, r, now); err != nil {
			return err
		}
		if n == len(buffer) {
			if n >= maxUnit {
				return fmt.Errorf("%d bytes without a pause are no pictures", n)
			}
			buffer = append(buffer, make([]byte, len(buffer))...)
		}
		m, err := r.Read(buffer[n:])
		if n == 0 && m > 0 {
			at, wait = time.Now(), nextWait
		}
		n += m
		switch {
		case err == nil:
		case n > 0 && (errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.EOF)) && ctx.Err() == nil:
			f := c.coded.Get(format, buffer[:n])
			f.Time, n = at, 0
			out(f)
			f.Release()
		default:
			return silent(err, now)
		}
	}
}

// tail keeps the last of what the child writes.
type tail struct{ text []byte }

const tailSize = 2000

// Write is part of io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if n := len(t.text); n > tailSize {
		t.text = append(t.text[:0], t.text[n-tailSize:]...)
	}
	return len(p), nil
}

// said returns the last line that tells of an error, or the last one.
func (t *tail) said() string {
	lines := strings.FieldsFunc(string(bytes.ToValidUTF8(t.text, []byte("?"))), func(r rune) bool { return r == '\n' || r == '\r' })
	best := ""
	for _, l := range lines {
		if best == "" || strings.Contains(l, "ERROR") || !strings.Contains(best, "ERROR") {
			best = strings.TrimSpace(l)
		}
	}
	if best == "" {
		return ""
	}
	return "; it says: " + best
}
