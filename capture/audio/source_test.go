package audio

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"intercom/capture"
)

func TestNew(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("an empty configuration is taken")
	}
	b := newSource(t)
	if _, err := b.Open(); !errors.Is(err, capture.ErrNotRunning) {
		t.Errorf("open before Run: %v, want ErrNotRunning", err)
	}
	if _, err := b.Play("somebody"); !errors.Is(err, capture.ErrNotRunning) {
		t.Errorf("play before Run: %v, want ErrNotRunning", err)
	}
	if n := b.open.Load(); n != 0 {
		t.Errorf("%d decoders left open", n)
	}
	b.cfg.NewEncoder = func() (capture.SoundEncoder, error) { return nil, errors.New("no memory") }
	if err := b.Run(t.Context()); err == nil || err.Error() != "audio: no memory" {
		t.Errorf("Run without encoder: %v", err)
	}
}

func TestCardRunsWhileUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		check := func(when string, on bool, opened int) {
			t.Helper()
			time.Sleep(time.Second)
			synctest.Wait()
			if b.On() != on || b.card.open.Load() != on || b.card.opened != opened {
				t.Errorf("%s: on %v, card open %v, opened %d times, want %v, %d", when, b.On(), b.card.open.Load(), b.card.opened, on, opened)
			}
		}
		check("at first", false, 0)
		f := b.feed(t)
		check("a feed", true, 1)
		p := b.player(t)
		f.Close()
		f.Close()
		check("a player", true, 1)
		p.Close()
		p.Close()
		check("nobody", false, 1)
		p = b.player(t)
		check("a second call", true, 2)
		p.Close()
		check("nobody again", false, 2)
		b.feed(t)
		b.player(t) // left to Run
		if e, d := b.encoders.Load(), b.decoders.Load(); e != 1 || d != 3 {
			t.Errorf("%d encoders and %d decoders, want 1 and 3", e, d)
		}
	})
}

func TestFeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		prompt, late := b.feed(t), b.feed(t)
		first := next(t, late)
		for i := range 100 {
			if n := next(t, prompt); n != i {
				t.Fatalf("packet %d, want %d", n, i)
			}
		}
		// Two seconds later the late one has the newest, in order.
		n := next(t, late)
		if n < 98 {
			t.Errorf("the late feed got %d after %d, want 98 at least", n, first)
		}
		for range 5 {
			m := next(t, late)
			if m != n+1 {
				t.Fatalf("the late feed got %d after %d", m, n)
			}
			n = m
		}
		if s := b.Stats(); s.Dropped == 0 || s.Overruns != 0 {
			t.Errorf("%+v, want some dropped and no overruns", s)
		}
		late.Close()
		if _, err := late.Next(t.Context()); !errors.Is(err, capture.ErrClosed) {
			t.Errorf("next after close: %v", err)
		}
		next(t, prompt)
		prompt.Demand(capture.Demand{BitRate: 1, KeyFrame: true})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for { // what is there first, then the context
			p, err := prompt.Next(ctx)
			if err == nil {
				p.Release()
				continue
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("next: %v", err)
			}
			break
		}
		b.stop()
		if _, err := prompt.Next(t.Context()); !errors.Is(err, capture.ErrClosed) {
			t.Errorf("next after Run: %v", err)
		}
	})
}

// TestPlayer sends for two seconds over a network with jitter, loss and disorder.
func TestPlayer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		p := b.player(t)
		defer p.Close()
		r := rand.New(rand.NewPCG(1, 2))
		const packets, lost = 500, 10 // one in ten is lost
		start := time.Now()
		var network sync.WaitGroup
		for i := range packets {
			if i%lost == 3 {
				continue
			}
			due := time.Duration(i)*capture.Period + time.Duration(r.IntN(50))*time.Millisecond
			network.Go(func() {
				time.Sleep(due)
				rx := packet(65000 + i)
				rx.Arrival = time.Now()
				p.Write(rx)
				if i%20 == 5 {
					p.Write(rx)
				}
			})
		}
		network.Wait()
		time.Sleep(300 * time.Millisecond)
		var got []int16
		for _, s := range b.card.heard() {
			if s > 0 {
				got = append(got, int16((int(s)-65000&0x3fff+1<<14)%(1<<14)))
			}
		}
		if !slices.IsSorted(got) || len(slices.Compact(got)) != len(got) {
			t.Errorf("played out of order or twice: %v", got)
		}
		s := b.Stats()
		t.Logf("%d of %d played in %v, %+v", len(got), packets, time.Since(start), s)
		if len(got) < packets*85/100 {
			t.Errorf("%d of %d played", len(got), packets)
		}
		if s.Concealed+s.Recovered < packets/lost-5 || s.Recovered < packets/lost/2 || s.Duplicate+s.Late < packets/20*9/10-5 {
			t.Errorf("%+v", s)
		}
	})
}

// TestPlayerDelay: on a good network the delay is 60 ms.
func TestPlayerDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		p := b.player(t)
		defer p.Close()
		synctest.Wait()
		b.card.heard()
		time.Sleep(5 * time.Millisecond) // between two periods
		const packets = 50
		for i := range packets {
			p.Write(packet(i + 1))
			time.Sleep(capture.Period)
		}
		heard := b.card.heard()
		if at := slices.Index(heard, 1); at < 2 || at > 3 {
			t.Errorf("the first packet came out after %d periods: %v, want 2 or 3", at, heard)
		}
		at := slices.Index(heard, 1)
		for i, s := range heard[at:] {
			if int(s) != i+1 {
				t.Fatalf("period %d: %d: %v", i, s, heard)
			}
		}
		if s := b.Stats(); s.Concealed != 0 || s.Cut != 0 || s.Late != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestGarbledPackets(t *testing.T) {
	b := newSource(t)
	p := b.playing(t)
	for i := range 30 {
		rx := packet(i + 1)
		switch i % 5 {
		case 1:
			rx.Payload = []byte{0x7f, 1}
		case 3:
			rx.Payload = make([]byte, maxPayload+1)
		case 4:
			rx.Payload = nil
		}
		p.Write(rx)
		b.tick()
	}
	if s := b.Stats(); s.Garbled != 18-1 && s.Garbled != 18 {
		t.Errorf("%+v, want 18 garbled", s)
	} else if s.Concealed == 0 || s.Played == 0 {
		t.Errorf("%+v", s)
	}
	p.Close()
	p.Write(packet(1)) // and nothing happens
	b.tick()
}

// playing gives the source a player without running a card.
func (b *bench) playing(t *testing.T) capture.Player {
	t.Helper()
	b.running = true
	return b.player(t)
}

// tick is one period of the card; it returns the first sample played.
func (b *bench) tick() int16 {
	var mic, speaker [capture.PeriodSamples]int16
	b.Source.period(mic[:], speaker[:])
	return speaker[0]
}

func TestMixer(t *testing.T) {
	b := newSource(t)
	loud := func(v int16) capture.Received {
		return capture.Received{Payload: binary.BigEndian.AppendUint16(nil, uint16(v))}
	}
	for _, test := range []struct{ one, two, want int16 }{
		{100, 23, 123}, {30000, 30000, ceiling}, {-30000, -30000, -ceiling}, {30000, -30000, 0},
	} {
		p, q := b.playing(t), b.playing(t)
		for i := range 3 {
			rx, ry := loud(test.one), loud(test.two)
			rx.Sequence, ry.Sequence = uint16(i), uint16(i+1000)
			p.Write(rx)
			q.Write(ry)
		}
		if got := b.tick(); got != test.want {
			t.Errorf("%d and %d mix to %d, want %d", test.one, test.two, got, test.want)
		}
		p.Close()
		q.Close()
		if got := b.tick(); got != 0 {
			t.Errorf("%d is played after all players closed", got)
		}
	}
}

// TestStandstill: a card that stands still costs sound, not memory, and Write never blocks.
func TestStandstill(t *testing.T) {
	b := newSource(t)
	p := b.playing(t)
	for i := range 1000 {
		p.Write(packet(i + 1))
	}
	for range 20 {
		b.tick()
	}
	for i := range 20 {
		p.Write(packet(i + 1001))
		b.tick()
	}
	if got := b.tick(); got < 1010 {
		t.Errorf("packet %d is played after the standstill, want a new one", got)
	}
	b.listening.Store(true) // and nobody codes
	for range 2 * heardLen {
		b.tick()
	}
	if got := b.Stats().Overruns; got != heardLen {
		t.Errorf("%d overruns, want %d", got, heardLen)
	}
}

func TestCardLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		f := b.feed(t)
		next(t, f)
		for _, err := range []error{errors.New("unplugged"), nil} {
			b.card.fail <- err
			time.Sleep(5 * time.Second)
			next(t, f)
		}
		synctest.Wait()
		want := []string{"sound card: unplugged", "well", "sound card: it ended", "well"}
		if !slices.Equal(b.reports, want) {
			t.Errorf("reports %q, want %q", b.reports, want)
		}
	})
}

func TestCloseWhilePlaying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		f := b.feed(t)
		defer f.Close()
		for i := range 50 {
			p := b.player(t)
			var peer sync.WaitGroup
			peer.Go(func() {
				for n := range 20 {
					p.Write(packet(n))
					time.Sleep(3 * time.Millisecond)
				}
			})
			time.Sleep(time.Duration(i) * time.Millisecond)
			p.Close()
			peer.Wait()
		}
	})
}

func TestAllocs(t *testing.T) {
	b := newSource(t)
	p := b.playing(t)
	f := b.feed(t)
	encoder, _ := b.cfg.NewEncoder()
	var pool capture.PacketPool
	var mic, speaker [capture.PeriodSamples]int16
	rx, ctx := packet(1), t.Context()
	if got := testing.AllocsPerRun(200, func() {
		rx.Sequence++
		p.Write(rx)
		b.Source.period(mic[:], speaker[:])
		heard := <-b.heard
		if err := b.send(encoder, &pool, heard); err != nil {
			t.Fatal(err)
		}
		b.spare <- heard
		k, err := f.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		k.Release()
	}); got != 0 {
		t.Errorf("%v allocations a period, want 0", got)
	}
}

func BenchmarkPeriod(b *testing.B) {
	s := newSource(&testing.T{})
	s.running = true
	p, err := s.Play("somebody")
	if err != nil {
		b.Fatal(err)
	}
	var mic, speaker [capture.PeriodSamples]int16
	rx := packet(1)
	b.ReportAllocs()
	for b.Loop() {
		rx.Sequence++
		p.Write(rx)
		s.Source.period(mic[:], speaker[:])
	}
}
