package audio

import (
	"sync/atomic"
	"time"

	"intercom/capture"
)

// counters are the atoms of Stats.
type counters struct {
	expected                                                                     atomic.Int64 // percent
	overruns, dropped                                                            atomic.Int64
	received, played, concealed, recovered, late, duplicate, cut, added, garbled atomic.Int64
}

// add adds those of a player that is gone.
func (c *counters) add(p *counters) {
	to, from := c.packets(), p.packets()
	for i := range to {
		to[i].Add(from[i].Load())
	}
}

// packets are the counters of players, in one order.
func (c *counters) packets() [9]*atomic.Int64 {
	return [...]*atomic.Int64{&c.received, &c.played, &c.concealed, &c.recovered, &c.late, &c.duplicate, &c.cut, &c.added, &c.garbled}
}

// Stats counts since the start. What was lost on the way is among Concealed.
type Stats struct {
	Overruns  int64 // periods of the microphone that the encoder was too late for
	Dropped   int64 // coded periods that a feed was too late for
	Received  int64 // packets from peers
	Played    int64 // packets decoded
	Recovered int64 // packets missing, made of the error correction in the next one
	Concealed int64 // gaps filled by the decoder, Added among them
	Late      int64 // packets that came after their turn
	Duplicate int64 // packets that came twice
	Cut       int64 // packets left out to shorten the delay, or for want of room
	Added     int64 // packets made up to lengthen the delay
	Garbled   int64 // packets that did not decode, or were empty or too long

	// Delay is the longest that a jitter buffer adds now.
	Delay time.Duration
	// Expected is the share of lost packets, in percent, that what is sent is prepared for: it
	// follows the reports of the peer that loses most.
	Expected int
}

func (c *counters) stats() Stats {
	return Stats{
		Overruns: c.overruns.Load(), Dropped: c.dropped.Load(), Received: c.received.Load(),
		Played: c.played.Load(), Concealed: c.concealed.Load(), Late: c.late.Load(),
		Duplicate: c.duplicate.Load(), Cut: c.cut.Load(), Garbled: c.garbled.Load(), Recovered: c.recovered.Load(), Added: c.added.Load(),
	}
}

// ConcealedShare is the share of what was played that was made up, 0 to 1.
func (s Stats) ConcealedShare() float64 {
	all := s.Played + s.Recovered + s.Concealed
	if all == 0 {
		return 0
	}
	return float64(s.Concealed) / float64(all)
}

// Stats returns the counters of all.
func (s *Source) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum counters
	sum.add(&s.stats)
	sum.overruns.Store(s.stats.overruns.Load())
	sum.dropped.Store(s.stats.dropped.Load())
	var delay time.Duration
	for _, p := range *s.players.Load() {
		sum.add(&p.stats)
		delay = max(delay, p.bufferDelay())
	}
	all := sum.stats()
	all.Delay, all.Expected = delay, int(s.stats.expected.Load())
	return all
}

// PlayerStats are those of one player, since it began.
type PlayerStats struct {
	Name string // as given to Play
	Stats
}

// Players returns the players that there are, in the order they came.
func (s *Source) Players() []PlayerStats {
	var all []PlayerStats
	for _, p := range *s.players.Load() {
		one := PlayerStats{Name: p.name, Stats: p.stats.stats()}
		one.Delay = p.bufferDelay()
		all = append(all, one)
	}
	return all
}

// bufferDelay is the delay that the jitter buffer adds now.
func (p *player) bufferDelay() time.Duration {
	return time.Duration(p.delay.Load()) * time.Second / capture.SampleRate
}

// Up tells whether the card sounds: it is open, and hands over what it hears.
func (s *Source) Up() bool { return s.up.Load() }
