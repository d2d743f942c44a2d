package callcore

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// host is the other end of a network that is wide, on a machine that is too busy: for a
// while it takes nothing in, then all at once. Its report goes out every 100 ms, and in
// between of what it has taken in.
type host struct {
	e       *estimator
	now     time.Duration
	number  uint16
	waiting []arrival
	dice    *rand.Rand
}

type arrival struct {
	number uint16
	at     time.Duration
}

// run sends packets of a size at an interval, or as many as the estimate has. stalled tells
// until when the peer stands still at a moment.
func (h *host) run(d time.Duration, size, bits int, stalled func(time.Duration) time.Duration) (least int) {
	least = maxEstimate
	report := h.now + 30*time.Millisecond
	for end := h.now + d; h.now < end; {
		n := h.e.send(size, h.now)
		h.waiting = append(h.waiting, arrival{n, stalled(h.now) + 20*time.Millisecond})
		rate := bits
		if bits == 0 {
			rate = h.e.rate * 9 / 10
		}
		h.now += time.Duration(8*size) * time.Second / time.Duration(rate)
		for ; report <= h.now; report += 100 * time.Millisecond {
			// A report may be made when little of a burst was taken in.
			taken := h.waiting
			for i, a := range taken {
				if a.at > report {
					taken = taken[:i]
					break
				}
			}
			if len(taken) > 1 && report-taken[0].at < 30*time.Millisecond {
				taken = taken[:max(1, len(taken)/4)]
			}
			if len(taken) == 0 || stalled(report) > report {
				continue
			}
			h.waiting = h.waiting[len(taken):]
			h.e.feedback(reportOf(taken), report+20*time.Millisecond)
			least = min(least, h.e.rate)
		}
	}
	return least
}

func reportOf(list []arrival) *rtcp.TransportLayerCC {
	at := list[0].at.Truncate(64 * time.Millisecond)
	fb := &rtcp.TransportLayerCC{BaseSequenceNumber: list[0].number, PacketStatusCount: uint16(len(list)), ReferenceTime: uint32(at/(64*time.Millisecond)) & 0xffffff}
	for _, a := range list {
		delta := (a.at - at).Truncate(250 * time.Microsecond)
		at += delta
		fb.RecvDeltas = append(fb.RecvDeltas, &rtcp.RecvDelta{Type: rtcp.TypeTCCPacketReceivedLargeDelta, Delta: delta.Microseconds()})
		fb.PacketChunks = append(fb.PacketChunks, &rtcp.RunLengthChunk{PacketStatusSymbol: rtcp.TypeTCCPacketReceivedLargeDelta, RunLength: 1})
	}
	return fb
}

// TestBusyHost: a machine that stands still for a while is no narrow network, whether much
// is sent to it or hardly anything.
func TestBusyHost(t *testing.T) {
	const enough = 200_000 // for pictures and sound
	for _, c := range []struct {
		name       string
		size, bits int
		every      time.Duration
		stall      time.Duration
	}{
		{"pictures, 200 ms", 1000, 0, time.Second, 200 * time.Millisecond},
		{"pictures, 400 ms", 1000, 0, time.Second, 400 * time.Millisecond},
		{"pictures, 800 ms", 1000, 0, 2 * time.Second, 800 * time.Millisecond},
		{"a still picture, 400 ms", 700, 120_000, time.Second, 400 * time.Millisecond},
		{"sound, 200 ms", 120, 48_000, time.Second, 200 * time.Millisecond},
		{"sound, 400 ms", 120, 48_000, time.Second, 400 * time.Millisecond},
		{"sound, 800 ms", 120, 48_000, 2 * time.Second, 800 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &host{e: newEstimator(), dice: rand.New(rand.NewPCG(1, 2))}
			well := func(now time.Duration) time.Duration { return now }
			h.run(5*time.Second, c.size, c.bits, well)
			low := time.Duration(0)
			for range 300 {
				h.run(100*time.Millisecond, c.size, c.bits, func(now time.Duration) time.Duration {
					if in := now % c.every; in < c.stall {
						return now - in + c.stall
					}
					return now
				})
				if low += 100 * time.Millisecond; h.e.estimate() >= enough {
					low = 0
				}
				if low > time.Second {
					t.Fatalf("at %v: %d bit/s for a second", h.now.Round(time.Second), h.e.estimate())
				}
			}
		})
	}
}

// TestBusierHost: it stands still half of the time, for longer and shorter whiles.
func TestBusierHost(t *testing.T) {
	for _, c := range []struct{ size, bits int }{{1000, 0}, {700, 120_000}, {120, 48_000}} {

		h := &host{e: newEstimator(), dice: rand.New(rand.NewPCG(5, 6))}
		h.run(5*time.Second, c.size, c.bits, func(now time.Duration) time.Duration { return now })
		var from, to time.Duration
		low, lowest := time.Duration(0), maxEstimate
		for range 600 {
			lowest = min(lowest, h.run(100*time.Millisecond, c.size, c.bits, func(now time.Duration) time.Duration {
				for now >= to {
					from = max(to, now) + 50*time.Millisecond + time.Duration(h.dice.Int64N(int64(400*time.Millisecond)))
					to = from + 50*time.Millisecond + time.Duration(h.dice.Int64N(int64(400*time.Millisecond)))
				}
				if now >= from {
					return to
				}
				return now
			}))
			if low += 100 * time.Millisecond; h.e.estimate() >= 150_000 {
				low = 0
			}
			if low > time.Second {
				t.Fatalf("%d bit/s, at %v: %d bit/s for a second", c.bits, h.now.Round(time.Second), h.e.estimate())
			}
		}
		t.Logf("%d bit/s: at least %d, at last %d", c.bits, lowest, h.e.estimate())
	}
}

// TestLateHost: each packet comes 100 to 250 ms late, as if by a machine that is given its
// turn only now and then; little is sent. Nothing shows that the network carries no more.
func TestLateHost(t *testing.T) {
	h := &host{e: newEstimator(), dice: rand.New(rand.NewPCG(3, 4))}
	h.run(5*time.Second, 120, 48_000, func(now time.Duration) time.Duration { return now })
	var late time.Duration
	least := h.run(60*time.Second, 120, 48_000, func(now time.Duration) time.Duration {
		const turn = 250 * time.Millisecond
		if in := now % turn; in < 10*time.Millisecond {
			late = 100*time.Millisecond + time.Duration(h.dice.Int64N(int64(150*time.Millisecond)))
		}
		return max(now, (now/turn)*turn+late+100*time.Millisecond)
	})
	if least < 100_000 || h.e.estimate() < 200_000 {
		t.Errorf("the estimate fell to %d and is %d", least, h.e.estimate())
	}
}

// TestNothingSent: what nobody sends cannot show what the network carries; after a while,
// longer each time that it was in vain, it is tried.
func TestNothingSent(t *testing.T) {
	l := newLink()
	l.run(5*time.Second, 40_000, 0, time.Minute)
	if got := l.e.estimate(); got > 2*minEstimate {
		t.Fatalf("estimate %d of 40 kbit/s", got)
	}
	var waits []time.Duration
	for range 6 {
		last := l.now
		l.e.send(100, last)
		for !l.e.retry(l.now) {
			if l.now += 100 * time.Millisecond; l.now-last > time.Minute {
				t.Fatalf("not tried in a minute; waited %v before", waits)
			}
		}
		waits = append(waits, (l.now - last).Round(time.Second))
		if got := l.e.estimate(); got != trialEstimate {
			t.Errorf("estimate %d, want %d", got, trialEstimate)
		}
		l.free = 0 // the queue has gone
		l.run(2*time.Second, 40_000, 0, time.Minute)
		if got := l.e.estimate(); got > 2*minEstimate {
			t.Errorf("estimate %d of 40 kbit/s", got)
		}
	}
	for i, want := range []int{2, 4, 8, 15, 15, 15} {
		if got := int(waits[i].Seconds()); got != want {
			t.Errorf("wait %d: %d s, want %d", i, got, want)
		}
	}
	if l.e.send(100, l.now); l.e.retry(l.now+time.Second) || l.e.retry(l.now) {
		t.Error("tried though there are packets on the way")
	}
}
