package station

import (
	"context"
	"errors"
	"time"

	"intercom/callcore"
	"intercom/door"
	"intercom/hw/press"
	"intercom/internal/control"
	"intercom/signaling"
)

// loop owns the door's state and the calls that belong to it.
type loop struct {
	*Station
	state    door.State
	sessions map[string]*callcore.Session // by the door's key of the call
	keys     map[*callcore.Session]string
	pending  []door.Input // of our own making, taken before anything else
	wake     *time.Timer
	peer     peer            // who is in the call, for the status
	news     []control.Event // of this turn
	pressed  time.Time       // the last button
	recorder *recorder
	lamp     *lamp
}

// peer is what is known of the one who talks to the door.
type peer struct {
	device string
	media  bool
}

func newLoop(s *Station, state door.State) *loop {
	return &loop{
		Station: s, state: state, sessions: map[string]*callcore.Session{}, keys: map[*callcore.Session]string{},
		recorder: &recorder{Station: s, orders: make(chan door.Effect, 8)}, lamp: newLamp(s.light, s.report("light")),
	}
}

// run takes one thing after the other until ctx ends.
func (l *loop) run(ctx context.Context, presses <-chan press.Event) {
	l.wake = time.NewTimer(time.Hour)
	l.wake.Stop()
	defer l.wake.Stop()
	l.mu.Lock()
	l.status.Link = control.Link{Since: time.Now(), Reason: "not connected yet"}
	l.mu.Unlock()
	l.show()
	l.publish(control.Event{Type: control.Started, Text: "the station started, version " + l.cfg.Version})
	l.take(ctx, l.keysChanged())
	l.restoreAttempts(ctx)
	l.publishNews()
	kept, sums := time.NewTicker(keepEvery), time.NewTicker(sumUpEvery)
	defer kept.Stop()
	defer sums.Stop()
	l.lamp.show(l.state.Shows)
	events, opened := l.calls.Events(), l.guard.Events()
	for {
		select {
		case e, ok := <-events:
			if !ok {
				events = nil // calls end with ctx, or Run learns why they did
				continue
			}
			l.callEvent(ctx, e)
		case e := <-presses:
			l.press(ctx, e)
		case e, ok := <-opened:
			if !ok {
				opened = nil
				continue
			}
			l.lockEvent(ctx, e)
		case in := <-l.asks:
			l.pressed = time.Now()
			if _, ok := in.(door.KeysChanged); ok {
				in = l.keysChanged() // what holds now: a later change may have been told before
			}
			l.take(ctx, in)
		case l.turns <- struct{}{}:
			continue
		case <-l.faults:
			l.take(ctx, door.Fault{Wrong: len(l.health.Wrong()) > 0})
		case <-sums.C:
			l.sumUp()
			continue
		case <-kept.C:
			l.keepAttempts()
			continue
		case <-l.wake.C:
			l.take(ctx, door.Wake{})
		case <-ctx.Done():
			return
		}
		l.show()
		l.publishNews()
	}
}

// finish takes what the parts said as they ended, such as that the lock is safe again.
func (l *loop) finish(ctx context.Context) {
	for e := range l.calls.Events() {
		l.callEvent(ctx, e)
	}
	for e := range l.guard.Events() {
		l.lockEvent(ctx, e)
	}
	l.keepAttempts()
	l.show()
	l.publishNews()
	l.publish(control.Event{Type: control.Stopped, Text: "the station stops"})
}

// publishNews ends a turn: whoever hears of something finds it in the status.
func (l *loop) publishNews() {
	for _, e := range l.news {
		l.publish(e)
	}
	l.news = l.news[:0]
}

// tell has an event published at the end of the turn.
func (l *loop) tell(e control.Event) {
	e.Time = time.Now()
	l.news = append(l.news, e)
}

// take gives the door an input, carries out what comes of it, and goes on with the inputs
// that the effects made.
func (l *loop) take(ctx context.Context, in door.Input) {
	l.pending = append(l.pending, in)
	for len(l.pending) > 0 {
		in, l.pending = l.pending[0], l.pending[1:]
		now := time.Now()
		state, effects, wake := l.state.Next(now, in)
		l.state = state
		for _, e := range effects {
			l.carryOut(ctx, e)
		}
		if wake.IsZero() {
			l.wake.Stop()
		} else {
			l.wake.Reset(time.Until(wake))
		}
	}
}

// callEvent translates what the call engine reports.
func (l *loop) callEvent(ctx context.Context, e callcore.Event) {
	h := e.Header()
	key := l.keys[h.Session]
	switch e := e.(type) {
	case callcore.Incoming:
		key = "from " + h.Session.ID() // the caller chose that id: it must not pass for a key of the door's
		l.remember(key, h.Session)
		l.peer = peer{device: h.Device}
		l.take(ctx, door.Incoming{Call: key, User: h.User})
	case callcore.Accepted:
		l.take(ctx, door.Answered{Call: key, User: h.User})
		if key == l.state.Call && h.User == l.state.User {
			l.peer = peer{device: h.Device}
		}
	case callcore.Rejected:
		l.take(ctx, door.Declined{Call: key, User: h.User})
	case callcore.MediaStarted:
		if key == l.state.Call {
			l.peer.media = true
		}
		l.take(ctx, door.MediaStarted{Call: key, User: h.User})
	case callcore.Established:
		t := times(e.Timeline)
		l.tell(control.Event{Type: control.Timed, Call: h.Session.ID(), User: int64(h.User), Times: t, Text: t.String()})
	case callcore.Updated:
		l.asked(ctx, door.ByUpdate, h, e.Info, e.Live, e.NotLive)
	case callcore.Message:
		l.asked(ctx, door.ByMessage, h, e.Info, e.Live, e.NotLive)
	case callcore.HungUp:
		l.asked(ctx, door.ByHangUp, h, e.Info, e.Live, e.NotLive)
	case callcore.Invalid:
		l.invalid(ctx, e)
	case callcore.Closed:
		l.take(ctx, door.Ended{Call: key, How: howEnded(e.Reason), Reason: e.Reason.String()})
		delete(l.sessions, key)
		delete(l.keys, h.Session)
	case callcore.LinkChanged:
		l.linkChanged(ctx, e)
	case callcore.ServerChanged:
		l.health.Report(e.URL, e.Err)
	case callcore.MediaFailed:
		l.log.Warn("a track does not work", "user", h.User, "codec", e.Codec, "cause", e.Err)
	case callcore.SendFailed:
		l.log.Warn("a signal was not sent", "user", h.User, "signal", e.Kind, "cause", e.Err)
	}
}

func (l *loop) linkChanged(ctx context.Context, e callcore.LinkChanged) {
	ev := control.Event{Type: control.LinkUp, Text: "the chat server is reached"}
	if !e.Up {
		ev = control.Event{Type: control.LinkDown, Text: "the chat server is not reached"}
		if e.Err != nil {
			ev.Reason = e.Err.Error()
			ev.Text += ": " + ev.Reason
		}
	}
	l.tell(ev)
	l.mu.Lock()
	l.status.Link = control.Link{Up: e.Up, Since: time.Now(), Reason: ev.Reason}
	l.mu.Unlock()
	l.take(ctx, door.LinkChanged{Up: e.Up})
}

func (l *loop) remember(key string, s *callcore.Session) {
	l.sessions[key] = s
	l.keys[s] = key
}

// carryOut does what the door decided.
func (l *loop) carryOut(ctx context.Context, e door.Effect) {
	switch e := e.(type) {
	case door.Ring:
		l.ring(ctx, e)
	case door.Answer:
		l.inSession(e.Call, "answer", func(s *callcore.Session) error { return s.Accept(ctx, nil) })
	case door.Decline:
		l.inSession(e.Call, "decline", func(s *callcore.Session) error {
			return s.Reject(ctx, map[string]string{"reason": e.Reason})
		})
	case door.HangUp:
		l.inSession(e.Call, "hang up", func(s *callcore.Session) error {
			return s.HangUp(ctx, map[string]string{"reason": e.Reason})
		})
	case door.Tell:
		l.tellResident(ctx, e)
	case door.Open:
		if err := l.guard.Open(ctx, e.Lock, 0); err != nil {
			l.pending = append(l.pending, door.LockFailed{Lock: e.Lock, Reason: err.Error()})
		}
	case door.Shut:
		if err := l.guard.Shut(ctx, e.Lock); err != nil {
			l.log.Error("a lock is not shut yet", "lock", e.Lock, "cause", err) // it is driven safe until it is
		}
	case door.Keep:
		_ = l.attempts.keep(e.Tallies, !e.Later) // what is wrong with it is in the health
	case door.Cue:
		l.play(e.Name)
	case door.Snapshot, door.Record:
		l.recorder.order(e)
	case door.Light:
		l.lamp.show(e.Show)
	case door.Note:
		l.note(e)
	}
}

func (l *loop) ring(ctx context.Context, e door.Ring) {
	s, err := l.calls.NewSession(callcore.Invite{Users: e.Users, CallType: signaling.Video, Pressed: l.pressed, Info: callInfo(e)})
	if err == nil {
		l.remember(e.Call, s)
		err = s.Call(ctx, map[string]string{infoLock: l.cfg.Locks.Locks[0].Line.Name})
	}
	if err != nil {
		l.log.Error("the residents cannot be called", "cause", err)
		l.pending = append(l.pending, door.Ended{Call: e.Call, How: door.EndFailed, Reason: err.Error()})
	}
}

// inSession does something in a call that the door believes in; if that fails the call is
// over for the door.
func (l *loop) inSession(key, what string, do func(*callcore.Session) error) {
	s := l.sessions[key]
	err := callcore.ErrClosed
	if s != nil {
		err = do(s)
	}
	if err != nil {
		if !errors.Is(err, callcore.ErrClosed) {
			l.log.Warn("cannot "+what, "call", key, "cause", err)
		}
		l.pending = append(l.pending, door.Ended{Call: key, Reason: err.Error()})
	}
}

// note tells what the door has to tell.
func (l *loop) note(n door.Note) {
	call := n.Call
	if s := l.sessions[call]; s != nil {
		call = s.ID()
	}
	l.tell(control.Event{Type: string(n.Type), Call: call, User: int64(n.User), Name: n.Name, Reason: n.Reason, Text: n.Text})
}

// show makes what the loop knows visible to Status.
func (l *loop) show() {
	st := l.state
	var call *control.Call
	var talk *callcore.Session
	if s := l.sessions[st.Call]; s != nil && st.Call != "" {
		call = &control.Call{ID: s.ID(), Incoming: st.Incoming, User: int64(st.User), Since: st.Since}
		if st.Phase == door.Talking {
			call.Device, call.Media = l.peer.device, l.peer.media
			call.Codec = sentVideo(s, st.User)
			call.Times = timesOf(s, st.User)
			talk = s
		}
	}
	state := st.Phase.String()
	if st.Phase == door.Talking && st.Incoming && !l.peer.media {
		state = "incoming"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.State, l.status.Light, l.status.Call = state, string(st.Shows), call
	l.status.Flat, l.status.Typed = st.Flat, st.Typed
	l.talk = talk
}

// howEnded is what a visitor hears of the reason why a call is over.
func howEnded(why callcore.Reason) door.End {
	switch why {
	case callcore.ReasonNotAnswered:
		return door.EndUnanswered
	case callcore.ReasonPeerRejected:
		return door.EndDeclined
	case callcore.ReasonNotConnected, callcore.ReasonLost, callcore.ReasonFailed:
		return door.EndFailed
	}
	return door.EndOver
}
