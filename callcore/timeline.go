package callcore

import (
	"sync/atomic"
	"time"

	"intercom/signaling"
)

// Timeline says when the call with one user got how far. A zero time: it has not, or not
// yet. What happens again, such as in a reconnection, does not count: these are the times
// of the call's start.
type Timeline struct {
	User signaling.UserID
	// Pressed is Invite.Pressed, or when Call was called; for an incoming call, when it
	// came.
	Pressed time.Time
	// Sent is when the channel had taken our first call, or our accept.
	Sent time.Time
	// Ringing is when the user was first heard of. No SDK tells that it rings: with them
	// it is no earlier than Accepted.
	Ringing time.Time
	// Accepted is when the user's accept came, or ours was asked for.
	Accepted time.Time
	// ICE is when a path was found, DTLS when the keys for media were agreed on.
	ICE, DTLS time.Time
	// FirstSent and FirstReceived are those of the first RTP packets.
	FirstSent, FirstReceived time.Time
}

// Timeline returns one for each user, in the order of Users.
func (s *Session) Timeline() []Timeline {
	all := make([]Timeline, len(s.peers))
	for i, p := range s.peers {
		all[i] = p.timeline()
	}
	return all
}

func (p *peer) timeline() Timeline {
	at := p.traffic.moment
	t := Timeline{
		User: p.user, Pressed: at(momentPressed), Sent: at(momentSent), Ringing: at(momentRinging), Accepted: at(momentAccepted),
		ICE: at(momentICE), DTLS: at(momentDTLS), FirstSent: at(momentFirstSent), FirstReceived: at(momentFirstReceived),
	}
	switch {
	case p.session.incoming:
		t.Pressed = p.traffic.begin
	case !p.session.pressed.IsZero():
		t.Pressed = p.session.pressed
	}
	return t
}

// milestone is a step of a call's start.
type milestone uint8

const (
	momentPressed milestone = iota
	momentSent
	momentRinging
	momentAccepted
	momentICE
	momentDTLS
	momentFirstSent
	momentFirstReceived
	milestones
)

// moments are when they were reached first: a nanosecond more than the time since
// traffic.begin; zero: not yet.
type moments [milestones]atomic.Int64

// reached notes the moment, and tells whether it is the first one. It may be called from
// any goroutine.
func (t *traffic) reached(m milestone) bool {
	return t.moments[m].Load() == 0 && t.moments[m].CompareAndSwap(0, 1+int64(time.Since(t.begin)))
}

func (t *traffic) moment(m milestone) time.Time {
	at := t.moments[m].Load()
	if at == 0 {
		return time.Time{}
	}
	return t.begin.Add(time.Duration(at - 1))
}

// mediaFlow tells, once, that media flow both ways.
func (l *loop) mediaFlow(p *peer) {
	t := p.timeline()
	if p.flows || !p.started || t.FirstSent.IsZero() || t.FirstReceived.IsZero() {
		return
	}
	p.flows = true
	l.emit(Established{l.head(p, p.device), t})
	since := func(from, to time.Time) time.Duration { return to.Sub(from).Round(100 * time.Microsecond) }
	l.log.Info("call established", keyCall, p.wire, keyPeer, int64(p.user), keyDev, p.device,
		"answered", since(t.Pressed, t.Accepted), "sent", since(t.Pressed, t.Sent),
		// These count from the answer.
		"ice", since(t.Accepted, t.ICE), "dtls", since(t.Accepted, t.DTLS),
		"first_out", since(t.Accepted, t.FirstSent), "first_in", since(t.Accepted, t.FirstReceived))
}
