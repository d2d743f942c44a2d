package callcore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"intercom/capture"
	"intercom/signaling"
)

// silent is media that are never opened.
type silent struct{}

func (silent) Codecs() []capture.Codec                  { return []capture.Codec{capture.Opus} }
func (silent) Open(capture.Codec) (capture.Feed, error) { return nil, errors.New("not here") }
func (silent) Play(signaling.UserID, capture.Codec) (capture.Player, error) {
	return nil, errors.New("not here")
}

// alone is a channel to nobody.
type alone struct{}

func (alone) Self() signaling.UserID                         { return 1 }
func (alone) Send(context.Context, *signaling.Signal) error  { return errors.New("not here") }
func (alone) Tell(context.Context, *signaling.Message) error { return errors.New("not here") }
func (alone) Probe(context.Context) error                    { return errors.New("not here") }
func (alone) Ping(context.Context, signaling.UserID, string) error {
	return errors.New("not here")
}
func (alone) Receive(ctx context.Context) (signaling.Event, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestEventsUnread: a client whose events nobody reads for good gives up, and says why.
func TestEventsUnread(t *testing.T) {
	c, err := New(Config{Channel: alone{}, Media: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	l := newLoop(c)
	for range eventsLimit + eventsLeft + 1 {
		l.emit(LinkChanged{})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := l.run(ctx); !errors.Is(err, ErrEventsUnread) {
		t.Errorf("run: %v, want %v", err, ErrEventsUnread)
	}
	if got := len(c.Events()); got != eventsLeft {
		t.Errorf("%d events left, want %d", got, eventsLeft)
	}
}

// TestOutboxFull: signals that cannot even wait fail, and are told of.
func TestOutboxFull(t *testing.T) {
	c, err := New(Config{Channel: alone{}, Media: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	l := newLoop(c)
	for range outboxSize + 1 {
		l.post(outgoing{signal: &signaling.Signal{Kind: signaling.Update, Peer: 2}})
	}
	if len(l.pending) != 1 {
		t.Fatalf("%d events, want one", len(l.pending))
	}
	if f, ok := l.pending[0].(SendFailed); !ok || f.User != 2 || f.Kind != signaling.Update || !errors.Is(f.Err, errOutboxFull) {
		t.Errorf("event %+v", l.pending[0])
	}
}

// TestStuckWorker: a worker that takes no more jobs ends its call, and the loop goes on.
func TestStuckWorker(t *testing.T) {
	l := &loop{Client: &Client{log: slog.New(slog.DiscardHandler)}, peers: map[peerKey]*peer{}}
	p := &peer{session: new(Session), state: connecting, conn: &conn{jobs: make(chan job), close: func() {}}}
	l.give(p, job{kind: takeCandidates})
	if len(l.todo) != 1 || l.todo[0].input != mediaFailed || l.todo[0].peer != p {
		t.Errorf("to do %+v, want that the media failed", l.todo)
	}
}

// TestEnded: ids are compared exactly (trap 18).
func TestEnded(t *testing.T) {
	e := ended{keep: time.Minute}
	now := time.Unix(1e9, 0)
	e.add(endedCall{peerKey: peerKey{wire: "a"}, answer: signaling.Reject, at: now})
	e.add(endedCall{peerKey: peerKey{wire: "A"}, at: now.Add(time.Second)})
	if c, known := e.lookup(peerKey{wire: "a"}, now.Add(time.Minute)); !known || c.answer != signaling.Reject {
		t.Errorf("a after a minute: %+v, %t", c, known)
	}
	if _, known := e.lookup(peerKey{wire: "a"}, now.Add(time.Minute+1)); known {
		t.Error("a is still known after more than a minute")
	}
	if _, known := e.lookup(peerKey{wire: "A"}, now.Add(time.Minute+1)); !known {
		t.Error("A is forgotten: ids are compared exactly")
	}
	for i := range 10 * endedSize {
		e.add(endedCall{peerKey: peerKey{wire: fmt.Sprint(i)}, at: now.Add(2 * time.Second)})
	}
	if len(e.calls) != endedSize {
		t.Errorf("%d remembered, want %d", len(e.calls), endedSize)
	}
	if _, known := e.lookup(peerKey{wire: fmt.Sprint(10*endedSize - 1)}, now.Add(2*time.Second)); !known {
		t.Error("the last one is forgotten")
	}
}

// TestReserveInRealTime: the first spare connection is due at once, with a clock that goes
// on while it is looked at.
func TestReserveInRealTime(t *testing.T) {
	c, err := New(Config{Channel: alone{}, Media: silent{}, Prepared: 2})
	if err != nil {
		t.Fatal(err)
	}
	l := newLoop(c)
	ctx, cancel := context.WithCancel(t.Context())
	l.tend(ctx)
	if got := len(l.reserve.spares); got != 1 {
		t.Errorf("%d spare connections after the first look, want 1", got)
	}
	if got := l.untilDue(); got <= 0 || got > refillInterval {
		t.Errorf("the next one is due in %v, want %v", got, refillInterval)
	}
	cancel()
	l.workers.Wait()
}

// TestOldSpare: a spare connection whose server-reflexive addresses a NAT may have forgotten
// is not taken, should its replacement be late. Host candidates do not age.
func TestOldSpare(t *testing.T) {
	for _, c := range []struct {
		servers []ICEServer
		age     time.Duration
		want    bool
	}{
		{[]ICEServer{{URLs: []string{"stun:192.0.2.1"}}}, reflexiveAge - time.Second, true},
		{[]ICEServer{{URLs: []string{"stun:192.0.2.1"}}}, reflexiveAge + time.Second, false},
		{nil, time.Hour, true},
	} {
		client, err := New(Config{Channel: alone{}, Media: three{}, Prepared: 1, ICE: ICE{Servers: c.servers}})
		if err != nil {
			t.Fatal(err)
		}
		l := client.loop
		l.reserve.spares = []*spare{{conn: newConn(client, nil, l.reports, func() {}), made: time.Now().Add(-c.age), sdp: "v=0"}}
		s := &Session{client: client, callType: signaling.Video}
		if got := l.takeSpare(s.add(2, "S", 1, nil, idle)); got != c.want {
			t.Errorf("%d servers, %v old: taken %t, want %t", len(c.servers), c.age, got, c.want)
		}
	}
}
