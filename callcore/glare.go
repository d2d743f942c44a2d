package callcore

import (
	"context"
	"slices"
	"time"

	"intercom/signaling"
)

// This file decides what becomes of two users who call each other at the same time. The
// SDKs reject both calls as busy, and nobody talks to anybody. Here the two become one call,
// since that is what both want: one side takes the other's call for the answer to its own.
//
// Which one, is a matter of ids when both sides are clients of this package: the call of the
// higher id goes on. The lower one accepts it, and hangs up its own; the higher one keeps
// the lower one's call in mind, and waits. An SDK rejects ours, whatever its id; then the
// call kept in mind is accepted. All this needs calls of the same type between two alone;
// others are busy. If the SDK's reject comes before its call does, ours has ended, and that
// call is an ordinary incoming one.

// crosses takes a call from somebody whom we are calling. It tells whether s is one.
func (l *loop) crosses(ctx context.Context, s *signaling.Signal) bool {
	for _, n := range l.sessions {
		if n.incoming || n.mode == Conference || n.callType != s.CallType || len(s.Opponents) > 1 {
			continue
		}
		i := slices.IndexFunc(n.peers, func(p *peer) bool { return p.user == s.Peer && p.state == dialing })
		if i < 0 {
			continue
		}
		p := n.peers[i]
		if s.Peer > l.cfg.Channel.Self() {
			l.step(ctx, p, callCrossed, cause{signal: s, info: s.Info})
			return true
		}
		if p.crossed == nil {
			l.log.Info("calls cross", keyCall, p.wire, keyPeer, int64(p.user), keyDev, s.Device, keyCause, "theirs waits for what becomes of ours")
		}
		p.crossed = s // the newest offer counts
		return true
	}
	return false
}

// turned tells whether a signal that ends our call leaves theirs, from the same device, to
// be accepted.
func (p *peer) turned(s *signaling.Signal) bool {
	return p.state == dialing && p.crossed != nil && p.crossed.Device == s.Device && lastWord(s.Kind)
}

// takesBack forgets a call that we kept in mind, when its caller hangs up. It tells whether
// s does that.
func (l *loop) takesBack(s *signaling.Signal) bool {
	if s.Kind != signaling.HangUp {
		return false
	}
	for _, n := range l.sessions {
		for _, p := range n.peers {
			if p.crossed != nil && p.crossed.Session == s.Session && p.user == s.Peer {
				p.crossed = nil
				l.ended.add(endedCall{peerKey: keyOf(s), at: time.Now()})
				return true
			}
		}
	}
	return false
}

// cross lets their call take the place of ours, which rings on at their other devices
// unless it is hung up.
func (l *loop) cross(p *peer, s *signaling.Signal) {
	l.send(p, &signaling.Signal{Kind: signaling.HangUp})
	l.ended.add(endedCall{p.key(), p.session, true, signaling.HangUp, time.Now()})
	delete(l.peers, p.key())
	p.wire, p.initiator, p.opponents = s.Session, s.Initiator, s.Opponents
	p.bound, p.device, p.offer = true, s.Device, s.SDP
	p.crossed, p.theirs = nil, nil
	l.peers[p.key()] = p
}

// uncross deals with a call that was kept in mind, when ours is no longer ringing. If ours
// has ended, theirs is an incoming one. If it was answered, whoever else of this user calls
// is told that we are busy; the device that answered has let go of its own.
func (l *loop) uncross(ctx context.Context, p *peer) {
	s := p.crossed
	if s == nil || p.state == dialing {
		return
	}
	p.crossed = nil
	switch {
	case p.state == closed:
		l.called(ctx, s)
	case p.device == s.Device:
		l.ended.add(endedCall{peerKey: keyOf(s), answer: signaling.HangUp, at: time.Now()})
	default:
		l.refuse(s, nil, ErrBusy)
	}
}
