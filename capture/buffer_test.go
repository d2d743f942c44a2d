package capture

import (
	"testing"
	"time"
)

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

func TestFrameIsCounted(t *testing.T) {
	freed := 0
	f := NewFrame(func(*Frame) { freed++ })
	f.Retain()
	f.Release()
	if freed != 0 {
		t.Error("given back while it was held")
	}
	f.Release()
	if freed != 1 {
		t.Errorf("given back %d times, want once", freed)
	}
	if !panics(f.Release) || !panics(f.Retain) {
		t.Error("a frame that was given back is used, and nobody notices")
	}
}

func TestPacketPool(t *testing.T) {
	var pool PacketPool
	p := pool.Get(100)
	if len(p.Data) != 100 {
		t.Errorf("%d bytes, want 100", len(p.Data))
	}
	p.Codec, p.Time, p.Key, p.Duration = VP8, time.Now(), true, time.Second
	p.Retain()
	p.Release()
	if q := pool.Get(1); q == p {
		t.Error("a packet is given out that is still held")
	}
	p.Release()
	q := pool.Get(120)
	if q != p || len(q.Data) != 120 || q.Codec != "" || !q.Time.IsZero() || q.Key || q.Duration != 0 {
		t.Errorf("got %+v, want the first packet again, cleared", q)
	}
	q.Release()
	if !panics(q.Release) || !panics(q.Retain) {
		t.Error("a packet that was given back is used, and nobody notices")
	}
	if got := testing.AllocsPerRun(100, func() { pool.Get(150).Release() }); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}

func TestFramePool(t *testing.T) {
	pool := NewFramePool(33, 17, 20) // odd sizes round chroma up
	f := pool.Get()
	if f.Format != (Format{I420, 33, 17, 20}) || len(f.Planes[0]) != 33*17 || len(f.Planes[1]) != 17*9 || len(f.Planes[2]) != 17*9 {
		t.Errorf("%+v with planes of %d, %d, %d", f.Format, len(f.Planes[0]), len(f.Planes[1]), len(f.Planes[2]))
	}
	if err := f.CheckI420(33, 17); err != nil {
		t.Error(err)
	}
	f.Release()
	if pool.Get() != f {
		t.Error("the frame that was given back is not used again")
	}
}

func TestCheckI420(t *testing.T) {
	for name, spoil := range map[string]func(*Frame){
		"other pixels": func(f *Frame) { f.Pixel = NV12 },
		"other width":  func(f *Frame) { f.Width = 32 },
		"short luma":   func(f *Frame) { f.Planes[0] = f.Planes[0][:100] },
		"no chroma":    func(f *Frame) { f.Planes[2] = nil },
		"narrow rows":  func(f *Frame) { f.Stride[1] = 10 },
		"no rows":      func(f *Frame) { f.Stride[0] = 0 },
		"minus":        func(f *Frame) { f.Stride[0] = -64 },
		"wide rows":    func(f *Frame) { f.Stride[2] = 1 << 20 },
	} {
		f := NewFramePool(64, 48, 20).Get()
		spoil(f)
		if err := f.CheckI420(64, 48); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	// Rows with padding, and none after the last.
	f := NewFrame(nil)
	f.Format = Format{I420, 4, 4, 20}
	f.Planes, f.Stride = [3][]byte{make([]byte, 8*3+4), make([]byte, 6), make([]byte, 6)}, [3]int{8, 4, 4}
	if err := f.CheckI420(4, 4); err != nil {
		t.Error(err)
	}
}

func TestCodec(t *testing.T) {
	if !VP8.IsVideo() || !H264.IsVideo() || Opus.IsVideo() {
		t.Error("pictures and sound are confused")
	}
	if VP8.ClockRate() != 90000 || Opus.ClockRate() != 48000 {
		t.Error("wrong clock rates")
	}
	if I420.String() != "I420" || AVC.String() != "H264" || Pixel(0).String() != "unknown" || Pixel(99).String() != "unknown" {
		t.Error("wrong names of pixels")
	}
}

func TestCodedPool(t *testing.T) {
	var pool CodedPool
	format := Format{AVC, 640, 480, 20}
	data := []byte{0, 0, 0, 1, 0x65}
	f := pool.Get(format, data)
	data[4] = 0 // the driver's memory is used again
	if f.Format != format || string(f.Planes[0]) != "\x00\x00\x00\x01\x65" {
		t.Errorf("got %+v with % x", f.Format, f.Planes[0])
	}
	f.Time = time.Now()
	f.Release()
	if g := pool.Get(format, data[:2]); g != f || len(g.Planes[0]) != 2 || !g.Time.IsZero() {
		t.Errorf("got %+v, want the first frame again, cleared", g)
	}
	if !panics(func() { f.Release(); f.Release() }) {
		t.Error("a frame that was given back is used, and nobody notices")
	}
	if got := testing.AllocsPerRun(100, func() { pool.Get(format, data).Release() }); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}
