package callcore

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
)

// link is a bottleneck without a network: packets that leave at a rate wait in its queue,
// and each 100 ms the peer reports.
type link struct {
	e     *estimator
	now   time.Duration
	free  time.Duration // when the queue will be empty
	way   time.Duration
	dice  *rand.Rand
	worst time.Duration // the longest that a packet waited
}

// run sends packets of 1000 bytes at what the estimator says, through a link of so many bits
// a second that loses a share of them, and drops what would wait longer than limit.
func (l *link) run(d time.Duration, bits int, share float64, limit time.Duration) {
	const size = 1000
	l.worst = 0
	for end := l.now + d; l.now < end; {
		var fb rtcp.TransportLayerCC
		var at time.Duration // of the packet before in the report
		for tick := l.now + 100*time.Millisecond; l.now < tick; l.now += time.Duration(8*size) * time.Second / time.Duration(l.e.rate) {
			n := l.e.send(size, l.now)
			l.free = max(l.free, l.now)
			wait := l.free - l.now
			lost := wait > limit || l.dice.Float64() < share
			if !lost {
				l.free += time.Duration(8*size) * time.Second / time.Duration(bits)
				l.worst = max(l.worst, wait)
			}
			arrival := l.free + l.way
			if fb.PacketStatusCount == 0 {
				fb.BaseSequenceNumber = n
				at = arrival.Truncate(64 * time.Millisecond)
				fb.ReferenceTime = uint32(at/(64*time.Millisecond)) & 0xffffff
			}
			fb.PacketStatusCount++
			status := rtcp.TypeTCCPacketNotReceived
			if !lost {
				status = rtcp.TypeTCCPacketReceivedLargeDelta
				delta := (arrival - at).Truncate(250 * time.Microsecond)
				at += delta
				fb.RecvDeltas = append(fb.RecvDeltas, &rtcp.RecvDelta{Type: status, Delta: delta.Microseconds()})
			}
			fb.PacketChunks = append(fb.PacketChunks, &rtcp.RunLengthChunk{PacketStatusSymbol: status, RunLength: 1})
		}
		l.e.feedback(&fb, l.now+l.way)
	}
}

func newLink() *link {
	return &link{e: newEstimator(), way: 20 * time.Millisecond, dice: rand.New(rand.NewPCG(1, 2))}
}

// TestEstimate plays networks, one after the other, on the same connection.
func TestEstimate(t *testing.T) {
	l := newLink()
	const long = 10 * time.Second // a queue that drops nothing
	for _, c := range []struct {
		name     string
		bits     int
		share    float64
		limit    time.Duration
		low, top int
		settle   time.Duration
	}{
		{"wide", 2_000_000, 0, long, 1_300_000, 2_200_000, 10 * time.Second},
		{"narrow", 300_000, 0, long, 180_000, 330_000, 6 * time.Second},
		{"wide again", 2_000_000, 0, long, 1_300_000, 2_200_000, 15 * time.Second},
		{"a policer, which has no queue", 500_000, 0, 20 * time.Millisecond, 300_000, 700_000, 8 * time.Second},
		{"a radio that loses packets", 3_000_000, 0.08, long, 400_000, 3_800_000, 8 * time.Second},
	} {
		l.run(c.settle, c.bits, c.share, c.limit)
		for range 20 {
			l.run(time.Second, c.bits, c.share, c.limit)
			if got := l.e.estimate(); got < c.low || got > c.top {
				t.Errorf("%s, at %v: %d bit/s, want %d to %d", c.name, l.now.Round(time.Second), got, c.low, c.top)
			}
			if l.worst > 600*time.Millisecond {
				t.Errorf("%s, at %v: packets waited up to %v", c.name, l.now.Round(time.Second), l.worst)
			}
		}
	}
}

// TestLongerWay: packets take longer from one moment on, by way of a relay. That is no queue.
func TestLongerWay(t *testing.T) {
	l := newLink()
	l.run(10*time.Second, 5_000_000, 0, time.Second)
	before := l.e.estimate()
	l.way += 150 * time.Millisecond
	l.run(5*time.Second, 5_000_000, 0, time.Second)
	if got := l.e.estimate(); got < before/2 {
		t.Errorf("the estimate fell from %d to %d", before, got)
	}
}

// TestEstimateUnknown: nobody is held to the first guess if there are no reports.
func TestEstimateUnknown(t *testing.T) {
	e := newEstimator()
	e.send(1000, 0)
	e.feedback(&rtcp.TransportLayerCC{BaseSequenceNumber: 1, PacketStatusCount: 1}, time.Second)
	if got := e.estimate(); got != 0 {
		t.Errorf("estimate %d of an empty report", got)
	}
}

// TestSentAgain: a packet is not sent again before the last time can have shown, and not all
// that is asked for is.
func TestSentAgain(t *testing.T) {
	e := newEstimator()
	e.trip = 100 * time.Millisecond
	now := time.Second
	if !e.again(7, 1000, now) || e.again(7, 1000, now+90*time.Millisecond) || !e.again(7, 1000, now+110*time.Millisecond) {
		t.Error("want a packet to be sent again once each round trip")
	}
	n := 0
	for i := range 1000 {
		if e.again(uint16(100+i), 1000, now+time.Second) {
			n++
		}
	}
	if want := startEstimate / 8 / resendShare / 1000; n < want*9/10 || n > want {
		t.Errorf("%d packets are sent again at once, want %d", n, want)
	}
}

// discard is a writer.
func discard(h *rtp.Header, payload []byte, _ interceptor.Attributes) (int, error) {
	return len(payload), nil
}

func TestNumberingAllocatesNothing(t *testing.T) {
	n := &numbering{estimator: newEstimator(), born: time.Now()}
	info := &interceptor.StreamInfo{RTPHeaderExtensions: []interceptor.RTPHeaderExtension{{URI: sdp.TransportCCURI, ID: 3}}}
	w := n.BindLocalStream(info, interceptor.RTPWriterFunc(discard))
	var h rtp.Header
	payload := make([]byte, 1000)
	send := func() {
		h.Extension, h.ExtensionProfile, h.Extensions = false, 0, h.Extensions[:0]
		if _, err := w.Write(&h, payload, nil); err != nil {
			t.Fatal(err)
		}
	}
	send()
	if got := testing.AllocsPerRun(1000, send); got != 0 {
		t.Errorf("%v allocations a packet, want 0", got)
	}
	if len(h.GetExtension(3)) != 2 {
		t.Errorf("extensions %v, want a number", h.Extensions)
	}
}

// FuzzFeedback: no report, however odd, makes an estimate that nobody could send.
func FuzzFeedback(f *testing.F) {
	f.Add([]byte{0x8f, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1, 0, 3, 0, 0, 9, 0, 0x20, 3, 4, 4, 4, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var fb rtcp.TransportLayerCC
		if fb.Unmarshal(data) != nil {
			return
		}
		e := newEstimator()
		for i := range 3 * sentKept {
			e.send(1000, time.Duration(i)*time.Millisecond)
		}
		for i := range 5 {
			e.feedback(&fb, time.Duration(4+i)*time.Second)
			fb.ReferenceTime = (fb.ReferenceTime * 31) & 0xffffff
			fb.BaseSequenceNumber += 100
			if got := e.estimate(); got != 0 && (got < minEstimate || got > maxEstimate) {
				t.Fatalf("estimate %d", got)
			}
		}
	})
}
