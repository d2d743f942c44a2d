package callcore

import (
	"math"
	"sync"
	"time"

	"github.com/pion/rtcp"
)

// This file finds out how much the network carries to one peer, from when each packet left
// and when the peer says that it arrived (transport-wide feedback,
// draft-holmer-rmcat-transport-wide-cc-extensions-01). It is congestion control by delay,
// with an answer to loss, in the manner of draft-ietf-rmcat-gcc-02; it differs in what a
// door needs: it looks at how long the queue in the network is, not only at whether it
// grows, and sends so little after an overload that the queue is gone within a second or
// so; and loss that goes on when less is sent is taken for the radio's, not for our doing.
// pion's GCC, on the same simulated link, kept 0.7 s in the queue of one that had fallen to
// 300 kbit/s, and fell to 100 kbit/s where 10 % were lost.

const (
	startEstimate = 1_000_000
	minEstimate   = 30_000
	maxEstimate   = 20_000_000

	// sentKept is how many packets are remembered: two seconds at 4 Mbit/s.
	sentKept = 1024

	// queueHigh is the time in a queue that means overload, queueLow the one that leaves
	// room for more. Jitter counts for less: it is the fastest packet of a feedback.
	queueHigh = 80 * time.Millisecond
	queueLow  = 30 * time.Millisecond
	// queueDrain is the time in which a queue is to be gone.
	queueDrain = time.Second

	// baseWindow is how long the least delay ever seen is believed to be that of an empty
	// network; at most twice as long. Clocks drift, paths change.
	baseWindow = 15 * time.Second
	// vainDecreases: after so many that did not make the queue shorter it is not ours.
	vainDecreases = 5

	// reaction is how long it takes, beyond a round trip, until a decrease shows.
	reaction = 200 * time.Millisecond

	// fastGrowth and slowGrowth are per second: the latter near what was too much before.
	fastGrowth = 0.3
	slowGrowth = 0.08

	// untried is how far the estimate may exceed one and a half times of what arrives, which is
	// all that is proved: a peer that gets only sound must come to where pictures are tried.
	untried = 400_000

	// lossWindow is long enough for a share of it to mean something.
	lossWindow  = time.Second
	lossPackets = 20
	// lossHigh, above what is lost in any case, means overload.
	lossHigh = 0.1

	// resendShare of the estimate may be packets that are sent again, a second's worth of it
	// at once.
	resendShare = 4

	// ackWindow is what the rate of arrivals is measured over, in slots.
	ackSlot   = 50 * time.Millisecond
	ackWindow = 10 * ackSlot
	// ackBusy is enough while there is a queue: packets arrive without pauses then, at the
	// very rate that the network carries.
	ackBusy = 4 * ackSlot
)

// estimator estimates for one connection. Sending allocates nothing. Its methods may be
// called from any goroutine. Moments are since some beginning, of a monotonic clock.
type estimator struct {
	mu   sync.Mutex
	sent [sentKept]sentPacket
	next uint16

	heard     bool // there was feedback
	reference int64
	rate      int // bits a second, RTP headers included
	updated   time.Duration

	delays   baseDelay
	queue    time.Duration // of the last feedback
	acked    ackRate
	capacity int           // when there last was too much; zero: not known
	cut      time.Duration // when the rate was last decreased
	draining bool
	vain     int           // decreases since the queue was short
	vainFrom time.Duration // the queue at the first of them,
	vainRate int           // and the rate before it
	trip     time.Duration // there and back, up to the interval of feedback longer

	loss lossWatch

	offered   ackRate       // what is sent, by our clock
	arrival   time.Duration // of the last packet of the last feedback, on the peer's clock
	arrived   int           // bytes, in all
	episode   episode
	lastSent  time.Duration
	tried     time.Duration // when retry last raised the estimate,
	trialWait time.Duration // and after how long

	resent     [sentKept]resentPacket
	resendable int // bytes
	resentAt   time.Duration
}

// resentPacket is one of the media that was sent again.
type resentPacket struct {
	at       time.Duration
	sequence uint16
	done     bool
}

// sentPacket is one that may be acknowledged.
type sentPacket struct {
	left     time.Duration
	size     int32
	sequence uint16
	state    packetState
}

type packetState uint8

const (
	packetNone packetState = iota
	packetSent
	packetLost
	packetArrived
)

func newEstimator() *estimator { return &estimator{rate: startEstimate, next: 1} }

// send takes note of a packet that leaves now and returns its number.
func (e *estimator) send(size int, now time.Duration) uint16 {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := e.next
	e.next++
	e.loss.bytes += size
	e.offered.add(now, size)
	e.lastSent = now
	e.sent[n%sentKept] = sentPacket{left: now, size: int32(size), sequence: n, state: packetSent}
	return n
}

// again decides whether a packet that is asked for is sent again now: not before the last
// time can have shown, and only so many, as they come on top of all else.
func (e *estimator) again(sequence uint16, size int, now time.Duration) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	last := &e.resent[sequence%sentKept]
	if last.done && last.sequence == sequence && now-last.at < e.trip {
		return false
	}
	full := e.rate / 8 / resendShare
	since := min(now-e.resentAt, time.Second)
	e.resendable = min(e.resendable+int(float64(full)*since.Seconds()), full)
	e.resentAt = now
	if e.resendable < size {
		return false
	}
	e.resendable -= size
	*last = resentPacket{sequence: sequence, at: now, done: true}
	return true
}

// estimate returns bits a second; zero: there was no feedback.
func (e *estimator) estimate() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.heard {
		return 0
	}
	return e.rate
}

// feedback takes a report of what arrived.
func (e *estimator) feedback(fb *rtcp.TransportLayerCC, now time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	// 24 bits, in units of 64 ms.
	e.reference += int64(int32((fb.ReferenceTime-uint32(e.reference))<<8) >> 8)
	f := feedbackRead{arrival: time.Duration(e.reference) * 64 * time.Millisecond, deltas: fb.RecvDeltas, n: fb.BaseSequenceNumber, left: int(fb.PacketStatusCount)}
	for _, c := range fb.PacketChunks {
		switch c := c.(type) {
		case *rtcp.RunLengthChunk:
			for range c.RunLength {
				e.packet(&f, c.PacketStatusSymbol)
			}
		case *rtcp.StatusVectorChunk:
			for _, s := range c.SymbolList {
				e.packet(&f, s)
			}
		}
	}
	if f.arrived == 0 {
		return
	}
	if !e.heard {
		e.heard, e.updated = true, now
	}
	e.queue, e.arrival = e.delays.queue(f.fastest, now), f.arrival
	e.update(now, now-f.newest)
}

// feedbackRead goes along a report.
type feedbackRead struct {
	arrival time.Duration // on the peer's clock
	deltas  []*rtcp.RecvDelta
	n       uint16 // of the next packet
	left    int

	arrived int
	fastest time.Duration // the shortest way, by two clocks
	newest  time.Duration // when the last packet that arrived had left
}

// packet takes the status of the next packet.
func (e *estimator) packet(f *feedbackRead, symbol uint16) {
	if f.left == 0 {
		return
	}
	n := f.n
	f.n++
	f.left--
	p := &e.sent[n%sentKept]
	known := p.state != packetNone && p.sequence == n
	if symbol == rtcp.TypeTCCPacketNotReceived {
		if known && p.state == packetSent {
			p.state = packetLost
			e.loss.lost++
			e.loss.all++
		}
		return
	}
	if symbol == rtcp.TypeTCCPacketReceivedWithoutDelta || len(f.deltas) == 0 {
		return
	}
	f.arrival += time.Duration(f.deltas[0].Delta) * time.Microsecond
	f.deltas = f.deltas[1:]
	if !known || p.state == packetArrived {
		return
	}
	if p.state == packetLost {
		e.loss.lost-- // it was only late
	} else {
		e.loss.all++
	}
	p.state = packetArrived
	e.acked.add(f.arrival, int(p.size))
	e.arrived += int(p.size)
	way := f.arrival - p.left
	if f.arrived == 0 || way < f.fastest {
		f.fastest = way
	}
	f.newest = max(f.newest, p.left)
	f.arrived++
}

// update draws the conclusions.
func (e *estimator) update(now, roundTrip time.Duration) {
	step := min(now-e.updated, time.Second)
	e.updated = now
	e.trip = roundTrip
	acked := e.acked.rate(ackWindow)
	settled := now-e.cut > roundTrip+reaction
	switch e.loss.judge(now, settled) {
	case lossOurs:
		e.capacity = e.loss.carried
		e.episode.before = 0
		e.decrease(now, e.loss.carried)
		return
	case lossSome:
		step /= 4
	}
	switch {
	case e.queue > queueHigh:
		if !e.late(now) {
			return
		}
		if busy := e.acked.rate(ackBusy); 3*busy < 2*acked {
			acked = busy
		}
		e.overload(now, acked, settled)
	case e.queue < queueLow:
		e.punctual()
		if !settled {
			return
		}
		e.vain = 0
		if e.draining {
			e.draining = false
			e.rate = max(e.rate, min(e.capacity*9/10, maxEstimate))
		}
		e.increase(step, acked)
	}
}

// overload answers a queue: it sends less than what the network carries, by as much as the
// queue takes to be gone in time. As long as there is a queue, what arrives is what the
// network carries, however little is sent.
func (e *estimator) overload(now time.Duration, acked int, settled bool) {
	if e.vain == 0 {
		e.vainFrom, e.vainRate = e.queue, e.rate
	}
	if !settled { // the queue of before is still there, but no more than this is carried
		e.rate = max(min(e.rate, acked*85/100), minEstimate)
		e.capacity = min(e.capacity, acked)
		return
	}
	if e.vain++; e.vain > vainDecreases && 5*e.queue > 4*e.vainFrom {
		// A longer way, or others who fill the queue whatever we do.
		e.delays.forget()
		e.rate, e.vain, e.draining = max(e.rate, e.vainRate*3/4), 0, false
		return
	}
	e.capacity, e.draining = acked, true
	share := min(max(float64(e.queue)/float64(queueDrain), 0.15), 0.5)
	e.decrease(now, int(float64(acked)*(1-share)))
}

func (e *estimator) decrease(now time.Duration, to int) {
	e.rate = max(min(e.rate, to), minEstimate)
	e.cut = now
}

// increase goes on, but not far beyond what was ever sent: nobody has tried that.
func (e *estimator) increase(step time.Duration, acked int) {
	growth := fastGrowth
	switch {
	case e.capacity == 0:
	case e.rate > e.capacity*6/5:
		e.capacity = 0 // there is more than there was
	case e.rate > e.capacity*9/10:
		growth = slowGrowth
	}
	to := e.rate + int(growth*step.Seconds()*float64(e.rate))
	to = min(to, max(e.rate, 3*acked/2+untried), maxEstimate)
	e.rate = max(e.rate, to)
}

// baseDelay keeps the least delay of a while, which is that of an empty network.
type baseDelay struct {
	known         bool
	least, before time.Duration // of this window and the one before
	since         time.Duration
}

// queue returns by how much a delay exceeds the least.
func (b *baseDelay) queue(way, now time.Duration) time.Duration {
	switch {
	case !b.known:
		*b = baseDelay{known: true, least: way, before: way, since: now}
	case now-b.since > baseWindow:
		b.before, b.least, b.since = b.least, way, now
	}
	b.least = min(b.least, way)
	return way - min(b.least, b.before)
}

// forget makes the next delay the least.
func (b *baseDelay) forget() { b.known = false }

// ackRate measures the rate of arrivals by the peer's clock.
type ackRate struct {
	slots [int(ackWindow / ackSlot)]int
	last  int64 // the newest slot, counted on
	begun int64
}

func (a *ackRate) add(arrival time.Duration, size int) {
	n := int64(arrival / ackSlot)
	size64 := int64(len(a.slots))
	switch {
	case a.begun == 0 || n-a.last > 100*size64 || a.last-n > 100*size64:
		*a = ackRate{last: n, begun: n}
	case n <= a.last-size64:
		return
	}
	for ; a.last < n; a.last++ {
		a.slots[((a.last+1)%size64+size64)%size64] = 0
	}
	a.slots[((n%size64)+size64)%size64] += size
}

// rate returns bits a second, over at most a window. The newest slot is not over.
func (a *ackRate) rate(window time.Duration) int {
	size := int64(len(a.slots))
	slots := min(a.last-a.begun, int64(window/ackSlot)-1)
	if slots <= 0 {
		return maxEstimate // not known
	}
	sum := 0
	for n := a.last - slots; n < a.last; n++ {
		sum += a.slots[(n%size+size)%size]
	}
	return int(float64(8*sum) / (time.Duration(slots) * ackSlot).Seconds())
}

// lossWatch tells loss that is our doing from that of the radio.
type lossWatch struct {
	all, lost int // of this window
	bytes     int // that were sent in it
	carried   int // bits a second of what was sent in the window before, less what was lost
	since     time.Duration
	inherent  float64 // share that is lost whatever we send
	blamed    float64 // share that made us send less; zero: none did
	verdict   lossVerdict
}

type lossVerdict uint8

const (
	lossLittle lossVerdict = iota
	lossSome
	lossOurs // send less; told once
)

func (l *lossWatch) begin(now time.Duration) { l.all, l.lost, l.bytes, l.since = 0, 0, 0, now }

// judge looks at the window if it is over. settled says that a decrease has had its effect.
func (l *lossWatch) judge(now time.Duration, settled bool) lossVerdict {
	if !settled { // what is lost now was sent before
		l.begin(now)
		return l.verdict
	}
	if now-l.since < lossWindow || l.all < lossPackets {
		return l.verdict
	}
	all := float64(l.all)
	share := float64(l.lost) / all
	l.carried = int(float64(8*l.bytes) * (1 - share) / (now - l.since).Seconds())
	l.begin(now)
	if l.blamed > 0 && share > l.blamed*0.3 && share < l.blamed*1.2 { // it would be gone now, if it had been our doing
		l.inherent = max(l.inherent, min(share, 0.3))
	} else {
		l.inherent = min(l.inherent, 0.9*l.inherent+0.1*share)
	}
	l.blamed, l.verdict = 0, lossLittle
	switch {
	case share > l.inherent+lossHigh+2*math.Sqrt(max(share, 0.05)/all): // and no accident
		l.blamed = share
		l.verdict = lossSome
		return lossOurs
	case share > l.inherent+lossHigh/5:
		l.verdict = lossSome
	}
	return l.verdict
}
