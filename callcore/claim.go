package callcore

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"intercom/signaling"
)

// This file lets a call go on with the same phone under another name: the JS SDK gets a new
// resource whenever it reconnects to the chat server, and tells nobody. What a device that
// is not the one in the call asks for, in the name of the same user, is held until it is
// known who that is. It is the one in the call if
//
//   - the chat server says that the one in the call is not connected to it. That means
//     something because the one in the call has itself answered the same question before,
//     and because the one that asks answers it now; and
//   - it makes a new connection when it is told to, which it alone is, and the connection
//     that the call has is closed at the other end, or lost. Who does not hold the keys of
//     that connection cannot close it.
//
// All others are refused, only later. Until the other end closes it the connection of the
// call is left alone, so that another phone of the user can take nothing away from the one
// that answered, however long its chat is silent.

const (
	// pingTime is how long a device may take to answer: a phone on a mobile network that
	// has to wake its radio takes one second or two.
	pingTime = 2 * time.Second

	// claimTime bounds a claim, and with it how late a request may be granted. Each of two
	// devices is asked, a connection that was lost instead of closed takes five seconds to
	// be missed, and another one is made.
	claimTime = 10 * time.Second

	// heldLimit bounds what is held for one device.
	heldLimit = 8
)

// Why a device is not the one in the call, for a person.
const (
	otherDevice      = "it is from another device than the one in the call"
	otherDeviceMute  = otherDevice + ", and that one does not say whether it is there"
	claimantMute     = otherDevice + ", and does not say whether it is there"
	claimantUnproven = otherDevice + ", and has not shown that it is the same one"
)

var (
	errThere        = errors.New(otherDevice)
	errUnsure       = errors.New(otherDeviceMute)
	errClaimantMute = errors.New(claimantMute)
)

// succession is what a peer knows of who may follow the device in the call. It is the loop's.
type succession struct {
	known     string // the device that has answered for itself
	asks      bucket
	described string // our latest description
	claim     *claim // nil: there is none
}

// claim is that of a device to be the one in the call.
type claim struct {
	device  string
	due     time.Time
	held    []signaling.Event // its updates and messages
	offerID string            // of the offer that it alone was told; empty: none was
	reply   *step             // its description, which waits for the call's connection to be closed
}

// end is when the claim is given up; zero: there is none.
func (c *claim) end() time.Time {
	if c == nil {
		return time.Time{}
	}
	return c.due
}

// told tells whether a device has been told to make a new connection.
func (c *claim) told(device string) bool {
	return c != nil && c.offerID != "" && c.device == device
}

// excludes tells whether it is another device that has been told to, and so is the one that
// closes the connection of the call if any does.
func (c *claim) excludes(device string) bool {
	return c != nil && c.offerID != "" && c.device != device
}

// finding is what was found out about the presence of devices.
type finding struct {
	peer   *peer
	device string // the one in the call
	claim  *claim // nil: only whether that one answers
	err    error
}

// find runs a question on a goroutine of its own.
func (l *loop) find(ctx context.Context, f finding, ask func(context.Context) error) {
	l.workers.Go(func() {
		f.err = ask(ctx)
		select {
		case l.findings <- f:
		case <-l.over:
		}
	})
}

// ping asks one device.
func (l *loop) ping(ctx context.Context, u signaling.UserID, device string) error {
	ctx, done := context.WithTimeout(ctx, pingTime)
	defer done()
	return l.cfg.Channel.Ping(ctx, u, device)
}

// heard takes it that the device in the call is there.
func (l *loop) heard(ctx context.Context, p *peer) {
	p.gone = false
	if p.claim != nil && p.claim.device != p.device {
		l.judge(p, otherDevice)
	}
	l.acquaint(ctx, p)
}

// acquaint finds out whether the device in the call answers for itself when it is asked. If
// so, it is gone when the server answers in its place. One that may be gone is asked again.
func (l *loop) acquaint(ctx context.Context, p *peer) {
	if p.state != connected || !p.bound || p.device == "" || p.known == p.device && !p.gone || !p.asks.take(time.Now()) {
		return
	}
	u, device := p.user, p.device
	l.find(ctx, finding{peer: p, device: device}, func(ctx context.Context) error { return l.ping(ctx, u, device) })
}

// claims holds what a device of the user has sent that is not the one in the call, if it may
// turn out to be, and tells whether it does.
func (l *loop) claims(ctx context.Context, p *peer, device string, e signaling.Event) bool {
	now := time.Now()
	c := p.claim
	switch {
	case c != nil && c.device == device && len(c.held) < heldLimit:
		c.held = append(c.held, e)
		return true
	case c != nil, p.state != connected, !p.bound, device == "", device == p.device:
		return false
	case p.known != p.device || !p.asks.take(now):
		return false
	}
	c = &claim{device: device, due: now.Add(claimTime), held: []signaling.Event{e}}
	p.claim = c
	u, bound := p.user, p.device
	l.find(ctx, finding{peer: p, device: bound, claim: c}, func(ctx context.Context) error {
		switch err := l.ping(ctx, u, bound); {
		case err == nil:
			return errThere
		case !errors.Is(err, signaling.ErrUnavailable):
			return errUnsure
		}
		if l.ping(ctx, u, device) != nil {
			return errClaimantMute
		}
		return nil
	})
	return true
}

// found takes what was found out.
func (l *loop) found(ctx context.Context, f finding) {
	p := f.peer
	switch {
	case p.state == closed || p.device != f.device:
	case f.claim == nil:
		if f.err == nil {
			p.known, p.gone = f.device, false
		}
	case p.claim != f.claim: // it was given up
	case f.err == nil:
		l.challenge(p)
	default:
		p.gone = p.gone && f.err != errThere
		l.judge(p, f.err.Error())
		l.moved(ctx, p)
	}
}

// challenge tells the device with the claim, and no other, to make a new connection. The
// offer is for nothing else: it leads to no connection of ours. Who has the higher id sends
// an offer of its own, who has the lower one answers, and is sent ours then.
func (l *loop) challenge(p *peer) {
	c := p.claim
	if p.state != connected {
		return // it is being made anyway, and shows who is in the call
	}
	l.log.Info("the device in the call is gone, another one may be the same", keyCall, p.wire, keyPeer, int64(p.user), keyFrom, p.device, keyDev, c.device)
	c.offerID = uuid.NewString()
	l.send(p, &signaling.Signal{Kind: signaling.Update, Device: c.device, Reconnect: &signaling.Description{
		OfferID: c.offerID, Type: typeOffer, SDP: emptyOffer(p.described),
	}})
}

// pursue looks what has become of a claim, after anything has happened to the call.
func (l *loop) pursue(p *peer) {
	c := p.claim
	switch {
	case c == nil:
	case p.state == closed:
		l.judge(p, ErrEnded.Error())
	case p.state == disconnected && c.reply != nil: // and not because our own address is gone
		l.todo = append(l.todo, *c.reply)
		c.reply = nil
	case p.device == c.device && l.notLive(p, c.device) == "":
		l.judge(p, "")
	}
}

// claimDue gives a claim up.
func (l *loop) claimDue(p *peer) {
	why := claimantUnproven
	if p.device == p.claim.device {
		why = l.notLive(p, p.device)
	}
	l.judge(p, why)
}

// judge ends a claim: what was held is live, or is not for this reason.
func (l *loop) judge(p *peer, notLive string) {
	c := p.claim
	p.claim = nil
	if c.reply != nil {
		l.invalid(p, c.reply.cause.signal, ErrOtherDevice)
	}
	for _, e := range c.held {
		h := l.head(p, c.device)
		switch e := e.(type) {
		case *signaling.Signal:
			l.emit(Updated{h, e.Info, e.Extra, notLive == "", notLive})
		case *signaling.Message:
			l.emit(Message{h, e.Info, notLive == "", notLive})
		}
	}
}

// wait keeps a description of another device of the user until the connection that the call
// has is closed or lost: until then it may be from a device that is not the one in the call.
func (l *loop) wait(p *peer, s step) {
	device := s.cause.signal.Device
	if p.claim == nil {
		p.claim = &claim{device: device, due: time.Now().Add(claimTime)}
	}
	if p.claim.device != device {
		l.invalid(p, s.cause.signal, ErrOtherDevice)
		return
	}
	p.claim.reply = &s
}

// moved offers a new connection to all devices of the user, if the one in the call may be
// gone and there is no telling which of the others it is.
func (l *loop) moved(ctx context.Context, p *peer) {
	if p.bound && p.gone && p.requests.take(time.Now()) {
		l.step(ctx, p, deviceMoved, cause{})
	}
}

// emptyOffer makes an offer of one of our descriptions that leads nowhere: it has no
// candidates, and credentials that no connection of ours has.
func emptyOffer(description string) string {
	text, _ := cutCandidates(description)
	ufrag, pwd := rand.Text()[:8], rand.Text()
	var b strings.Builder
	for line := range strings.Lines(text) {
		for name, value := range map[string]string{"a=setup:": "actpass", "a=ice-ufrag:": ufrag, "a=ice-pwd:": pwd} {
			if strings.HasPrefix(line, name) {
				line = name + value + "\r\n"
			}
		}
		b.WriteString(line)
	}
	return b.String()
}
