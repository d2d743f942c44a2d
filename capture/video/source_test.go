package video

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"intercom/capture"
)

func TestNew(t *testing.T) {
	enc := func(capture.Format, func(*capture.Packet)) (capture.Encoder, error) { return nil, nil }
	good := func() Config {
		return Config{Camera: newCamera(), Encoders: map[capture.Codec]capture.NewEncoder{capture.VP8: enc}}
	}
	for name, spoil := range map[string]func(*Config){
		"no camera":   func(c *Config) { c.Camera = nil },
		"no encoders": func(c *Config) { c.Encoders = nil },
		"nil encoder": func(c *Config) { c.Encoders[capture.H264] = nil },
		"sound":       func(c *Config) { c.Encoders[capture.Opus] = enc },
		"bit rate":    func(c *Config) { c.BitRate = 1000 },
	} {
		c := good()
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	s, err := New(good())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(capture.VP8); !errors.Is(err, capture.ErrNotRunning) {
		t.Errorf("open before Run: %v, want ErrNotRunning", err)
	}
	if _, err := s.Open(capture.H264); err == nil || errors.Is(err, capture.ErrNotRunning) {
		t.Errorf("open a codec without encoder: %v", err)
	}
}

func TestFirstOpensLastCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.stop()
		time.Sleep(time.Second)
		if b.On() || b.camera.opened != 0 {
			t.Error("the camera is on and nobody watches")
		}
		one, two := b.open(t, capture.VP8), b.open(t, capture.VP8)
		other := b.open(t, capture.H264)
		for _, f := range []capture.Feed{one, two, other} {
			if _, key := next(t, f); !key {
				t.Error("a feed does not begin with a key frame")
			}
		}
		if !b.On() || b.camera.opened != 1 {
			t.Errorf("camera on %v, opened %d times, want once", b.On(), b.camera.opened)
		}
		if v, h := len(b.encoders[capture.VP8]), len(b.encoders[capture.H264]); v != 1 || h != 1 {
			t.Errorf("%d VP8 and %d H.264 encoders, want one of each", v, h)
		}
		two.Close()
		other.Close()
		other.Close()
		synctest.Wait()
		if !b.On() || b.encoders[capture.VP8][0].closed || !b.encoders[capture.H264][0].closed {
			t.Error("want the camera and VP8 on, H.264 closed")
		}
		next(t, one)
		one.Close()
		synctest.Wait()
		if b.On() || !b.encoders[capture.VP8][0].closed {
			t.Error("the last watcher has gone and something is on")
		}
		if _, err := one.Next(t.Context()); !errors.Is(err, capture.ErrClosed) {
			t.Errorf("next after close: %v, want ErrClosed", err)
		}
		again := b.open(t, capture.VP8)
		if _, key := next(t, again); !key || b.camera.opened != 2 {
			t.Errorf("second call: key frame %v, camera opened %d times", key, b.camera.opened)
		}
		again.Close()
	})
}

func TestOpenAndCloseAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.stop()
		for range 20 {
			f := b.open(t, capture.VP8)
			f.Close()
			g := b.open(t, capture.VP8)
			next(t, g)
			g.Close()
		}
		synctest.Wait()
		if b.On() {
			t.Error("the camera is on and nobody watches")
		}
	})
}

func TestRunEndsFeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		f := b.open(t, capture.VP8)
		next(t, f)
		failed := make(chan error)
		go func() {
			for {
				p, err := f.Next(context.Background())
				if err != nil {
					failed <- err
					return
				}
				p.Release()
			}
		}()
		b.stop()
		if err := <-failed; !errors.Is(err, capture.ErrClosed) {
			t.Errorf("next after Run: %v, want ErrClosed", err)
		}
		if _, err := b.Open(capture.VP8); !errors.Is(err, capture.ErrNotRunning) {
			t.Errorf("open after Run: %v, want ErrNotRunning", err)
		}
		f.Demand(capture.Demand{KeyFrame: true})
		f.Close()
	})
}

func TestLateWatcherSkipsToKeyFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.stop()
		late, prompt := b.open(t, capture.VP8), b.open(t, capture.VP8)
		defer late.Close()
		defer prompt.Close()
		next(t, late)
		last := -1
		for range 40 {
			n, _ := next(t, prompt)
			if last >= 0 && n != last+1 {
				t.Fatalf("the prompt watcher got %d after %d", n, last)
			}
			last = n
		}
		// The others are not burdened with key frames that it would not read.
		if keys := b.encoders[capture.VP8][0].keys; len(keys) != 1 {
			t.Errorf("%d key frames while it did not read, want the first only", len(keys))
		}
		// What it gets now is new, begins with a key frame, and has no gap.
		n, key := next(t, late)
		if n != last+1 || !key {
			t.Errorf("after 2 s the late watcher got packet %d, key frame %v, want the next, %d, a key frame", n, key, last+1)
		}
		for range 5 {
			m, _ := next(t, late)
			if m != n+1 {
				t.Fatalf("the late watcher got %d after %d", m, n)
			}
			n = m
		}
		if got := b.Stats().Dropped; got < 35 || got > 40 {
			t.Errorf("%d counted as dropped, want nearly 40", got)
		}
	})
}

func TestKeyFrameRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.stop()
		f := b.open(t, capture.VP8)
		defer f.Close()
		next(t, f)
		for range 20 {
			if _, key := next(t, f); key {
				t.Fatal("a key frame that nobody asked for")
			}
		}
		f.Demand(capture.Demand{KeyFrame: true})
		if _, key := next(t, f); !key {
			t.Error("the frame after the first request is no key frame")
		}
		// A storm: one request a frame for two seconds.
		keys := 0
		for range 40 {
			f.Demand(capture.Demand{KeyFrame: true})
			if _, key := next(t, f); key {
				keys++
			}
		}
		if keys < 5 || keys > 8 {
			t.Errorf("%d key frames in 2 s of requests, want one each 250 ms or so", keys)
		}
		for range 10 {
			next(t, f)
		}
		// A newcomer does not wait for the gap.
		f.Demand(capture.Demand{KeyFrame: true})
		next(t, f)
		g := b.open(t, capture.VP8)
		defer g.Close()
		before := time.Now()
		if _, key := next(t, g); !key || time.Since(before) > 50*time.Millisecond {
			t.Errorf("a newcomer waited %v, key frame %v", time.Since(before), key)
		}
	})
}

func TestBitRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.BitRate = 900_000 })
		defer b.stop()
		f, g := b.open(t, capture.VP8), b.open(t, capture.VP8)
		defer f.Close()
		var got []int
		step := func() {
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			got = got[:0]
			for _, s := range b.encoders[capture.VP8][0].sets {
				if s.BitRate != 0 {
					got = append(got, s.BitRate)
				}
			}
		}
		step()
		f.Demand(capture.Demand{BitRate: 700_000})
		step()
		g.Demand(capture.Demand{BitRate: 500_000})
		step()
		f.Demand(capture.Demand{BitRate: 400_000})
		g.Demand(capture.Demand{BitRate: 10_000})
		step()
		g.Close()
		step()
		f.Demand(capture.Demand{BitRate: 5_000_000})
		step()
		want := []int{900_000, 700_000, 500_000, minBitRate, 400_000, 900_000}
		if !slices.Equal(got, want) {
			t.Errorf("bit rates %v, want %v", got, want)
		}
	})
}

func TestSlowEncoderGetsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.took = 120 * time.Millisecond // of a frame each 50 ms
		defer b.stop()
		f := b.open(t, capture.VP8)
		defer f.Close()
		ctx := t.Context()
		for i := range 30 {
			p, err := f.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if age := time.Since(p.Time); age > 50*time.Millisecond+b.took {
				t.Errorf("packet %d was captured %v ago", i, age)
			}
			p.Release()
		}
		if s := b.Stats(); s.Passed == 0 || s.Frames < 2*s.Packets {
			t.Errorf("%+v: want the camera to go on and frames to be passed over", s)
		}
		// And it is told its real rate.
		if !slices.ContainsFunc(b.encoders[capture.VP8][0].sets, func(t capture.Target) bool { return t.FPS >= 7 && t.FPS <= 9 }) {
			t.Errorf("targets %v, want a frame rate of 8", b.encoders[capture.VP8][0].sets)
		}
	})
}

func TestCameraLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.stop()
		f := b.open(t, capture.VP8)
		defer f.Close()
		next(t, f)
		gone := errors.New("unplugged")
		for range 5 {
			b.camera.fail <- gone
			time.Sleep(5 * time.Second)
			next(t, f)
		}
		b.camera.format.Width = 64 // it comes back with another picture
		b.camera.fail <- nil
		time.Sleep(5 * time.Second)
		next(t, f)
		synctest.Wait()
		enc := b.encoders[capture.VP8]
		if len(enc) != 2 || !enc[0].closed || enc[1].format != b.camera.format {
			t.Errorf("%d encoders, want a second one for the new format", len(enc))
		}
		if len(b.reports) != 12 || b.reports[0] != "camera: unplugged" || b.reports[10] != "camera: it ended" || b.reports[11] != "well" {
			t.Errorf("reports %q", b.reports)
		}
	})
}

// TestCameraNeverOpens: attempts become rarer, and the camera can still be turned off.
func TestCameraNeverOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Camera = broken{} })
		defer b.stop()
		f := b.open(t, capture.VP8)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(b.reports); n < 20 || n > 150 { // each after 0 to 2 s
			t.Errorf("%d attempts in a minute", n)
		}
		f.Close()
		synctest.Wait()
		if b.On() {
			t.Error("the camera is on")
		}
	})
}

type broken struct{}

func (broken) Run(context.Context, func(*capture.Frame)) error { return errors.New("busy") }

func TestEncoderFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.stop()
		b.openErr = errors.New("no memory")
		f := b.open(t, capture.VP8)
		defer f.Close()
		time.Sleep(3500 * time.Millisecond)
		b.mu.Lock()
		b.openErr = nil
		b.mu.Unlock()
		if _, key := next(t, f); !key {
			t.Error("no key frame when the encoder opens at last")
		}
		synctest.Wait()
		b.encoders[capture.VP8][0].err.Store(errors.New("wedged"))
		time.Sleep(time.Second)
		for {
			if _, key := next(t, f); key {
				break
			}
		}
		synctest.Wait()
		want := []string{"video/VP8 encoder: no memory", "well", "video/VP8 encoder: wedged", "well"}
		if got := slices.Compact(slices.Clone(b.reports)); !slices.Equal(got, want) {
			t.Errorf("reports %q, want %q", got, want)
		}
		if len(b.encoders[capture.VP8]) != 2 || !b.encoders[capture.VP8][0].closed {
			t.Error("want the wedged encoder closed and a second one")
		}
	})
}

// TestFormatIsExpected: the encoder is there before the first frame.
func TestFormatIsExpected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Format = vga })
		defer b.stop()
		f := b.open(t, capture.VP8)
		defer f.Close()
		synctest.Wait()
		if n := len(b.encoders[capture.VP8]); n != 1 || b.Stats().Frames != 0 {
			t.Errorf("%d encoders at %d frames, want one before the first", n, b.Stats().Frames)
		}
		next(t, f)
		if n := len(b.encoders[capture.VP8]); n != 1 {
			t.Errorf("%d encoders, want the one", n)
		}
	})
}

func TestPacketsComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		f, g := b.open(t, capture.VP8), b.open(t, capture.VP8)
		var held []*capture.Packet
		for range 5 {
			p, err := f.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, p)
		}
		f.Close()
		g.Close() // with packets in its queue
		b.stop()
		for i, p := range held { // what the reader has stays its own
			if int(p.Data[0]) != i {
				t.Errorf("packet %d was overwritten with %d", i, p.Data[0])
			}
			p.Release()
		}
	})
}

// TestAllocs: nothing is allocated between a camera's frame and a watcher's packet, whether it
// is coded here, one or three watch, or it came coded. A packet of the feed is what a call's
// track takes; capture/v4l2, the encoders and callcore have such tests of their parts.
func TestAllocs(t *testing.T) {
	raw := capture.NewFramePool(vga.Width, vga.Height, vga.FPS).Get()
	for _, tt := range []struct {
		name     string
		codec    capture.Codec
		frames   []*capture.Frame
		watchers int
	}{
		{"raw", capture.VP8, []*capture.Frame{raw}, 1},
		{"raw, 3 watchers", capture.VP8, []*capture.Frame{raw}, 3},
		{"passed through", capture.H264, []*capture.Frame{coded(aud, sps, pps, idr), coded(slice), coded(idr)}, 1},
		{"passed through, 3 watchers", capture.H264, []*capture.Frame{coded(aud, sps, pps, idr), coded(slice), coded(idr)}, 3},
	} {
		b, err := New(Config{Camera: newCamera(), Encoders: map[capture.Codec]capture.NewEncoder{
			capture.VP8: func(f capture.Format, out func(*capture.Packet)) (capture.Encoder, error) {
				return &encoder{out: out, keys: make([]time.Time, 0, 1000), sets: make([]capture.Target, 0, 1000)}, nil
			},
			capture.H264: Passthrough,
		}})
		if err != nil {
			t.Fatal(err)
		}
		b.running = true
		var watchers []capture.Feed
		for range tt.watchers {
			w, err := b.Open(tt.codec)
			if err != nil {
				t.Fatal(err)
			}
			watchers = append(watchers, w)
		}
		l := watchers[0].(*feed).lane
		ctx, n := t.Context(), 0
		if got := testing.AllocsPerRun(100, func() {
			b.deliver(tt.frames[n%len(tt.frames)])
			n++
			f := l.box.take()
			l.work(f)
			f.Release()
			for _, w := range watchers {
				p, err := w.Next(ctx)
				if err != nil {
					t.Fatal(err)
				}
				p.Release()
			}
		}); got != 0 {
			t.Errorf("%s: %v allocations from frame to packet, want 0", tt.name, got)
		}
	}
}
