package audio

import (
	"sync"
	"sync/atomic"

	"intercom/capture"
)

const (
	// inboxLen is how many packets may come between two periods of the card.
	inboxLen = 32
	// maxSamples is the longest period of sound in one packet, 120 ms (RFC 6716 section 2.1.4).
	maxSamples = 6 * capture.PeriodSamples
)

// parcel is a packet on its way from Write to the card's goroutine.
type parcel struct {
	sequence uint16
	n        int
	data     [maxPayload]byte
}

// player is a capture.Player.
type player struct {
	src    *Source
	name   string
	closed atomic.Bool
	empty  chan *parcel
	inbox  chan *parcel // has room for all parcels there are

	// playing is held while the card works with what follows. The card only tries it:
	// it is taken otherwise when the player is closed.
	playing sync.Mutex
	jitter  *jitter
	decoder capture.SoundDecoder // nil after Close
	pcm     [maxSamples]int16
	at, end int // what of pcm is to be played
	cut     int // of jitter, counted
}

func newPlayer(s *Source, name string, d capture.SoundDecoder) *player {
	p := &player{
		src: s, name: name, decoder: d, jitter: newJitter(),
		empty: make(chan *parcel, inboxLen), inbox: make(chan *parcel, inboxLen),
	}
	for range inboxLen {
		p.empty <- new(parcel)
	}
	return p
}

// Write takes one RTP packet. It may be called from any goroutine.
func (p *player) Write(r capture.Received) {
	stats := &p.src.stats
	stats.received.Add(1)
	if len(r.Payload) == 0 || len(r.Payload) > maxPayload {
		stats.garbled.Add(1)
		return
	}
	select {
	case b := <-p.empty:
		b.sequence, b.n = r.Sequence, copy(b.data[:], r.Payload)
		p.inbox <- b
	default: // the card stands still
		stats.cut.Add(1)
	}
}

// add adds one period to the mix. The card calls it.
func (p *player) add(mix *[capture.PeriodSamples]int32) {
	if !p.playing.TryLock() {
		return
	}
	defer p.playing.Unlock()
	if p.decoder == nil {
		return
	}
	p.collect()
	for i := 0; i < len(mix); {
		if p.at == p.end && !p.refill() {
			return
		}
		n := min(len(mix)-i, p.end-p.at)
		for k, s := range p.pcm[p.at : p.at+n] {
			mix[i+k] += int32(s)
		}
		i, p.at = i+n, p.at+n
	}
}

// collect empties the inbox.
func (p *player) collect() {
	stats := &p.src.stats
	for {
		select {
		case b := <-p.inbox:
			switch p.jitter.put(b.sequence, b.data[:b.n]) {
			case late:
				stats.late.Add(1)
			case duplicate:
				stats.duplicate.Add(1)
			case strange:
				stats.cut.Add(1)
			}
			p.empty <- b
		default:
			stats.cut.Add(int64(p.jitter.cut - p.cut))
			p.cut = p.jitter.cut
			return
		}
	}
}

// refill makes new samples. It returns false if there is nothing to be played.
func (p *player) refill() bool {
	stats := &p.src.stats
	for {
		v, payload := p.jitter.pull()
		switch v {
		case silence:
			return false
		case play, skip:
			n, err := p.decoder.Decode(payload, p.pcm[:])
			if err == nil && n > 0 && n <= len(p.pcm) {
				p.jitter.samples = n
				stats.played.Add(1)
				if v == skip {
					continue
				}
				p.at, p.end = 0, n
				return true
			}
			stats.garbled.Add(1)
		}
		// A packet that is missing, or might as well be.
		stats.concealed.Add(1)
		n := p.jitter.samples
		if got, err := p.decoder.Decode(nil, p.pcm[:n]); err != nil || got != n {
			clear(p.pcm[:n])
		}
		p.at, p.end = 0, n
		return true
	}
}

// Close ends it.
func (p *player) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	p.src.leave(nil, p)
	p.playing.Lock()
	defer p.playing.Unlock()
	err := p.decoder.Close()
	p.decoder = nil
	return err
}
