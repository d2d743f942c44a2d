package callcore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"intercom/signaling"
)

// This file has the chat's system messages. They belong to no session on the wire; an app
// whose SDK has no update sends one beside its call, from the same device.

// InfoSession is the key in the Info of a Message that names the session it is about.
const InfoSession = "sessionID"

// Tell sends a system message to one device of a user, or to all if device is empty. It
// returns when the client has taken it; an error is an OpError, or that of the context.
func (c *Client) Tell(ctx context.Context, u signaling.UserID, device string, info map[string]string) error {
	refuse := func(err error) error { return &OpError{Op: opTell.String(), Err: err} }
	switch err := signaling.CheckInfo(info); {
	case err != nil:
		return refuse(fmt.Errorf("%w: %w", ErrBadInfo, err))
	case len(info) == 0:
		return refuse(fmt.Errorf("%w: there is nothing in it", ErrBadInfo))
	case u <= 0:
		return refuse(fmt.Errorf("%w: %d", ErrBadUser, u))
	}
	m := &signaling.Message{Peer: u, Device: device, Info: maps.Clone(info)}
	err := c.ask(ctx, request{op: opTell, message: m})
	if err != nil && ctx.Err() == nil {
		return refuse(err)
	}
	return err
}

// told takes a system message.
func (l *loop) told(ctx context.Context, m *signaling.Message) {
	now := time.Now()
	h := Head{Time: now, User: m.Peer, Device: m.Device}
	p, why := l.meant(m)
	from := &l.strangers
	if p != nil {
		h.Session, h.Wire = p.session, p.wire
		why = l.notLive(p, m.Device)
		if p.bound && p.device == m.Device {
			from = &p.messages
			l.heard(ctx, p)
		}
	}
	if !from.take(now) {
		l.log.Debug("message dropped", keyPeer, int64(m.Peer), keyDev, m.Device, keyCause, "there are too many")
		return
	}
	if p == nil || !l.claims(ctx, p, m.Device, m) {
		l.emit(Message{h, m.Info, why == "", why})
	}
}

// meant finds the call that a message is about, or says why there is none.
func (l *loop) meant(m *signaling.Message) (*peer, string) {
	if wire, named := m.Info[InfoSession]; named {
		k := peerKey{wire, m.Peer}
		if p := l.peers[k]; p != nil {
			return p, ""
		}
		if _, known := l.ended.lookup(k, time.Now()); known {
			return nil, "the call has ended"
		}
		return nil, ErrUnknownSession.Error()
	}
	var found *peer
	for _, s := range l.sessions {
		i := slices.IndexFunc(s.peers, func(p *peer) bool { return p.user == m.Peer && p.state != closed })
		if i >= 0 && (found == nil || s.peers[i].bound && s.peers[i].device == m.Device) {
			found = s.peers[i]
		}
	}
	if found == nil {
		return nil, "there is no call with this user"
	}
	return found, ""
}

// notLiveBefore says why a hangUp from this device does not end a live call; empty: it does.
// Who hangs up closes the connection, too, and which is heard of first is chance.
func (l *loop) notLiveBefore(p *peer, device string) string {
	if p.state == disconnected && p.device == device && p.closed && p.closedLive && time.Since(p.closedAt) <= farewellTime {
		return ""
	}
	return l.notLive(p, device)
}
