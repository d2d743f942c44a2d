package audio

import (
	"errors"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"intercom/capture"
)

// TestLimiter: three residents at once are as loud as a loudspeaker can be, and not distorted;
// afterwards one of them is as loud as ever.
func TestLimiter(t *testing.T) {
	var l limiter
	wave := func(n, i int, peak float64) int32 {
		return int32(peak * math.Sin(2*math.Pi*300*float64(n*capture.PeriodSamples+i)/capture.SampleRate))
	}
	var out [capture.PeriodSamples]int16
	for n := range 100 {
		peak := 20000.0
		if n < 50 {
			peak = 60000 // three of them
		}
		var mix [capture.PeriodSamples]int32
		for i := range mix {
			mix[i] = wave(n, i, peak)
		}
		l.pass(&mix, 1, out[:])
		want := min(peak, ceiling)
		for i, s := range out {
			settled := n > 0 && n < 50 || n > 60
			if off := math.Abs(float64(s) - float64(mix[i])/peak*want); settled && off > 0.02*want {
				t.Fatalf("period %d, sample %d is %d, off by %.0f", n, i, s, off)
			}
		}
	}
	l = limiter{}
	var mix [capture.PeriodSamples]int32
	for i := range mix {
		mix[i] = wave(0, i, 1000)
	}
	l.pass(&mix, 0.5, out[:])
	if got, want := slices.Max(out[:]), int16(500); got != want {
		t.Errorf("half the volume of 1000 is %d, want %d", got, want)
	}
}

func TestVolume(t *testing.T) {
	b := newSource(t)
	for _, volume := range []float64{LeastVolume - 1, MostVolume + 1, math.NaN()} {
		cfg := b.cfg
		cfg.Volume = volume
		if _, err := New(cfg); err == nil {
			t.Errorf("a volume of %v dB is taken", volume)
		}
	}
}

// sounded are the periods, of those played since the last call, in which there was sound.
func (b *bench) sounded() (n, of int) {
	for _, s := range b.card.heard() {
		if of++; s != 0 {
			n++
		}
	}
	return n, of
}

func TestCue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		const periods = 25 // 0.5 s
		sound := slices.Repeat([]int16{500}, periods*capture.PeriodSamples)
		b.Cue(sound, false)
		time.Sleep(100 * time.Millisecond)
		if !b.On() || b.listening.Load() {
			t.Errorf("during the cue: on %v, microphone listened to %v; want the card alone", b.On(), b.listening.Load())
		}
		time.Sleep(2 * time.Second)
		if n, of := b.sounded(); n != periods || of < periods+drainPeriods || of > periods+drainPeriods+2 || b.On() {
			t.Errorf("%d of %d periods sounded, want %d; on %v", n, of, periods, b.On())
		}

		// Again and again, until it is ended; a call goes on beside it.
		b.Cue(sound[:capture.PeriodSamples], true)
		time.Sleep(10 * time.Second)
		if n, of := b.sounded(); n < 495 || n != of {
			t.Errorf("%d of %d periods sounded, want all of 10 s", n, of)
		}
		p := b.player(t)
		for i := range 10 {
			p.Write(packet(i + 1))
		}
		time.Sleep(100 * time.Millisecond)
		heard := b.card.heard()
		if !slices.Contains(heard, 501) || !slices.Contains(heard, 503) {
			t.Errorf("heard %v, want the cue and the peer together", heard)
		}
		b.Cue(nil, false)
		p.Close()
		time.Sleep(time.Second)
		if b.On() {
			t.Error("the card is on after the cue was ended")
		}

		// What comes too late is not told: the card is lost for longer than a cue waits.
		b.Cue(sound, false)
		synctest.Wait()
		b.card.heard()
		for range 5 {
			select {
			case b.card.fail <- errors.New("unplugged"):
			case <-time.After(10 * time.Second):
			}
		}
		time.Sleep(20 * time.Second)
		if n, _ := b.sounded(); n > periods || b.On() {
			t.Errorf("%d periods sounded on a card that was lost; on %v", n, b.On())
		}
		b.Cue(sound, true) // left to Run
	})
}

func TestThreeResidents(t *testing.T) {
	b := newSource(t)
	for i := range 3 {
		p := b.playing(t)
		for n := range 3 {
			rx := packet(n)
			rx.Payload = []byte{0, byte(10 << i)}
			p.Write(rx)
		}
	}
	b.Cue([]int16{5}, true)
	if got := b.tick(); got != 10+20+40+5 {
		t.Errorf("three residents and a cue mix to %d, want 75", got)
	}
	var mic, speaker [capture.PeriodSamples]int16
	if got := testing.AllocsPerRun(100, func() { b.Source.period(mic[:], speaker[:]) }); got != 0 {
		t.Errorf("%v allocations a period, want 0", got)
	}
}
