package callcore

import (
	"os"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"intercom/capture"
)

// TestReception counts losses over the wrap of sequence numbers, repairs, duplicates and a
// new beginning (RFC 3550, A.1 and A.3).
func TestReception(t *testing.T) {
	for name, c := range map[string]struct {
		numbers []uint16
		want    int64
	}{
		"nothing":       {nil, 0},
		"all":           {[]uint16{65534, 65535, 0, 1}, 0},
		"two lost":      {[]uint16{65534, 1, 2}, 2},
		"late":          {[]uint16{10, 12, 11, 13}, 0},
		"before all":    {[]uint16{10, 9, 11}, 0},
		"twice":         {[]uint16{10, 10, 11, 11, 10}, 0},
		"twice, a loss": {[]uint16{65534, 65534, 0, 1, 0, 65535, 65535, 3}, 1},
		"new beginning": {[]uint16{10, 12, 40000, 40001, 40003}, 2},
	} {
		var count trackTraffic
		r := reception{rate: 48000}
		for _, n := range c.numbers {
			r.take(&rtp.Header{SequenceNumber: n}, 0, &count)
		}
		if got := count.lost.Load(); got != c.want {
			t.Errorf("%s: lost %d, want %d", name, got, c.want)
		}
	}
}

// TestJitter: evenly spaced packets have none, whatever their delay; those that are 16 ms
// off have, and it is smoothed (RFC 3550, A.8).
func TestJitter(t *testing.T) {
	var count trackTraffic
	r := reception{rate: 48000}
	stamp, at, number := ^uint32(0)-3*960, time.Hour, uint16(65530)
	packet := func(late time.Duration) time.Duration {
		r.take(&rtp.Header{SequenceNumber: number, Timestamp: stamp}, at+late, &count)
		number++
		stamp, at = stamp+960, at+20*time.Millisecond
		return time.Duration(count.jitter.Load())
	}
	for range 10 {
		if got := packet(5 * time.Millisecond); got != 0 {
			t.Fatalf("jitter %v of an even stream", got)
		}
	}
	if got := packet(21 * time.Millisecond); got != time.Millisecond {
		t.Errorf("jitter %v after one packet that is 16 ms late, want 1ms", got)
	}
	for i := range 200 {
		packet(time.Duration(i%2) * 16 * time.Millisecond)
	}
	if got := time.Duration(count.jitter.Load()); got < 15*time.Millisecond || got > 16*time.Millisecond {
		t.Errorf("jitter %v of packets that are 16 ms off, want nearly 16ms", got)
	}
}

// TestRemoteReport reads what a peer says in either kind of report.
func TestRemoteReport(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	report := rtcp.ReceptionReport{
		SSRC: 77, FractionLost: 64, TotalLost: 0xfffffe, Jitter: 900,
		LastSenderReport: shortNTP(now.Add(-300 * time.Millisecond)), Delay: 65536 / 4,
	}
	other := rtcp.ReceptionReport{SSRC: 78, FractionLost: 255}
	for _, p := range []rtcp.Packet{&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{other, report}}, &rtcp.SenderReport{Reports: []rtcp.ReceptionReport{report}}} {
		var count trackTraffic
		count.reportReceived(p, 77, 90000, now)
		got := count.stats(0)
		if got.RemoteFractionLost != 0.25 || got.RemoteLost != -2 || got.RemoteJitter != 10*time.Millisecond {
			t.Errorf("%T: fraction %v, lost %d, jitter %v", p, got.RemoteFractionLost, got.RemoteLost, got.RemoteJitter)
		}
		if d := got.RoundTrip - 50*time.Millisecond; d < -time.Millisecond || d > time.Millisecond {
			t.Errorf("%T: round trip %v, want 50ms", p, got.RoundTrip)
		}
	}
	var count trackTraffic
	count.reportReceived(&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: 77}}}, 77, 90000, now)
	if got := count.stats(0).RoundTrip; got != 0 {
		t.Errorf("round trip %v and no report of ours has arrived there", got)
	}
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPictureSize reads the sizes that real encoders write, as they go over the wire.
func TestPictureSize(t *testing.T) {
	for _, c := range []struct {
		codec         capture.Codec
		file          string
		width, height int
	}{
		{capture.VP8, "black/320x240.vp8", 320, 240}, {capture.VP8, "black/320x180.vp8", 320, 180},
		{capture.H264, "black/320x240.h264", 320, 240}, {capture.H264, "black/320x180.h264", 320, 180},
	} {
		data := readFile(t, c.file)
		if w, h := keySize(c.codec, data); w != c.width || h != c.height {
			t.Errorf("%s: %dx%d", c.file, w, h)
		}
		w := &wire{keep: true}
		k := bound(t, c.codec, w)
		if err := k.write(&capture.Packet{Codec: c.codec, Data: data, Key: true}); err != nil {
			t.Fatal(err)
		}
		if w, h := payloadPicture(c.codec, w.packets[0].Payload); w != c.width || h != c.height {
			t.Errorf("%s in RTP: %dx%d", c.file, w, h)
		}
	}
}

// TestCountingAllocs: nothing allocates for a packet.
func TestCountingAllocs(t *testing.T) {
	var count trackTraffic
	r := reception{rate: 90000}
	h := &rtp.Header{}
	payload := append([]byte{0x10}, readFile(t, "black/320x240.vp8")...)
	if got := testing.AllocsPerRun(100, func() {
		h.SequenceNumber++
		h.Timestamp += 3000
		r.take(h, time.Duration(h.SequenceNumber), &count)
		r.newPicture(h.Timestamp)
		count.picturesReceived.setSize(payloadPicture(capture.VP8, payload))
	}); got != 0 {
		t.Errorf("%v allocations a packet, want 0", got)
	}
}
