package callcore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"intercom/signaling"
)

// liveMedia is how recent the last packet of a peer must be for its call to be live.
const liveMedia = 3 * time.Second

// signaled takes what the channel delivered.
func (l *loop) signaled(ctx context.Context, e signaling.Event) {
	now := time.Now()
	switch e := e.(type) {
	case *signaling.Signal:
		l.signal(ctx, e)
	case *signaling.Message:
		l.told(ctx, e)
	case *signaling.Bounce:
		h := Head{Time: now, User: e.Peer, Device: e.Device}
		for _, s := range l.sessions {
			for _, p := range s.peers {
				if p.user == e.Peer && p.state != closed {
					h.Session = s
					p.gone = p.gone || p.bound && p.device != "" && p.device == e.Device
				}
			}
		}
		l.emit(Undeliverable{h, e.Condition, e.Text})
	case signaling.LinkUp:
		l.emit(LinkChanged{Head{Time: now}, true, nil})
		if !l.lost {
			return // the first one: nothing has failed
		}
		l.lost = false
		l.sendAgain()
		for _, s := range l.sessions {
			for _, p := range s.peers {
				p.gone = p.gone || p.bound && p.device != ""
				l.acquaint(ctx, p)
				l.step(ctx, p, linkRestored, cause{})
			}
		}
	case signaling.LinkDown:
		l.lose()
		l.emit(LinkChanged{Head{Time: now}, false, e.Err})
	}
}

// signal finds the peer a signal belongs to, or deals with one that belongs to none.
func (l *loop) signal(ctx context.Context, s *signaling.Signal) {
	p := l.peers[keyOf(s)]
	if p != nil && p.device == s.Device {
		l.heard(ctx, p)
	}
	if p != nil && !p.session.incoming {
		p.traffic.reached(momentRinging)
	}
	switch {
	case s.Peer == l.cfg.Channel.Self():
		l.invalid(nil, s, ErrOwnID)
	case p == nil:
		if !l.takesBack(s) {
			l.stray(ctx, s)
		}
	case s.Kind == signaling.Update && s.Reconnect != nil:
		l.reconnect(ctx, p, s)
	case s.Kind == signaling.Update:
		if !l.elsewhere(ctx, p, s) {
			l.updated(ctx, p, s)
		}
	case p.bound && p.device != s.Device && !p.rebinds(s):
		switch s.Kind {
		case signaling.Accept:
			// It would wait for a connection that never comes.
			l.reply(s, signaling.HangUp)
		case signaling.HangUp:
			p.leftBy, p.leftAt = s, time.Now()
		case signaling.Candidates:
			if p.claim.told(s.Device) {
				l.keep(p, s, s.Candidates) // for the connection that it has been told to make
				return
			}
		}
		l.invalid(p, s, ErrOtherDevice)
	default:
		if err := checkSignal(p, s); err != nil {
			if s.Kind == signaling.Accept && p.state == dialing {
				l.reply(s, signaling.HangUp)
			}
			l.invalid(p, s, err)
			return
		}
		if p.turned(s) {
			l.step(ctx, p, callCrossed, cause{signal: p.crossed, info: p.crossed.Info})
			return
		}
		c := cause{signal: s, info: s.Info}
		if s.Kind == signaling.HangUp {
			c.notLive = l.notLiveBefore(p, s.Device)
			c.live = c.notLive == ""
		}
		l.step(ctx, p, inputOf[s.Kind], c)
	}
}

var inputOf = map[signaling.Kind]input{
	signaling.Call: callReceived, signaling.Accept: acceptReceived, signaling.Reject: rejectReceived,
	signaling.HangUp: hangUpReceived, signaling.Candidates: candidatesReceived,
}

// checkSignal refuses what the state machine must not see.
func checkSignal(p *peer, s *signaling.Signal) error {
	switch s.Kind {
	case signaling.Call:
		if !p.session.incoming && p.initiator != p.user {
			return fmt.Errorf("%w: we are the caller", ErrOutOfPlace)
		}
		if err := checkOffer(s.SDP); err != nil {
			return err
		}
		return p.session.client.engine.checkCodecs(s.SDP)
	case signaling.Accept:
		if err := checkAnswer(s.SDP, p.session.callType); err != nil {
			return err
		}
		return p.session.client.engine.checkCodecs(s.SDP)
	case signaling.Reject, signaling.HangUp, signaling.Candidates:
		return nil
	}
	return fmt.Errorf("%w: signal %s", ErrMalformed, s.Kind)
}

// stray deals with a signal for no live session.
func (l *loop) stray(ctx context.Context, s *signaling.Signal) {
	if n := l.sessionOf(s); n != nil && !n.has(s.Peer) {
		l.invalidIn(n, s, ErrNotParticipant)
		return
	}
	was, known := l.ended.lookup(keyOf(s), time.Now())
	reason := ErrUnknownSession
	if known {
		reason = ErrEnded
	}
	switch {
	case s.Kind == signaling.Update && s.Reconnect != nil:
		if was.joined || !known && l.justBegun() { // else another device of ours is in that call
			l.reply(s, signaling.HangUp)
		}
	case s.Kind == signaling.Update && known:
		l.emit(Updated{Head{time.Now(), was.session, s.Peer, s.Device, s.Session}, s.Info, s.Extra, false, "the call has ended"})
		return
	case s.Kind == signaling.Accept:
		// Whoever accepts waits for a connection: the call has ended, or we were
		// restarted while it rang. Later, a call that we do not know is one of another
		// client of this user, and not ours to end.
		if known || l.justBegun() {
			l.reply(s, signaling.HangUp)
		}
	case s.Kind == signaling.Call && known:
		// A late repeat must not ring again. If we ended the call, the caller has
		// missed it.
		if was.answer != 0 {
			l.reply(s, was.answer)
		}
	case s.Kind == signaling.Call:
		l.called(ctx, s)
		return
	}
	l.invalidIn(was.session, s, reason)
}

// justBegun tells whether calls of a run before this one may still be going on: nobody rings,
// or waits for a lost connection, for longer than we remember calls.
func (l *loop) justBegun() bool { return time.Since(l.begun) <= l.ended.keep }

// called begins an incoming session.
func (l *loop) called(ctx context.Context, s *signaling.Signal) {
	switch {
	case s.Session == "":
		l.invalid(nil, s, fmt.Errorf("%w: no session id", ErrMalformed))
		return
	case s.Initiator != s.Peer && !l.invitedWith(s):
		l.invalid(nil, s, fmt.Errorf("%w: the sender is not the initiator, %d, nor called by him as we are", ErrUnknownSession, s.Initiator))
		return
	case s.CallType != signaling.Video && s.CallType != signaling.Audio:
		l.invalid(nil, s, fmt.Errorf("%w: call type %d", ErrMalformed, s.CallType))
		return
	}
	if err := checkOffer(s.SDP); err != nil {
		l.invalid(nil, s, err)
		return
	}
	others := l.others(s)
	codecs := l.engine.checkCodecs(s.SDP)
	switch {
	case codecs != nil:
		l.refuse(s, others, codecs)
		return
	case len(others) > l.cfg.MaxOpponents:
		l.refuse(s, nil, fmt.Errorf("%w: %d, at most %d", ErrTooManyOpponents, len(others), l.cfg.MaxOpponents))
		return
	case l.crosses(ctx, s):
		return
	case l.busy():
		l.refuse(s, others, ErrBusy)
		return
	}
	n, p := l.newIncoming(s, others)
	n.state.Store(uint32(StateRinging))
	l.sessions = append(l.sessions, n)
	l.log.Info("call received", keyCall, p.wire, keyPeer, int64(p.user), keyDev, p.device, keyState, p.state.String())
	l.emit(Incoming{l.head(p, p.device), n.callType, p.opponents, s.Info})
}

// busy tells whether there is no room for one more call that rings.
func (l *loop) busy() bool {
	ringing := 0
	for _, s := range l.sessions {
		if s.State() == StateRinging {
			ringing++
		}
	}
	return len(l.sessions) > 0 && ringing >= l.cfg.IncomingLimit
}

// updated passes application data on, whatever state the call is in, unless it has to wait.
func (l *loop) updated(ctx context.Context, p *peer, s *signaling.Signal) {
	if l.claims(ctx, p, s.Device, s) {
		return
	}
	why := l.notLive(p, s.Device)
	l.emit(Updated{l.head(p, s.Device), s.Info, s.Extra, why == "", why})
	if p.device != s.Device {
		l.moved(ctx, p)
	}
}

// notLive says why a signal from this device is not from a live call; empty: it is.
func (l *loop) notLive(p *peer, device string) string {
	switch {
	case p.state == dialing || p.state == ringing || p.state == answering || p.state == invited || p.state == expecting:
		return "the call was not answered"
	case p.device != device:
		return otherDevice
	case p.state != connected:
		return "the connection is not up"
	}
	switch quiet, ever := p.conn.quiet(); {
	case !ever:
		return "no media have arrived"
	case quiet > liveMedia:
		return fmt.Sprintf("no media for %v", quiet.Round(time.Second))
	}
	return ""
}

// invalid reports a signal that is not acted upon.
func (l *loop) invalid(p *peer, s *signaling.Signal, err error) {
	if p == nil {
		l.invalidIn(nil, s, err)
		return
	}
	l.invalidIn(p.session, s, err)
}

func (l *loop) invalidIn(in *Session, s *signaling.Signal, err error) {
	h := Head{time.Now(), in, s.Peer, s.Device, s.Session}
	l.log.Info("signal ignored", keyCall, s.Session, keyPeer, int64(s.Peer), keyDev, s.Device, keyCause, s.Kind.String(), keyError, err)
	l.emit(Invalid{h, s, err})
}

// reply sends a signal back to the very device that s is from, in the session of s.
func (l *loop) reply(s *signaling.Signal, kind signaling.Kind) {
	l.post(outgoing{signal: &signaling.Signal{
		Kind: kind, Peer: s.Peer, Device: s.Device, Session: s.Session,
		Initiator: s.Initiator, Opponents: s.Opponents, CallType: s.CallType,
	}})
}

// send addresses a signal to a peer, in its session.
func (l *loop) send(p *peer, s *signaling.Signal) {
	s.Peer, s.Session, s.Initiator = p.user, p.wire, p.initiator
	s.Opponents, s.CallType = p.opponents, p.session.callType
	if s.SDP != "" {
		p.described = s.SDP
	} else if s.Reconnect != nil {
		p.described = s.Reconnect.SDP
	}
	l.post(outgoing{peer: p, signal: s})
}

// outgoing is a signal to be written.
type outgoing struct {
	peer    *peer // nil: a reply about no session
	signal  *signaling.Signal
	message *signaling.Message // in the place of a signal
	retried bool
}

// sendFailure is one that was not.
type sendFailure struct {
	outgoing
	err error
}

var errOutboxFull = errors.New("too many signals are waiting to be written")

func (l *loop) post(o outgoing) {
	select {
	case l.outbox <- o:
		if o.signal != nil {
			l.keepFarewell(o)
		}
	default:
		l.sendFailed(sendFailure{o, errOutboxFull})
	}
}

// write is the one writer of the channel. It ends when the loop has closed the outbox and
// the rest of it was tried.
func (l *loop) write(ctx context.Context) {
	for o := range l.outbox {
		one, done := context.WithTimeout(ctx, sendTimeout)
		var err error
		if o.message != nil {
			err = l.cfg.Channel.Tell(one, o.message)
		} else {
			err = l.cfg.Channel.Send(one, o.signal)
		}
		done()
		if err == nil && o.peer != nil && (o.signal.Kind == signaling.Call || o.signal.Kind == signaling.Accept) {
			o.peer.traffic.reached(momentSent)
		}
		if err != nil {
			select {
			case l.failed <- sendFailure{o, err}:
			case <-l.over:
			}
		}
	}
}

// sendFailed tells, and keeps what must get through when the link is back. A call repeats
// itself, and old candidates are in its SDP.
func (l *loop) sendFailed(f sendFailure) {
	l.lose()
	if m := f.message; m != nil {
		l.log.Warn("message not sent", keyPeer, int64(m.Peer), keyError, f.err)
		l.emit(SendFailed{Head{Time: time.Now(), User: m.Peer, Device: m.Device}, 0, f.err})
		return
	}
	k := f.signal.Kind
	l.log.Warn("signal not sent", keyCall, f.signal.Session, keyPeer, int64(f.signal.Peer), keyCause, k.String(), keyError, f.err)
	h := Head{Time: time.Now(), User: f.signal.Peer, Device: f.signal.Device}
	if f.peer != nil {
		h.Session = f.peer.session
	}
	l.emit(SendFailed{h, k, f.err})
	switch k {
	case signaling.Accept:
		f.peer.acceptSent = time.Time{}
	case signaling.HangUp, signaling.Reject:
		l.keepUnsent(f.outgoing)
	}
}

// sendAgain sends what a lost link has kept, unless it is so old that nobody waits for it.
func (l *loop) sendAgain() {
	for _, o := range l.unsent {
		if _, known := l.ended.lookup(keyOf(o.signal), time.Now()); known {
			o.signal.ID = ""
			l.post(o)
		}
	}
	l.unsent = nil
}
