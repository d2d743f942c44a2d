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

const ms = time.Millisecond

var traces = []trace{
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
}

func TestTraces(t *testing.T) {
	for _, tr := range traces {
		t.Run(tr.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := tr.measure(t)
				t.Logf("delay %v, at most %v; recovered %.1f %%, concealed %.1f %%, late %d, left out %d, put in %d, says %v", got.mean.Round(ms), got.worst.Round(ms),
					100*got.recovered, 100*got.concealed, got.late, got.cut, got.added, got.says)
				if got.mean > tr.delay || got.worst > 220*ms {
					t.Errorf("delay %v, at most %v, want %v and 220ms", got.mean, got.worst, tr.delay)
				}
				if got.concealed > tr.concealed {
					t.Errorf("concealed %.4f of all packets, want %.4f", got.concealed, tr.concealed)
				}
				if want := (1 - tr.loss) * 0.97; got.played < want {
					t.Errorf("played %.3f of all packets, want %.3f", got.played, want)
				}
			})
		})
	}
}

// traced is what became of the packets of a trace.
type traced struct {
	mean, worst, says            time.Duration // from the shortest way through the network to the card
	played, recovered, concealed float64       // shares of all packets
	late, cut, added             int64
}

// measure is called in a bubble.
func (tr trace) measure(t *testing.T) traced {
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
	const all = packets - skipped
	return traced{
		mean: sum / time.Duration(max(played, 1)), worst: worst, says: after.Delay, played: float64(played) / all,
		recovered: float64(after.Recovered-before.Recovered) / all, concealed: float64(after.Concealed-before.Concealed) / all,
		late: after.Late - before.Late, cut: after.Cut - before.Cut, added: after.Added - before.Added,
	}
}
