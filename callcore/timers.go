package callcore

import (
	"context"
	"slices"
	"time"
)

// This file keeps the timers of each call with one peer: effects arm them, and the loop
// makes an input of each one that is due.

// deadlines are when the timers of one peer are due; zero: off. They are the loop's.
type deadlines struct {
	dial   time.Time // to repeat our call
	ring   time.Time // for somebody to answer, here or there
	grace  time.Time // for a path to come back, or for an attempt to reconnect
	limit  time.Time // for all attempts to connect, or to come back
	resend time.Time // to send our candidates once more
}

// timer is one of the deadlines, and the input that it becomes.
type timer struct {
	at *time.Time
	in input
}

// all lists them, the most final first: at 60 s a call is not repeated but given up.
func (d *deadlines) all() [5]timer {
	return [...]timer{{&d.limit, limitDue}, {&d.ring, answerDue}, {&d.grace, graceDue}, {&d.dial, dialDue}, {&d.resend, resendDue}}
}

// untilDue is the time until the next timer of any peer; long if there is none.
func (l *loop) untilDue() time.Duration {
	d := time.Hour
	sooner := func(t time.Time) {
		if !t.IsZero() {
			d = min(d, max(0, time.Until(t)))
		}
	}
	sooner(l.reserve.due)
	for _, s := range l.sessions {
		for _, p := range s.peers {
			for _, t := range p.all() {
				sooner(*t.at)
			}
			sooner(p.claim.end())
		}
	}
	return d
}

// timersDue fires what is due.
func (l *loop) timersDue(ctx context.Context) {
	now := time.Now()
	l.ended.expire(now)
	l.forgetFarewells(now)
	if due := l.reserve.due; !due.IsZero() && !due.After(now) {
		l.tend(ctx)
	}
	for _, s := range slices.Clone(l.sessions) {
		for _, p := range s.peers {
			if due := p.claim.end(); !due.IsZero() && !due.After(now) {
				l.claimDue(p)
			}
			for _, t := range p.all() {
				if !t.at.IsZero() && !t.at.After(now) {
					*t.at = time.Time{}
					l.step(ctx, p, t.in, cause{})
				}
			}
		}
	}
}

// performTimers arms and disarms them.
func (l *loop) performTimers(ctx context.Context, p *peer, e effect) {
	now := time.Now()
	switch e {
	case armDial:
		p.dial = now.Add(l.dialGap(p))
	case armAnswer:
		p.ring = now.Add(l.cfg.Timers.Answer)
	case armWatch:
		// Who accepts at the last moment may be called, or call, one interval later.
		least := now.Add(leastWatch)
		if p.ring.Before(least) {
			p.ring = least
		}
		p.ring = p.ring.Add(l.dialGap(p))
	case armLimit:
		p.limit = now.Add(l.cfg.Timers.Disconnect)
	case armGiveUp:
		if p.lost.IsZero() {
			p.lost = now
		}
		p.limit = p.lost.Add(l.cfg.Timers.Disconnect)
	case armGrace:
		p.grace = now.Add(graceTime)
	case armFirst:
		p.grace = now.Add(firstTime)
	case armParting:
		up := p.lost.IsZero()
		if up {
			p.lost = now
		}
		p.limit = p.lost.Add(min(partedTime, l.cfg.Timers.Disconnect))
		p.grace = now.Add(farewellTime)
		l.parted(p, up)
	case armRetry:
		p.grace = now.Add(retryTime)
		if l.polite(p) {
			p.grace = now.Add(politeRetryTime)
		}
	case armResend:
		p.resend = now.Add(resendTime)
	case stopRinging:
		p.dial, p.ring = time.Time{}, time.Time{}
	case stopWaiting:
		p.limit, p.grace, p.lost = time.Time{}, time.Time{}, time.Time{}
		p.leaving = leaving{}
		p.met = true
		l.acquaint(ctx, p)
	}
}
