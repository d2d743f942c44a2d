package capture

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Frame is one picture, raw or as the camera coded it. It is counted: it starts with one
// reference, whoever keeps it retains it and releases it once, and the last release gives
// the memory back.
type Frame struct {
	Format
	Planes [3][]byte
	Stride [3]int    // bytes from one row of a plane to the next
	Time   time.Time // of capture

	refs atomic.Int32
	free func(*Frame)
}

// NewFrame returns a frame with one reference. free is called at the last release; it may
// be nil.
func NewFrame(free func(*Frame)) *Frame {
	f := &Frame{free: free}
	f.refs.Store(1)
	return f
}

// Retain adds a reference. It panics on a frame that was given back.
func (f *Frame) Retain() {
	if f.refs.Add(1) < 2 {
		panic("capture: frame retained after its last release")
	}
}

// Release drops a reference. It panics if there is none.
func (f *Frame) Release() {
	switch n := f.refs.Add(-1); {
	case n < 0:
		panic("capture: frame released too often")
	case n == 0 && f.free != nil:
		f.free(f)
	}
}

// CheckI420 returns an error unless the frame is an I420 picture of this size and its
// planes hold all of it: a codec written in C reads them without looking.
func (f *Frame) CheckI420(width, height int) error {
	if f.Pixel != I420 || f.Width != width || f.Height != height {
		return fmt.Errorf("frame is %v %dx%d, not %v %dx%d", f.Pixel, f.Width, f.Height, I420, width, height)
	}
	w, h := width, height
	for i, plane := range f.Planes {
		if i == 1 {
			w, h = (width+1)/2, (height+1)/2
		}
		if f.Stride[i] < w || len(plane) < w || h > 1 && (len(plane)-w)/(h-1) < f.Stride[i] {
			return fmt.Errorf("frame plane %d: %d bytes in rows of %d do not hold %dx%d", i, len(plane), f.Stride[i], w, h)
		}
	}
	return nil
}

// Packet is one coded picture or period of sound. It is counted like a Frame.
type Packet struct {
	Codec    Codec
	Data     []byte        // VP8 frame, H.264 access unit (Annex B), Opus packet
	Time     time.Time     // of capture
	Duration time.Duration // until the next one, nominal
	Key      bool          // decodable without what came before; always true for sound

	refs atomic.Int32
	pool *PacketPool
}

// Retain adds a reference. It panics on a packet that was given back.
func (p *Packet) Retain() {
	if p.refs.Add(1) < 2 {
		panic("capture: packet retained after its last release")
	}
}

// Release drops a reference. It panics if there is none.
func (p *Packet) Release() {
	switch n := p.refs.Add(-1); {
	case n < 0:
		panic("capture: packet released too often")
	case n == 0 && p.pool != nil:
		p.pool.put(p)
	}
}

// idle keeps what a pool may give out again.
type idle[T any] struct {
	mu   sync.Mutex
	list []*T
}

// idleLimit is more than the frames or packets in flight of any device, and few enough that
// a burst is given back to the collector.
const idleLimit = 64

// take returns one, or nil.
func (i *idle[T]) take() *T {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := len(i.list)
	if n == 0 {
		return nil
	}
	t := i.list[n-1]
	i.list = i.list[:n-1]
	return t
}

func (i *idle[T]) put(t *T) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.list) < idleLimit {
		i.list = append(i.list, t)
	}
}

// PacketPool recycles packets. The zero value is ready; it may be used from any goroutine.
type PacketPool struct{ idle idle[Packet] }

// Get returns a packet with one reference and Data of length n; its other fields are zero.
func (p *PacketPool) Get(n int) *Packet {
	k := p.idle.take()
	if k == nil {
		k = &Packet{pool: p}
	}
	if cap(k.Data) < n {
		// Key frames are many times larger than the others: round up, so that the
		// buffers of a pool soon fit them all.
		k.Data = make([]byte, n, n+n/2)
	}
	k.Data = k.Data[:n]
	k.refs.Store(1)
	return k
}

func (p *PacketPool) put(k *Packet) {
	k.Codec, k.Time, k.Duration, k.Key = "", time.Time{}, 0, false
	p.idle.put(k)
}

// FramePool recycles I420 frames of one size.
type FramePool struct {
	format Format
	idle   idle[Frame]
}

// NewFramePool returns a pool of I420 frames of this size and rate.
func NewFramePool(width, height, fps int) *FramePool {
	return &FramePool{format: Format{Pixel: I420, Width: width, Height: height, FPS: fps}}
}

// Get returns a frame with one reference; its pixels are those of an earlier use.
func (p *FramePool) Get() *Frame {
	f := p.idle.take()
	if f == nil {
		f = NewFrame(p.idle.put)
		w, h := p.format.Width, p.format.Height
		cw, ch := (w+1)/2, (h+1)/2
		buf := make([]byte, w*h+2*cw*ch)
		f.Format = p.format
		f.Planes = [3][]byte{buf[:w*h], buf[w*h : w*h+cw*ch], buf[w*h+cw*ch:]}
		f.Stride = [3]int{w, cw, cw}
	}
	f.refs.Store(1)
	return f
}

// CodedPool recycles frames that hold a coded picture. The zero value is ready; it may be
// used from any goroutine.
type CodedPool struct{ idle idle[Frame] }

// Get returns a frame of this format with one reference and a copy of data in plane 0.
func (p *CodedPool) Get(format Format, data []byte) *Frame {
	f := p.idle.take()
	if f == nil {
		f = NewFrame(p.idle.put)
	}
	f.Format, f.Time = format, time.Time{}
	f.Planes[0] = append(f.Planes[0][:0], data...)
	f.refs.Store(1)
	return f
}
