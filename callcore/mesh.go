package callcore

import (
	"context"
	"slices"
	"time"

	"intercom/signaling"
)

// This file has what sessions with several users need: ring groups, and conferences, which
// are a mesh (protocol.md 4.4): each member has a connection with each other one.

// Mode is what comes of a session when several users are called.
type Mode uint8

// The modes.
const (
	// RingGroup: all ring, and the first to accept is in the call; the others get a hangUp
	// at once. Each one is called in a session of his own on the wire.
	RingGroup Mode = iota
	// Conference: all who accept are in the call with each other. It is one session on the
	// wire, which lists them all. The initiator calls everyone; of two others the one with
	// the higher id calls the lower one, who accepts without being asked again. A member who
	// leaves, the initiator too, does not end the session for the rest.
	Conference
)

// String returns "ring group" or "conference".
func (m Mode) String() string {
	return name([]string{RingGroup: "ring group", Conference: "conference"}, m)
}

// AnsweredElsewhere is a key in the Info of an update. When a user has accepted a call
// of ours, all of his devices are sent an update with it; its value names the device that
// has accepted (its resource). Nothing else on the wire tells the others: they ring on until
// their app acts on it, or their own timer ends it. A ringing session of this package closes
// by itself, with ReasonElsewhere, and one that has accepted takes no notice: there is no
// Updated event for it.
const AnsweredElsewhere = "answeredElsewhere"

const (
	// meshGap is the least time between calls from member to member. One that is repeated
	// after a JS peer has accepted it, which he does at once and by himself, deafens him.
	meshGap = 5 * time.Second

	// leastWatch is the least time for which a member may be awaited, as in the SDKs.
	leastWatch = time.Second
)

// peerKey finds a peer: in a conference several have the same id on the wire.
type peerKey struct {
	wire string
	user signaling.UserID
}

func (p *peer) key() peerKey { return peerKey{p.wire, p.user} }

func keyOf(s *signaling.Signal) peerKey { return peerKey{s.Session, s.Peer} }

// add adds a peer to a session that is being made.
func (s *Session) add(u signaling.UserID, wire string, initiator signaling.UserID, opponents []signaling.UserID, in state) *peer {
	p := &peer{session: s, user: u, wire: wire, initiator: initiator, opponents: opponents, state: in}
	p.traffic.begin = time.Now()
	p.shown.Store(uint32(peerState(in, 0, progress{})))
	s.peers = append(s.peers, p)
	return p
}

// has tells whether a user is in the session, or was.
func (s *Session) has(u signaling.UserID) bool {
	return slices.ContainsFunc(s.peers, func(p *peer) bool { return p.user == u })
}

// joined tells whether we called, or accepted. It is asked when the session ends.
func (s *Session) joined() bool {
	return !s.incoming || slices.ContainsFunc(s.peers, func(p *peer) bool { return !p.traffic.moment(momentAccepted).IsZero() })
}

// sessionOf returns the live session with the signal's id; nil: there is none.
func (l *loop) sessionOf(s *signaling.Signal) *Session {
	for _, n := range l.sessions {
		if slices.ContainsFunc(n.peers, func(p *peer) bool { return p.wire == s.Session }) {
			return n
		}
	}
	return nil
}

// others lists who is called into a session beside us, the initiator first. If we are not
// listed ourselves, the others would not know us.
func (l *loop) others(call *signaling.Signal) []signaling.UserID {
	all := []signaling.UserID{call.Initiator}
	self := l.cfg.Channel.Self()
	if !slices.Contains(call.Opponents, self) {
		return all
	}
	for _, u := range call.Opponents {
		if u != self && !slices.Contains(all, u) {
			all = append(all, u)
		}
	}
	return all
}

// invitedWith tells whether a call is from one who was called into a conference as we were,
// and was quicker than the initiator.
func (l *loop) invitedWith(call *signaling.Signal) bool {
	self := l.cfg.Channel.Self()
	return call.Initiator > 0 && call.Initiator != self &&
		slices.Contains(call.Opponents, call.Peer) && slices.Contains(call.Opponents, self)
}

// newIncoming makes the session of a first call, and returns it with the caller.
func (l *loop) newIncoming(call *signaling.Signal, others []signaling.UserID) (*Session, *peer) {
	s := &Session{client: l.Client, id: call.Session, incoming: true, callType: call.CallType, bandwidth: bandwidthOf(call.Info)}
	if len(others) > 1 {
		s.mode = Conference
	}
	var caller *peer
	for _, u := range others {
		in := invited
		if u == call.Peer {
			in = ringing
		}
		p := s.add(u, call.Session, call.Initiator, call.Opponents, in)
		p.ring = time.Now().Add(l.cfg.Timers.Answer)
		l.peers[p.key()] = p
		if u == call.Peer {
			p.bound, p.device, p.offer = true, call.Device, call.SDP
			caller = p
		}
	}
	return s, caller
}

// refuse rejects a call to which no session is made, and tells the others of the conference,
// who would wait for us.
func (l *loop) refuse(call *signaling.Signal, others []signaling.UserID, why error) {
	l.reply(call, signaling.Reject)
	for _, u := range others {
		if u != call.Peer {
			to := *call
			to.Peer, to.Device = u, ""
			l.reply(&to, signaling.Reject)
		}
	}
	l.ended.add(endedCall{peerKey: peerKey{wire: call.Session}, answer: signaling.Reject, at: time.Now()})
	l.invalid(nil, call, why)
}

// inputFor is what a request means to one peer. Of two members who were both called into a
// conference the higher one calls the lower.
func (l *loop) inputFor(p *peer, in input) input {
	if in == acceptAsked && p.user != p.initiator && l.cfg.Channel.Self() > p.user {
		return joinAsked
	}
	return in
}

// dialGap is the time between repeated calls.
func (l *loop) dialGap(p *peer) time.Duration {
	if p.session.incoming {
		return max(l.cfg.Timers.Dialing, meshGap)
	}
	return l.cfg.Timers.Dialing
}

// tooSoon tells whether a call to a member must wait, whatever asks for it, and times the
// next one: from when this one is sent, not from when its description was asked for.
func (l *loop) tooSoon(p *peer, now time.Time) bool {
	if !p.session.incoming {
		return false
	}
	if next := p.called.Add(meshGap); now.Before(next) {
		p.dial = next
		return true
	}
	p.called, p.dial = now, now.Add(l.dialGap(p))
	return false
}

// elsewhere acts on the initiator's word that a device of ours has answered, and tells
// whether an update was that. Those who have answered are not concerned.
func (l *loop) elsewhere(ctx context.Context, p *peer, s *signaling.Signal) bool {
	if s.Info[AnsweredElsewhere] == "" || p.user != p.initiator || !p.session.incoming || p.bound && p.device != s.Device {
		return false
	}
	for _, o := range p.session.peers {
		l.step(ctx, o, elsewhereReceived, cause{signal: s})
	}
	return true
}

// performGroup does the effects that only sessions with several users, or users with
// several devices, have.
func (l *loop) performGroup(ctx context.Context, p *peer, e effect, c cause) {
	s := p.session
	switch e {
	case beatOthers:
		if s.mode != RingGroup {
			return
		}
		for _, o := range s.peers {
			if o != p {
				l.step(ctx, o, beaten, cause{})
			}
		}
	case callOff:
		if slices.ContainsFunc(s.peers, func(o *peer) bool { return o.state == ringing }) {
			return
		}
		for _, o := range s.peers {
			l.step(ctx, o, calledOff, cause{})
		}
	case sendElsewhere:
		// Members leave that to the initiator.
		if !s.incoming && p.device != "" {
			l.send(p, &signaling.Signal{Kind: signaling.Update, Info: map[string]string{AnsweredElsewhere: p.device}})
		}
	case keepInfo:
		p.info = c.info
	}
}

// parting is why a conference ends, as far as it has: that of the one who left last, of
// those who were in the call. What we have done ourselves counts for more; that somebody did
// not answer, or declined, counts for less.
type parting struct {
	weight int
	reason Reason
}

func (p *parting) note(from state, why Reason) {
	weight := 0
	switch {
	case from == invited && why == ReasonHungUp:
		return // called off, for a reason that was noted; or asked for: see loop.leave
	case why == ReasonHungUp || why == ReasonRejected || why == ReasonStopped || why == ReasonElsewhere:
		weight = 3
	case !slices.Contains([]state{idle, dialing, ringing, invited, expecting}, from):
		weight = 2
	case why == ReasonNotAnswered, why == ReasonNotOffered:
		weight = 1
	}
	if weight >= p.weight {
		*p = parting{weight, why}
	}
}
