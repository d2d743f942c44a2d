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

// poolSize bounds what a pool keeps: more than the frames or packets in flight of any
// device, few enough that a burst is given back to the collector.
const poolSize = 64

// PacketPool recycles packets. The zero value is ready; it may be used from any goroutine.
type PacketPool struct {
	mu   sync.Mutex
	idle []*Packet
}

// Get returns a packet with one reference and Data of length n; its other fields are zero.
func (p *PacketPool) Get(n int) *Packet {
	p.mu.Lock()
	var k *Packet
	if l := len(p.idle); l > 0 {
		k, p.idle = p.idle[l-1], p.idle[:l-1]
	}
	p.mu.Unlock()
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
	p.mu.Lock()
	if len(p.idle) < poolSize {
		p.idle = append(p.idle, k)
	}
	p.mu.Unlock()
}

// FramePool recycles I420 frames of one size.
type FramePool struct {
	format Format
	mu     sync.Mutex
	idle   []*Frame
}

// NewFramePool returns a pool of I420 frames of this size and rate.
func NewFramePool(width, height, fps int) *FramePool {
	return &FramePool{format: Format{Pixel: I420, Width: width, Height: height, FPS: fps}}
}

// Get returns a frame with one reference; its pixels are those of an earlier use.
func (p *FramePool) Get() *Frame {
	p.mu.Lock()
	var f *Frame
	if l := len(p.idle); l > 0 {
		f, p.idle = p.idle[l-1], p.idle[:l-1]
	}
	p.mu.Unlock()
	if f == nil {
		f = NewFrame(p.put)
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

func (p *FramePool) put(f *Frame) {
	p.mu.Lock()
	if len(p.idle) < poolSize {
		p.idle = append(p.idle, f)
	}
	p.mu.Unlock()
}

// CodedPool recycles frames that hold a coded picture. The zero value is ready; it may be
// used from any goroutine.
type CodedPool struct {
	mu   sync.Mutex
	idle []*Frame
}

// Get returns a frame of this format with one reference and a copy of data in plane 0.
func (p *CodedPool) Get(format Format, data []byte) *Frame {
	p.mu.Lock()
	var f *Frame
	if l := len(p.idle); l > 0 {
		f, p.idle = p.idle[l-1], p.idle[:l-1]
	}
	p.mu.Unlock()
	if f == nil {
		f = NewFrame(p.put)
	}
	f.Format, f.Time = format, time.Time{}
	f.Planes[0] = append(f.Planes[0][:0], data...)
	f.refs.Store(1)
	return f
}

func (p *CodedPool) put(f *Frame) {
	p.mu.Lock()
	if len(p.idle) < poolSize {
		p.idle = append(p.idle, f)
	}
	p.mu.Unlock()
}
