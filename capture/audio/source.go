package audio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"intercom/capture"
	"intercom/internal/backoff"
)

const (
	// heardLen is how many periods the encoder may be late.
	heardLen = 8
	// maxPacket is the longest packet of one Opus frame in bytes (RFC 6716 section 3.4).
	maxPacket = 1275
)

// Config is what a Source is made of.
type Config struct {
	Duplex     capture.Duplex
	NewEncoder func() (capture.SoundEncoder, error) // Opus; called once in Run
	NewDecoder func() (capture.SoundDecoder, error) // Opus; called for each player
	// Volume of the loudspeaker in dB, from LeastVolume to MostVolume; what gets too loud by
	// it is limited.
	Volume float64
	// Logger may be nil.
	Logger *slog.Logger
	// Report is told when the card is lost, and nil when it sounds again. It does not
	// block. It may be nil.
	Report func(error)
	// Find says why the card cannot be found, without opening it; nil: it is always there. It
	// is asked now and then while the card is off, so that Report is told before anybody
	// wants to hear something.
	Find func() error
}

// Source is a sound card that many calls use. Its methods may be called from any goroutine.
type Source struct {
	cfg     Config
	log     *slog.Logger
	changed chan struct{} // of capacity 1: somebody came or went
	on      atomic.Bool
	up      atomic.Bool // the card sounds
	stats   counters    // of feeds, and of players that are gone
	trouble string      // of the last report; empty: it was none; runCard's and look's

	mu      sync.Mutex
	running bool
	feeds   []*feed // replaced, never changed in place

	// What the card's period works with, without a lock.
	players   atomic.Pointer[[]*player] // replaced, never changed in place
	listening atomic.Bool               // there are feeds
	spare     chan *period
	heard     chan *period
	mix       [capture.PeriodSamples]int32
	cue       atomic.Pointer[cue]
	volume    float64
	limiter   limiter // the card's
}

// period is 20 ms of the microphone.
type period struct {
	pcm [capture.PeriodSamples]int16
	at  time.Time // when it began
}

// New checks the configuration; it opens nothing.
func New(cfg Config) (*Source, error) {
	if cfg.Duplex == nil || cfg.NewEncoder == nil || cfg.NewDecoder == nil {
		return nil, errors.New("audio: a sound card, an encoder and a decoder are needed")
	}
	if !(cfg.Volume >= LeastVolume && cfg.Volume <= MostVolume) {
		return nil, fmt.Errorf("audio: volume %v dB is not from %v to %v", cfg.Volume, LeastVolume, MostVolume)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Source{
		cfg:     cfg,
		log:     cfg.Logger,
		changed: make(chan struct{}, 1),
		spare:   make(chan *period, heardLen),
		heard:   make(chan *period, heardLen),
		volume:  math.Pow(10, cfg.Volume/20),
	}
	for range heardLen {
		s.spare <- new(period)
	}
	s.players.Store(new([]*player))
	s.stats.expected.Store(100 * startLoss)
	return s, nil
}

// On tells whether the card, and with it the microphone, is open, or being opened.
func (s *Source) On() bool { return s.on.Load() }

// Open returns a feed of the coded microphone, and has the card opened if it is off. It
// fails with capture.ErrNotRunning outside Run. Of the demands on the feed, reported loss is heeded:
// the worst is what error correction is prepared for. Speech has one bit rate.
func (s *Source) Open() (capture.Feed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return nil, fmt.Errorf("open microphone feed: %w", capture.ErrNotRunning)
	}
	f := newFeed(s)
	s.feeds = append(slices.Clone(s.feeds), f)
	s.listening.Store(true)
	s.poke()
	return f, nil
}

// Play returns a player of what one peer sends, and has the card opened if it is off. The
// name is for the log. It fails with capture.ErrNotRunning outside Run.
func (s *Source) Play(name string) (capture.Player, error) {
	d, err := s.cfg.NewDecoder()
	if err != nil {
		return nil, fmt.Errorf("play %s: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		d.Close()
		return nil, fmt.Errorf("play %s: %w", name, capture.ErrNotRunning)
	}
	p := newPlayer(s, name, d)
	players := append(slices.Clone(*s.players.Load()), p)
	s.players.Store(&players)
	s.poke()
	return p, nil
}

// leave takes out a feed or a player that was closed.
func (s *Source) leave(f *feed, p *player) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feeds = slices.DeleteFunc(slices.Clone(s.feeds), func(g *feed) bool { return g == f })
	s.listening.Store(len(s.feeds) > 0)
	if p != nil {
		s.stats.add(&p.stats)
	}
	players := slices.DeleteFunc(slices.Clone(*s.players.Load()), func(q *player) bool { return q == p })
	s.players.Store(&players)
	s.poke()
}

func (s *Source) poke() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *Source) used() bool {
	return s.listening.Load() || len(*s.players.Load()) > 0 || s.cue.Load() != nil
}

// Run serves feeds and players until ctx ends. It returns after the card is closed, with
// all feeds and players closed; the error is the context's, or says that there is no
// encoder.
func (s *Source) Run(ctx context.Context) error {
	encoder, err := s.cfg.NewEncoder()
	if err != nil {
		return fmt.Errorf("audio: %w", err)
	}
	defer encoder.Close()
	var work sync.WaitGroup
	work.Go(func() { s.encode(ctx, encoder) })
	s.mu.Lock()
	s.running = true
	s.mu.Unlock()

	stopCard, stopLook := func() {}, s.startLook(ctx)
	s.cue.Store(nil) // what was to be told before is over
	expired := time.NewTimer(0)
	defer expired.Stop()
	for ctx.Err() == nil {
		if left, ok := s.cueTime(); ok && left > 0 {
			expired.Reset(left)
		} else {
			expired.Stop()
		}
		switch used := s.used(); {
		case used && !s.on.Load():
			stopLook()
			s.on.Store(true)
			cardCtx, cancel := context.WithCancel(ctx)
			done := make(chan struct{})
			work.Go(func() { defer close(done); s.runCard(cardCtx) })
			stopCard = func() { cancel(); <-done; s.on.Store(false) }
		case !used && s.on.Load():
			stopCard()
			stopLook = s.startLook(ctx)
		}
		select {
		case <-ctx.Done():
		case <-s.changed:
		case <-expired.C:
		}
	}
	s.mu.Lock()
	s.running = false
	feeds, players := s.feeds, *s.players.Load()
	s.mu.Unlock()
	stopCard()
	stopLook()
	for _, f := range feeds {
		f.Close()
	}
	for _, p := range players {
		p.Close()
	}
	work.Wait()
	return ctx.Err()
}

// runCard keeps the card going until ctx ends. Somebody is in a call: a card that is back is in use
// again within two seconds.
func (s *Source) runCard(ctx context.Context) {
	retry := backoff.Backoff{Base: 250 * time.Millisecond, Cap: 2 * time.Second, Healthy: 10 * time.Second}
	for {
		up := false
		err := s.cfg.Duplex.Run(ctx, func(mic, speaker []int16) {
			if !up {
				up = true
				s.up.Store(true)
				retry.Up()
				s.report(nil)
			}
			s.period(mic, speaker)
		})
		s.up.Store(false)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("it ended")
		}
		s.report(fmt.Errorf("sound card: %w", err))
		select {
		case <-ctx.Done():
			return
		case <-time.After(retry.Next()):
		}
	}
}

// report passes on an error when it is another one, and the first nil after one. runCard and look call it, of which one
// runs at a time.
func (s *Source) report(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text == s.trouble {
		return
	}
	if err != nil {
		s.log.Warn("no sound", "cause", err)
	} else {
		s.log.Info("sound is back")
	}
	s.trouble = text
	if s.cfg.Report != nil {
		s.cfg.Report(err)
	}
}

// period is called by the card.
func (s *Source) period(mic, speaker []int16) {
	if s.listening.Load() {
		select {
		case b := <-s.spare:
			copy(b.pcm[:], mic)
			b.at = time.Now().Add(-capture.Period)
			s.heard <- b // there is room for all periods there are
		default:
			s.stats.overruns.Add(1)
		}
	}
	s.blend(speaker)
}

// encode codes the microphone until ctx ends.
func (s *Source) encode(ctx context.Context, encoder capture.SoundEncoder) {
	var pool capture.PacketPool
	expected := newExpectation()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case b := <-s.heard:
			s.expect(encoder, &expected)
			err := s.send(encoder, &pool, b)
			s.spare <- b
			switch {
			case err != nil && !failing:
				s.log.Error("microphone is not coded", "cause", err)
			case err == nil && failing:
				s.log.Info("microphone is coded again")
			}
			failing = err != nil
		}
	}
}

func (s *Source) send(encoder capture.SoundEncoder, pool *capture.PacketPool, b *period) error {
	s.mu.Lock()
	feeds := s.feeds
	s.mu.Unlock()
	if len(feeds) == 0 {
		return nil // the last one has just gone
	}
	p := pool.Get(maxPacket)
	defer p.Release()
	n, err := encoder.Encode(b.pcm[:], p.Data)
	if err != nil {
		return err
	}
	p.Data = p.Data[:n]
	p.Codec, p.Time, p.Duration, p.Key = capture.Opus, b.at, capture.Period, true
	for _, f := range feeds {
		f.push(p)
	}
	return nil
}
