package audio

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"intercom/capture"
)

// card is a fake: the microphone hears the number of the period, everywhere.
type card struct {
	fail   chan error // what Run returns with
	opened int
	open   atomic.Bool
	mu     sync.Mutex
	played []int16 // the first sample of each period
}

func (c *card) Run(ctx context.Context, period func(mic, speaker []int16)) error {
	c.opened++
	c.open.Store(true)
	defer c.open.Store(false)
	mic, speaker := make([]int16, capture.PeriodSamples), make([]int16, capture.PeriodSamples)
	tick := time.NewTicker(capture.Period)
	defer tick.Stop()
	for n := int16(0); ; n++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-c.fail:
			return err
		case <-tick.C:
		}
		for i := range mic {
			mic[i] = n
		}
		period(mic, speaker)
		c.mu.Lock()
		c.played = append(c.played, speaker[0])
		c.mu.Unlock()
	}
}

// heard returns what was played since the last call.
func (c *card) heard() []int16 {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.played
	c.played = nil
	return p
}

// codec is a fake of both: a packet is the first sample of its period. What begins with
// 0x7f does not decode; concealment is -1.
type codec struct {
	open   *atomic.Int64 // how many there are
	closed bool

	expected []float64
}

func (c *codec) Encode(pcm []int16, dst []byte) (int, error) {
	return len(binary.BigEndian.AppendUint16(dst[:0], uint16(pcm[0]))), nil
}

func (c *codec) Decode(packet []byte, pcm []int16) (int, error) {
	if c.closed {
		return 0, capture.ErrClosed
	}
	v := int16(-1)
	n := len(pcm)
	if packet != nil {
		if packet[0] == 0x7f {
			return 0, errors.New("garbled")
		}
		v, n = int16(binary.BigEndian.Uint16(packet)), capture.PeriodSamples
	}
	for i := range n {
		pcm[i] = v
	}
	return n, nil
}

// Recover is the negative of what the next packet is.
func (c *codec) Recover(next []byte, pcm []int16) error {
	v := -int16(binary.BigEndian.Uint16(next))
	for i := range pcm {
		pcm[i] = v
	}
	return nil
}

// Expect remembers what it was told.
func (c *codec) Expect(loss float64) error {
	c.expected = append(c.expected, loss)
	return nil
}

func (c *codec) Close() error {
	if !c.closed {
		c.open.Add(-1)
	}
	c.closed = true
	return nil
}

// bench is a running source with fakes around it.
type bench struct {
	*Source
	card               *card
	encoders, decoders atomic.Int64 // made
	open               atomic.Int64 // of both
	mu                 sync.Mutex
	reports            []string
	stop               func()
}

func newSource(t *testing.T) *bench {
	t.Helper()
	b := &bench{card: &card{fail: make(chan error)}}
	make := func(made *atomic.Int64) *codec {
		made.Add(1)
		b.open.Add(1)
		return &codec{open: &b.open}
	}
	s, err := New(Config{
		Duplex:     b.card,
		NewEncoder: func() (capture.SoundEncoder, error) { return make(&b.encoders), nil },
		NewDecoder: func() (capture.SoundDecoder, error) { return make(&b.decoders), nil },
		Report: func(err error) {
			if err == nil {
				err = errors.New("well")
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			b.reports = append(b.reports, err.Error())
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Source = s
	return b
}

// newBench is called in a bubble. The caller calls stop.
func newBench(t *testing.T) *bench {
	t.Helper()
	b := newSource(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v, want the context's error", err)
		}
		if b.On() || b.card.open.Load() {
			t.Error("the card is on after Run")
		}
		if n := b.open.Load(); n != 0 {
			t.Errorf("%d encoders and decoders were not closed", n)
		}
	})
	synctest.Wait()
	return b
}

func (b *bench) feed(t *testing.T) capture.Feed {
	t.Helper()
	f, err := b.Open()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (b *bench) player(t *testing.T) capture.Player {
	t.Helper()
	p, err := b.Play("somebody")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// next reads a packet that must come within a second.
func next(t *testing.T, f capture.Feed) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	p, err := f.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	if p.Codec != capture.Opus || !p.Key || p.Duration != capture.Period || time.Since(p.Time) > 100*time.Millisecond+queueLen*capture.Period {
		t.Errorf("packet %+v", p)
	}
	return int(binary.BigEndian.Uint16(p.Data))
}

// packet is what a peer sends: its number as the sample.
func packet(sequence int) capture.Received {
	return capture.Received{
		Sequence: uint16(sequence), Timestamp: uint32(sequence) * capture.PeriodSamples,
		Payload: binary.BigEndian.AppendUint16(nil, uint16(sequence&0x3fff)),
	}
}
