package capturetest

import (
	"slices"
	"testing"
	"time"

	"intercom/capture"
)

// Encoder is the contract of a capture.NewEncoder for this codec that calls out from within
// Encode. It needs ffmpeg.
func Encoder(t *testing.T, codec capture.Codec, newEncoder capture.NewEncoder) {
	t.Run("begins with a key frame", func(t *testing.T) { testFirst(t, codec, newEncoder) })
	t.Run("key frame on request", func(t *testing.T) { testKeyFrame(t, codec, newEncoder) })
	t.Run("decodes", func(t *testing.T) { testDecodes(t, codec, newEncoder) })
	t.Run("bit rate", func(t *testing.T) { testBitRate(t, codec, newEncoder) })
	t.Run("odd times", func(t *testing.T) { testTimes(t, codec, newEncoder) })
	t.Run("allocates nothing", func(t *testing.T) { testAllocs(t, newEncoder) })
	t.Run("refuses other frames", func(t *testing.T) { testRefuses(t, newEncoder) })
	t.Run("closes", func(t *testing.T) { testCloses(t, newEncoder) })
}

var small = capture.Format{Pixel: capture.I420, Width: 320, Height: 240, FPS: 20}

// recorder keeps what an encoder said.
type recorder struct {
	codec   capture.Codec
	packets [][]byte
	keys    []bool
	times   []time.Time
	bytes   int
	wrong   string
}

func (r *recorder) out(p *capture.Packet) {
	if p.Codec != r.codec || p.Duration <= 0 || len(p.Data) == 0 {
		r.wrong = "codec " + string(p.Codec) + ", duration " + p.Duration.String()
	}
	r.packets = append(r.packets, append([]byte(nil), p.Data...))
	r.keys = append(r.keys, p.Key)
	r.times = append(r.times, p.Time)
	r.bytes += len(p.Data)
}

func open(t testing.TB, f capture.Format, newEncoder capture.NewEncoder, bitRate int, out func(*capture.Packet)) capture.Encoder {
	t.Helper()
	e, err := newEncoder(f, out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := e.Set(capture.Target{BitRate: bitRate, FPS: f.FPS}); err != nil {
		t.Fatal(err)
	}
	return e
}

func encode(t testing.TB, e capture.Encoder, frames ...*capture.Frame) {
	t.Helper()
	for i, f := range frames {
		if err := e.Encode(f); err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
	}
}

func testFirst(t *testing.T, codec capture.Codec, newEncoder capture.NewEncoder) {
	r := recorder{codec: codec}
	film := Film(small, 10)
	encode(t, open(t, small, newEncoder, 800_000, r.out), film...)
	if r.wrong != "" {
		t.Error(r.wrong)
	}
	if len(r.keys) == 0 || !r.keys[0] {
		t.Fatalf("key frames %v, want the first to be one", r.keys)
	}
	for i, key := range r.keys[1:] {
		if key {
			t.Errorf("packet %d is a key frame that nobody asked for", i+1)
		}
	}
	if !r.times[0].Equal(film[0].Time) {
		t.Errorf("packet captured at %v, want the frame's time %v", r.times[0], film[0].Time)
	}
}

func testKeyFrame(t *testing.T, codec capture.Codec, newEncoder capture.NewEncoder) {
	r := recorder{codec: codec}
	film := Film(small, 30)
	e := open(t, small, newEncoder, 800_000, r.out)
	encode(t, e, film[:15]...)
	if err := e.Set(capture.Target{KeyFrame: true}); err != nil {
		t.Fatal(err)
	}
	before := len(r.keys)
	encode(t, e, film[15])
	if len(r.keys) != before+1 || !r.keys[before] {
		t.Fatalf("the frame after the request gave %v, want a key frame", r.keys[before:])
	}
	encode(t, e, film[16:]...)
	for i, key := range r.keys[before+1:] {
		if key {
			t.Errorf("packet %d after the request is a key frame too", i+1)
		}
	}
	// A receiver that comes in at the key frame needs nothing from before.
	got := Decode(t, codec, small, r.packets[before:])
	if want := len(r.packets) - before; len(got) != want {
		t.Errorf("ffmpeg decoded %d frames from the key frame on, want %d", len(got), want)
	}
}

func testDecodes(t *testing.T, codec capture.Codec, newEncoder capture.NewEncoder) {
	for _, size := range [][2]int{{320, 240}, {640, 360}, {322, 182}} {
		format := capture.Format{Pixel: capture.I420, Width: size[0], Height: size[1], FPS: 20}
		r := recorder{codec: codec}
		film := Film(format, 30)
		encode(t, open(t, format, newEncoder, 1_500_000, r.out), film...)
		got := Decode(t, codec, format, r.packets)
		if len(got) != len(r.packets) {
			t.Fatalf("%dx%d: ffmpeg decoded %d frames of %d", size[0], size[1], len(got), len(r.packets))
		}
		low, byTime := 99.0, make(map[time.Time]*capture.Frame)
		for _, f := range film {
			byTime[f.Time] = f
		}
		for i, f := range got {
			low = min(low, PSNR(t, byTime[r.times[i]], f))
		}
		t.Logf("%dx%d: %d of %d frames, worst PSNR %.1f dB, %d kbit/s", size[0], size[1],
			len(got), len(film), low, r.bytes*8*format.FPS/len(film)/1000)
		if low < 28 || len(got) < len(film)*9/10 {
			t.Errorf("%dx%d: %d of %d frames, worst PSNR %.1f dB, want at least 28", size[0], size[1], len(got), len(film), low)
		}
	}
}

// testBitRate gives the rate control two seconds to settle after a change and measures four.
// The film is grainy enough to use the bits: an encoder at its finest quantizer needs no more.
func testBitRate(t *testing.T, codec capture.Codec, newEncoder capture.NewEncoder) {
	for _, fps := range []int{15, 30} {
		format := capture.Format{Pixel: capture.I420, Width: 640, Height: 360, FPS: fps}
		film := Film(format, 7*fps)
		for i, f := range film {
			roughen(f, i)
		}
		for _, target := range []int{300_000, 1_200_000} {
			r := recorder{codec: codec}
			e := open(t, format, newEncoder, 700_000, r.out)
			encode(t, e, film[:fps]...)
			for _, to := range []capture.Target{{BitRate: target, FPS: 45 - fps}, {FPS: fps}, {}} {
				if err := e.Set(to); err != nil {
					t.Fatal(err)
				}
			}
			encode(t, e, film[fps:3*fps]...)
			r.bytes = 0
			encode(t, e, film[3*fps:]...)
			if i := slices.Index(r.keys[1:], true); i >= 0 {
				t.Errorf("packet %d is a key frame, and only the rates were changed", i+1)
			}
			got := r.bytes * 8 / 4
			t.Logf("%d frames a second, asked for %d, got %d bit/s", fps, target, got)
			if got > target*11/10 || got < target*9/10 {
				t.Errorf("%d frames a second: asked for %d, got %d bit/s", fps, target, got)
			}
		}
	}
}

// testTimes: a camera's clock may stand still, go back or pause.
func testTimes(t *testing.T, codec capture.Codec, newEncoder capture.NewEncoder) {
	r := recorder{codec: codec}
	film := Film(small, 8)
	film[2].Time = film[1].Time
	film[3].Time = film[1].Time.Add(-time.Hour)
	film[5].Time = film[4].Time.Add(24 * time.Hour)
	film[6].Time = time.Time{}
	encode(t, open(t, small, newEncoder, 800_000, r.out), film...)
	if len(r.packets) < len(film)-1 {
		t.Errorf("%d packets of %d frames", len(r.packets), len(film))
	}
}

func testAllocs(t *testing.T, newEncoder capture.NewEncoder) {
	film := Film(small, 40)
	e := open(t, small, newEncoder, 800_000, func(*capture.Packet) {})
	encode(t, e, film...) // the pool grows to the largest packet
	n := 0
	if got := testing.AllocsPerRun(len(film)-1, func() {
		film[n%len(film)].Time = time.Now()
		encode(t, e, film[n%len(film)])
		n++
	}); got != 0 {
		t.Errorf("%v allocations a frame, want 0", got)
	}
}

func testRefuses(t *testing.T, newEncoder capture.NewEncoder) {
	e := open(t, small, newEncoder, 800_000, func(*capture.Packet) {})
	big := small
	big.Width *= 2
	short := Film(small, 1)[0]
	short.Planes[2] = short.Planes[2][:100]
	coded := capture.NewFrame(nil)
	coded.Format = capture.Format{Pixel: capture.MJPEG, Width: small.Width, Height: small.Height}
	coded.Planes[0] = []byte{0xff, 0xd8}
	for name, f := range map[string]*capture.Frame{"another size": Film(big, 1)[0], "a short plane": short, "coded": coded} {
		if err := e.Encode(f); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
	encode(t, e, Film(small, 2)...) // and it still works

	bad := small
	bad.Pixel = capture.MJPEG
	if e, err := newEncoder(bad, func(*capture.Packet) {}); err == nil {
		e.Close()
		t.Error("an encoder of MJPEG opened")
	}
	bad = small
	bad.FPS = 0
	if e, err := newEncoder(bad, func(*capture.Packet) {}); err == nil {
		e.Close()
		t.Error("an encoder at 0 frames a second opened")
	}
}

func testCloses(t *testing.T, newEncoder capture.NewEncoder) {
	e := open(t, small, newEncoder, 800_000, func(*capture.Packet) {})
	film := Film(small, 2)
	encode(t, e, film[0])
	for range 2 {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if err := e.Encode(film[1]); err == nil {
		t.Error("encoded after Close")
	}
	if err := e.Set(capture.Target{KeyFrame: true}); err == nil {
		t.Error("set after Close")
	}
}

// BenchmarkEncoder measures one frame at VGA and at 720p.
func BenchmarkEncoder(b *testing.B, newEncoder capture.NewEncoder) {
	for _, bench := range []struct {
		name          string
		width, height int
		bitRate       int
	}{{"640x480", 640, 480, 800_000}, {"1280x720", 1280, 720, 1_500_000}} {
		b.Run(bench.name, func(b *testing.B) {
			format := capture.Format{Pixel: capture.I420, Width: bench.width, Height: bench.height, FPS: 20}
			film := Film(format, 20)
			start, size := time.Now(), 0
			e := open(b, format, newEncoder, bench.bitRate, func(p *capture.Packet) { size += len(p.Data) })
			encode(b, e, film...)
			b.ReportAllocs()
			size = 0
			n := len(film)
			for b.Loop() {
				f := film[n%len(film)]
				f.Time = start.Add(time.Duration(n) * time.Second / time.Duration(format.FPS))
				encode(b, e, f)
				n++
			}
			b.ReportMetric(float64(size*8*format.FPS/max(n-len(film), 1))/1000, "kbit/s")
		})
	}
}
