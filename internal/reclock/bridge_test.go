package reclock

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

const (
	rate     = 48000
	written  = 960 // at a time
	read     = 480
	delay    = 1920
	writeGap = written * time.Second / rate
)

func newBridge(t testing.TB, skew float64) *Bridge {
	t.Helper()
	b, err := New(Config{Rate: rate, Delay: delay, Skew: skew})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNew(t *testing.T) {
	for _, c := range []Config{{}, {Rate: rate}, {Delay: delay}, {Rate: rate, Delay: rate + 1}, {Rate: rate, Delay: delay, Skew: 0.01}, {Rate: rate, Delay: delay, Skew: math.NaN()}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

// clocks runs a bridge between two clocks: who writes has the true one, and is a skew faster
// than who reads. Both are late at times. Each gets the samples' number and the time.
func clocks(b *Bridge, skew float64, length time.Duration, write func(n int, now time.Duration), read func(n int, now time.Duration)) {
	r := rand.New(rand.NewPCG(1, 2))
	late := func() time.Duration {
		d := time.Duration(r.ExpFloat64() * float64(200*time.Microsecond))
		if r.IntN(100) == 0 {
			d += 3 * time.Millisecond
		}
		return min(d, 8*time.Millisecond)
	}
	w, k := 0, 0
	for {
		nextWrite := time.Duration(w+1) * writeGap
		nextRead := time.Duration(float64(k) * float64(writeGap) / 2 * (1 + skew))
		if min(nextWrite, nextRead) > length {
			return
		}
		if nextWrite <= nextRead {
			write(w, nextWrite+late())
			w++
		} else {
			read(k, nextRead+late())
			k++
		}
	}
}

// TestSkew: whatever the clocks are, for five minutes the delay is what it should be,
// nothing is lost, and the skew is found. At 8 kHz, for it is much work.
func TestSkew(t *testing.T) {
	for _, skew := range []float64{0, 200e-6, -200e-6, 1000e-6, -1000e-6} {
		const rate, written, read = rate / 6, written / 6, read / 6
		b, err := New(Config{Rate: rate, Delay: delay / 6})
		if err != nil {
			t.Fatal(err)
		}
		in, out := make([]int16, written), make([]int16, read)
		least, most, worst := math.Inf(1), 0.0, 0.0
		clocks(b, skew, 5*time.Minute, func(_ int, now time.Duration) { b.Write(in, now) }, func(k int, now time.Duration) {
			b.Read(out, now)
			if now < time.Second {
				return
			}
			// Of the sound that is due now by the true clock, so much was not read.
			true := float64(k+1) * read * (1 + skew)
			held := true - float64(b.taken) + b.resampler.left()
			least, most = min(least, held), max(most, held)
			if now > time.Minute {
				worst = max(worst, math.Abs(b.loop.skew-skew))
			}
		})
		s := b.Stats()
		t.Logf("skew %+5.0f millionths: found %+7.1f, off by %.1f at most after a minute; delay from %.1f to %.1f ms", skew*1e6, s.Skew*1e6, worst*1e6, least/rate*1000, most/rate*1000)
		if s.Dry > 0 || s.Drowned > 0 {
			t.Errorf("skew %v: dry %d and drowned %d times", skew, s.Dry, s.Drowned)
		}
		if math.Abs(s.Skew-skew) > 3e-6 || worst > 10e-6 {
			t.Errorf("skew %v: found %v, off by %v at most", skew, s.Skew, worst)
		}
		if most-least > 2.5*rate/1000 {
			t.Errorf("skew %v: the delay is from %.1f to %.1f ms, want it constant within 2.5 ms", skew, least/rate*1000, most/rate*1000)
		}
	}
}

// TestSound: a note is as clean as it was.
func TestSound(t *testing.T) {
	const hz, skew = 1000.0, 400e-6
	b := newBridge(t, skew)
	in, out := make([]int16, written), make([]int16, read)
	var heard []float64
	clocks(b, skew, 40*time.Second, func(n int, now time.Duration) {
		for i := range in {
			in[i] = int16(math.Round(10000 * math.Sin(2*math.Pi*hz*float64(n*written+i)/rate)))
		}
		b.Write(in, now)
	}, func(_ int, now time.Duration) {
		b.Read(out, now)
		if now > 30*time.Second {
			for _, s := range out {
				heard = append(heard, float64(s))
			}
		}
	})
	// Take the note out, a tenth of a second at a time: the loop may change its pitch by
	// some millionths.
	const part = rate / 10
	whole, rest := 0.0, 0.0
	for ; len(heard) >= part; heard = heard[part:] {
		s, c := 0.0, 0.0
		w := 2 * math.Pi * hz * (1 + skew) / rate
		for i, v := range heard[:part] {
			s, c = s+v*math.Sin(w*float64(i)), c+v*math.Cos(w*float64(i))
		}
		s, c = 2*s/part, 2*c/part
		for i, v := range heard[:part] {
			d := v - s*math.Sin(w*float64(i)) - c*math.Cos(w*float64(i))
			whole, rest = whole+v*v, rest+d*d
		}
	}
	db := 10 * math.Log10(rest/whole)
	t.Logf("what is not the note: %.0f dB", db)
	if db > -50 {
		t.Errorf("what is not the note: %.0f dB, want -50 at most", db)
	}
}

// TestStandstill: a side that stands still costs sound, not memory, and no delay afterwards.
func TestStandstill(t *testing.T) {
	b := newBridge(t, 0)
	in, out := make([]int16, written), make([]int16, read)
	still := func(now time.Duration, from, to int) bool {
		return now > time.Duration(from)*time.Second && now < time.Duration(to)*time.Second
	}
	var held float64
	clocks(b, 0, 40*time.Second, func(_ int, now time.Duration) {
		if !still(now, 10, 12) {
			b.Write(in, now)
		}
	}, func(_ int, now time.Duration) {
		if !still(now, 20, 22) {
			held, _ = b.held(now)
			b.Read(out, now)
		}
	})
	if s := b.Stats(); s.Dry != 1 || s.Drowned != 1 || math.Abs(s.Skew) > 50e-6 {
		t.Errorf("%+v, want it dry and drowned once", s)
	}
	if math.Abs(held-delay) > delay/4 {
		t.Errorf("%.0f samples are held in the end, want about %d", held, delay)
	}
}

// TestThreads: two sides at once.
func TestThreads(t *testing.T) {
	b := newBridge(t, 0)
	var both sync.WaitGroup
	both.Go(func() {
		in := make([]int16, written)
		for n := range 500 {
			b.Write(in, time.Duration(n)*writeGap)
		}
	})
	both.Go(func() {
		out := make([]int16, read)
		for n := range 1000 {
			b.Read(out, time.Duration(n)*writeGap/2)
			b.Stats()
		}
	})
	both.Wait()
}

func TestAllocs(t *testing.T) {
	b := newBridge(t, 0)
	in, out := make([]int16, written), make([]int16, 2000)
	now := time.Duration(0)
	if got := testing.AllocsPerRun(200, func() {
		now += writeGap
		b.Write(in, now)
		b.Read(out[:written], now)
	}); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
	for _, n := range []int{0, 1, 7, 511, 513, 2000} {
		b.Write(in, now)
		b.Write(in, now)
		b.Read(out[:n], now)
	}
}

func BenchmarkRead(bench *testing.B) {
	b := newBridge(bench, 100e-6)
	in, out := make([]int16, written), make([]int16, written)
	now := time.Duration(0)
	for bench.Loop() {
		now += writeGap
		b.Write(in, now)
		b.Read(out, now)
	}
}
