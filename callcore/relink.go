package callcore

import (
	"time"

	"intercom/signaling"
)

// This file follows users whose device got a new resource: the JS SDK gets one whenever it
// reconnects to the chat server, and tells nobody. A call in which media flow on knows
// only the resource that accepted. Reconnections follow by rules of their own, in
// reconnect.go; who asks for something, such as to open, has to prove that he is the one in
// the call, in claim.go.

// leaving is what is known of the end of a call, as long as that is not certain.
type leaving struct {
	closed bool // the peer closed the connection
	// closedLive says that the call was live when it did, at closedAt.
	closedLive bool
	closedAt   time.Time

	leftBy *signaling.Signal // a hangUp from another device of the user
	leftAt time.Time
}

// rebinds tells whether a signal from another device of the user is taken for one of the
// bound device's: a call that we have not answered, repeated; a hangUp, if the bound device
// may be gone, or has closed the connection, as who hangs up does.
func (p *peer) rebinds(s *signaling.Signal) bool {
	switch s.Kind {
	case signaling.Call:
		return p.state == ringing
	case signaling.HangUp:
		return p.gone || p.state == disconnected && p.closed
	}
	return false
}

// parted takes it that the peer closed the connection. If another device of the user has
// just hung up, it was the same one. Up says that the connection was up.
func (l *loop) parted(p *peer, up bool) {
	if !p.closed {
		quiet, ever := p.conn.quiet()
		p.closedLive, p.closedAt = up && ever && quiet <= liveMedia, time.Now()
	}
	p.closed = true
	if p.leftBy != nil && time.Since(p.leftAt) <= farewellTime && !p.claim.excludes(p.leftBy.Device) {
		l.todo = append(l.todo, step{p, hangUpReceived, cause{
			signal: p.leftBy, info: p.leftBy.Info, notLive: ErrOtherDevice.Error(),
		}})
	}
}
