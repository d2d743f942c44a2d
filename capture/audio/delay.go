package audio

import "intercom/capture"

const (
	// waitStep is the resolution in samples with which waiting times are kept, 10 ms, and
	// waitSteps how many there are: from 160 ms too late to 200 ms too early.
	waitStep  = capture.PeriodSamples / 2
	waitSteps = 36
	waitZero  = 16

	// forget is the share of the past that one packet replaces: what was 5 s ago in packets
	// of 20 ms weighs a third.
	forget = 1.0 / 256
	// enough packets tell something of the network.
	enough = 50

	// usually is the share of packets that is to come in time; the others are concealed.
	usually = 0.97

	// In samples: the delay is between these, 20 and 120 ms; and so long it stays as it is
	// before it is made longer, made shorter where that is not heard, or shortened anyway.
	leastDelay   = capture.PeriodSamples
	mostDelay    = 6 * capture.PeriodSamples
	lengthenRest = 5 * capture.PeriodSamples
	shortenRest  = 10 * capture.PeriodSamples
	shortenMust  = 50 * capture.PeriodSamples // 1 s
)

// waits is how long packets have waited for their turn, in samples; less than nothing if
// they came after it. The past fades away.
type waits struct {
	weight [waitSteps]float32
	sum    float32
	n      int // packets, up to enough
}

func (w *waits) add(samples int) {
	for i := range w.weight {
		w.weight[i] *= 1 - forget
	}
	w.weight[waitIndex(samples)] += forget
	w.sum = w.sum*(1-forget) + forget
	w.n = min(w.n+1, enough)
}

func waitIndex(samples int) int {
	return max(0, min((samples+waitZero*waitStep)/waitStep, waitSteps-1))
}

// quantile returns the time that a share of all packets did not wait longer than.
func (w *waits) quantile(share float32) int {
	sum := float32(0)
	for i, v := range w.weight {
		if sum += v; sum > share*w.sum {
			return (i - waitZero) * waitStep
		}
	}
	return (waitSteps - 1 - waitZero) * waitStep
}

// shift is for when all packets from now on wait longer by some samples.
func (w *waits) shift(samples int) {
	old := w.weight
	clear(w.weight[:])
	for i, v := range old {
		w.weight[waitIndex((i-waitZero)*waitStep+samples)] += v
	}
}

// slack is how much later nearly all packets could come and still be in time.
func (w *waits) slack() int { return w.quantile(1 - usually) }

// delay is how long the quickest packets wait, which is what the buffer adds to the
// shortest way through the network.
func (w *waits) delay() int { return w.quantile(usually) }

// start is how much is collected before playing begins.
func (j *jitter) start() int {
	if j.waits.n < enough {
		return startDelay
	}
	spread := j.waits.delay() - j.waits.slack()
	return max(leastDelay, min(spread, mostDelay)) + capture.PeriodSamples
}

// tooShort tells that too many packets come late.
func (j *jitter) tooShort() bool {
	return j.waits.n == enough && j.still >= lengthenRest && j.waits.slack() < 0 && j.waits.delay()+j.samples <= mostDelay
}

// tooLong tells what to do with the packet that is due: whether the delay is longer than
// what came so far needs.
func (j *jitter) tooLong() verdict {
	if j.waits.n < enough || j.still < shortenRest {
		return play
	}
	over := j.waits.delay() > mostDelay
	switch {
	case over && j.count > 0:
		return skip
	case j.waits.slack() < j.samples+leastDelay:
		return play
	case j.still >= shortenMust:
		return skip
	}
	return spare
}
