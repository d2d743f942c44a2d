package callcore

import (
	"context"
	"time"
)

// This file tells what looks like a narrow network from what is one. A machine that is too
// busy takes nothing in for a while, then all at once; one that sends little finds out
// little; and who sends nothing finds out nothing at all.

const (
	// limitedShare: who sends less than this part of the estimate does not fill the network,
	// and it is somebody else who makes packets late, unless there are more and more of
	// them for limitedPatience.
	limitedShare    = 2
	limitedPatience = 300 * time.Millisecond
	// limitedGrowth is by what part of the time that passes a queue must grow to be ours.
	limitedGrowth = 8

	// trialEstimate is what is tried when nothing has been on its way for a while, from
	// trialFirst on, twice as long after each, up to trialMost; it is for small pictures
	// and sound. After trialForget in which things went on the first one is due again.
	trialEstimate = 200_000
	trialFirst    = 2 * time.Second
	trialMost     = 15 * time.Second
	trialForget   = 30 * time.Second
	// trialCheck is how often it is looked whether one is due.
	trialCheck = 500 * time.Millisecond
)

// episode is a time of long delays.
type episode struct {
	since  time.Duration // when it began; zero: there is none
	first  time.Duration // the queue then
	before int           // the estimate then; zero: packets were lost, it is no mistake

	// Of the last feedback with a long queue:
	arrival time.Duration // when its last packet arrived, on the peer's clock
	bytes   int           // how many had, in all
}

// late takes note of a feedback with a long queue. It returns whether that may be our doing:
// not if little is sent and the queue does not grow.
func (e *estimator) late(now time.Duration) bool {
	p := &e.episode
	if p.since == 0 {
		*p = episode{since: now, first: e.queue, before: e.rate}
	}
	p.arrival, p.bytes = e.arrival, e.arrived
	e.offered.add(now, 0)
	if e.offered.rate(ackWindow) >= e.rate/limitedShare {
		return true
	}
	took := now - p.since
	return took >= limitedPatience && e.queue-p.first > took/limitedGrowth
}

// punctual ends an episode. If all that was late came at once, the network had carried more
// than it seemed to, and the estimate is what that proves.
func (e *estimator) punctual() {
	p := e.episode
	e.episode = episode{}
	if p.since == 0 || p.before == 0 || e.rate >= p.before {
		return
	}
	took := max(e.arrival-p.arrival, ackSlot)
	proved := int(float64(8*(e.arrived-p.bytes)) / took.Seconds())
	if 2*proved < 3*e.capacity {
		return
	}
	if proved = min(proved*85/100, p.before); proved > e.rate {
		e.rate, e.capacity, e.vain, e.draining = proved, 0, 0, false
	}
}

// retry raises an estimate that is too low for pictures when nothing has been sent for a
// while: nothing can show any more that there is room. It returns whether it did.
func (e *estimator) retry(now time.Duration) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.heard || e.rate >= trialEstimate {
		return false
	}
	wait := trialFirst
	if e.trialWait > 0 && e.lastSent-e.tried < trialForget {
		wait = min(2*e.trialWait, trialMost)
	}
	if now-e.lastSent < wait {
		return false
	}
	e.trialWait, e.tried, e.updated = wait, now, now
	e.rate, e.capacity, e.vain, e.draining, e.episode = trialEstimate, 0, 0, false, episode{}
	e.acked, e.offered = ackRate{}, ackRate{} // the pause is not what the network carries
	return true
}

// retryEstimate tries again what the network carries when nothing is sent, from up on.
func (w *conn) retryEstimate(ctx, up context.Context) {
	<-up.Done()
	tick := time.NewTicker(trialCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !w.estimator.retry(time.Since(w.born)) {
			continue
		}
		// Who receives nothing says nothing new.
		if w.remb.Load() > 0 {
			w.remb.Store(max(w.remb.Load(), trialEstimate))
		}
		w.tellEstimate()
	}
}
