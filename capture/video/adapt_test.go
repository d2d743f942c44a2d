package video

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"intercom/capture"
)

// pictures counts what a feed gets in a while, and whether the first is a key frame.
func pictures(t *testing.T, f capture.Feed, d time.Duration) (n int, key bool) {
	t.Helper()
	for end := time.After(d); ; {
		select {
		case <-end:
			return n, key
		case <-time.After(10 * time.Millisecond):
		}
		for {
			p, err := f.(*feed).pop()
			if err != nil {
				t.Fatal(err)
			}
			if p == nil {
				break
			}
			key = key || n == 0 && p.Key
			n++
			p.Release()
		}
	}
}

// TestHopelessWatcher: two whose networks are fast are held back by a third one for a few
// seconds, and not far; then it rests. When its network is better it gets pictures again,
// and when that was a mistake it rests for longer.
func TestHopelessWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.BitRate = 1_000_000 })
		defer b.stop()
		feeds := []capture.Feed{b.open(t, capture.VP8), b.open(t, capture.VP8), b.open(t, capture.VP8)}
		fast, slow := feeds[0], feeds[2]
		rate := func() int {
			last := 0
			for _, s := range b.encoders[capture.VP8][0].sets {
				if s.BitRate != 0 {
					last = s.BitRate
				}
			}
			return last
		}
		fast.Demand(capture.Demand{BitRate: 2_000_000})
		feeds[1].Demand(capture.Demand{BitRate: 3_000_000})
		slow.Demand(capture.Demand{BitRate: 600_000})
		pictures(t, slow, time.Second)
		if got := rate(); got != 600_000 {
			t.Errorf("%d bit/s, want what the slowest has", got)
		}
		slow.Demand(capture.Demand{BitRate: 40_000})
		if n, _ := pictures(t, slow, restAfter-time.Second); n < 30 || rate() != 1_000_000/maxPull {
			t.Errorf("%d pictures with %d bit/s, want them all, with a quarter of the fastest's", n, rate())
		}
		pictures(t, slow, 2*time.Second)
		if n, _ := pictures(t, slow, 5*time.Second); n != 0 || rate() != 1_000_000 {
			t.Errorf("%d pictures while it rests, and the others have %d bit/s", n, rate())
		}
		pictures(t, fast, time.Second)
		keys := len(b.encoders[capture.VP8][0].keys)
		if n, _ := pictures(t, fast, 5*time.Second); n < 90 || len(b.encoders[capture.VP8][0].keys) != keys {
			t.Errorf("%d pictures in 5s, %d key frames: others are disturbed", n, len(b.encoders[capture.VP8][0].keys)-keys)
		}
		slow.Demand(capture.Demand{BitRate: 400_000})
		if n, key := pictures(t, slow, time.Second); n < 15 || !key || rate() != 400_000 {
			t.Errorf("%d pictures, a key frame first: %t, with %d bit/s", n, key, rate())
		}
		slow.Demand(capture.Demand{BitRate: 40_000})
		pictures(t, slow, restAfter+time.Second)
		slow.Demand(capture.Demand{BitRate: 400_000})
		if n, _ := pictures(t, slow, restFirst+restFirst/2); n != 0 {
			t.Errorf("%d pictures: the second rest is no longer than the first", n)
		}
		if n, _ := pictures(t, slow, restFirst); n == 0 {
			t.Error("no pictures after the second rest")
		}
		for _, f := range feeds {
			f.Close()
		}
	})
}

// TestLoneWatcher rests for 2 s first, then for longer, but never for more than 15 s.
func TestLoneWatcher(t *testing.T) {
	var r rest
	now := time.Now()
	until := func(want bool, bits int) time.Duration {
		start := now
		for resting := !want; resting != want; now = now.Add(100 * time.Millisecond) {
			if resting = r.judge(resting, true, bits, loneBitRate, now); now.Sub(start) > time.Minute {
				t.Fatalf("not %t in a minute", want)
			}
		}
		return now.Sub(start).Round(time.Second)
	}
	for i, want := range []time.Duration{2, 4, 8, 15, 15} {
		until(true, loneBitRate/2)
		if got := until(false, 2*loneBitRate); got != want*time.Second {
			t.Errorf("rest %d takes %v, want %d s", i, got, want)
		}
	}
}

// TestShapes: as the bit rate falls there are fewer frames, then smaller ones, and back, and
// nothing changes for a moment's sake.
func TestShapes(t *testing.T) {
	format := capture.Format{Pixel: capture.I420, Width: 640, Height: 480, FPS: 20}
	var s shaper
	now := time.Now()
	for i, step := range []struct {
		rate int
		d    time.Duration
		want shape
	}{
		{1_000_000, 10 * time.Second, fullShape},
		{100_000, fallAfter / 2, fullShape},
		{400_000, fallAfter, fullShape},
		{100_000, 20 * time.Second, fewerShape},
		{60_000, 10 * time.Second, smallShape},
		{100_000, 20 * time.Second, smallShape}, // enough, but hardly
		{140_000, riseAfter / 2, smallShape},
		{140_000, riseAfter, fewerShape},
		{1_000_000, riseAfter + time.Second, fullShape},
	} {
		for end := now.Add(step.d); now.Before(end); now = now.Add(50 * time.Millisecond) {
			s.choose(format, step.rate, now)
		}
		if s.shape != step.want {
			t.Errorf("step %d, %d bit/s for %v: %v, want %v", i, step.rate, step.d, s.shape, step.want)
		}
	}
}

// TestShapeOfPackets: the encoder is told of half the frames, and made again for small ones.
func TestShapeOfPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		big := capture.Format{Pixel: capture.I420, Width: 640, Height: 480, FPS: 20}
		pool := capture.NewFramePool(big.Width, big.Height, big.FPS)
		var made []*encoder
		src, err := New(Config{Camera: newCamera(), Encoders: map[capture.Codec]capture.NewEncoder{
			capture.VP8: func(f capture.Format, out func(*capture.Packet)) (capture.Encoder, error) {
				made = append(made, &encoder{out: out, format: f})
				return made[len(made)-1], nil
			},
		}})
		if err != nil {
			t.Fatal(err)
		}
		l := newLane(src, capture.VP8, src.cfg.Encoders[capture.VP8])
		f := newFeed(l)
		l.add(f)
		play := func(d time.Duration) int {
			n := 0
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second / 20) {
				frame := pool.Get()
				frame.Time = time.Now()
				if err := l.encode(frame); err != nil {
					t.Fatal(err)
				}
				frame.Release()
				for {
					p, err := f.pop()
					if err != nil {
						t.Fatal(err)
					}
					if p == nil {
						break
					}
					n++
					p.Release()
				}
			}
			return n
		}
		f.Demand(capture.Demand{BitRate: 100_000})
		play(2 * time.Second)
		if n := play(4 * time.Second); n < 38 || n > 60 {
			t.Errorf("%d pictures in 4s, want half of them", n)
		}
		if got := made[0].sets; !slices.ContainsFunc(got, func(t capture.Target) bool { return t.FPS == 10 }) {
			t.Errorf("the encoder was told %+v, not that there are 10 frames a second", got)
		}
		f.Demand(capture.Demand{BitRate: 60_000})
		play(2 * time.Second)
		if got := made[len(made)-1].format; got.Width != 320 || got.Height != 240 || got.FPS != 10 {
			t.Errorf("the encoder is for %+v, want 320x240 at 10", got)
		}
	})
}

// TestHalve: a pixel is the mean of four, in all planes, and no memory is taken.
func TestHalve(t *testing.T) {
	l := &lane{shaper: shaper{shape: smallShape}}
	pool := capture.NewFramePool(642, 482, 20)
	f := pool.Get()
	defer f.Release()
	for i, p := range f.Planes {
		for at := range p { // 6 or 103 in the mean, by columns of two
			p[at] = [2][4]byte{{0, 4, 100, 102}, {8, 12, 104, 106}}[at/f.Stride[i]%2][at%f.Stride[i]%4]
		}
	}
	l.fit(f).Release()
	if n := testing.AllocsPerRun(20, func() { l.fit(f).Release() }); n != 0 {
		t.Errorf("%v allocations a picture", n)
	}
	small := l.fit(f)
	defer small.Release()
	if err := small.CheckI420(320, 240); err != nil {
		t.Error(err)
	}
	for i, p := range small.Planes {
		for at, got := range p {
			if want := [2]byte{6, 103}[at%small.Stride[i]%2]; got != want {
				t.Fatalf("plane %d has %d at %d, want %d", i, got, at, want)
			}
		}
	}
}

func BenchmarkHalve(b *testing.B) {
	l := &lane{shaper: shaper{shape: smallShape}}
	f := capture.NewFramePool(1280, 720, 20).Get()
	for b.Loop() {
		l.fit(f).Release()
	}
}
