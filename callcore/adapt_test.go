package callcore_test

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/transport/v4/vnet"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// sample is a tenth of a second of a call.
type sample struct {
	at                time.Duration
	available, target int // bits a second
	got               int // bits a second of pictures that arrived, in this tenth
	pictures          int // in this tenth
	roundTrip         time.Duration
}

// observe samples the pictures from one end of a call to the other.
func observe(out, in *callcore.Session, d time.Duration) []sample {
	var list []sample
	start := time.Now()
	for was := in.Stats()[0].Video; time.Since(start) < d; {
		time.Sleep(100 * time.Millisecond)
		s, r := out.Stats()[0], in.Stats()[0].Video
		list = append(list, sample{
			at: time.Since(start), available: s.Available, target: s.Video.Target, roundTrip: s.Video.RoundTrip,
			got:      int(r.BytesReceived-was.BytesReceived) * 80,
			pictures: int(r.PicturesReceived.Count - was.PicturesReceived.Count),
		})
		was = r
	}
	return list
}

// longestGap is the longest time without a picture.
func longestGap(list []sample) time.Duration {
	var gap, longest time.Duration
	for _, s := range list {
		if gap += 100 * time.Millisecond; s.pictures > 0 {
			gap = 0
		}
		longest = max(longest, gap)
	}
	return longest
}

func mean(list []sample, of func(sample) int) int {
	sum := 0
	for _, s := range list {
		sum += of(s)
	}
	return sum / max(len(list), 1)
}

// TestDrop is the one that the issue asks for: the network falls from 2 Mbit/s to 300 kbit/s
// and comes back.
func TestDrop(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, _ *callcoretest.Phone) {
		const queue = 37_500 // bytes: 150 ms at 2 Mbit/s, a second at 300 kbit/s
		narrow := w.NarrowNet(2_000_000, queue)
		door := w.Phone(callcoretest.Spec{User: 5})
		phone := w.Phone(callcoretest.Spec{User: 6, Net: narrow.Net})
		door.Media.Most(2_500_000)
		out, in := connect(t, door, phone, signaling.Video)
		wide := observe(out, in, 20*time.Second)
		narrow.Carry(300_000, queue)
		slow := observe(out, in, 30*time.Second)
		narrow.Carry(2_000_000, queue)
		again := observe(out, in, 30*time.Second)
		for _, part := range [][]sample{wide, slow, again} {
			show(t, part)
			if gap := longestGap(part); gap >= time.Second {
				t.Errorf("no picture for %v", gap)
			}
		}
		if got := mean(wide[100:], pictureBits); got < 1_300_000 || got > 2_000_000 {
			t.Errorf("%d bit/s of 2 Mbit/s are used", got)
		}
		if took := reaches(slow, func(s sample) bool { return s.available < 300_000 }); took > time.Second {
			t.Errorf("down after %v, want a second", took)
		}
		if got := mean(slow[100:], pictureBits); got < 150_000 || got > 300_000 {
			t.Errorf("%d bit/s of 300 kbit/s are used", got)
		}
		if wait := time.Duration(mean(slow[100:], func(s sample) int { return int(s.roundTrip) })); wait > 200*time.Millisecond {
			t.Errorf("packets take %v there and back", wait)
		}
		if took := reaches(again, func(s sample) bool { return s.available > 1_500_000 }); took > 12*time.Second {
			t.Errorf("up after %v, want 12s", took)
		}
	})
}

// TestLossIsNotCongestion: a radio that loses packets whatever is sent does not make the
// pictures worse, and they are sent again as RTX (RFC 4588).
func TestLossIsNotCongestion(t *testing.T) {
	for _, share := range []float64{0.02, 0.05, 0.10} {
		bubble(t, func(t *testing.T, w *callcoretest.World, _ *callcoretest.Phone) {
			door := w.Phone(callcoretest.Spec{User: 5})
			phone := w.Phone(callcoretest.Spec{User: 6})
			door.Media.Most(2_500_000)
			out, in := connect(t, door, phone, signaling.Video)
			const rtx = 103 // the payload type that is registered for H.264
			var resent atomic.Int64
			w.Filter(func(c vnet.Chunk) bool {
				if b := c.UserData(); len(b) > 12 && b[0]>>6 == 2 && b[1]&0x7f == rtx && c.DestinationAddr().(*net.UDPAddr).IP.String() == w.Address(phone.Net) {
					resent.Add(1)
				}
				return true
			})
			w.Lose(share, w.Address(phone.Net), 1)
			before := in.Stats()[0].Video
			list := observe(out, in, 40*time.Second)
			show(t, list)
			least := -maxOf(list[10:], func(s sample) int { return -s.available })
			after := in.Stats()[0].Video
			lost, sent := after.Lost-before.Lost, after.PacketsReceived-before.PacketsReceived
			t.Logf("%.0f %% lost: at least %d bit/s, %d packets, %d sent again, %d missing", 100*share, least, sent, resent.Load(), lost)
			if least < 700_000 {
				t.Errorf("%.0f %% lost: the estimate fell to %d", 100*share, least)
			}
			if want := int64(share * float64(sent) * 0.7); resent.Load() < want {
				t.Errorf("%.0f %% lost: %d packets of %d sent again", 100*share, resent.Load(), sent)
			}
			if float64(lost) > float64(sent)*share/4 {
				t.Errorf("%.0f %% lost: %d packets of %d missing in spite of retransmissions", 100*share, lost, sent)
			}
		})
	}
}

func pictureBits(s sample) int { return s.got }

// reaches is when the first sample is as wanted.
func reaches(list []sample, ok func(sample) bool) time.Duration {
	for _, s := range list {
		if ok(s) {
			return s.at
		}
	}
	return time.Hour
}

func maxOf(list []sample, of func(sample) int) int {
	most := of(list[0])
	for _, s := range list {
		most = max(most, of(s))
	}
	return most
}

// show logs two lines a second.
func show(t *testing.T, list []sample) {
	if !testing.Verbose() {
		return
	}
	for i := 4; i < len(list); i += 5 {
		s := list[i]
		t.Logf("%5.1fs: network %7d, asked for %7d, got %7d bit/s, round trip %v", s.at.Seconds(), s.available, s.target, mean(list[i-4:i+1], pictureBits), s.roundTrip)
	}
}
