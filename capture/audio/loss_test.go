package audio

import (
	"math"
	"slices"
	"testing"

	"intercom/capture"
)

// TestExpectation: what is prepared for is the loss of the worst peer, at once when it grows,
// and later when it shrinks.
func TestExpectation(t *testing.T) {
	good, bad := newFeed(nil), newFeed(nil)
	feeds := []*feed{good, bad}
	e := newExpectation()
	var steps []int
	seconds := func(n int, reports ...float64) {
		for range n {
			for i, r := range reports {
				feeds[i].Demand(capture.Demand{Reported: true, Loss: r})
			}
			for range lossLook {
				if e.look(feeds) {
					steps = append(steps, int(math.Round(100*e.share)))
				}
			}
		}
	}
	for _, step := range []struct {
		what    string
		seconds int
		reports []float64
		want    []int // changes, in percent
	}{
		{"nothing is known", 20, nil, nil},
		{"nothing is lost", 30, []float64{0, 0}, []int{5}},
		{"one loses a fifth", 3, []float64{0, 0.2}, []int{15, 20, 25}},
		{"and goes on with it", 60, []float64{0, 0.2}, nil},
		{"now and then less", 1, []float64{0, 0.15}, nil},
		{"and a fifth again", 60, []float64{0, 0.2}, nil},
		{"it gets better", 60, []float64{0, 0.05}, []int{20, 10}},
		{"a hopeless one", 20, []float64{0, 0.9}, []int{30}},
		{"what is no share", 20, []float64{0, math.NaN()}, nil},
	} {
		steps = nil
		seconds(step.seconds, step.reports...)
		if !slices.Equal(steps, step.want) {
			t.Errorf("%s: changed to %v percent, want %v", step.what, steps, step.want)
		}
	}
	feeds = feeds[:1]
	steps = nil
	seconds(30, 0)
	if want := []int{5}; !slices.Equal(steps, want) {
		t.Errorf("the worst one is gone: %v percent, want %v", steps, want)
	}
}

// TestExpected: the encoder is told.
func TestExpected(t *testing.T) {
	b := newSource(t)
	b.running = true
	f := b.feed(t)
	defer f.Close()
	encoder, e := &codec{open: &b.open}, newExpectation()
	b.open.Add(1)
	defer encoder.Close()
	for range 5 * lossLook {
		f.Demand(capture.Demand{Reported: true, Loss: 0.2})
		b.expect(encoder, &e)
	}
	if want := []float64{0.25}; !slices.Equal(encoder.expected, want) {
		t.Errorf("the encoder was told of %v, want %v", encoder.expected, want)
	}
	if got := b.Stats().Expected; got != 25 {
		t.Errorf("stats say %d percent, want 25", got)
	}
	if got := testing.AllocsPerRun(200, func() { b.expect(encoder, &e) }); got != 0 {
		t.Errorf("%v allocations a period, want 0", got)
	}
}
