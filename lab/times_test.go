//go:build e2e

package lab

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
	"text/tabwriter"
	"time"

	"intercom/internal/control"
	"intercom/lab/browser"
)

// rounds is how many calls of each kind are timed; the median counts.
const rounds = 5

// A kind of call, and what is timed in it.
const (
	pair     = "SDK to SDK"
	doorSDK  = "door to SDK"
	doorPage = "door to the page"

	ring    = "press to onCallListener"
	picture = "accept to first frame"
)

// table has the medians of a run, as kind, what, time.
type table map[string]map[string]time.Duration

// print writes the table, if there is one.
func (m table) print(w io.Writer) {
	if len(m) == 0 {
		return
	}
	fmt.Fprintf(w, "\ntimes, median of %d calls, and ratio to %s\n", rounds, pair)
	tw := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tw, "\t%s\t\t%s\t\t\n", ring, picture)
	for _, kind := range []string{pair, doorSDK, doorPage} {
		fmt.Fprintf(tw, "%s\t", kind)
		for _, what := range []string{ring, picture} {
			fmt.Fprintf(tw, "%.1f ms\t%.2f\t", float64(m[kind][what].Microseconds())/1000, m.ratio(kind, what))
		}
		fmt.Fprintln(tw)
	}
	tw.Flush()
	fmt.Fprintln(w)
}

func (m table) ratio(kind, what string) float64 {
	return float64(m[kind][what]) / float64(m[pair][what])
}

// TestTimes times calls of the door, and in the same run, on the same machine, between
// two phones on the SDK. Only ratios are judged: twice those committed in
// testdata/ratios.json is a failure.
func TestTimes(t *testing.T) {
	d := lab.door(t)
	lab.times = table{}
	t.Run(pair, func(t *testing.T) {
		a := newPhone(t, d.server, anna, browser.ProbeConfig{})
		b := newPhone(t, d.server, ben, browser.ProbeConfig{})
		lab.times[pair] = timed(t, func(t *testing.T, n int) (time.Time, *browser.Page) {
			must(t, a.Eval(t.Context(), "(user) => phone.call(user)", ben.id, nil))
			return a.event(t, soon, "call", n), b.Page
		}, func(t *testing.T, n int) {
			must(t, a.Click(t.Context(), quick, "#hangup"))
			b.event(t, soon, "closed", n)
		})
	})
	hungUp := func(t *testing.T, n int) {
		d.hangUp(t)
		d.expect(t, soon, control.Ended)
		d.settle(t)
	}
	t.Run(doorSDK, func(t *testing.T) {
		b := newPhone(t, d.server, ben, browser.ProbeConfig{})
		lab.times[doorSDK] = timed(t, func(t *testing.T, n int) (time.Time, *browser.Page) {
			return d.press(t), b.Page
		}, func(t *testing.T, n int) {
			hungUp(t, n)
			b.event(t, soon, "closed", n)
		})
	})
	t.Run(doorPage, func(t *testing.T) {
		b := d.newResident(t, ben, browser.ProbeConfig{})
		lab.times[doorPage] = timed(t, func(t *testing.T, n int) (time.Time, *browser.Page) {
			return d.press(t), b.Page
		}, func(t *testing.T, n int) {
			hungUp(t, n)
			b.is(t, soon, "ready")
		})
	})
	if t.Failed() {
		return
	}

	text, err := os.ReadFile("testdata/ratios.json")
	must(t, err)
	var committed map[string]map[string]float64
	must(t, json.Unmarshal(text, &committed))
	for _, kind := range []string{doorSDK, doorPage} {
		for _, what := range []string{ring, picture} {
			got, want := lab.times.ratio(kind, what), committed[kind][what]
			if want <= 0 {
				t.Errorf("%s, %s: testdata/ratios.json has no ratio", kind, what)
			} else if got >= 2*want {
				t.Errorf("%s, %s: %.2f times that of %s, twice the committed %.2f or more", kind, what, got, pair, want)
			}
		}
	}
}

// timed makes calls and returns the medians. call begins one and returns when, and the
// page that it rings at, which answers; end ends it.
func timed(t *testing.T, call func(*testing.T, int) (time.Time, *browser.Page), end func(*testing.T, int)) map[string]time.Duration {
	all := map[string][]time.Duration{}
	for n := 1; n <= rounds; n++ {
		begun, p := call(t, n)
		received := markTime(t, p, soon, "call-received", n)
		must(t, p.Click(t.Context(), quick, "#answer"))
		accepted := markTime(t, p, soon, "accept", n)
		var now float64
		must(t, p.Eval(t.Context(), "(n) => performance.getEntriesByName('accept')[n - 1].startTime", n, &now))
		shown := firstFrame(t, p, now)
		all[ring] = append(all[ring], received.Sub(begun))
		all[picture] = append(all[picture], shown.Sub(accepted))
		end(t, n)
	}
	t.Logf("%v", all)
	medians := map[string]time.Duration{}
	for what, ds := range all {
		slices.Sort(ds)
		medians[what] = ds[len(ds)/2]
	}
	return medians
}
