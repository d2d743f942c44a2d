package audio

import "intercom/capture"

const (
	// windowLen is how many packets a jitter buffer can hold: 320 ms in packets of 10 ms,
	// the shortest that are sent. A power of two.
	windowLen = 32
	// maxPayload is more than an RTP packet brings over a network that does not fragment.
	maxPayload = 1500

	// In samples: what is collected before playing begins and nothing is known of the
	// network, what is never exceeded, and for how long an empty buffer is covered up by the
	// decoder.
	startDelay = 3 * capture.PeriodSamples  // 60 ms
	maxDelay   = 10 * capture.PeriodSamples // 200 ms
	maxConceal = 5 * capture.PeriodSamples  // 100 ms

	// Distances of sequence numbers (RFC 3550 appendix A.1): beyond them a sender has
	// started anew, which two packets in a row must confirm.
	maxDropout  = 3000
	maxMisorder = 100
)

// verdict is what is to be played next.
type verdict uint8

const (
	silence verdict = iota // there is nothing: collecting, or nobody talks
	play                   // this packet
	spare                  // this packet, which may be left out if it is quiet: see jitter.leftOut
	skip                   // this packet is decoded and not played, which takes out delay
	recover                // a packet is missing; this one, which follows it, may bring it in part
	conceal                // a packet is missing, or its time is made longer
)

// fate is what became of a packet.
type fate uint8

const (
	kept      fate = iota
	late           // its turn is over
	duplicate      // it is held already
	strange        // it belongs to another sequence, which is not confirmed yet
)

// jitter puts packets in order and decides when each is due. It is a plain state machine:
// put when a packet came, pull when the loudspeaker needs the next one. Its clock is what
// was pulled.
type jitter struct {
	slots [windowLen]struct {
		held bool
		n    int
		data [maxPayload]byte
	} // by sequence number
	count   int    // held
	next    uint16 // the sequence number that is due
	newest  uint16 // the latest held
	samples int    // of a packet; learned
	rest    int    // samples of the last packet pulled that are still to be played
	cut     int    // packets left out to shorten the delay
	added   int    // packets put in to lengthen it

	begun   bool
	playing bool
	waited  int    // samples pulled since the first packet came, while collecting
	stopped bool   // playing has stopped before
	floor   uint16 // and this was due then: what is older is late

	suspect bool   // the last packet was strange
	confirm uint16 // and this one would follow it

	ahead int // packets concealed since the buffer was empty
	waits waits
	still int // samples played since the delay was last changed
}

func newJitter() *jitter { return &jitter{samples: capture.PeriodSamples} }

// packets is how many of them last for some samples; at least one.
func (j *jitter) packets(samples int) int { return max(1, samples/j.samples) }

// depth is how many packets there are from the one due to the newest, gaps included.
func (j *jitter) depth() int {
	if j.count == 0 {
		return 0
	}
	return int(j.newest-j.next) + 1
}

// put takes a copy of a packet.
func (j *jitter) put(sequence uint16, payload []byte) fate {
	due := j.next
	if !j.begun {
		due = sequence
	}
	d := int(int16(sequence - due))
	if d < -maxMisorder || d > maxDropout {
		if !j.suspect || sequence != j.confirm {
			j.suspect, j.confirm = true, sequence+1
			return strange
		}
		j.clear()
		j.stopped = false
		d = 0
	}
	j.suspect = false
	if j.playing {
		j.waits.add((d-j.ahead)*j.samples + j.rest)
	}
	if j.isLate(sequence, d) {
		return late
	}
	if d >= windowLen { // all that is held is too old now
		j.cut += j.count
		j.clear()
	}
	if !j.playing && (j.count == 0 || d < 0) {
		j.next = sequence
	}
	s := &j.slots[sequence%windowLen]
	if s.held {
		return duplicate
	}
	s.held, s.n = true, copy(s.data[:], payload)
	if j.count == 0 || int16(sequence-j.newest) > 0 {
		j.newest = sequence
	}
	j.count++
	j.begun = true
	if j.depth() > j.packets(maxDelay) {
		j.shorten(j.packets(startDelay))
	}
	return kept
}

// isLate tells of a packet at distance d from the one due. While packets are collected an
// earlier one is welcome, unless its turn was before playing stopped.
func (j *jitter) isLate(sequence uint16, d int) bool {
	switch {
	case j.playing:
		return d < 0
	case j.stopped && int16(sequence-j.floor) < 0:
		return true
	default:
		return d < 0 && j.count > 0 && int(j.newest-sequence) >= windowLen
	}
}

// clear forgets what is held and begins to collect.
func (j *jitter) clear() {
	for i := range j.slots {
		j.slots[i].held = false
	}
	j.count, j.playing, j.waited = 0, false, 0
}

// shorten leaves out the oldest packets.
func (j *jitter) shorten(depth int) {
	for ; j.depth() > depth; j.next++ {
		if s := &j.slots[j.next%windowLen]; s.held {
			s.held = false
			j.count--
			j.cut++
		}
	}
}

// pull decides what is next. The payload is valid until the next put.
func (j *jitter) pull() (verdict, []byte) {
	if !j.playing {
		if j.count == 0 {
			return silence, nil
		}
		if start := j.start(); j.depth() < j.packets(start) && j.waited < start {
			j.waited += capture.PeriodSamples
			return silence, nil
		}
		j.playing, j.ahead = true, 0
		// The newest packet waits as long as the quickest do from now on.
		j.changed((j.depth()-1)*j.samples - j.waits.delay())
	}
	for {
		s := &j.slots[j.next%windowLen]
		switch {
		case s.held && j.ahead == 0 && j.tooShort():
			j.added++
			j.changed(j.samples)
			return conceal, nil
		case s.held:
			if j.ahead > 0 { // it has been waited for
				j.changed(j.ahead * j.samples)
				j.ahead = 0
			}
			s.held = false
			j.count--
			j.next++
			j.still += j.samples
			v := j.tooLong()
			if v == skip {
				j.leftOut()
			}
			return v, s.data[:s.n]
		case j.count == 0:
			return j.starve(), nil
		}
		j.next++
		if j.ahead == 0 {
			j.still += j.samples
			if after := &j.slots[j.next%windowLen]; after.held {
				return recover, after.data[:after.n]
			}
			return conceal, nil
		}
		j.ahead-- // its time was filled when the buffer was empty
	}
}

// leftOut is told that a spare packet was not played.
func (j *jitter) leftOut() {
	j.cut++
	j.changed(-j.samples)
}

// changed notes that everything is played later than before by some samples, or sooner.
func (j *jitter) changed(samples int) {
	j.waits.shift(samples)
	j.still = 0
}

// starve covers up an empty buffer for a while. The packet that is due may still come; if
// it does the delay has grown by what was covered up.
func (j *jitter) starve() verdict {
	j.ahead++
	if j.ahead*j.samples <= maxConceal {
		return conceal
	}
	j.playing, j.waited = false, 0
	j.stopped, j.floor = true, j.next
	return silence
}
