package m2m

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"intercom/capture"
	"intercom/capture/capturetest"
	"intercom/internal/uapi"
)

var format = capture.Format{Pixel: capture.I420, Width: 322, Height: 182, FPS: 20}

// taker keeps what an encoder hands out.
type taker struct {
	mu      sync.Mutex
	packets [][]byte
	keys    []bool
	times   []time.Time
}

func (k *taker) out(p *capture.Packet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.packets, k.keys, k.times = append(k.packets, bytes.Clone(p.Data)), append(k.keys, p.Key), append(k.times, p.Time)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bubble runs a test with an encoder on a fake driver, in false time.
func bubble(t *testing.T, prepare func(*fake), test func(t *testing.T, f *fake, e *encoder, k *taker)) {
	synctest.Test(t, func(t *testing.T) {
		f, k := newFake(), &taker{}
		if prepare != nil {
			prepare(f)
		}
		e, err := newEncoder(f, avc, format, k.out)
		must(t, err)
		test(t, f, e, k)
		for range 2 {
			if err := e.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
		if err := f.check(); err != nil {
			t.Error(err)
		}
	})
}

func TestLifeCycle(t *testing.T) {
	film := capturetest.Film(format, 12)
	n := 0
	see := func(f *fake) {
		f.pictures = func(got []byte, stride, rows int) {
			want, at := film[n], 0
			for i, plane := range want.Planes {
				w, h, s, r := format.Width, format.Height, stride, rows
				if i > 0 {
					w, h, s, r = w/2, h/2, s/2, r/2
				}
				for y := range h {
					if !bytes.Equal(got[at+y*s:][:w], plane[y*want.Stride[i]:][:w]) {
						t.Fatalf("frame %d: row %d of plane %d is another in the driver's memory", n, y, i)
					}
				}
				at += s * r
			}
			n++
		}
	}
	bubble(t, see, func(t *testing.T, f *fake, e *encoder, k *taker) {
		if want := [2]int{format.Width, format.Height}; f.cropped != want {
			t.Errorf("cropped to %v, want %v", f.cropped, want)
		}
		for id, want := range map[uint32]int32{avcProfile: constrainedBaseline, repeatHead: 1, avcLevel: level31, bitRate: startBitRate} {
			if got := f.controls[id]; got != want {
				t.Errorf("control %#x is %d, want %d", id, got, want)
			}
		}
		for _, p := range film {
			must(t, e.Encode(p))
			synctest.Wait()
		}
		if len(k.packets) != len(film) || !k.keys[0] || slices.Contains(k.keys[1:], true) {
			t.Fatalf("%d packets of %d frames, keys %v", len(k.packets), len(film), k.keys)
		}
		for i, p := range film {
			if !k.times[i].Equal(p.Time) {
				t.Errorf("packet %d is of %v, want %v", i, k.times[i], p.Time)
			}
		}
		must(t, e.Close())
		if err := e.Encode(film[0]); err == nil {
			t.Error("encoded after Close")
		}
		if err := e.Set(capture.Target{KeyFrame: true}); err == nil {
			t.Error("set after Close")
		}
	})
}

// TestKeyFrames: a storm of requests becomes a few, and the last one is not lost.
func TestKeyFrames(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, e *encoder, k *taker) {
		p := capturetest.Film(format, 1)[0]
		for range 40 { // two seconds
			must(t, e.Set(capture.Target{KeyFrame: true}))
			must(t, e.Set(capture.Target{KeyFrame: true}))
			must(t, e.Encode(p))
			time.Sleep(50 * time.Millisecond)
		}
		if f.keys != 8 {
			t.Errorf("%d requests to the hardware in two seconds, want one each %v", f.keys, keyGap)
		}
		for range 6 {
			must(t, e.Encode(p))
			time.Sleep(50 * time.Millisecond)
		}
		if f.keys != 9 {
			t.Errorf("%d requests, want the last one done once its time has come", f.keys)
		}
		must(t, e.Set(capture.Target{KeyFrame: true}))
		time.Sleep(time.Second)
		synctest.Wait()
		before := len(k.keys)
		must(t, e.Encode(p))
		synctest.Wait()
		if !slices.Equal(k.keys[before:], []bool{true}) {
			t.Errorf("the frame after a request gave %v, want a key frame", k.keys[before:])
		}
	})
}

func TestBitRateFloor(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, e *encoder, _ *taker) {
		for _, tt := range []struct{ ask, want int32 }{{2_000_000, 2_000_000}, {50_000, minBitRate}, {290_000, minBitRate}, {1 << 30, maxBitRate}} {
			must(t, e.Set(capture.Target{BitRate: int(tt.ask), FPS: 15}))
			if got := f.controls[bitRate]; got != tt.want {
				t.Errorf("asked for %d bit/s: the hardware was asked for %d, want %d", tt.ask, got, tt.want)
			}
		}
	})
}

func TestHeadersApart(t *testing.T) {
	bubble(t, func(f *fake) { f.apart = true }, func(t *testing.T, _ *fake, e *encoder, k *taker) {
		for _, p := range capturetest.Film(format, 3) {
			must(t, e.Encode(p))
			synctest.Wait()
		}
		if len(k.packets) != 3 || !bytes.Equal(k.packets[0], slices.Concat(parameterSets, idr)) || !bytes.Equal(k.packets[1], delta) {
			t.Errorf("packets %x, want the parameter sets before the first picture", k.packets)
		}
	})
}

// TestDrains: what the hardware has when it is closed is handed out, and nothing after.
func TestDrains(t *testing.T) {
	bubble(t, func(f *fake) { f.greedy = true }, func(t *testing.T, f *fake, e *encoder, k *taker) {
		for _, p := range capturetest.Film(format, rawBuffers) {
			must(t, e.Encode(p))
		}
		f.mu.Lock()
		f.greedy = false
		f.mu.Unlock()
		must(t, e.Close())
		if len(k.packets) != rawBuffers {
			t.Errorf("%d packets of %d frames that were inside", len(k.packets), rawBuffers)
		}
	})
}

func TestOpenFails(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"allocate": {unix.ENOMEM, "CMA"}, "setFormat": {unix.EBUSY, "other programs"}, "stream": {unix.ENOMEM, "CMA"},
		"profile": {unix.EINVAL, "baseline"}, "setRate": {unix.EIO, "restart"}, "queue": {unix.ENODEV, "hardware has stopped"}, "setCrop": {unix.EINVAL, "cut"},
	} {
		f := newFake()
		f.fail[name] = tt.err
		_, err := newEncoder(f, avc, format, func(*capture.Packet) {})
		if err == nil || !strings.Contains(explain(err).Error(), tt.want) {
			t.Errorf("%s fails with %v: got %v, want %q in it", name, tt.err, err, tt.want)
		}
	}
}

// TestHardwareFails: whatever happens, Encode tells it soon, and Close ends.
func TestHardwareFails(t *testing.T) {
	for _, tt := range []struct {
		name string
		fail func(*fake)
		want string
	}{
		{"swallows", func(f *fake) { f.stuck, f.noDrain = true, true }, "stuck"},
		{"takes nothing", func(f *fake) { f.greedy, f.noDrain = true, true }, "stuck"},
		{"gone", func(f *fake) { f.fail["dequeue"] = unix.ENODEV }, "hardware has stopped"},
		{"wait fails", func(f *fake) { f.fail["wait"] = unix.EIO }, "hardware has stopped"},
		{"no such buffer", func(f *fake) { f.mangle = func(b *uapi.VideoBuffer) { b.Index = 17 } }, "buffer 17"},
		{"too long", func(f *fake) { f.mangle = func(b *uapi.VideoBuffer) { b.Used = 1 << 30 } }, "are used"},
		{"offset", func(f *fake) { f.mangle = func(b *uapi.VideoBuffer) { b.Offset = b.Used + 1 } }, "are used"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, f *fake, e *encoder, _ *taker) {
				f.mu.Lock()
				tt.fail(f)
				f.tell()
				f.mu.Unlock()
				start, p := time.Now(), capturetest.Film(format, 1)[0]
				var err error
				for err == nil && time.Since(start) < 5*time.Second {
					err = e.Encode(p)
					time.Sleep(50 * time.Millisecond)
				}
				if took := time.Since(start); err == nil || !strings.Contains(err.Error(), tt.want) || took > 2*stuckAfter {
					t.Errorf("after %v: %v, want %q in it", took, err, tt.want)
				}
				start = time.Now()
				e.Close()
				if took := time.Since(start); took > time.Second {
					t.Errorf("Close took %v", took)
				}
			})
		})
	}
}

// TestSpoiled: what the driver says is damaged is left out, and the rest goes on.
func TestSpoiled(t *testing.T) {
	n := 0
	spoil := func(f *fake) {
		f.mangle = func(b *uapi.VideoBuffer) {
			switch n++; n {
			case 3:
				b.Flags |= uapi.VideoDamaged
			case 4:
				b.Stamp = time.Hour
			case 5:
				b.Used = 0
			}
		}
	}
	bubble(t, spoil, func(t *testing.T, _ *fake, e *encoder, k *taker) {
		for _, p := range capturetest.Film(format, 8) {
			must(t, e.Encode(p))
			synctest.Wait()
		}
		if len(k.packets) != 5 {
			t.Errorf("%d packets of 8 frames, want the 5 that are whole", len(k.packets))
		}
	})
}

func TestRefuses(t *testing.T) {
	bubble(t, nil, func(t *testing.T, _ *fake, e *encoder, _ *taker) {
		other := format
		other.Width *= 2
		if err := e.Encode(capturetest.Film(other, 1)[0]); err == nil {
			t.Error("a frame of another size was encoded")
		}
	})
	for _, f := range []capture.Format{{Pixel: capture.NV12, Width: 640, Height: 480, FPS: 20}, {Pixel: capture.I420, Width: 640, Height: 480},
		{Pixel: capture.I420, Width: 641, Height: 480, FPS: 20}, {Pixel: capture.I420, Width: 4096, Height: 480, FPS: 20}} {
		if _, err := (Device{Path: "/dev/null", coding: avc}).NewEncoder(f, func(*capture.Packet) {}); err == nil || !strings.Contains(err.Error(), "cannot code") {
			t.Errorf("%v: %v", f, err)
		}
	}
	if _, err := (Device{Path: "/dev/null", coding: avc}).NewEncoder(format, func(*capture.Packet) {}); err == nil {
		t.Error("/dev/null is an encoder")
	}
}

func TestLayoutRefused(t *testing.T) {
	good := uapi.PlaneFormat{Width: 352, Height: 192, FourCC: rawCode, Stride: 384, Size: 384 * 192 * 3 / 2}
	if _, err := newLayout(good, 322, 182); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*uapi.PlaneFormat){
		"narrow": func(p *uapi.PlaneFormat) { p.Width = 320 }, "low": func(p *uapi.PlaneFormat) { p.Height = 180 },
		"short rows": func(p *uapi.PlaneFormat) { p.Stride = 320 }, "odd rows": func(p *uapi.PlaneFormat) { p.Stride = 383 },
		"small": func(p *uapi.PlaneFormat) { p.Size-- }, "huge": func(p *uapi.PlaneFormat) { p.Height = 1 << 30 },
		"another format": func(p *uapi.PlaneFormat) { p.FourCC = uapi.FourCC("NV12") },
	} {
		bad := good
		change(&bad)
		if _, err := newLayout(bad, 322, 182); err == nil {
			t.Errorf("%s: %+v was taken", name, bad)
		}
	}
}

func TestLook(t *testing.T) {
	for _, tt := range []struct {
		unit []byte
		want content
	}{
		{slices.Concat(parameterSets, idr), content{header: true, picture: true, key: true}},
		{parameterSets, content{header: true}}, {idr, content{picture: true, key: true}}, {delta, content{picture: true}},
		{nil, content{}}, {[]byte{0, 0, 1}, content{}}, {[]byte{1, 2, 3, 4}, content{}},
	} {
		if got := lookAVC(tt.unit); got != tt.want {
			t.Errorf("%x: got %+v, want %+v", tt.unit, got, tt.want)
		}
	}
}

func FuzzLook(f *testing.F) {
	f.Add(slices.Concat(parameterSets, idr))
	f.Add(delta)
	f.Add([]byte{0, 0, 1})
	f.Fuzz(func(t *testing.T, unit []byte) { lookAVC(unit) })
}
