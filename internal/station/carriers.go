package station

import (
	"context"
	"maps"
	"time"

	"intercom/callcore"
	"intercom/door"
	"intercom/signaling"
)

// The keys of the application data by which an app asks to open, and is answered; see
// docs/app-integration.md.
const (
	infoCommand   = "command"   // what to do
	infoLock      = "door"      // the lock to open; none: the first
	infoChallenge = "challenge" // that is answered; or, from us, for the next request
	infoKey       = "device"    // the id of the key that the phone was paired with
	infoMAC       = "mac"
)

// stale is the age from which a request is refused: whether a call is live was judged when
// it was received, and should this loop have been held up that may be over.
const stale = 2 * time.Second

// asked translates a request, whatever brought it.
func (l *loop) asked(ctx context.Context, by door.Carrier, h callcore.Head, info map[string]string, live bool, notLive string) {
	if info[infoCommand] == "" {
		return
	}
	in := door.Asked{
		Call: l.keys[h.Session], Session: h.Wire, User: h.User, Device: h.Device, Carrier: by, Command: info[infoCommand], Lock: info[infoLock],
		Challenge: info[infoChallenge], Key: info[infoKey], MAC: info[infoMAC], Live: live, NotLive: notLive,
	}
	if age := time.Since(h.Time); age > stale {
		in.Live, in.NotLive = false, "the request was received "+age.Round(time.Second).String()+" ago"
	}
	l.take(ctx, in)
}

// invalid looks for requests among the signals that belong to no live call: somebody who
// tries to open from outside must show up in the journal.
func (l *loop) invalid(ctx context.Context, e callcore.Invalid) {
	s := e.Signal
	if s == nil {
		return
	}
	switch s.Kind {
	case signaling.Update:
		l.asked(ctx, door.ByUpdate, e.Head, s.Info, false, e.Err.Error())
	case signaling.HangUp:
		l.asked(ctx, door.ByHangUp, e.Head, s.Info, false, e.Err.Error())
	}
}

// tellResident sends something to a resident the way that a request of his came. A call
// that he has hung up carries nothing more: a message gets there.
func (l *loop) tellResident(ctx context.Context, e door.Tell) {
	var err error
	s := l.sessions[e.Call]
	switch {
	case e.Carrier != door.ByUpdate:
		info := maps.Clone(e.Info)
		if e.Session != "" {
			info[callcore.InfoSession] = e.Session
		}
		err = l.calls.Tell(ctx, e.User, e.Device, info)
	case s != nil:
		err = s.Update(ctx, e.Info, e.User)
	}
	if err != nil {
		l.log.Warn("the resident could not be told", "user", e.User, "by", e.Carrier.String(), "cause", err)
	}
}

// callInfo is what each phone is told with a call of ours.
func callInfo(e door.Ring) map[signaling.UserID]map[string]string {
	info := make(map[signaling.UserID]map[string]string, len(e.Challenges))
	for u, c := range e.Challenges {
		info[u] = map[string]string{infoChallenge: c}
	}
	return info
}
