//go:build bench && cgo

package aec

import (
	"fmt"
	"os"
	"testing"
	"text/tabwriter"
	"time"

	"intercom/capture/aec/speextest"
)

// speex is speexdsp's canceller behind the same interface.
type speex struct{ *speextest.Canceller }

func newSpeex() (engine, error) {
	c, err := speextest.New(tail)
	return speex{c}, err
}

func (s speex) cancel(heard, played, clean []int16) { s.Cancel(heard, played, clean) }
func (s speex) reach() int                          { return mostLead }
func (s speex) close()                              { s.Close() }

// TestCompare prints what two cancellers make of the same echo, and fails when the one that is
// used is not the better one.
func TestCompare(t *testing.T) {
	engines := []struct {
		name string
		open func() (engine, error)
	}{{"WebRTC", newAPM}, {"speexdsp", newSpeex}}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\t\techo less by, dB\t\t\tboth talk: visitor\t\ncanceller alone\t\t0.5-2 s\t2-6 s\t6-12 s\tloses dB\tlikeness")
	better := 0
	for _, scene := range scenes {
		var early [2]float64
		for i, e := range engines {
			r := scene.room.in(12)
			result, _ := cancel(t, r, true, e.open)
			loss := func(from, to float64) float64 { return level(r.heard, from, to) - level(result, from, to) }
			early[i] = loss(2, 6)
			v := scene.room.in(16)
			v.visitor, v.from = speech(t, "visitor.s16", 2000), 6
			both, _ := cancel(t, v, true, e.open)
			fmt.Fprintf(w, "%s\t%s\t%.0f\t%.0f\t%.0f\t%.1f\t%.2f\n", scene.name, e.name, loss(0.5, 2), early[i], loss(6, 12),
				level(v.near, 7, 16)-level(both, 7, 16), likeness(v.near, both, 7, 16))
		}
		if early[0] > early[1] {
			better++
		}
	}
	fmt.Fprintln(w, "\nper 20 ms\t\tCPU ms\tof a core")
	for _, e := range engines {
		d := period(t, e.open)
		fmt.Fprintf(w, "%s\t\t%.3f\t%.2f %%\n", e.name, float64(d.Nanoseconds())/1e6, 100*float64(d)/20e6)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if better*2 < len(scenes) {
		t.Errorf("WebRTC's canceller is better in %d of %d rooms only", better, len(scenes))
	}
}

// period is what one period costs, of two that talk.
func period(t *testing.T, open func() (engine, error)) time.Duration {
	t.Helper()
	e, err := open()
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	far, near, out := speech(t, "resident.s16", 3000), speech(t, "visitor.s16", 2000), make([]int16, periodSamples)
	const rounds = 20
	periods := len(near) / periodSamples
	start := time.Now()
	for range rounds {
		for n := range periods {
			at := n * periodSamples
			e.cancel(near[at:at+periodSamples], far[at:at+periodSamples], out)
		}
	}
	return time.Since(start) / time.Duration(rounds*periods)
}
