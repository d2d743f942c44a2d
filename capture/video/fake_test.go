package video

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"intercom/capture"
)

var vga = capture.Format{Pixel: capture.I420, Width: 32, Height: 32, FPS: 20}

// camera is a fake: it delivers numbered frames and counts what is held of them.
type camera struct {
	format capture.Format
	fail   chan error // what Run returns with
	opened int
	live   atomic.Int64 // frames not given back
}

func newCamera() *camera { return &camera{format: vga, fail: make(chan error)} }

func (c *camera) Run(ctx context.Context, out func(*capture.Frame)) error {
	c.opened++
	tick := time.NewTicker(time.Second / time.Duration(c.format.FPS))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-c.fail:
			return err
		case now := <-tick.C:
			c.live.Add(1)
			f := capture.NewFrame(func(*capture.Frame) { c.live.Add(-1) })
			f.Format, f.Time = c.format, now
			f.Planes[0], f.Stride[0] = make([]byte, c.format.Width*c.format.Height), c.format.Width
			out(f)
			f.Release()
		}
	}
}

// encoder is a fake: a packet of one byte a frame, its number.
type encoder struct {
	out    func(*capture.Packet)
	pool   capture.PacketPool
	format capture.Format
	took   time.Duration // to encode
	err    atomic.Value  // error of Encode
	sets   []capture.Target
	keys   []time.Time // when key frames were made
	n      int
	key    bool
	closed bool
}

func (e *encoder) Encode(f *capture.Frame) error {
	time.Sleep(e.took)
	if err := e.err.Load(); err != nil {
		return err.(error)
	}
	p := e.pool.Get(1)
	p.Data[0] = byte(e.n)
	p.Time, p.Key, p.Duration = f.Time, e.key || e.n == 0, time.Second/20
	if p.Key {
		e.keys = append(e.keys, time.Now())
	}
	e.n++
	e.key = false
	e.out(p)
	p.Release()
	return nil
}

func (e *encoder) Set(t capture.Target) error {
	e.sets = append(e.sets, t)
	e.key = e.key || t.KeyFrame
	return nil
}

func (e *encoder) Close() error { e.closed = true; return nil }

// bench is a running source with fakes around it.
type bench struct {
	*Source
	mu       sync.Mutex // of what follows; a test may read after synctest.Wait without it
	camera   *camera
	encoders map[capture.Codec][]*encoder // made so far
	took     time.Duration                // of encoders to be made
	openErr  error                        // of encoders to be made
	reports  []string
	stop     func()
}

// newBench is called in a bubble. The caller calls stop.
func newBench(t *testing.T, change func(*Config)) *bench {
	b := &bench{camera: newCamera(), encoders: make(map[capture.Codec][]*encoder)}
	newEncoder := func(codec capture.Codec) capture.NewEncoder {
		return func(f capture.Format, out func(*capture.Packet)) (capture.Encoder, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.openErr != nil {
				return nil, b.openErr
			}
			e := &encoder{out: out, format: f, took: b.took}
			b.encoders[codec] = append(b.encoders[codec], e)
			return e, nil
		}
	}
	cfg := Config{
		Camera: b.camera,
		Encoders: map[capture.Codec]capture.NewEncoder{
			capture.VP8: newEncoder(capture.VP8), capture.H264: newEncoder(capture.H264),
		},
		Report: func(err error) {
			if err == nil {
				err = errors.New("well")
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			b.reports = append(b.reports, err.Error())
		},
	}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.Source = s
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	b.stop = func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v, want the context's error", err)
		}
		if s.On() {
			t.Error("the camera is on after Run")
		}
		if n := b.camera.live.Load(); n != 0 {
			t.Errorf("%d frames were not given back", n)
		}
	}
	synctest.Wait()
	return b
}

func (b *bench) open(t *testing.T, codec capture.Codec) capture.Feed {
	t.Helper()
	f, err := b.Open(codec)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// next reads a packet that must come within a second.
func next(t *testing.T, f capture.Feed) (n int, key bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	p, err := f.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	return int(p.Data[0]), p.Key
}
