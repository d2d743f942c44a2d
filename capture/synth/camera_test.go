package synth

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/capture"
	"intercom/capture/capturetest"
)

func newCamera(t testing.TB, cfg CameraConfig) *Camera {
	t.Helper()
	c, err := NewCamera(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCameraContract(t *testing.T) {
	format := capture.Format{Pixel: capture.I420, Width: 640, Height: 480, FPS: 20}
	capturetest.Camera(t, format, func(t testing.TB) capture.Camera { return newCamera(t, CameraConfig{}) })
}

func TestCameraConfig(t *testing.T) {
	for _, cfg := range []CameraConfig{
		{Width: 641, Height: 480}, {Width: 640, Height: 481}, {Width: 94, Height: 480}, {Width: 640, Height: 5000},
		{Width: 640}, {FPS: 121}, {FPS: -1},
	} {
		if _, err := NewCamera(cfg); err == nil {
			t.Errorf("%+v: no error", cfg)
		}
	}
}

// record runs a camera in a bubble for n frames. The frames are kept for ever.
func record(t *testing.T, c capture.Camera, n int) []*capture.Frame {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var film []*capture.Frame
	if err := c.Run(ctx, func(f *capture.Frame) {
		f.Retain()
		if film = append(film, f); len(film) == n {
			cancel()
		}
	}); !errors.Is(err, context.Canceled) {
		t.Fatalf("Run: %v", err)
	}
	return film
}

func TestCounterAndClock(t *testing.T) {
	for _, size := range [][2]int{{640, 480}, {1280, 720}, {320, 240}, {96, 96}, {96, 4096}, {4096, 96}, {322, 182}} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			for i, f := range record(t, newCamera(t, CameraConfig{Width: size[0], Height: size[1], FPS: 25}), 20) {
				if n, ok := ReadCounter(f); !ok || n != uint16(i) {
					t.Errorf("%v: frame %d: counter %d, %v", size, i, n, ok)
				}
				if got, want := f.Time.Sub(start), time.Duration(i)*40*time.Millisecond; got != want {
					t.Errorf("%v: frame %d at %v, want %v", size, i, got, want)
				}
			}
		})
	}
}

func TestCounterIsMarked(t *testing.T) {
	f := capture.NewFramePool(320, 240, 20).Get()
	l := newLayout(320, 240)
	for _, want := range []uint16{0, 1, 0x8000, 0xa5a5, 0xffff} {
		l.counter(f, want)
		if got, ok := ReadCounter(f); !ok || got != want {
			t.Errorf("counter %#x reads as %#x, %v", want, got, ok)
		}
	}
	fill(f.Planes[0], 128)
	if n, ok := ReadCounter(f); ok {
		t.Errorf("a grey picture reads as %d", n)
	}
}

// TestText reads the digits back dot by dot.
func TestText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := record(t, newCamera(t, CameraConfig{}), 124)[123]
		l := newLayout(640, 480)
		if got := readText(t, l, f, 0, 4); got != "123 " {
			t.Errorf("the counter reads %q, want 123", got)
		}
		want := f.Time.Format("15:04:05.000")
		if got := readText(t, l, f, 1, len(want)); got != want {
			t.Errorf("the clock reads %q, want %q", got, want)
		}
	})
}

func readText(t *testing.T, l layout, f *capture.Frame, line, n int) string {
	t.Helper()
	var s strings.Builder
	for c := range n {
		var glyph [glyphHeight]byte
		for y := range glyphHeight {
			for x := range glyphWidth {
				px := l.textX + (c*(glyphWidth+1)+x)*l.scale + l.scale/2
				py := l.textY + (line*(glyphHeight+2)+y)*l.scale + l.scale/2
				glyph[y] <<= 1
				if f.Planes[0][py*f.Stride[0]+px] > 128 {
					glyph[y] |= 1
				}
			}
		}
		found := byte('?')
		for _, ch := range []byte(" 0123456789:.-") {
			if font[ch] == glyph {
				found = ch
			}
		}
		s.WriteByte(found)
	}
	return s.String()
}

func TestPictureMovesAndIsNotBlack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		film := record(t, newCamera(t, CameraConfig{Width: 320, Height: 240}), 3)
		if d := capturetest.PSNR(t, film[0], film[1]); d > 40 {
			t.Errorf("frames 0 and 1 are the same but for %.1f dB", d)
		}
		sum := 0
		for _, v := range film[2].Planes[0] {
			sum += int(v)
		}
		if mean := sum / len(film[2].Planes[0]); mean < 40 {
			t.Errorf("mean luma %d is dark", mean)
		}
	})
}

func TestCameraAllocs(t *testing.T) {
	l := newLayout(640, 480)
	f := capture.NewFramePool(640, 480, 20).Get()
	l.background(f)
	now, n := time.Now(), 0
	if got := testing.AllocsPerRun(100, func() { l.update(f, n, now); n++ }); got != 0 {
		t.Errorf("%v allocations a frame, want 0", got)
	}
}

func BenchmarkCamera(b *testing.B) {
	l := newLayout(640, 480)
	f := capture.NewFramePool(640, 480, 20).Get()
	l.background(f)
	now, n := time.Now(), 0
	b.ReportAllocs()
	for b.Loop() {
		l.update(f, n, now)
		n++
	}
}

// writeFilm writes a film of n frames of 32x16 whose luma is the frame's number.
func writeFilm(t testing.TB, header string, n int) string {
	t.Helper()
	b := []byte(header + "\n")
	for i := range n {
		b = append(b, "FRAME\n"...)
		if i == 1 {
			b = append(b[:len(b)-1], " Ip\n"...) // parameters are allowed
		}
		b = append(b, strings.Repeat(string(rune(i+1)), 32*16)...)
		b = append(b, strings.Repeat("\x40", 2*16*8)...)
	}
	path := filepath.Join(t.TempDir(), "clip.y4m")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const filmHeader = "YUV4MPEG2 W32 H16 F25:1 Ip A1:1 C420jpeg XCOLORRANGE=LIMITED"

func TestFileCameraContract(t *testing.T) {
	path := writeFilm(t, filmHeader, 4)
	format := capture.Format{Pixel: capture.I420, Width: 32, Height: 16, FPS: 25}
	capturetest.Camera(t, format, func(t testing.TB) capture.Camera {
		c, err := NewFileCamera(path)
		if err != nil {
			t.Fatal(err)
		}
		if c.Format() != format {
			t.Errorf("format %+v, want %+v", c.Format(), format)
		}
		return c
	})
}

func TestFileCameraLoops(t *testing.T) {
	c, err := NewFileCamera(writeFilm(t, filmHeader, 3))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		for i, f := range record(t, c, 8) {
			if want := byte(i%3 + 1); f.Planes[0][0] != want || f.Planes[2][127] != 0x40 {
				t.Errorf("frame %d: luma %d, chroma %d, want %d and 64", i, f.Planes[0][0], f.Planes[2][127], want)
			}
		}
	})
}

func TestFileCameraErrors(t *testing.T) {
	good, err := os.ReadFile(writeFilm(t, filmHeader, 2))
	if err != nil {
		t.Fatal(err)
	}
	change := func(old, new string) string { return strings.Replace(string(good), old, new, 1) }
	for name, test := range map[string]struct{ film, want string }{
		"empty":          {"", "byte 0: the file is empty"},
		"other file":     {"RIFF....WAVE\n", "byte 0: not a YUV4MPEG2"},
		"no newline":     {"YUV4MPEG2 W32", "byte 13: header line is cut short"},
		"endless header": {"YUV4MPEG2 " + strings.Repeat("X", 1000), "longer than 512"},
		"colours":        {change("C420jpeg", "C422"), "colours C422"},
		"deep colours":   {change("C420jpeg", "C420p10"), "colours C420p10"},
		"interlaced":     {change(" Ip ", " It "), "interlacing It"},
		"odd":            {change("W32", "W33"), `width "33"`},
		"huge":           {change("H16", "H99999999999999999999"), `height "9999`},
		"no width":       {change("W32 ", ""), "names no width"},
		"no rate":        {change("F25:1 ", ""), "names no frame rate"},
		"unknown rate":   {change("F25:1", "F0:0"), `frame rate "0:0"`},
		"fast":           {change("F25:1", "F1000:1"), `frame rate "1000:1"`},
		"no frames":      {filmHeader + "\n", "no frames"},
		"no marker":      {change("FRAME", "FRAMF"), `"FRAMF" where frame 0 should begin`},
		"short frame":    {string(good[:500]), "byte 500: frame 0 is cut short"},
	} {
		path := filepath.Join(t.TempDir(), "clip.y4m")
		if err := os.WriteFile(path, []byte(test.film), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := NewFileCamera(path)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want the file's name and %q", name, err, test.want)
		}
	}
	if _, err := NewFileCamera(filepath.Join(t.TempDir(), "none.y4m")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

// TestFileCameraFailsLate: what comes after the first frame is found while it plays.
func TestFileCameraFailsLate(t *testing.T) {
	path := writeFilm(t, filmHeader, 3)
	if err := os.Truncate(path, 2000); err != nil {
		t.Fatal(err)
	}
	c, err := NewFileCamera(path)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		n := 0
		err := c.Run(t.Context(), func(*capture.Frame) { n++ })
		if n != 2 || err == nil || !strings.Contains(err.Error(), "byte 2000: frame 2 is cut short") {
			t.Errorf("%d frames, error %v", n, err)
		}
	})
}

func FuzzFilm(f *testing.F) {
	good, err := os.ReadFile(writeFilm(f, filmHeader, 2))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(good))
	f.Add(string(good[:700]))
	f.Add("YUV4MPEG2 W16 H16 F30000:1001 C420\nFRAME\n")
	f.Add("YUV4MPEG2  W  H F: C\nFRAMES\n")
	f.Fuzz(func(t *testing.T, data string) {
		r := strings.NewReader(data)
		film, err := newFilm(r)
		if err != nil {
			return
		}
		g := film.format
		if g.Width < 16 || g.Height < 16 || g.Width > maxSide || g.Height > maxSide || g.FPS < 1 || g.FPS > maxFPS {
			t.Fatalf("format %+v", g)
		}
		frame := capture.NewFramePool(g.Width, g.Height, g.FPS).Get()
		for film.next(frame) == nil {
			if film.at > int64(len(data)) {
				t.Fatalf("at byte %d of %d", film.at, len(data))
			}
		}
		if err := film.rewind(r); err != nil {
			t.Fatal(err)
		}
	})
}
