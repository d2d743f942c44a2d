package callcore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"intercom/signaling"
)

const (
	// eventsWaiting is how many events may wait before signals are left in the Channel,
	// eventsLimit how many may wait at all, eventsLeft how many are left when Run ends.
	eventsWaiting = 512
	eventsLimit   = 4096
	eventsLeft    = 256

	// outboxSize bounds what waits to be written: several rounds of signals to a full
	// ring group. Beyond that the link is stuck, and a signal fails as if it were down.
	outboxSize = 256

	// sendTimeout: a write that takes this long is on a dead link, which the channel's
	// own supervision has not noticed yet.
	sendTimeout = 5 * time.Second

	// partingTime is how long Run waits to get the last hangUps out when it ends.
	partingTime = 2 * time.Second
)

// loop owns the state of all sessions. Everything in it belongs to the goroutine of run,
// except the channels.
type loop struct {
	*Client
	incoming chan signaling.Event
	outbox   chan outgoing
	failed   chan sendFailure
	reports  chan report
	findings chan finding
	broken   chan error    // the channel, for good
	over     chan struct{} // closed when run returns

	begun     time.Time  // of run
	sessions  []*Session // live
	peers     map[peerKey]*peer
	ended     ended
	pending   []Event
	strangers bucket     // of messages from who is in no call
	lost      bool       // the link, or a signal since it came up
	unsent    []outgoing // to be tried again when the link is back
	farewells []farewell // that a dead link may have swallowed
	reserve   reserve
	todo      []step // what effects brought about

	workers sync.WaitGroup
}

// step is an input that waits its turn.
type step struct {
	peer  *peer
	input input
	cause cause
}

// cause is what an input came with.
type cause struct {
	signal *signaling.Signal
	info   map[string]string
	report report
	err    error
	// live says that the signal came from a live call, and notLive why it did not.
	live    bool
	notLive string
}

// op is an operation of the API.
type op uint8

const (
	opCall op = iota
	opAccept
	opReject
	opHangUp
	opUpdate
	opClosePeer
	opTell
)

var opNames = [...]string{
	opCall: "call", opAccept: "accept", opReject: "reject", opHangUp: "hang up", opUpdate: "update",
	opClosePeer: "close peer", opTell: "tell",
}

func (o op) String() string { return opNames[o] }

// request is an operation and where its outcome goes; reply has room for it.
type request struct {
	op      op
	session *Session
	info    map[string]string
	users   []signaling.UserID
	message *signaling.Message // opTell: it has no session
	reply   chan error
}

// ask hands a request to the loop.
func (c *Client) ask(ctx context.Context, r request) error {
	r.reply = make(chan error, 1)
	select {
	case c.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-c.done:
		return ErrStopped
	}
	select {
	case err := <-r.reply:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-c.done:
		return ErrStopped
	}
}

func newLoop(c *Client) *loop {
	return &loop{
		Client:   c,
		incoming: make(chan signaling.Event),
		outbox:   make(chan outgoing, outboxSize),
		failed:   make(chan sendFailure),
		reports:  make(chan report),
		findings: make(chan finding),
		broken:   make(chan error, 1),
		over:     make(chan struct{}),
		peers:    map[peerKey]*peer{},
		ended:    ended{keep: max(endedTime, 2*c.cfg.Timers.Answer)},
	}
}

// run is the owner loop. When it returns nothing is live and the outbox is closed.
func (l *loop) run(ctx context.Context) (err error) {
	defer close(l.over)
	defer close(l.outbox)
	timer := time.NewTimer(0)
	defer timer.Stop()
	l.begun = time.Now()
	l.tend(ctx)
	for err == nil && ctx.Err() == nil {
		err = l.turn(ctx, timer.C)
		if len(l.pending) > eventsLimit {
			err = ErrEventsUnread
		}
		timer.Reset(l.untilDue())
	}
	for _, s := range slices.Clone(l.sessions) {
		for _, p := range s.peers {
			l.step(ctx, p, stopAsked, cause{})
		}
		l.settle(s)
	}
	for _, e := range l.pending {
		select {
		case l.events <- e:
		default:
		}
	}
	return err
}

// turn waits for one thing and does it. It never blocks on anything else.
func (l *loop) turn(ctx context.Context, due <-chan time.Time) error {
	var out chan<- Event
	var first Event
	if len(l.pending) > 0 {
		out, first = l.events, l.pending[0]
	}
	in := l.incoming
	if len(l.pending) >= eventsWaiting {
		in = nil
	}
	select {
	case <-ctx.Done():
	case err := <-l.broken:
		return fmt.Errorf("receive signals: %w", err)
	case out <- first:
		l.pending[0] = nil
		l.pending = l.pending[1:]
	case e := <-in:
		l.signaled(ctx, e)
	case r := <-l.requests:
		r.reply <- l.request(ctx, r)
	case <-l.network:
		l.networkChanged(ctx)
	case <-l.engine.net.turn.news:
		l.serversChanged()
	case r := <-l.reports:
		l.reported(ctx, r)
	case f := <-l.findings:
		l.found(ctx, f)
	case f := <-l.failed:
		l.sendFailed(f)
	case <-due:
		l.timersDue(ctx)
	}
	for len(l.todo) > 0 {
		s := l.todo[0]
		l.todo = l.todo[1:]
		l.step(ctx, s.peer, s.input, s.cause)
	}
	return nil
}

// receive is the one reader of the channel.
func (l *loop) receive(ctx context.Context) {
	for {
		e, err := l.cfg.Channel.Receive(ctx)
		if err != nil {
			if ctx.Err() == nil {
				l.broken <- err
			}
			return
		}
		select {
		case l.incoming <- e:
		case <-ctx.Done():
			return
		}
	}
}

// request carries out an operation of the API, or says which rule it breaks.
func (l *loop) request(ctx context.Context, r request) error {
	if r.op == opTell {
		l.post(outgoing{message: r.message})
		return nil
	}
	s := r.session
	defer l.settle(s)
	var in input
	switch r.op {
	case opCall:
		if s.incoming {
			return ErrIncoming
		}
		if s.State() == StateNew {
			l.sessions = append(l.sessions, s)
		}
		in = callAsked
	case opAccept:
		in = acceptAsked
	case opReject:
		in = rejectAsked
	case opHangUp:
		in = hangUpAsked
	case opUpdate:
		return l.update(r)
	case opClosePeer:
		return l.closePeer(ctx, r)
	}
	switch {
	case s.State() == StateClosed:
		return ErrClosed
	case !s.incoming && (in == acceptAsked || in == rejectAsked):
		return ErrNotIncoming
	case s.State() != StateRinging && (in == acceptAsked || in == rejectAsked):
		return ErrAlreadyAccepted
	}
	if in == hangUpAsked {
		l.leave(s, ReasonHungUp)
	}
	for _, p := range s.peers {
		if p.state == closed {
			continue // a member of the group that is out already
		}
		if err := l.step(ctx, p, l.inputFor(p, in), cause{info: r.info}); err != nil {
			return err
		}
	}
	return nil
}

// update sends application data to who is still there.
func (l *loop) update(r request) error {
	s := r.session
	switch s.State() {
	case StateNew:
		return ErrNotCalled
	case StateClosed:
		return ErrClosed
	}
	for _, u := range r.users {
		if !slices.ContainsFunc(s.peers, func(p *peer) bool { return p.user == u && p.state != closed }) {
			return fmt.Errorf("%w: %d", ErrNotInSession, u)
		}
	}
	for _, p := range s.peers {
		if p.state != closed && (len(r.users) == 0 || slices.Contains(r.users, p.user)) {
			l.send(p, &signaling.Signal{Kind: signaling.Update, Device: p.device, Info: r.info})
		}
	}
	return nil
}

// closePeer releases one user.
func (l *loop) closePeer(ctx context.Context, r request) error {
	if r.session.State() == StateClosed {
		return ErrClosed
	}
	for _, p := range r.session.peers {
		if p.user == r.users[0] && p.state != closed {
			return l.step(ctx, p, releaseAsked, cause{})
		}
	}
	return fmt.Errorf("%w: %d", ErrNotInSession, r.users[0])
}

// step feeds one input to the state machine of a peer; it is the only writer of its state.
func (l *loop) step(ctx context.Context, p *peer, in input, c cause) error {
	r := next(p.state, in)
	if r.refuse != nil {
		return r.refuse
	}
	from := p.state
	if r.to != same {
		p.state = r.to
		p.reason = r.reason
		if p.reason == ReasonLost && !p.met {
			p.reason = ReasonNotConnected // nothing that was there was lost
		}
		if r.to == closed {
			p.session.parting.note(from, p.reason)
		}
		attrs := []any{keyCall, p.wire, keyPeer, int64(p.user), keyFrom, from.String(), keyState, p.state.String(), keyCause, in.String()}
		if c.err != nil {
			attrs = append(attrs, keyError, c.err)
		}
		l.log.Info("call changed", attrs...)
	}
	for _, e := range r.do {
		l.perform(ctx, p, e, c)
	}
	if p.state == closed && sessionState(p.session) == StateClosed {
		l.leave(p.session, closeReason(p.session))
	}
	l.pursue(p)
	l.show(p)
	l.settle(p.session)
	l.uncross(ctx, p)
	return nil
}

func (l *loop) head(p *peer, device string) Head {
	return Head{Time: time.Now(), Session: p.session, User: p.user, Device: device, Wire: p.wire}
}

func (l *loop) headOf(s *Session) Head { return Head{Time: time.Now(), Session: s} }

// forget drops a session that has closed.
func (l *loop) forget(s *Session) {
	l.sessions = slices.DeleteFunc(l.sessions, func(o *Session) bool { return o == s })
}

func (l *loop) emit(e Event) { l.pending = append(l.pending, e) }

// reported takes what a worker says. A report of a connection that was replaced or closed
// is late, and about nothing.
func (l *loop) reported(ctx context.Context, r report) {
	p := r.conn.owner
	if p == nil {
		l.spareReported(r)
		return
	}
	if p.conn != r.conn {
		return
	}
	switch r.what {
	case trackStarted:
		l.emit(MediaStarted{l.head(p, p.device), r.codec})
		p.started = true
		l.mediaFlow(p)
		l.pursue(p)
	case sentFirst:
		l.mediaFlow(p)
	case trackFailed:
		l.log.Warn("track failed", keyCall, p.wire, keyPeer, int64(p.user), keyError, r.err)
		l.emit(MediaFailed{l.head(p, p.device), r.codec, r.err})
	case checksBegan:
		p.ice.checking = true
		l.show(p)
	case allGathered:
		p.ice.gathered = true
		l.show(p)
	case statsTaken:
		if p.state == connected {
			l.emit(StatsReport{l.head(p, p.device), *r.stats})
		}
	case badCandidate:
		l.log.Info("candidate ignored", keyCall, p.wire, keyPeer, int64(p.user), keyError, r.err)
	case becameInput:
		l.step(ctx, p, r.input, cause{report: r, err: r.err})
	}
}

// isEnd tells errors that only say that somebody stopped waiting.
func isEnd(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// Keys of log records, the same in the whole package.
const (
	keyCall   = "call"  // the session's id on the wire
	keyPeer   = "peer"  // a user id
	keyDev    = "dev"   // a resource
	keyState  = "state" // after
	keyFrom   = "from"  // before
	keyCause  = "cause" // the input or signal behind it
	keyError  = "error"
	keyServer = "server"
	keyScope  = "pion" // which part of pion says it
)
