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
	stats  counters // its own
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
	added   int // of jitter, counted

	// fade is how a packet began that was left out; what is played in its place begins so.
	fade   [fadeSamples]int16
	fading bool
	delay  atomic.Int64 // the latest of jitter's, in samples
}

const (
	// fadeSamples is how long it takes to get from one packet to another, 5 ms.
	fadeSamples = capture.SampleRate / 200
	// quietLevel is the root mean square of sound that nobody misses, -50 dBFS.
	quietLevel = 104
)

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
	stats := &p.stats
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
	p.jitter.rest = p.end - p.at
	p.collect()
	defer p.count()
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
	stats := &p.stats
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
			return
		}
	}
}

// count passes on what the jitter buffer has counted.
func (p *player) count() {
	stats := &p.stats
	stats.cut.Add(int64(p.jitter.cut - p.cut))
	stats.added.Add(int64(p.jitter.added - p.added))
	p.cut, p.added = p.jitter.cut, p.jitter.added
	p.delay.Store(int64(max(0, p.jitter.waits.delay())))
}

// refill makes new samples. It returns false if there is nothing to be played.
func (p *player) refill() bool {
	for {
		v, payload := p.jitter.pull()
		switch v {
		case silence:
			return false
		case play, spare, skip:
			if p.decode(payload) {
				if v == skip || v == spare && quiet(p.pcm[:p.end]) {
					if v == spare {
						p.jitter.leftOut()
					}
					p.leaveOut()
					continue
				}
				p.blend()
				return true
			}
			p.conceal()
		case recover:
			p.recover(payload)
		case conceal:
			p.conceal()
		}
		p.blend()
		return true
	}
}

// decode decodes a packet.
func (p *player) decode(payload []byte) bool {
	n, err := p.decoder.Decode(payload, p.pcm[:])
	if err != nil || n <= 0 || n > len(p.pcm) {
		p.stats.garbled.Add(1)
		return false
	}
	p.stats.played.Add(1)
	p.jitter.samples = n
	p.at, p.end = 0, n
	return true
}

// recover makes what is missing of the packet that follows it.
func (p *player) recover(next []byte) {
	n := p.jitter.samples
	if p.decoder.Recover(next, p.pcm[:n]) != nil {
		p.conceal()
		return
	}
	p.stats.recovered.Add(1)
	p.at, p.end = 0, n
}

// conceal makes something for a packet that is missing, or might as well be.
func (p *player) conceal() {
	p.stats.concealed.Add(1)
	n := p.jitter.samples
	if got, err := p.decoder.Decode(nil, p.pcm[:n]); err != nil || got != n {
		clear(p.pcm[:n])
	}
	p.at, p.end = 0, n
}

// quiet tells whether nobody would miss a packet.
func quiet(pcm []int16) bool {
	sum := int64(0)
	for _, s := range pcm {
		sum += int64(s) * int64(s)
	}
	return sum < quietLevel*quietLevel*int64(len(pcm))
}

// leaveOut drops what was decoded last. Of several in a row the first is faded from.
func (p *player) leaveOut() {
	if !p.fading && p.end >= fadeSamples {
		copy(p.fade[:], p.pcm[:])
		p.fading = true
	}
	p.end = 0
}

// blend begins the samples with those of a packet that was left out before them.
func (p *player) blend() {
	if !p.fading {
		return
	}
	p.fading = false
	n := min(fadeSamples, p.end)
	for i := range n {
		p.pcm[i] = int16((int(p.fade[i])*(n-i) + int(p.pcm[i])*i) / n)
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
