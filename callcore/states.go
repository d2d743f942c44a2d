package callcore

// This file says what the application sees of the state machine in fsm.go. There is no
// state in it: package callcore/sdk puts the same into the words of the SDKs.

// PeerState is the state of the call with one user.
type PeerState uint8

// The states of the call with one user. From PeerTimedOut on it is over.
const (
	PeerUnknown      PeerState = iota // the user is not in the session
	PeerNew                           // not called yet
	PeerWaiting                       // a member of the same conference, who is expected to call or to be called
	PeerPending                       // one has called the other, who has not answered
	PeerConnecting                    // answered; descriptions are exchanged
	PeerChecking                      // ICE tries the candidates of both
	PeerConnected                     // DTLS is up, media can flow
	PeerCompleted                     // so it is, and all our candidates are found
	PeerDisconnected                  // the path was lost; it may come back, or be replaced
	PeerTimedOut                      // it was lost and did not come back in time
	PeerClosed                        // ended by us, or because another answered
	PeerNotAnswered                   // in time, by the user or, if he called, by us
	PeerRejected                      // the user declined
	PeerHungUp                        // the user hung up
	PeerFailed                        // no path was found in time
	PeerError                         // WebRTC refused something; the log tells what
	PeerNotOffered                    // a member of the same conference did not call us in time
)

var peerStateNames = [...]string{
	PeerUnknown: "unknown", PeerNew: "new", PeerWaiting: "waiting", PeerPending: "pending", PeerConnecting: "connecting", PeerChecking: "checking",
	PeerConnected: "connected", PeerCompleted: "completed", PeerDisconnected: "disconnected", PeerTimedOut: "timed out",
	PeerClosed: "closed", PeerNotAnswered: "not answered", PeerRejected: "rejected", PeerHungUp: "hung up",
	PeerFailed: "failed", PeerError: "error", PeerNotOffered: "not offered",
}

// String returns a word or two, such as "not answered".
func (s PeerState) String() string { return name(peerStateNames[:], s) }

// SessionState is the state of a session as a whole.
type SessionState uint8

// The states of a session.
const (
	StateNew        SessionState = iota + 1 // made by NewSession, not called yet
	StateCalling                            // outgoing: nobody has answered yet
	StateRinging                            // incoming: we have not answered yet
	StateConnecting                         // answered; media do not flow yet, or were lost
	StateConnected                          // media can flow
	StateClosing                            // it is decided that it ends, and Reason says why
	StateClosed
)

var sessionStateNames = [...]string{
	StateNew: "new", StateCalling: "calling", StateRinging: "ringing", StateConnecting: "connecting",
	StateConnected: "connected", StateClosing: "closing", StateClosed: "closed",
}

// String returns "new", "calling", "ringing", "connecting", "connected", "closing" or
// "closed".
func (s SessionState) String() string { return name(sessionStateNames[:], s) }

// progress is what ICE has told of a connection. It decides nothing.
type progress struct {
	checking bool // candidates are tried
	gathered bool // all of ours are found
}

// peerState is what the application sees of a peer.
func peerState(s state, why Reason, ice progress) PeerState {
	switch s {
	case idle:
		return PeerNew
	case invited, expecting:
		return PeerWaiting
	case dialing, ringing:
		return PeerPending
	case connecting:
		if ice.checking {
			return PeerChecking
		}
		return PeerConnecting
	case answering:
		return PeerConnecting
	case connected:
		if ice.gathered {
			return PeerCompleted
		}
		return PeerConnected
	case disconnected, reoffering, reanswering, reconnecting:
		return PeerDisconnected
	case closed:
		return endOf(why)
	}
	return PeerUnknown
}

// endOf is the last state of a peer.
func endOf(why Reason) PeerState {
	switch why {
	case ReasonPeerHungUp:
		return PeerHungUp
	case ReasonPeerRejected:
		return PeerRejected
	case ReasonNotAnswered:
		return PeerNotAnswered
	case ReasonNotConnected:
		return PeerFailed
	case ReasonLost:
		return PeerTimedOut
	case ReasonFailed:
		return PeerError
	case ReasonNotOffered:
		return PeerNotOffered
	}
	return PeerClosed
}

// sessionState is what the application sees of the session as a whole: the state of the
// peer that is furthest, or StateClosed after the last one. That it is about to close is
// the one thing that peers do not tell: see loop.leave.
func sessionState(s *Session) SessionState {
	best := StateClosed
	for _, p := range s.peers {
		is := StateClosed
		switch p.state {
		case idle:
			is = StateNew
		case dialing:
			is = StateCalling
			if s.incoming {
				is = StateConnecting // the call was answered; this member was not rung by us
			}
		case ringing, invited:
			is = StateRinging
		case expecting, answering, connecting, disconnected, reoffering, reanswering, reconnecting:
			is = StateConnecting
		case connected:
			is = StateConnected
		}
		if best == StateClosed || is != StateClosed && is > best {
			best = is
		}
	}
	return best
}

// closeReason is, of a ring group, the winner's; without one, that of a peer that did not answer, before
// that of one that declined or that we released.
func closeReason(s *Session) Reason {
	if s.mode == Conference {
		return s.parting.reason
	}
	why := ReasonBeaten
	for _, p := range s.peers {
		switch {
		case p.reason == ReasonBeaten:
		case p.bound:
			return p.reason
		case why == ReasonBeaten, why == ReasonPeerRejected, why == ReasonReleased:
			why = p.reason
		}
	}
	return why
}

// show tells the application the state of a peer, if it is a new one. A path is always
// told as connected before it is told as completed.
func (l *loop) show(p *peer) {
	was, is := PeerState(p.shown.Load()), peerState(p.state, p.reason, p.ice)
	if was == is {
		return
	}
	p.shown.Store(uint32(is))
	h := l.head(p, p.device)
	if is == PeerCompleted && was != PeerConnected {
		l.emit(ConnectionChanged{h, PeerConnected})
	}
	l.emit(ConnectionChanged{h, is})
	if p.state == closed {
		l.emit(ConnectionClosed{h, p.reason})
	}
}

// leave says that a session is about to close, once.
func (l *loop) leave(s *Session, why Reason) {
	if s.State() >= StateClosing {
		return
	}
	s.reason.Store(uint32(why))
	s.state.Store(uint32(StateClosing))
	l.emit(SessionChanged{l.headOf(s), StateClosing})
}

// settle derives the state of a session from those of its peers, and closes it after the
// last of them.
func (l *loop) settle(s *Session) {
	was, is := s.State(), sessionState(s)
	if was == is || was == StateClosing && is != StateClosed {
		return
	}
	s.state.Store(uint32(is))
	if is != StateClosed {
		l.emit(SessionChanged{l.headOf(s), is})
		return
	}
	l.forget(s)
	l.emit(Closed{l.headOf(s), s.Reason()})
}
