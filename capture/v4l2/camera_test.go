package v4l2

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/blackjack/webcam"

	"intercom/capture"
)

func decodeNothing([]byte, *capture.Frame) error { return nil }

func TestChoose(t *testing.T) {
	// Like a common USB camera: raw pictures are slow where they are large.
	usb := []Mode{
		{capture.YUYV, 640, 480, 30}, {capture.YUYV, 1280, 720, 10}, {capture.YUYV, 1920, 1080, 5},
		{capture.MJPEG, 640, 480, 30}, {capture.MJPEG, 1280, 720, 30}, {capture.MJPEG, 1920, 1080, 30},
		{capture.AVC, 1280, 720, 30},
	}
	several := []Mode{{capture.YUYV, 640, 360, 25}, {capture.NV12, 640, 360, 25}, {capture.I420, 640, 360, 25}}
	for name, tt := range map[string]struct {
		modes []Mode
		c     Config
		want  string // or of the error
		why   string
	}{
		"raw where it is fast enough":  {usb, Config{Width: 640, Height: 480, FPS: 20, DecodeJPEG: decodeNothing}, "YUYV 640x480 at 30/s", "cheapest"},
		"JPEG where raw is too slow":   {usb, Config{Width: 1280, Height: 720, FPS: 20, DecodeJPEG: decodeNothing}, "MJPEG 1280x720 at 30/s", "YUYV is cheaper but has 10/s only"},
		"without a JPEG decoder":       {usb, Config{Width: 1280, Height: 720, FPS: 20}, "YUYV 640x480 at 30/s", "the nearest to 1280x720"},
		"slow pictures are enough":     {usb, Config{Width: 1280, Height: 720, FPS: 10}, "YUYV 1280x720 at 10/s", "cheapest"},
		"coded pictures if asked for":  {usb, Config{Width: 1280, Height: 720, FPS: 20, Pixel: capture.AVC}, "H264 1280x720 at 30/s", "as configured"},
		"JPEG if asked for":            {usb, Config{Width: 640, Height: 480, FPS: 20, Pixel: capture.MJPEG, DecodeJPEG: decodeNothing}, "MJPEG 640x480 at 30/s", "as configured"},
		"no conversion before one":     {several, Config{Width: 640, Height: 360, FPS: 20}, "I420 640x360 at 25/s", "cheapest"},
		"too small rather than large":  {usb, Config{Width: 800, Height: 600, FPS: 20, DecodeJPEG: decodeNothing}, "YUYV 640x480 at 30/s", "nearest"},
		"the same shape":               {[]Mode{{capture.I420, 640, 480, 0}, {capture.I420, 640, 360, 0}}, Config{Width: 640, Height: 400, FPS: 20}, "I420 640x360", "nearest"},
		"not what it does not have":    {several, Config{Width: 640, Height: 360, FPS: 20, Pixel: capture.AVC}, "does not deliver H264; it has [YUYV NV12 I420]", ""},
		"nothing that we read":         {nil, Config{Width: 640, Height: 360, FPS: 20}, "it has formats that are not read here", ""},
		"H.264 alone is not for raw":   {usb[6:], Config{Width: 640, Height: 360, FPS: 20}, "it has [H264]", ""},
		"a mode that cannot be a mode": {[]Mode{{capture.I420, 0, 0, 0}}, Config{Width: 640, Height: 360, FPS: 20}, "delivers none of", ""},
	} {
		got, why, err := choose(tt.modes, tt.c)
		if err != nil {
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, want %q", name, err, tt.want)
			}
		} else if got.String() != tt.want || !strings.Contains(why, tt.why) {
			t.Errorf("%s: %v (%s), want %s (%s)", name, got, why, tt.want, tt.why)
		}
	}
}

func TestWithin(t *testing.T) {
	for _, tt := range []struct {
		want              int
		least, most, step uint32
		got               int
	}{{640, 640, 640, 0, 640}, {640, 16, 1920, 2, 640}, {640, 16, 320, 2, 320}, {5, 16, 320, 2, 16}, {645, 16, 1920, 16, 640}, {641, 1, 4096, 1, 641}} {
		if got := within(tt.want, tt.least, tt.most, tt.step); got != tt.got {
			t.Errorf("%d in %d to %d by %d: %d, want %d", tt.want, tt.least, tt.most, tt.step, got, tt.got)
		}
	}
}

func TestSizeWithin(t *testing.T) {
	for name, tt := range map[string]struct {
		s    webcam.FrameSize
		want [2]int
	}{
		"one size":      {webcam.FrameSize{MinWidth: 640, MaxWidth: 640, MinHeight: 480, MaxHeight: 480}, [2]int{640, 480}},
		"with steps":    {webcam.FrameSize{MinWidth: 32, MaxWidth: 1920, StepWidth: 32, MinHeight: 2, MaxHeight: 1080, StepHeight: 2}, [2]int{960, 540}},
		"without steps": {webcam.FrameSize{}, [2]int{960, 540}},
	} {
		if w, h := sizeWithin(tt.s, 960, 540); w != tt.want[0] || h != tt.want[1] {
			t.Errorf("%s: got %dx%d, want %v", name, w, h, tt.want)
		}
	}
}

func TestPick(t *testing.T) {
	two := []Device{
		{Path: "/dev/video0", Card: "Webcam", Bus: "usb-1", Links: []string{"/dev/v4l/by-id/usb-Maker_Webcam_1-video-index0"}},
		{Path: "/dev/video2", Card: "Webcam", Bus: "usb-2"},
	}
	for name, want := range map[string]string{
		"usb-2": "/dev/video2", "usb-Maker_Webcam_1-video-index0": "/dev/video0",
		"Webcam": "2 cameras fit (/dev/video0 at usb-1, /dev/video2 at usb-2)", "": "2 cameras fit", "Other": "no camera has this name",
	} {
		got, err := pick(two, name)
		if err != nil {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", name, err, want)
			}
		} else if got.Path != want {
			t.Errorf("%q: %s, want %s", name, got.Path, want)
		}
	}
	// A camera with a second stream, H.264 or infrared, has two nodes.
	one := []Device{two[0], {Path: "/dev/video1", Card: "Webcam", Bus: "usb-1", Links: []string{"/dev/v4l/by-id/usb-Maker_Webcam_1-video-index1"}}}
	for name, want := range map[string]string{"": "/dev/video0", "usb-1": "/dev/video0", "Webcam": "/dev/video0", "usb-Maker_Webcam_1-video-index1": "/dev/video1"} {
		if got, err := pick(one, name); err != nil || got.Path != want {
			t.Errorf("%q of a camera with two nodes: %s, %v, want %s", name, got.Path, err, want)
		}
	}
	if got, err := pick(two[:1], ""); err != nil || got.Path != "/dev/video0" {
		t.Errorf("the only camera: %v, %v", got, err)
	}
	if _, err := pick(nil, ""); err == nil || !strings.Contains(err.Error(), "no camera") {
		t.Errorf("no camera at all: %v", err)
	}
}

// TestTake: a driver that lies about its buffer is an error, and the camera is opened again.
func TestTake(t *testing.T) {
	buffer := make([]byte, 10)
	if _, _, err := take(func() ([]byte, uint32, error) { return buffer[:len(buffer)+copy(buffer, "lie")], 0, nil }); err == nil || !strings.Contains(err.Error(), "larger than its buffer") {
		t.Errorf("got %v", err)
	}
}

func TestSpoiledPictures(t *testing.T) {
	l, err := newLayout(capture.YUYV, 320, 240, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(l, 20, nil)
	var c Camera
	r.spoiled = &c.spoiled
	short := make([]byte, 320*180*2) // of a driver that lies about its size
	for range badLimit - 1 {
		if f, err := r.frame(short, time.Now()); f != nil || err != nil {
			t.Fatalf("a spoiled picture: %v, %v, want nothing", f, err)
		}
	}
	if _, err := r.frame(short, time.Now()); err == nil || !strings.Contains(err.Error(), "115200 bytes are no YUYV picture of 320x240, which has 153600") {
		t.Errorf("after %d of them: %v", badLimit, err)
	}
	if f, err := r.frame(make([]byte, 153600), time.Now()); f == nil || err != nil {
		t.Errorf("a good one: %v, %v", f, err)
	}
	if r.bad != 0 {
		t.Error("a good picture does not end the count")
	}
	if n := c.Spoiled(); n != badLimit {
		t.Errorf("%d spoiled pictures were counted, want %d", n, badLimit)
	}

	broken := errors.New("broken JPEG")
	r = newReader(layout{pixel: capture.MJPEG, width: 320, height: 240}, 20, func([]byte, *capture.Frame) error { return broken })
	if f, err := r.frame([]byte{1}, time.Now()); f != nil || err != nil || r.bad != 1 {
		t.Errorf("a spoiled JPEG: %v, %v, count %d", f, err, r.bad)
	}
	r = newReader(layout{pixel: capture.AVC, width: 320, height: 240}, 20, nil)
	if f, err := r.frame(nil, time.Now()); f != nil || err != nil || r.bad != 1 {
		t.Errorf("an empty H.264 picture: %v, %v, count %d", f, err, r.bad)
	}
	if f, err := r.frame([]byte{0, 0, 1, 0x65}, time.Now()); err != nil || f.Pixel != capture.AVC || len(f.Planes[0]) != 4 {
		t.Errorf("an H.264 picture: %+v, %v", f, err)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]Config{
		"no size":         {FPS: 20},
		"no rate":         {Width: 640, Height: 480},
		"JPEG undecoded":  {Width: 640, Height: 480, FPS: 20, Pixel: capture.MJPEG},
		"unknown pixels":  {Width: 640, Height: 480, FPS: 20, Pixel: 99},
		"negative height": {Width: 640, Height: -480, FPS: 20},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestMissing(t *testing.T) {
	c, err := New(Config{Device: "/dev/no-such-camera", Width: 640, Height: 480, FPS: 20})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(t.Context(), func(*capture.Frame) { t.Error("a frame of no camera") }); err == nil || !strings.Contains(err.Error(), "/dev/no-such-camera") {
		t.Errorf("got %v, want an error that names the camera", err)
	}
	c.cfg.Device = "/dev/null"
	if err := c.Run(t.Context(), func(*capture.Frame) { t.Error("a frame of no camera") }); !errors.Is(err, ErrNoCamera) {
		t.Errorf("got %v, want %v", err, ErrNoCamera)
	}
}
