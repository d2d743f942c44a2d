//go:build guest

package m2m

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"intercom/capture"
	"intercom/capture/capturetest"
	"intercom/internal/uapi"
)

// These run in the lab's machine, on the kernel's virtual codec (vicodec): it is a stateful
// encoder with two queues of planes as the Raspberry Pi's, but codes by a transform of its
// own (FWHT), and has neither a bit rate nor key frames on request.

const fwhtIntra = 1 << 10 // V4L2_FWHT_FL_I_FRAME

var fwht = coding{
	codec: capture.H264, code: uapi.FourCC("FWHT"),
	look: func(unit []byte) content { // struct fwht_cframe_hdr: the flags are its sixth word
		return content{picture: true, key: len(unit) >= 24 && binary.BigEndian.Uint32(unit[20:])&fwhtIntra != 0}
	},
	settings: func(capture.Format) []setting {
		return []setting{{"period of key frames", codecControls + 203, 4, true}, {"quantization", codecControls + 290, 8, true}}
	},
}

func device(t testing.TB) Device {
	t.Helper()
	d, err := find(fwht)
	must(t, err)
	if d.Driver != "vicodec" {
		t.Fatalf("found %+v, want vicodec's encoder", d)
	}
	return d
}

func TestGuestNone(t *testing.T) {
	if d, err := Find(); !errors.Is(err, ErrNone) {
		t.Errorf("found %+v, %v; this machine codes no H.264", d, err)
	}
}

// TestGuestLifeCycle has the driver code films of several sizes, one of which it pads, and
// another program decode them.
func TestGuestLifeCycle(t *testing.T) {
	d := device(t)
	for _, size := range [][2]int{{640, 480}, {650, 370}} {
		format := capture.Format{Pixel: capture.I420, Width: size[0], Height: size[1], FPS: 20}
		k, film := &taker{}, capturetest.Film(format, 10)
		e, err := d.NewEncoder(format, k.out)
		must(t, err)
		must(t, e.Set(capture.Target{BitRate: 500_000, FPS: 15, KeyFrame: true}))
		for _, f := range film {
			must(t, e.Encode(f))
		}
		must(t, e.Close()) // which drains
		if len(k.packets) != len(film) {
			t.Fatalf("%v: %d packets of %d frames", size, len(k.packets), len(film))
		}
		for i, f := range film {
			if !k.times[i].Equal(f.Time) || k.keys[i] != (i%4 == 0) {
				t.Errorf("%v: packet %d of %v, key %v; want %v and a key frame each 4", size, i, k.times[i], k.keys[i], f.Time)
			}
		}
		low := 99.0
		for i, f := range decode(t, format, k.packets) {
			low = min(low, capturetest.PSNR(t, film[i], f))
		}
		t.Logf("%v: worst PSNR %.1f dB", size, low)
		if low < 28 {
			t.Errorf("%v: worst PSNR %.1f dB, want at least 28", size, low)
		}
	}
}

// decode has v4l2-ctl decode a film on vicodec's other side.
func decode(t *testing.T, format capture.Format, packets [][]byte) []*capture.Frame {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "film.fwht"), filepath.Join(dir, "film.yuv")
	size := fmt.Sprintf("width=%d,height=%d,pixelformat=", format.Width, format.Height)
	must(t, os.WriteFile(in, bytes.Join(packets, nil), 0o600))
	said, err := exec.Command("v4l2-ctl", "-d", decoder(t), "--set-fmt-video-out", size+"FWHT", "--set-fmt-video", size+"YU12",
		"--stream-mmap", "--stream-out-mmap", "--stream-from", in, "--stream-to", out).CombinedOutput()
	if err != nil {
		t.Fatalf("v4l2-ctl: %v\n%s", err, said)
	}
	raw, err := os.ReadFile(out)
	must(t, err)
	if len(raw) != format.Width*format.Height*3/2*len(packets) {
		t.Fatalf("v4l2-ctl decoded %d bytes, which are not %d pictures of %dx%d\n%s", len(raw), len(packets), format.Width, format.Height, said)
	}
	pool := capture.NewFramePool(format.Width, format.Height, format.FPS)
	var film []*capture.Frame
	for range packets {
		f := pool.Get()
		for _, p := range f.Planes {
			raw = raw[copy(p, raw):]
		}
		film = append(film, f)
	}
	return film
}

func decoder(t *testing.T) string {
	t.Helper()
	names, err := filepath.Glob("/sys/class/video4linux/*/name")
	must(t, err)
	for _, n := range names {
		if name, err := os.ReadFile(n); err == nil && bytes.Contains(name, []byte("stateful-decoder")) {
			return "/dev/" + filepath.Base(filepath.Dir(n))
		}
	}
	t.Fatal("this machine has no decoder of vicodec's")
	return ""
}

// TestGuestSmall: vicodec makes 640x360 of anything smaller, and will not cut it.
func TestGuestSmall(t *testing.T) {
	_, err := device(t).NewEncoder(capture.Format{Pixel: capture.I420, Width: 320, Height: 240, FPS: 20}, func(*capture.Packet) {})
	if err == nil || !strings.Contains(err.Error(), "cut it to 320x240") {
		t.Errorf("got %v, want an error: the picture would have another size", err)
	}
}

// TestGuestAgain: an encoder that is closed leaves the device free, and several work beside
// each other.
func TestGuestAgain(t *testing.T) {
	d := device(t)
	format := capture.Format{Pixel: capture.I420, Width: 640, Height: 480, FPS: 20}
	film := capturetest.Film(format, 2)
	for range 10 {
		a, b := &taker{}, &taker{}
		ea, err := d.NewEncoder(format, a.out)
		must(t, err)
		eb, err := d.NewEncoder(format, b.out)
		must(t, err)
		for _, f := range film {
			must(t, ea.Encode(f))
			must(t, eb.Encode(f))
		}
		must(t, eb.Close())
		must(t, ea.Close())
		if len(a.packets) != len(film) || len(b.packets) != len(film) {
			t.Fatalf("%d and %d packets of %d frames", len(a.packets), len(b.packets), len(film))
		}
	}
	fds, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	if len(fds) > 20 {
		t.Errorf("%d descriptors are open after 20 encoders", len(fds))
	}
}

func TestGuestAllocs(t *testing.T) {
	format := capture.Format{Pixel: capture.I420, Width: 640, Height: 480, FPS: 20}
	var n atomic.Int64
	done := make(chan struct{}, 1)
	e, err := device(t).NewEncoder(format, func(*capture.Packet) { n.Add(1); done <- struct{}{} })
	must(t, err)
	defer e.Close()
	film := capturetest.Film(format, 20)
	code := func() {
		f := film[int(n.Load())%len(film)]
		f.Time = time.Now()
		must(t, e.Encode(f))
		<-done
	}
	for range film {
		code()
	}
	if got := testing.AllocsPerRun(40, code); got != 0 {
		t.Errorf("%v allocations a frame, want 0", got)
	}
}
