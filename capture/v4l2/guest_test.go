//go:build guest

package v4l2

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blackjack/webcam"

	"intercom/capture"
	"intercom/capture/capturetest"
)

// These run in the lab's machine, on the kernel's virtual camera (vivid).

func vivid(t testing.TB) Device {
	t.Helper()
	list, err := List()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(d Device) bool { return d.Driver == "vivid" })
	if i < 0 {
		t.Fatal("this machine has no vivid camera")
	}
	return list[i]
}

func camera(t testing.TB, pixel capture.Pixel, width, height, fps int) *Camera {
	t.Helper()
	c, err := New(Config{Device: vivid(t).Bus, Width: width, Height: height, FPS: fps, Pixel: pixel})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGuestContract(t *testing.T) {
	for _, pixel := range []capture.Pixel{capture.I420, capture.NV12, capture.YUYV} {
		t.Run(pixel.String(), func(t *testing.T) {
			format := capture.Format{Pixel: capture.I420, Width: 320, Height: 180, FPS: 15}
			capturetest.Camera(t, format, func(t testing.TB) capture.Camera { return camera(t, pixel, 320, 180, 15) })
		})
	}
}

// TestGuestColours compares what the camera delivers, pixel by pixel, with a slow conversion of
// what the driver delivers. The picture stands still: its clock is turned off.
func TestGuestColours(t *testing.T) {
	for _, pixel := range []capture.Pixel{capture.I420, capture.NV12, capture.YUYV} {
		for _, size := range [][2]int{{320, 180}, {640, 480}} {
			raw, l := still(t, pixel, size[0], size[1])
			y, u, v := reference(l, raw)
			ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
			n := 0
			err := camera(t, pixel, size[0], size[1], 15).Run(ctx, func(f *capture.Frame) {
				if n++; n > 3 {
					stop()
					return
				}
				if f.Width != size[0] || f.Height != size[1] {
					t.Errorf("%v: got %dx%d, want %v", pixel, f.Width, f.Height, size)
				}
				for i, want := range [][]byte{y, u, v} {
					if string(f.Planes[i]) != string(want) {
						t.Errorf("%v %v: plane %d is not what the driver delivers", pixel, size, i)
					}
				}
			})
			stop()
			if n < 3 {
				t.Fatalf("%v %v: %d frames: %v", pixel, size, n, err)
			}
			// The bars are 75 % white on the left and black on the right (BT.601).
			middle := y[size[0]*size[1]/2:]
			if white, black := middle[size[0]/16], middle[size[0]*15/16]; white < 170 || white > 190 || black > 20 {
				t.Errorf("%v %v: white is %d and black %d, want about 180 and 16", pixel, size, white, black)
			}
		}
	}
}

// TestGuestStride has the driver pad its rows: pictures must not lean.
func TestGuestStride(t *testing.T) {
	for _, pixel := range []capture.Pixel{capture.I420, capture.NV12, capture.YUYV} {
		t.Run(pixel.String(), func(t *testing.T) {
			raw, l := still(t, pixel, 320, 180)
			y, u, v := reference(l, raw)
			d, err := find(vivid(t).Bus)
			if err != nil {
				t.Fatal(err)
			}
			padded := fmt.Sprintf("width=320,height=180,pixelformat=%s,bytesperline=1024", fourCCText(pixel))
			if out, err := exec.Command("v4l2-ctl", "-d", d.Path, "--set-fmt-video="+padded).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			cam, err := webcam.Open(d.Path)
			if err != nil {
				t.Fatal(err)
			}
			defer cam.Close()
			r, err := camera(t, pixel, 320, 180, 15).reader(d, Mode{Pixel: pixel, Width: 320, Height: 180}, "")
			if err != nil {
				t.Fatal(err)
			}
			if got, err := granted(d.Path); err != nil || got.Stride != 1024 {
				t.Fatalf("the driver has rows of %d bytes (%v), want 1024", got.Stride, err)
			}
			if err := errors.Join(cam.SetBufferCount(buffers), cam.StartStreaming()); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
			defer stop()
			n := 0
			err = r.read(ctx, cam, func(f *capture.Frame) {
				n++
				for i, want := range [][]byte{y, u, v} {
					if string(f.Planes[i]) != string(want) {
						t.Errorf("plane %d is not what the driver delivers", i)
					}
				}
				stop()
			})
			if n != 1 {
				t.Errorf("%d pictures: %v", n, err)
			}
		})
	}
}

func fourCCText(p capture.Pixel) string {
	c := codes[p]
	return string([]byte{byte(c), byte(c >> 8), byte(c >> 16), byte(c >> 24)})
}

// still takes one picture by the library alone.
func still(t *testing.T, pixel capture.Pixel, width, height int) ([]byte, layout) {
	t.Helper()
	d, err := find(vivid(t).Bus)
	if err != nil {
		t.Fatal(err)
	}
	cam, err := webcam.Open(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer cam.Close()
	for id, control := range cam.GetControls() {
		if control.Name == "OSD Text Mode" {
			if err := cam.SetControl(id, 2); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, _, _, err := cam.SetImageFormat(codes[pixel], uint32(width), uint32(height)); err != nil {
		t.Fatal(err)
	}
	got, err := granted(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLayout(pixel, got.Width, got.Height, got.Stride)
	if err != nil {
		t.Fatal(err)
	}
	if err := cam.SetBufferCount(buffers); err != nil {
		t.Fatal(err)
	}
	if err := cam.StartStreaming(); err != nil {
		t.Fatal(err)
	}
	if err := cam.WaitForFrame(firstWait); err != nil {
		t.Fatal(err)
	}
	data, _, err := cam.GetFrame()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(data), l
}

// TestGuestListLeavesOthersOut: the machine has codecs and scalers among its video devices.
func TestGuestListLeavesOthersOut(t *testing.T) {
	nodes, err := os.ReadDir("/sys/class/video4linux")
	if err != nil {
		t.Fatal(err)
	}
	list, err := List()
	if err != nil || len(list) == 0 || len(list) >= len(nodes) {
		t.Errorf("%d cameras among %d video devices: %v", len(list), len(nodes), err)
	}
	for _, d := range list {
		if d.Driver == "vicodec" || d.Driver == "vim2m" {
			t.Errorf("%s (%s) is listed as a camera", d.Path, d.Card)
		}
	}
}

// TestGuestControlsSet sets a control of the real driver, and asks for one that it lacks.
func TestGuestControlsSet(t *testing.T) {
	d := vivid(t)
	run := func(controls map[string]int) error {
		c, err := New(Config{Device: d.Bus, Width: 320, Height: 180, FPS: 15, Controls: controls})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
		defer stop()
		return c.Run(ctx, func(*capture.Frame) { stop() })
	}
	value := func() int32 {
		cam, err := webcam.Open(d.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer cam.Close()
		for id, control := range cam.GetControls() {
			if control.Name == "Brightness" {
				v, err := cam.GetControl(id)
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
		}
		t.Fatal("vivid has no brightness")
		return 0
	}
	for _, want := range []int{90, 128} {
		if err := run(map[string]int{"brightness": want}); !errors.Is(err, context.Canceled) {
			t.Errorf("brightness %d: %v", want, err)
		}
		if got := value(); int(got) != want {
			t.Errorf("brightness is %d, want %d", got, want)
		}
	}
	if err := run(map[string]int{"shininess": 1}); err == nil || !strings.Contains(err.Error(), "brightness (0 to 255)") {
		t.Errorf("a control that it lacks: %v, want what it has", err)
	}
}

// TestGuestStartThatFails has the driver refuse to start, as one does on a bus without bandwidth, again
// and again: nothing of the attempts stays in memory, and the camera works afterwards.
func TestGuestStartThatFails(t *testing.T) {
	d := vivid(t)
	for range 3 {
		if out, err := exec.Command("v4l2-ctl", "-d", d.Path, "--set-ctrl=inject_vidioc_streamon_error=1").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		err := camera(t, capture.YUYV, 320, 180, 15).Run(t.Context(), func(*capture.Frame) { t.Error("a frame of a camera that does not start") })
		if err == nil || !strings.Contains(err.Error(), "Failed to start streaming") {
			t.Fatalf("got %v, want that it does not start", err)
		}
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(maps), d.Path); n > 0 {
		t.Errorf("%d buffers of %s are still in memory", n, d.Path)
	}
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	if err := camera(t, capture.YUYV, 320, 180, 15).Run(ctx, func(*capture.Frame) { stop() }); !errors.Is(err, context.Canceled) {
		t.Errorf("afterwards: %v", err)
	}
}

// TestGuestHandleIsOurs: a program that is started while the camera is on does not get it.
func TestGuestHandleIsOurs(t *testing.T) {
	d := vivid(t)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	var listed []byte
	var failed error
	err := camera(t, capture.YUYV, 320, 180, 15).Run(ctx, func(*capture.Frame) {
		if listed == nil {
			listed, failed = exec.Command("ls", "-l", "/proc/self/fd").CombinedOutput()
		}
		stop()
	})
	if !errors.Is(err, context.Canceled) || failed != nil {
		t.Fatalf("%v; ls: %v: %s", err, failed, listed)
	}
	if strings.Contains(string(listed), d.Path) {
		t.Errorf("a child has the camera:\n%s", listed)
	}
}
