//go:build cgo

package opus

import (
	"math"
	"math/rand/v2"
	"testing"

	"intercom/capture"
	"intercom/capture/capturetest"
)

func TestRoundTrip(t *testing.T) { capturetest.Sound(t, NewEncoder, NewDecoder) }

func TestRate(t *testing.T) {
	e := newEncoder(t)
	var dst [MaxPacket]byte
	size := 0
	const periods = 100
	for i := range periods {
		n, err := e.Encode(capturetest.Voice(i), dst[:])
		if err != nil {
			t.Fatal(err)
		}
		size += n
	}
	got := size * 8 * 50 / periods
	t.Logf("%d bit/s", got)
	if got < bitRate/2 || got > bitRate*5/4 {
		t.Errorf("%d bit/s of %d", got, bitRate)
	}
}

// TestLongPackets: a peer may put more than one period into a packet. The table of
// contents says how many frames there are (RFC 6716 section 3.1).
func TestLongPackets(t *testing.T) {
	e := newEncoder(t)
	var dst [MaxPacket]byte
	n, err := e.Encode(capturetest.Voice(0), dst[:])
	if err != nil {
		t.Fatal(err)
	}
	// Code 3, constant bit rate: the count, then the frames, all of one size.
	long := []byte{dst[0] | 3, 3}
	for range 3 {
		long = append(long, dst[1:n]...)
	}
	d, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	pcm := make([]int16, MaxSamples)
	if got, err := d.Decode(long, pcm); err != nil || got != 3*capture.PeriodSamples {
		t.Errorf("%d samples, error %v, want %d", got, err, 3*capture.PeriodSamples)
	}
	if got, err := d.Decode(long, pcm[:capture.PeriodSamples]); err == nil {
		t.Errorf("%d samples into room for one period, want an error", got)
	}
}

// TestRecover loses packets where a voice changes its pitch: concealment goes on with the
// old one, what the next packet brings has the new one.
func TestRecover(t *testing.T) {
	const low, high, hold = 300.0, 500.0, 10
	var strength [2]float64
	for i, with := range []bool{false, true} {
		e := newEncoder(t)
		d, err := NewDecoder()
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		var packets [][]byte
		phase := 0.0
		for n := range 20 * hold {
			hz, pcm := low, make([]int16, capture.PeriodSamples)
			if n/hold%2 == 1 {
				hz = high
			}
			for k := range pcm {
				pcm[k] = int16(8000*math.Sin(phase) + 3000*math.Sin(2*phase))
				phase += 2 * math.Pi * hz / capture.SampleRate
			}
			dst := make([]byte, MaxPacket)
			size, err := e.Encode(pcm, dst)
			if err != nil {
				t.Fatal(err)
			}
			packets = append(packets, dst[:size])
		}
		pcm := make([]int16, MaxSamples)
		for n, p := range packets {
			// The second packet of each high note is lost, when the first is, too.
			lost, made := n/hold%2 == 1 && n%hold < 2, pcm[:capture.PeriodSamples]
			switch {
			case lost && n%hold == 1 && with:
				err = d.Recover(packets[n+1], made)
			case lost:
				_, err = d.Decode(nil, made)
			default:
				_, err = d.Decode(p, pcm)
			}
			if err != nil {
				t.Fatal(err)
			}
			if lost && n%hold == 1 {
				strength[i] += capturetest.Strength(made, high) / 10
			}
		}
	}
	t.Logf("the lost note has %.0f concealed and %.0f recovered", strength[0], strength[1])
	if strength[1] < 1000 || strength[0] > strength[1]/2 {
		t.Errorf("strength %.0f concealed and %.0f recovered of 5700, want 1000 and twice as much at least", strength[0], strength[1])
	}
}

func TestAllocs(t *testing.T) {
	e := newEncoder(t)
	d, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	voice, dst, pcm := capturetest.Voice(0), make([]byte, MaxPacket), make([]int16, MaxSamples)
	if got := testing.AllocsPerRun(50, func() {
		n, err := e.Encode(voice, dst)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Decode(dst[:n], pcm); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Decode(nil, pcm[:capture.PeriodSamples]); err != nil {
			t.Fatal(err)
		}
		if err := d.Recover(dst[:n], pcm[:capture.PeriodSamples]); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("%v allocations a period, want 0", got)
	}
}

func FuzzDecode(f *testing.F) {
	e := newEncoder(f)
	var dst [MaxPacket]byte
	for i := range 3 {
		n, err := e.Encode(capturetest.Voice(i), dst[:])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append([]byte(nil), dst[:n]...))
	}
	f.Add([]byte{})
	f.Add([]byte{0xff})
	pcm := make([]int16, MaxSamples)
	f.Fuzz(func(t *testing.T, packet []byte) {
		d, err := NewDecoder()
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		_ = d.Recover(packet, pcm[:capture.PeriodSamples]) // an error is as good as none
		for _, p := range [][]byte{packet, nil, packet} {
			n, err := d.Decode(p, pcm)
			if err == nil && (n < 0 || n > len(pcm)) {
				t.Errorf("%d samples of %d", n, len(pcm))
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	e := newEncoder(b)
	voice, dst := capturetest.Voice(0), make([]byte, MaxPacket)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Encode(voice, dst); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	e := newEncoder(b)
	dst, pcm := make([]byte, MaxPacket), make([]int16, MaxSamples)
	n, err := e.Encode(capturetest.Voice(0), dst)
	if err != nil {
		b.Fatal(err)
	}
	d, err := NewDecoder()
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Decode(dst[:n], pcm); err != nil {
			b.Fatal(err)
		}
	}
}

func newEncoder(t testing.TB) capture.SoundEncoder {
	t.Helper()
	e, err := NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func TestSilenceIsQuiet(t *testing.T) {
	e := newEncoder(t)
	d, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	dst, pcm := make([]byte, MaxPacket), make([]int16, MaxSamples)
	for range 20 {
		n, err := e.Encode(make([]int16, capture.PeriodSamples), dst)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Decode(dst[:n], pcm)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range pcm[:got] {
			if math.Abs(float64(s)) > 8 {
				t.Fatalf("silence comes out as %d", s)
			}
		}
	}
}

// TestExpect: the more loss is expected the more of a lost packet comes with the next one.
func TestExpect(t *testing.T) {
	var share [3]float64
	for i, loss := range []float64{0, 0.1, 0.3} {
		e := newEncoder(t)
		if err := e.Expect(loss); err != nil {
			t.Fatal(err)
		}
		d, err := NewDecoder()
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		r := rand.New(rand.NewPCG(1, 2))
		made := make([]int16, capture.PeriodSamples)
		with := 0
		for range 100 {
			voice := capturetest.Voice(r.IntN(1000)) // no period goes on with the one before
			var dst [MaxPacket]byte
			n, err := e.Encode(voice, dst[:])
			if err != nil {
				t.Fatal(err)
			}
			if hasFEC(dst[:n]) {
				with++
			}
			if err := d.Recover(dst[:n], made); err != nil {
				t.Fatal(err)
			}
		}
		share[i] = float64(with) / 100
	}
	t.Logf("packets that bring one before them: %.2f, %.2f, %.2f", share[0], share[1], share[2])
	if share[0] > 0.01 || share[1] < 0.8 || share[2] < 0.8 {
		t.Errorf("%.2f of the packets bring one before them without expected loss, %.2f with 10 %% and %.2f with 30 %%; want none and most", share[0], share[1], share[2])
	}
}

// hasFEC tells whether a mono SILK or hybrid packet of 20 ms has a LBRR frame: the second
// bit of its first frame (RFC 6716, 4.2.3; the first is the voice activity's).
func hasFEC(packet []byte) bool {
	return packet[0]>>3 < 16 && len(packet) > 1 && packet[1]&0x40 != 0
}
