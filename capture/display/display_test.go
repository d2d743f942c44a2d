package display

import (
	"errors"
	"testing"
	"time"

	"intercom/capture"
)

// card returns a picture with a white left half and a black right one.
func card(width, height int) *capture.Frame {
	f := capture.NewFramePool(width, height, 0).Get()
	for i, p := range f.Planes {
		for j := range p {
			x := j % f.Stride[i]
			switch {
			case i > 0:
				p[j] = 128
			case x < width/2:
				p[j] = 235
			default:
				p[j] = 16
			}
		}
	}
	return f
}

// luma returns one point.
func luma(f *capture.Frame, x, y int) byte { return f.Planes[0][y*f.Stride[0]+x] }

func TestScaling(t *testing.T) {
	src := card(320, 180) // 16:9
	for name, c := range map[string]struct {
		scaling       Scaling
		width, height int
		to            rect
		seen          part
	}{
		"same":          {Fit, 320, 180, rect{0, 0, 320, 180}, part{0, 0, 320, 180}},
		"fit":           {Fit, 320, 320, rect{0, 70, 320, 180}, part{0, 0, 320, 180}},
		"fill":          {Fill, 320, 320, rect{0, 0, 320, 320}, part{70, 0, 180, 180}},
		"balanced":      {Balanced, 320, 320, rect{0, 0, 320, 320}, part{70, 0, 180, 180}},
		"balanced tall": {Balanced, 180, 640, rect{0, 230, 180, 180}, part{70, 0, 180, 180}},
		"double":        {Fit, 640, 360, rect{0, 0, 640, 360}, part{0, 0, 320, 180}},
		"beside":        {Fit, 400, 180, rect{40, 0, 320, 180}, part{0, 0, 320, 180}},
	} {
		to, seen := place(c.width, c.height, src.Width, src.Height, c.scaling)
		near := func(a, b float64) bool { return a-b < 1 && b-a < 1 }
		if to != c.to || !near(seen.x, c.seen.x) || !near(seen.y, c.seen.y) || !near(seen.w, c.seen.w) || !near(seen.h, c.seen.h) {
			t.Errorf("%s: %+v of %+v, want %+v of %+v", name, to, seen, c.to, c.seen)
		}
	}
}

func TestMirror(t *testing.T) {
	for name, c := range map[string]struct {
		mirror      bool
		left, right byte
	}{"as it is": {false, 235, 16}, "mirrored": {true, 16, 235}} {
		for _, size := range [][2]int{{320, 180}, {320, 320}, {64, 48}, {1280, 720}} {
			dst := capture.NewFramePool(size[0], size[1], 0).Get()
			if err := Draw(dst, card(320, 180), c.mirror, Fit); err != nil {
				t.Fatal(err)
			}
			y := size[1] / 2
			if l, r := luma(dst, 2, y), luma(dst, size[0]-3, y); l != c.left || r != c.right {
				t.Errorf("%s, %v: left %d and right %d, want %d and %d", name, size, l, r, c.left, c.right)
			}
			if size[0] == size[1] && (luma(dst, 2, 2) != 16 || luma(dst, 2, size[1]-3) != 16 || dst.Planes[1][2] != 128) {
				t.Errorf("%s: beside the picture it is not black", name)
			}
		}
	}
}

func TestDrawRefuses(t *testing.T) {
	good := card(32, 32)
	bad := card(32, 32)
	bad.Planes[2] = bad.Planes[2][:4]
	if err := Draw(good, bad, false, Fit); err == nil {
		t.Error("drawn from a short plane")
	}
	if err := Draw(bad, good, false, Fit); err == nil {
		t.Error("drawn to a short plane")
	}
}

func TestDrawAllocs(t *testing.T) {
	dst, src := card(160, 120), card(320, 180)
	if got := testing.AllocsPerRun(10, func() {
		if err := Draw(dst, src, true, Balanced); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("%v allocations a picture, want 0", got)
	}
}

// fake is a decoder that knows one picture.
type fake struct {
	err    error
	closed bool
}

func (f *fake) Decode(data []byte, t time.Time) (*capture.Frame, error) {
	if f.err != nil {
		return nil, f.err
	}
	c := card(320, 180)
	c.Time = t
	return c, nil
}
func (f *fake) Close() error { f.closed = true; return nil }

// TestSurface: mirror and scaling may change while pictures come.
func TestSurface(t *testing.T) {
	d := new(fake)
	var left []byte
	at := time.Unix(1, 0)
	s, err := New(Config{
		Width: 320, Height: 320,
		Decoders: map[capture.Codec]func() (Decoder, error){capture.VP8: func() (Decoder, error) { return d, nil }},
		Out: func(f *capture.Frame) {
			if !f.Time.Equal(at) {
				t.Errorf("picture of %v, want %v", f.Time, at)
			}
			left = append(left, luma(f, 2, 2), luma(f, 2, 160))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Show(1, capture.VP8)
	if err != nil {
		t.Fatal(err)
	}
	p := &capture.Packet{Codec: capture.VP8, Time: at}
	view := func() {
		t.Helper()
		if err := v.View(p); err != nil {
			t.Error(err)
		}
	}
	view()
	s.SetMirror(true)
	view()
	s.SetScaling(Fill)
	s.SetMirror(false)
	view()
	if want := []byte{16, 235, 16, 16, 235, 235}; string(left) != string(want) {
		t.Errorf("at the left %v, want %v", left, want)
	}
	d.err = errors.New("damaged")
	if err := v.View(p); !errors.Is(err, d.err) {
		t.Errorf("a damaged picture: %v", err)
	}
	if err := v.Close(); err != nil || !d.closed {
		t.Errorf("closed %t, %v", d.closed, err)
	}
	if _, err := s.Show(1, capture.H264); err == nil {
		t.Error("shows a codec without decoder")
	}
}

func TestNew(t *testing.T) {
	good := Config{Width: 2, Height: 2, Decoders: map[capture.Codec]func() (Decoder, error){capture.VP8: nil}, Out: func(*capture.Frame) {}}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Config){
		"odd": func(c *Config) { c.Width = 3 }, "no height": func(c *Config) { c.Height = 0 },
		"no decoders": func(c *Config) { c.Decoders = nil }, "no function": func(c *Config) { c.Out = nil },
	} {
		c := good
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
