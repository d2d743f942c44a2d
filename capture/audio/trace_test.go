package audio

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"intercom/capture"
)

// trace is what a network does to the packets of a peer.
type trace struct {
	name   string
	loss   float64 // share
	jitter time.Duration
	drift  float64       // of the peer's clock
	spike  time.Duration // all packets of every tenth second come this much late, at once

	// What is measured after 10 s must not be worse than this.
	delay     time.Duration // from the shortest way through the network to the card
	concealed float64       // share of all packets, without those recovered
}

func TestTraces(t *testing.T) {
	const ms = time.Millisecond
	for _, tr := range []trace{
		{name: "a perfect network", delay: 40 * ms},
		{name: "loss of 5 %", loss: 0.05, delay: 40 * ms, concealed: 0.01},
		{name: "loss of 20 %", loss: 0.2, delay: 45 * ms, concealed: 0.06},
		{name: "jitter of 20 ms", jitter: 20 * ms, delay: 60 * ms, concealed: 0.02},
		{name: "jitter of 50 ms", jitter: 50 * ms, delay: 80 * ms, concealed: 0.03},
		{name: "jitter of 50 ms, loss of 5 %", jitter: 50 * ms, loss: 0.05, delay: 80 * ms, concealed: 0.04},
		{name: "jitter of 50 ms, loss of 20 %", jitter: 50 * ms, loss: 0.2, delay: 85 * ms, concealed: 0.1},
		{name: "jitter of 100 ms", jitter: 100 * ms, delay: 130 * ms, concealed: 0.03},
		{name: "a fast peer", drift: 1e-3, delay: 50 * ms, concealed: 0.005},
		{name: "a slow peer", drift: -1e-3, delay: 45 * ms, concealed: 0.005},
		{name: "spikes of 150 ms", spike: 150 * ms, delay: 100 * ms, concealed: 0.02},
	} {
		t.Run(tr.name, func(t *testing.T) { synctest.Test(t, tr.run) })
	}
}

func (tr trace) run(t *testing.T) {
	const packets, skipped = 3500, 500 // 70 s; the first 10 s are not measured
	b := newBench(t)
	defer b.stop()
	p := b.player(t)
	defer p.Close()
	r := rand.New(rand.NewPCG(1, 2))
	type arrival struct {
		at time.Duration
		n  int
	}
	var arrivals []arrival
	sent := make([]time.Duration, packets+1)
	for n := 1; n <= packets; n++ {
		sent[n] = time.Duration(float64(time.Duration(n)*capture.Period)/(1+tr.drift)) + 3*time.Millisecond
		at := sent[n] + time.Duration(r.Float64()*float64(tr.jitter))
		if tr.spike > 0 && n/50%10 == 9 && n%50 < int(tr.spike/capture.Period) {
			at = max(at, sent[n-n%50]+tr.spike)
		}
		if r.Float64() >= tr.loss {
			arrivals = append(arrivals, arrival{at, n})
		}
	}
	slices.SortStableFunc(arrivals, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	synctest.Wait()
	b.card.heard()
	start := time.Now()
	var before Stats
	for _, a := range arrivals {
		time.Sleep(time.Until(start.Add(a.at)))
		p.Write(packet(a.n))
		if before.Received == 0 && a.n >= skipped {
			before = b.Stats()
			before.Received = 1
		}
	}
	synctest.Wait()
	after := b.Stats()
	var worst, sum time.Duration
	played, last := 0, 0
	for i, v := range b.card.heard() {
		n := int(v)
		if n <= 0 {
			continue
		}
		if n <= last {
			t.Fatalf("packet %d after %d", n, last)
		}
		last = n
		if n < skipped {
			continue
		}
		// The card takes period i when it ends.
		d := time.Duration(i+1)*capture.Period - sent[n]
		worst, sum, played = max(worst, d), sum+d, played+1
	}
	mean := sum / time.Duration(max(played, 1))
	share := float64(after.Concealed-before.Concealed) / (packets - skipped)
	t.Logf("delay %v, at most %v; recovered %.1f %%, concealed %.1f %%, late %d, left out %d, put in %d, says %v", mean.Round(time.Millisecond), worst.Round(time.Millisecond),
		100*float64(after.Recovered-before.Recovered)/(packets-skipped), 100*share, after.Late-before.Late, after.Cut-before.Cut, after.Added-before.Added, after.Delay)
	if mean > tr.delay || worst > 220*time.Millisecond {
		t.Errorf("delay %v, at most %v, want %v and 220ms", mean, worst, tr.delay)
	}
	if share > tr.concealed {
		t.Errorf("concealed %.4f of all packets, want %.4f", share, tr.concealed)
	}
	if got, want := float64(played)/(packets-skipped), (1-tr.loss)*0.97; got < want {
		t.Errorf("played %.3f of all packets, want %.3f", got, want)
	}
}
