package callcore

import (
	"context"
	"time"

	"intercom/signaling"
)

const (
	// resendTime is when a callee sends its candidates once more: a JS caller stores
	// those that come before it has applied the answer until more arrive
	// (protocol.md 3.7).
	resendTime = time.Second

	// repeatAfter: a call that is repeated this long after our accept means that the
	// accept was lost. One that is repeated sooner has crossed it.
	repeatAfter = 2 * time.Second

	// keptLimit bounds the candidates kept for one peer before it can use them.
	keptLimit = 64
)

// perform does one effect.
func (l *loop) perform(ctx context.Context, p *peer, e effect, c cause) {
	switch e {
	case prepareOffer, renewOffer, applyAnswer, prepareAnswer:
		l.performDescription(ctx, p, e, c)
	case prepareReoffer, updateReoffer, sendReoffer, applyReanswer, prepareReanswer, sendReanswer, repeatReanswer:
		l.performReconnect(ctx, p, e, c)
	case keepCandidates, addCandidates, holdCandidate, sendHeld, sendCandidate, resendAll:
		l.performCandidates(p, e, c)
	case sendCall, sendAccept, repeatAccept, sendReject, sendHangUp:
		l.performSignals(p, e, c)
	case beatOthers, callOff, sendElsewhere, keepInfo:
		l.performGroup(ctx, p, e, c)
	case armDial, armAnswer, armWatch, armLimit, armGiveUp, armGrace, armFirst, armParting, armRetry, armResend, stopRinging, stopWaiting:
		l.performTimers(ctx, p, e)
	case tellAccepted, tellRejected, tellHungUp, tellNotAnswered, tellReconnecting, tellReconnected, tellReconnectFailed, tellInvalid:
		l.performEvents(p, e, c)
	case bind:
		p.bound, p.device = true, c.signal.Device
		p.traffic.reached(momentAccepted)
	case rebind:
		l.rebind(p, c.signal.Device)
	case keepOffer:
		p.bound, p.device, p.offer = true, c.signal.Device, c.signal.SDP
	case cross:
		l.cross(p, c.signal)
	case probeLink:
		l.probe(ctx)
	case release:
		l.release(p)
	}
}

// performDescription does what concerns the descriptions of a call: ours is made by the
// worker of the peer, which is given theirs.
func (l *loop) performDescription(ctx context.Context, p *peer, e effect, c cause) {
	switch e {
	case prepareOffer:
		if p.conn == nil {
			p.info = c.info
			l.peers[p.key()] = p
			p.traffic.reached(momentPressed)
			if l.takeSpare(p) {
				return
			}
			l.connect(ctx, p)
		}
		l.give(p, job{kind: makeOffer})
	case renewOffer:
		l.connect(ctx, p)
		l.give(p, job{kind: makeOffer})
	case applyAnswer:
		p.ufrag = iceUfrag(c.signal.SDP)
		l.give(p, job{kind: takeAnswer, sdp: c.signal.SDP})
		l.giveKept(p)
	case prepareAnswer:
		p.traffic.reached(momentAccepted)
		if c.signal == nil { // it was asked for, and not by the peer
			p.info = c.info
		}
		p.ufrag = iceUfrag(p.offer)
		l.connect(ctx, p)
		l.give(p, job{kind: makeAnswer, sdp: p.offer})
		l.giveKept(p)
	}
}

// performSignals sends what a call begins and ends with.
func (l *loop) performSignals(p *peer, e effect, c cause) {
	now := time.Now()
	switch e {
	case sendCall:
		if !l.tooSoon(p, now) {
			l.send(p, &signaling.Signal{Kind: signaling.Call, SDP: c.report.sdp, Info: p.callInfo()})
		}
	case sendAccept:
		p.answer, p.sent = c.report.sdp, len(p.ours)
		l.accept(p, now)
	case repeatAccept:
		if p.answer != "" && now.Sub(p.acceptSent) >= repeatAfter {
			l.accept(p, now)
		}
	case sendReject:
		l.send(p, &signaling.Signal{Kind: signaling.Reject, Device: p.device, Info: c.info})
	case sendHangUp:
		l.send(p, &signaling.Signal{Kind: signaling.HangUp, Device: p.device, Info: c.info})
	}
}

// accept sends our answer.
func (l *loop) accept(p *peer, now time.Time) {
	p.acceptSent = now
	l.send(p, &signaling.Signal{Kind: signaling.Accept, Device: p.device, SDP: p.answer, Info: p.info})
}

// performEvents tells the application.
func (l *loop) performEvents(p *peer, e effect, c cause) {
	switch e {
	case tellAccepted:
		l.emit(Accepted{l.head(p, p.device), c.info})
	case tellRejected:
		l.emit(Rejected{l.head(p, c.signal.Device), c.info})
	case tellHungUp:
		l.emit(HungUp{l.head(p, c.signal.Device), c.info, c.live, c.notLive})
	case tellNotAnswered:
		l.emit(NotAnswered{l.head(p, "")})
	case tellReconnecting:
		if !p.told {
			p.told = true
			l.emit(Reconnect{l.head(p, p.device), Reconnecting})
		}
	case tellReconnected:
		if p.told {
			p.told = false
			l.emit(Reconnect{l.head(p, p.device), Reconnected})
		}
	case tellReconnectFailed:
		l.emit(Reconnect{l.head(p, p.device), ReconnectFailed})
	case tellInvalid:
		l.invalid(p, c.signal, ErrOutOfPlace)
	}
}

// performCandidates does what concerns candidates, theirs and ours.
func (l *loop) performCandidates(p *peer, e effect, c cause) {
	switch e {
	case keepCandidates:
		l.keep(p, c.signal, c.signal.Candidates)
	case addCandidates:
		now, later := p.sortCandidates(c.signal.Candidates)
		if len(now) > 0 {
			l.give(p, job{kind: takeCandidates, candidates: now})
		}
		if len(later) > 0 {
			l.keep(p, c.signal, later)
		}
	case holdCandidate:
		p.ours = append(p.ours, c.report.candidate)
	case sendHeld:
		l.sendCandidates(p, p.ours[p.sent:])
		p.sent = len(p.ours)
	case sendCandidate:
		p.ours = append(p.ours, c.report.candidate)
		l.sendCandidates(p, p.ours[p.sent:])
		p.sent = len(p.ours)
	case resendAll:
		l.sendCandidates(p, p.ours)
	}
}

// keep keeps candidates of a signal until there is a description to add them to.
func (l *loop) keep(p *peer, s *signaling.Signal, list []signaling.Candidate) {
	kept := len(list)
	for _, k := range p.theirs {
		kept += len(k.list)
	}
	if kept > keptLimit {
		l.invalid(p, s, ErrOverflow)
		return
	}
	p.theirs = append(p.theirs, keptCandidates{s.Device, list})
}

// sendCandidates sends at least one candidate, or nothing: an empty list deafens a JS peer.
func (l *loop) sendCandidates(p *peer, list []signaling.Candidate) {
	if len(list) > 0 {
		l.send(p, &signaling.Signal{Kind: signaling.Candidates, Device: p.device, Candidates: list})
	}
}

// connect starts a worker for a peer, in the place of the one it has.
func (l *loop) connect(ctx context.Context, p *peer) {
	if p.conn != nil {
		p.conn.close()
		p.ours, p.sent, p.resend = nil, 0, time.Time{}
	}
	p.ice = progress{}
	ctx, cancel := context.WithCancel(ctx)
	w := newConn(l.Client, p, l.reports, cancel)
	p.conn = w
	l.workers.Go(func() { w.run(ctx) })
}

// give hands a job to the worker of a peer.
func (l *loop) give(p *peer, j job) {
	select {
	case p.conn.jobs <- j:
	default:
		// It has not come back from pion for very long.
		l.todo = append(l.todo, step{p, mediaFailed, cause{err: errWorkerStuck}})
	}
}

// giveKept hands over the candidates that came from the bound device before there was a
// description.
func (l *loop) giveKept(p *peer) {
	for _, k := range p.theirs {
		if k.device == p.device {
			l.give(p, job{kind: takeCandidates, candidates: k.list})
		}
	}
	p.theirs = nil
}

// release lets go of a peer: from now on its signals are those of an ended session.
func (l *loop) release(p *peer) {
	if p.conn != nil {
		p.conn.close()
		p.conn = nil
	}
	p.deadlines = deadlines{}
	// The session is remembered, not what it was made of.
	p.offer, p.answer, p.reanswer, p.described, p.ours, p.theirs = "", "", "", "", nil, nil
	if l.peers[p.key()] != p {
		return // never called: nobody knows of it
	}
	delete(l.peers, p.key())
	var answer signaling.Kind
	switch p.reason {
	case ReasonRejected:
		answer = signaling.Reject
	case ReasonPeerHungUp, ReasonPeerRejected, ReasonReleased, ReasonElsewhere:
	default:
		answer = signaling.HangUp
	}
	l.ended.add(endedCall{p.key(), p.session, p.session.joined(), answer, time.Now()})
}
