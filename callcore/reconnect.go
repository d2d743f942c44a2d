package callcore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"intercom/signaling"
)

// This file replaces lost connections (protocol.md 4.7). Both sides make a new
// PeerConnection, and only the offer of the higher user id is ever answered: the lower one
// is polite, and its own offer merely asks for the other's.

const (
	// graceTime is how long a lost path may come back by itself, as in the SDKs.
	graceTime = 5 * time.Second

	// farewellTime: a peer that hangs up closes DTLS and sends hangUp by way of the server;
	// which comes first is chance. One that replaces its connection closes it as well, and
	// says so at once; partedTime is how long one that says nothing is asked for.
	farewellTime = 2 * time.Second
	partedTime   = 10 * time.Second

	// retryTime is when an attempt has failed: ICE gives up its pairs sooner. Who is
	// polite waits longer, so that the two do not replace what the other one has begun.
	retryTime       = 5 * time.Second
	politeRetryTime = 8 * time.Second

	// firstTime is how long a call that was just answered may look for its path before it
	// is given another connection. A browser takes about as long to call its ICE failed;
	// our agent, which would hope for longer than the call may take, is not waited for.
	firstTime = 10 * time.Second

	// Each request of a peer's to reconnect costs a PeerConnection at either end. One that
	// loses its path again and again sends one every few seconds.
	requestTime  = 3 * time.Second
	requestBurst = 5

	// probeTime bounds the round trip that proves the link.
	probeTime = 5 * time.Second
)

// The types of a signaling.Description.
const (
	typeOffer  = "offer"
	typeAnswer = "answer"
)

// reconnection is what a peer knows of one; it is the loop's.
type reconnection struct {
	lost     time.Time // when it began; zero: there is none
	told     bool      // that it is under way
	offerID  string    // of our latest offer
	offered  bool      // that it was sent
	theirID  string    // of the offer that we have answered, or are about to
	reanswer string    // our answer to it, to be repeated; empty: there is none
	met      bool      // there was a connection, once
	requests bucket    // of the peer
	gone     bool      // the bound device, perhaps: a signal to it came back, or our link was down
	leaving
}

// polite tells whether it is the peer's offer that counts.
func (l *loop) polite(p *peer) bool { return l.cfg.Channel.Self() < p.user }

// reconnect takes an update with a session description.
func (l *loop) reconnect(ctx context.Context, p *peer, s *signaling.Signal) {
	in, err := l.inputOfReconnect(p, s)
	told := p.device != s.Device && p.claim.told(s.Device)
	if err == nil && p.device != s.Device && !told && !p.follows(in) {
		err = ErrOtherDevice
	}
	if err == nil && (in == reofferReceived || in == pokeReceived) && !p.requests.take(time.Now()) {
		err = ErrTooManyRequests // if it was serious, our own attempt comes in time
	}
	if err != nil {
		l.invalid(p, s, err)
		return
	}
	if p.device != s.Device && p.state == connected {
		l.wait(p, step{p, in, cause{signal: s}})
		return
	}
	l.step(ctx, p, in, cause{signal: s})
}

func (l *loop) inputOfReconnect(p *peer, s *signaling.Signal) (input, error) {
	switch d := s.Reconnect; {
	case d.OfferID == "":
		return 0, fmt.Errorf("%w: a reconnection without an offer id", ErrMalformed)
	case d.Type == typeAnswer && p.claim.told(s.Device) && d.OfferID == p.claim.offerID:
		return pokeReceived, checkAnswer(d.SDP, p.session.callType) // the offer led nowhere
	case d.Type == typeAnswer && d.OfferID != p.offerID:
		return 0, fmt.Errorf("%w: an answer to offer %.40q, which is not our latest", ErrOutOfPlace, d.OfferID)
	case d.Type == typeAnswer:
		if err := checkAnswer(d.SDP, p.session.callType); err != nil {
			return 0, err
		}
		return reanswerReceived, l.engine.checkCodecs(d.SDP)
	case d.Type != typeOffer:
		return 0, fmt.Errorf("%w: a reconnection of type %.20q", ErrMalformed, d.Type)
	case !l.polite(p):
		return pokeReceived, nil // its SDP is for nobody
	case d.OfferID == p.theirID && s.Device == p.device:
		return reofferRepeated, nil
	default:
		if err := checkOffer(d.SDP); err != nil {
			return 0, err
		}
		return reofferReceived, l.engine.checkCodecs(d.SDP)
	}
}

// follows tells whether the call goes on with another device of the same user: the JS SDK
// gets a new resource whenever it reconnects to the chat server. The bound one must be
// lost to ICE, or perhaps to the server: then it is followed when it is lost to ICE, too,
// which who makes another connection is by closing the one before. An answer to our latest offer shows who it is: only the
// bound one was told its id, or, if that was gone, only the one in the call answers.
func (p *peer) follows(in input) bool {
	switch p.state {
	case disconnected, reoffering, reanswering, reconnecting:
		return in == reofferReceived || in == pokeReceived || in == reanswerReceived
	case connected:
		return p.gone && (in == reofferReceived || in == pokeReceived)
	}
	return false
}

// performReconnect does what concerns the descriptions of a reconnection.
func (l *loop) performReconnect(ctx context.Context, p *peer, e effect, c cause) {
	switch e {
	case prepareReoffer:
		p.offerID, p.theirID, p.reanswer, p.ufrag, p.theirs = uuid.NewString(), "", "", "", nil
		p.offered = false
		l.connect(ctx, p)
		l.give(p, job{kind: makeOffer})
	case updateReoffer:
		if p.offered { // or it is about to be, and once is enough
			l.give(p, job{kind: makeOffer})
		}
	case applyReanswer:
		d := c.signal.Reconnect
		p.ufrag = iceUfrag(d.SDP)
		l.give(p, job{kind: takeAnswer, sdp: d.SDP})
		l.giveKept(p)
	case prepareReanswer:
		d := c.signal.Reconnect
		p.offerID, p.theirID, p.reanswer, p.ufrag = "", d.OfferID, "", iceUfrag(d.SDP)
		l.connect(ctx, p)
		l.give(p, job{kind: makeAnswer, sdp: d.SDP})
		l.giveKept(p)
	case sendReoffer:
		p.offered = true
		l.sendDescription(p, signaling.Description{OfferID: p.offerID, Type: typeOffer, SDP: c.report.sdp})
	case sendReanswer:
		p.reanswer, p.sent = c.report.sdp, len(p.ours)
		l.sendDescription(p, signaling.Description{OfferID: p.theirID, Type: typeAnswer, SDP: p.reanswer})
	case repeatReanswer:
		if p.reanswer != "" {
			l.sendDescription(p, signaling.Description{OfferID: p.theirID, Type: typeAnswer, SDP: p.reanswer})
		}
	}
}

// rebind goes on with the call on the device that a signal is from.
func (l *loop) rebind(p *peer, device string) {
	if p.device != device {
		l.log.Info("call continues on another device", keyCall, p.wire, keyPeer, int64(p.user), keyFrom, p.device, keyDev, device)
		p.device = device
	}
	p.gone = false
}

// sendDescription sends an offer or an answer to the device in the call, and to no other. If
// that may be gone an offer goes to all of them, as those of the SDKs always do: only the one
// in the call acts on it, whatever its resource is now.
func (l *loop) sendDescription(p *peer, d signaling.Description) {
	to := p.device
	if p.gone && d.Type == typeOffer {
		to = ""
	}
	l.send(p, &signaling.Signal{Kind: signaling.Update, Device: to, Reconnect: &d})
}

// probe makes the channel look whether its link is alive. It waits for nothing: if it is
// not, what is sent meanwhile is sent again when it is back.
func (l *loop) probe(ctx context.Context) {
	l.workers.Go(func() {
		ctx, done := context.WithTimeout(ctx, probeTime)
		defer done()
		if err := l.cfg.Channel.Probe(ctx); err != nil {
			l.log.Info("the chat link does not answer", keyError, err)
		}
	})
}

// bucket allows requestBurst requests at once, and one more every requestTime.
type bucket struct {
	full time.Time // when it will be full again
}

func (b *bucket) take(now time.Time) bool {
	if b.full.Before(now) {
		b.full = now
	}
	if b.full.Add(requestTime).Sub(now) > requestBurst*requestTime {
		return false
	}
	b.full = b.full.Add(requestTime)
	return true
}

// sortCandidates parts those for the description that we have from those for one that is
// still to come. Most say nothing about it: they are for what we have.
func (p *peer) sortCandidates(list []signaling.Candidate) (now, later []signaling.Candidate) {
	for _, c := range list {
		if u := candidateUfrag(c.Candidate); u == "" || p.ufrag == "" || u == p.ufrag {
			now = append(now, c)
		} else {
			later = append(later, c)
		}
	}
	return now, later
}

// candidateUfrag returns the user name fragment in a candidate (RFC 8839, 5.1), as browsers
// and phones put it; empty: there is none.
func candidateUfrag(candidate string) string {
	f := strings.Fields(candidate)
	if i := slices.Index(f, "ufrag"); i >= 0 && i+1 < len(f) {
		return f[i+1]
	}
	return ""
}
