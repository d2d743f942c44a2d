//go:build bench

package bench

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"testing"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"intercom/capture"
	"intercom/capture/soft/openh264"
)

const (
	width, height = 1280, 720
	fps           = 30
	bitRate       = 1_500_000
	filmLength    = 30
	settle        = fps // pictures that do not count: the first is a key frame, and rates settle
	frames        = 90  // of a measurement
	rounds        = 4
)

// bed is a pipeline under measurement.
type bed struct {
	step  func(n int) // takes picture n to all who watch, and returns when they have it
	close func()
}

// cost is what a picture took.
type cost struct {
	cpu    time.Duration
	ratio  float64 // to the encoder alone, of the same pictures, a moment before or after
	allocs float64
}

// row is a line of the table.
type row struct {
	name  string
	make  func(testing.TB, *stock) *bed
	limit float64 // of the ratio; 0: none
	frees bool    // of allocations: there must be none
	costs []cost  // of two pictures each; of all of a round what is allocated
}

// median is of each column.
func (r *row) median() (c cost) {
	c.cpu = time.Duration(median(r.costs, func(c cost) float64 { return float64(c.cpu) }))
	c.ratio = median(r.costs, func(c cost) float64 { return c.ratio })
	c.allocs = median(r.costs, func(c cost) float64 { return c.allocs })
	return c
}

func median(all []cost, of func(cost) float64) float64 {
	values := sorted(all, of)
	return values[len(values)/2]
}

func sorted(all []cost, of func(cost) float64) []float64 {
	values := make([]float64, len(all))
	for i, c := range all {
		values[i] = of(c)
	}
	slices.Sort(values)
	return values
}

// between is where the median of the ratios is with a certainty of 95 %, whatever their
// distribution: so many places to both sides of the middle.
func (r *row) between() (low, high float64) {
	values := sorted(r.costs, func(c cost) float64 { return c.ratio })
	n := float64(len(values))
	off := int(0.98*math.Sqrt(n)) + 1
	return values[max(len(values)/2-off, 0)], values[min(len(values)/2+off, len(values)-1)]
}

// spent is the processor time of this process so far, with all its threads.
func spent() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// rest is long enough for threads to go to sleep: what they still do belongs to the picture.
const rest = 2 * time.Millisecond

// take measures one picture.
func (b *bed) take(n int) time.Duration {
	before := spent()
	b.step(n)
	time.Sleep(rest)
	return spent() - before
}

// compare takes the cost of pictures that come at a camera's pace to a pipeline and, in turn,
// to the encoder alone.
func compare(b, alone *bed) []cost {
	runtime.GC()
	tick := time.NewTicker(time.Second / fps)
	defer tick.Stop()
	costs := make([]cost, 0, frames/2)
	var before uint64
	var took, base time.Duration
	for n := range settle + frames {
		if n == settle {
			before = allocated()
		}
		if n%2 == 0 {
			base = alone.take(n)
			took = b.take(n)
		} else { // who is second finds other things in its caches: both are, in turn
			took += b.take(n)
			base += alone.take(n)
			if n > settle {
				costs = append(costs, cost{cpu: took / 2, ratio: float64(took) / float64(base)})
			}
		}
		<-tick.C
	}
	allocs := float64(allocated()-before) / frames
	for i := range costs {
		costs[i].allocs = allocs
	}
	return costs
}

// TestTable prints the table and fails if a ratio is beyond its limit for certain.
func TestTable(t *testing.T) {
	s := newStock(t)
	rows := []*row{
		{name: "openh264 alone", make: encoderAlone},
		{name: "I420, 1 watcher", make: pipeline(capture.I420, 1), limit: 1.10, frees: true},
		{name: "NV12, 1 watcher", make: pipeline(capture.NV12, 1), limit: 1.10, frees: true},
		{name: "YUYV, 1 watcher", make: pipeline(capture.YUYV, 1), limit: 1.20, frees: true},
		{name: "YUYV, 3 watchers", make: pipeline(capture.YUYV, 3), frees: true},
		{name: "MJPEG, 1 watcher", make: pipeline(capture.MJPEG, 1), frees: true},
		{name: "MJPEG, 3 watchers", make: pipeline(capture.MJPEG, 3), frees: true},
		{name: "H.264 passed through, 1 watcher", make: pipeline(capture.AVC, 1), frees: true},
		{name: "H.264 passed through, 3 watchers", make: pipeline(capture.AVC, 3), frees: true},
		{name: "pion/mediadevices, YUYV, 1 watcher", make: stockPipeline(1)},
		{name: "pion/mediadevices, YUYV, 3 watchers", make: stockPipeline(3)},
	}
	for range rounds { // all in each round, so that what else the machine does meets all
		for _, r := range rows {
			b, alone := r.make(t, s), encoderAlone(t, s)
			r.costs = append(r.costs, compare(b, alone)...)
			b.close()
			alone.close()
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "per picture of %dx%d, camera buffer to SRTP\tx encoder\tCPU ms\tallocations\t95 %% within\tlimit\n", width, height)
	ratios := map[string]float64{}
	for _, r := range rows {
		c, limit := r.median(), ""
		low, high := r.between()
		ratios[r.name] = c.ratio
		if r.limit > 0 {
			limit = fmt.Sprintf("<= %.2f", r.limit)
			if low > r.limit { // more than what else the machine does may explain
				t.Errorf("%s: %.2f to %.2f times the encoder alone, want at most %.2f", r.name, low, high, r.limit)
			}
		}
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.1f\t%.2f to %.2f\t%s\n", r.name, c.ratio, ms(c.cpu), c.allocs, low, high, limit)
		if r.frees && c.allocs > strayAllocs {
			t.Errorf("%s: %.1f allocations a picture, want none", r.name, c.allocs)
		}
	}
	for _, camera := range []string{"YUYV", "MJPEG"} {
		ratio := ratios[camera+", 3 watchers"] / ratios[camera+", 1 watcher"]
		fmt.Fprintf(w, "%s, three watchers to one\t%.2f\t\t\t\t<= %.2f\n", camera, ratio, moreWatchers)
		if ratio > moreWatchers {
			t.Errorf("%s: three watchers cost %.2f times one, want at most %.2f", camera, ratio, moreWatchers)
		}
	}
	fmt.Fprintf(w, "\t\t\t\t\t\nper 20 ms of sound\tx real time\tCPU ms\tallocations\t\t\n")
	for _, r := range []*row{
		{name: "Opus, encoded", costs: opusPeriods(t)},
		{name: "echo canceller", costs: echoPeriods(t)},
	} {
		c := r.median()
		fmt.Fprintf(w, "%s\t%.4f\t%.3f\t%.1f\t\t\n", r.name, c.ratio, ms(c.cpu), c.allocs)
	}
	writeCoded(t, w, s)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}

const (
	// moreWatchers is what three of them may cost, of what one does.
	moreWatchers = 1.25
	// strayAllocs is what the runtime does for itself: timers, threads, the measurement.
	strayAllocs = 0.5
)

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func encoderAlone(t testing.TB, s *stock) *bed {
	e, err := openh264.NewEncoder(capture.Format{Pixel: capture.I420, Width: width, Height: height, FPS: fps}, func(*capture.Packet) {})
	must(t, err)
	must(t, e.Set(capture.Target{BitRate: bitRate, FPS: fps}))
	return &bed{
		step: func(n int) {
			f := s.film[n%len(s.film)]
			f.Time = time.Now()
			must(t, e.Encode(f))
		},
		close: func() { must(t, e.Close()) },
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
