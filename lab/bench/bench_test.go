//go:build bench

package bench

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"intercom/capture"
	"intercom/capture/soft/openh264"
	"intercom/capture/soft/opus"
)

const (
	width, height = 1280, 720
	fps           = 30
	bitRate       = 1_500_000
	filmLength    = 30
	frames        = 75 // of a measurement
	rounds        = 3  // the median counts
)

// cost is what one frame took.
type cost struct {
	cpu    time.Duration
	allocs float64
}

// row is a line of the table.
type row struct {
	name  string
	run   func(testing.TB, *stock) cost
	limit float64 // of the ratio to the encoder alone; 0: none
	costs []cost
}

func (r *row) median() cost {
	c := slices.Clone(r.costs)
	slices.SortFunc(c, func(a, b cost) int { return int(a.cpu - b.cpu) })
	return c[len(c)/2]
}

// usage is the processor time and the allocations of this process so far.
func usage() (time.Duration, uint64) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), m.Mallocs
}

// measure takes the cost of a frame. step does one, at a camera's pace; the first second
// does not count.
func measure(step func(n int)) cost {
	runtime.GC()
	tick := time.NewTicker(time.Second / fps)
	defer tick.Stop()
	var cpu time.Duration
	var allocs uint64
	for n := range fps + frames {
		if n == fps {
			cpu, allocs = usage()
		}
		step(n)
		<-tick.C
	}
	c, a := usage()
	return cost{(c - cpu) / frames, float64(a-allocs) / frames}
}

// TestTable prints the table and fails if a ratio is beyond its limit.
func TestTable(t *testing.T) {
	s := newStock(t)
	rows := []*row{
		{name: "openh264 alone", run: encoderAlone},
		{name: "I420, 1 watcher", run: pipeline(capture.I420, 1), limit: 1.10},
		{name: "NV12, 1 watcher", run: pipeline(capture.NV12, 1), limit: 1.10},
		{name: "YUYV, 1 watcher", run: pipeline(capture.YUYV, 1), limit: 1.20},
		{name: "YUYV, 3 watchers", run: pipeline(capture.YUYV, 3)},
		{name: "MJPEG, 1 watcher", run: pipeline(capture.MJPEG, 1)},
		{name: "MJPEG, 3 watchers", run: pipeline(capture.MJPEG, 3)},
		{name: "H.264 passed through, 1 watcher", run: pipeline(capture.AVC, 1)},
		{name: "H.264 passed through, 3 watchers", run: pipeline(capture.AVC, 3)},
		{name: "pion/mediadevices, YUYV, 1 watcher", run: stockPipeline(1)},
		{name: "pion/mediadevices, YUYV, 3 watchers", run: stockPipeline(3)},
	}
	for range rounds { // all in each round, so that what else the machine does meets all
		for _, r := range rows {
			r.costs = append(r.costs, r.run(t, s))
		}
	}
	alone := rows[0].median().cpu
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "per frame of %dx%d, camera buffer to SRTP\tx encoder\tCPU ms\tallocations\tlimit\n", width, height)
	of := map[string]time.Duration{}
	for _, r := range rows {
		c := r.median()
		of[r.name] = c.cpu
		ratio, limit := float64(c.cpu)/float64(alone), ""
		if r.limit > 0 {
			limit = fmt.Sprintf("<= %.2f", r.limit)
			if ratio > r.limit {
				t.Errorf("%s: %.2f times the encoder alone, want at most %.2f", r.name, ratio, r.limit)
			}
		}
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.1f\t%s\n", r.name, ratio, float64(c.cpu.Microseconds())/1000, c.allocs, limit)
	}
	for name, one := range of {
		three, ok := of[strings.Replace(name, "1 watcher", "3 watchers", 1)]
		if ratio := float64(three) / float64(one); ok && ratio != 1 && strings.HasPrefix(name, "YUYV") {
			fmt.Fprintf(w, "YUYV, three watchers to one\t%.2f\t\t\t<= 1.25\n", ratio)
			if ratio > 1.25 {
				t.Errorf("three watchers cost %.2f times one, want at most 1.25", ratio)
			}
		}
	}
	sound := opusPeriod(t)
	fmt.Fprintf(w, "\t\t\t\t\nper 20 ms of sound\tx real time\tCPU ms\tallocations\t\n")
	fmt.Fprintf(w, "Opus, encoded\t%.4f\t%.3f\t%.1f\t\n", float64(sound.cpu)/float64(capture.Period), float64(sound.cpu.Microseconds())/1000, sound.allocs)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}

func encoderAlone(t testing.TB, s *stock) cost {
	e, err := openh264.NewEncoder(capture.Format{Pixel: capture.I420, Width: width, Height: height, FPS: fps}, func(*capture.Packet) {})
	must(t, err)
	defer e.Close()
	must(t, e.Set(capture.Target{BitRate: bitRate, FPS: fps}))
	return measure(func(n int) {
		f := s.film[n%len(s.film)]
		f.Time = time.Now()
		must(t, e.Encode(f))
	})
}

func opusPeriod(t testing.TB) cost {
	e, err := opus.NewEncoder()
	must(t, err)
	defer e.Close()
	pcm, out := make([]int16, capture.PeriodSamples), make([]byte, 1500)
	seed := uint32(1)
	for i := range pcm {
		seed = seed*1664525 + 1013904223
		pcm[i] = int16(seed>>20) - 2048 + int16(8000*(i%96)/96)
	}
	cpu, allocs := usage()
	const periods = 500
	for range periods {
		_, err := e.Encode(pcm, out)
		must(t, err)
	}
	c, a := usage()
	return cost{(c - cpu) / periods, float64(a-allocs) / periods}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
