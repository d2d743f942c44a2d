package rpicam

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"intercom/capture"
	"intercom/capture/capturetest"
)

// mode makes the test program play rpicam-vid, in the way its value says.
const mode = "INTERCOM_TEST_RPICAM"

func TestMain(m *testing.M) {
	if how := os.Getenv(mode); how != "" {
		fake(how)
	}
	os.Exit(m.Run())
}

// fake writes pictures as rpicam-vid does, and understands the arguments that count.
func fake(how string) {
	arg := func(name string) string {
		i := slices.Index(os.Args, name)
		if i < 0 {
			fmt.Fprintf(os.Stderr, "ERROR: *** no %s ***\n", name)
			os.Exit(1)
		}
		return os.Args[i+1]
	}
	number := func(name string) int {
		n, err := strconv.Atoi(arg(name))
		if err != nil {
			fmt.Fprintf(os.Stderr, "ERROR: *** %s: %v ***\n", name, err)
			os.Exit(1)
		}
		return n
	}
	fmt.Fprintf(os.Stderr, "[0:01:02.345678901] [1234]  INFO Camera camera_manager.cpp:297 libcamera v0.3.0\n")
	switch how {
	case "missing":
		fmt.Fprintf(os.Stderr, "ERROR: *** no cameras available ***\n")
		os.Exit(255)
	case "silent":
		time.Sleep(time.Hour) // this is the child, which says nothing until it is killed
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	}
	var units [][]byte
	if arg("--codec") == "h264" {
		if arg("--profile") != "baseline" || !slices.Contains(os.Args, "--inline") || number("--bitrate") < 50_000 || number("--intra") < 1 {
			os.Exit(2)
		}
		file, err := os.ReadFile(os.Getenv(mode + "_FILM"))
		if err != nil {
			os.Exit(3)
		}
		units = split(file)
	}
	size := number("--width") * number("--height") * 3 / 2
	tick := time.NewTicker(time.Second / time.Duration(number("--framerate")))
	for i := 0; ; i++ {
		<-tick.C
		p := bytes.Repeat([]byte{byte(i)}, size)
		if units != nil {
			p = units[i%len(units)]
		}
		// At once: this machine may be too busy to come back for a second half in time.
		if _, err := os.Stdout.Write(p); err != nil {
			os.Exit(0)
		}
		if how == "dies" && i == 3 {
			fmt.Fprintf(os.Stderr, "ERROR: *** Camera frontend has timed out! ***\n")
			os.Exit(255)
		}
	}
}

// split cuts a stream at its access unit delimiters.
func split(film []byte) [][]byte {
	delimiter := []byte{0, 0, 0, 1, 9}
	var units [][]byte
	for len(film) > 0 {
		n := bytes.Index(film[1:], delimiter) + 1
		if n == 0 {
			n = len(film)
		}
		units, film = append(units, film[:n]), film[n:]
	}
	return units
}

func open(t testing.TB, how string, coded bool) *Camera {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := t.(interface{ Setenv(key, value string) }); ok {
		s.Setenv(mode, how)
	}
	width := 320
	if !coded {
		width = rawWidth
	}
	c, err := New(Config{Program: self, Width: width, Height: 180, FPS: 20, Coded: coded, BitRate: 500_000})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// rawWidth is one whose rows are not padded.
const rawWidth = 256

func TestRaw(t *testing.T) {
	format := capture.Format{Pixel: capture.I420, Width: rawWidth, Height: 180, FPS: 20}
	c := open(t, "works", false)
	if c.Format() != format {
		t.Errorf("format %+v, want %+v", c.Format(), format)
	}
	capturetest.Camera(t, format, func(testing.TB) capture.Camera { return c })
}

func TestCoded(t *testing.T) {
	film := filepath.Join(t.TempDir(), "film.h264")
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=20", "-frames:v", "40",
		"-c:v", "libx264", "-profile:v", "baseline", "-pix_fmt", "yuv420p", "-g", "20", "-x264-params", "aud=1:slices=2:repeat-headers=1", "-f", "h264", film)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	t.Setenv(mode+"_FILM", film)
	data, err := os.ReadFile(film)
	if err != nil {
		t.Fatal(err)
	}
	units := split(data)
	c := open(t, "works", true)
	capturetest.Camera(t, c.Format(), func(testing.TB) capture.Camera { return c })

	// Each frame is one access unit, whole.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	n := 0
	err = c.Run(ctx, func(f *capture.Frame) {
		if n < len(units) && !bytes.Equal(f.Planes[0], units[n]) {
			t.Errorf("frame %d has %d bytes, want the access unit of %d", n, len(f.Planes[0]), len(units[n]))
		}
		if n++; n == len(units) {
			cancel()
		}
	})
	if n < len(units) {
		t.Errorf("%d frames: %v", n, err)
	}
}

func TestTroubles(t *testing.T) {
	for how, want := range map[string]string{"missing": "no cameras available", "dies": "Camera frontend has timed out"} {
		c := open(t, how, false)
		err := c.Run(t.Context(), func(*capture.Frame) {})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "camera module 0") {
			t.Errorf("%s: %v, want %q", how, err, want)
		}
	}
	c := open(t, "works", false)
	c.cfg.Program = "/no/such/program"
	if err := c.Run(t.Context(), func(*capture.Frame) {}); err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("no program: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	c.cfg.Program = ""
	if err := c.Run(t.Context(), func(*capture.Frame) {}); err == nil || !strings.Contains(err.Error(), "install rpicam-apps") {
		t.Errorf("not installed: %v", err)
	}
}

// TestStops: the child is gone when Run has returned, whether it wants to or not.
func TestStops(t *testing.T) {
	for _, how := range []string{"works", "silent", "stubborn"} {
		c := open(t, how, false)
		ctx, cancel := context.WithCancel(t.Context())
		if how == "silent" {
			time.AfterFunc(300*time.Millisecond, cancel)
		}
		began := time.Now()
		if err := c.Run(ctx, func(*capture.Frame) { cancel() }); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want the context's error", how, err)
		}
		if d := time.Since(began); d > stopTime+8*time.Second {
			t.Errorf("%s: it took %v", how, d)
		}
		children, err := exec.Command("pgrep", "-P", strconv.Itoa(os.Getpid())).Output()
		if len(strings.Fields(string(children))) > 1 { // pgrep itself is one
			t.Errorf("%s: children after Run: %s, %v", how, children, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	good := Config{Width: 640, Height: 480, FPS: 20, BitRate: 500_000, Coded: true}
	for name, spoil := range map[string]func(*Config){
		"size":     func(c *Config) { c.Width = 4096 },
		"odd":      func(c *Config) { c.Height = 481 },
		"rate":     func(c *Config) { c.FPS = 0 },
		"bit rate": func(c *Config) { c.BitRate = 0 },
		"camera":   func(c *Config) { c.Camera = -1 },
		"padded":   func(c *Config) { c.Width, c.Coded = 650, false },
		// Rows of 160 bytes of chroma become 192 of them on a Pi 5, and those of luma 384.
		"padded on a Pi 5": func(c *Config) { c.Width, c.Coded = 320, false },
	} {
		c := good
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
}

func TestTail(t *testing.T) {
	var w tail
	fmt.Fprint(&w, strings.Repeat("x", 3000), "\nERROR: *** first ***\nlater words\n")
	if len(w.text) > tailSize || w.said() != "; it says: ERROR: *** first ***" {
		t.Errorf("%d bytes, %q", len(w.text), w.said())
	}
	if got := (&tail{}).said(); got != "" {
		t.Errorf("%q of nothing", got)
	}
}
