package callcore

import (
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// maxDropout: a sequence number further than this from the last one is a new beginning, not
// a loss (RFC 3550, A.1).
const maxDropout = 3000

// recentPackets is how many are remembered, so that one which comes twice counts once:
// browsers send old packets again, to probe what the network carries.
const recentPackets = 512

// reception counts what of one stream is lost, and how unevenly it arrives (RFC 3550, A.3
// and A.8). It belongs to the goroutine that reads the stream and allocates nothing.
type reception struct {
	rate     uint32 // of the RTP clock, in Hz
	begun    bool
	base     int64 // the first sequence number, counted on beyond 16 bits
	newest   int64 // the highest
	received int64
	told     int64 // of losses
	recent   [recentPackets]int64

	arrival time.Duration // of the last packet
	stamp   uint32        // its RTP timestamp
	jitter  time.Duration

	pictured bool
	picture  uint32 // the RTP timestamp of the newest picture
}

// take counts a packet that arrived at a moment of a monotonic clock.
func (r *reception) take(h *rtp.Header, at time.Duration, t *trackTraffic) {
	ahead := int64(int16(h.SequenceNumber - uint16(r.newest)))
	if !r.begun || ahead > maxDropout || ahead < -maxDropout {
		first := 1<<16 + int64(h.SequenceNumber) // never zero
		r.begun, r.base, r.newest, r.received, r.told = true, first, first, 1, 0
		r.recent = [recentPackets]int64{}
		r.recent[first%recentPackets] = first
		r.arrival, r.stamp = at, h.Timestamp
		return
	}
	n := r.newest + ahead
	if n < 0 || r.recent[n%recentPackets] == n {
		return
	}
	r.recent[n%recentPackets] = n
	r.received++
	r.base = min(r.base, n)
	r.newest = max(r.newest, n)
	if lost := r.newest - r.base + 1 - r.received; lost != r.told {
		t.lost.Add(lost - r.told)
		r.told = lost
	}
	if ahead < 0 {
		return // it was sent again, and its time says nothing
	}
	sent := time.Duration(int32(h.Timestamp-r.stamp)) * time.Second / time.Duration(r.rate)
	d := at - r.arrival - sent
	r.jitter += (max(d, -d) - r.jitter) / 16
	r.arrival, r.stamp = at, h.Timestamp
	t.jitter.Store(int64(r.jitter))
}

// newPicture tells whether this is the first packet seen of a picture newer than all others.
func (r *reception) newPicture(stamp uint32) bool {
	if r.pictured && int32(stamp-r.picture) <= 0 {
		return false
	}
	r.pictured, r.picture = true, stamp
	return true
}

// reportReceived keeps what a peer says of the stream that we send it. It may come in a
// report of a sender or of a receiver (RFC 3550, 6.4). It returns whether there was
// something of that stream.
func (t *trackTraffic) reportReceived(p rtcp.Packet, ssrc, rate uint32, now time.Time) (told bool) {
	var reports []rtcp.ReceptionReport
	switch p := p.(type) {
	case *rtcp.SenderReport:
		reports = p.Reports
	case *rtcp.ReceiverReport:
		reports = p.Reports
	}
	for _, r := range reports {
		if r.SSRC != ssrc {
			continue
		}
		told = true
		lost := int32(r.TotalLost<<8) >> 8 // 24 bits, signed
		t.remoteLost.Store(int64(lost))
		t.remoteFraction.Store(uint32(r.FractionLost))
		t.remoteJitter.Store(int64(time.Duration(r.Jitter) * time.Second / time.Duration(rate)))
		if r.LastSenderReport == 0 {
			continue // none has arrived there
		}
		// In units of 1/65536 s. What is negative is the two clocks' granularity.
		if d := int32(shortNTP(now) - r.LastSenderReport - r.Delay); d >= 0 {
			t.roundTrip.Store(int64(d) * int64(time.Second) >> 16)
		}
	}
	return told
}

// shortNTP is the middle of an NTP timestamp: 16 bits of seconds since 1900, 16 of their
// fraction (RFC 3550, 4).
func shortNTP(t time.Time) uint32 {
	const since1900 = 2208988800 // at 1970
	return uint32(t.Unix()+since1900)<<16 | uint32(int64(t.Nanosecond())<<16/int64(time.Second))
}
