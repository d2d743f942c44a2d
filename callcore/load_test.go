package callcore_test

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// tenThousand is how many calls TestManyCalls makes.
const tenThousand = 10_000

// load makes calls between a door and a scripted phone, which has descriptions but no media.
type load struct {
	t             *testing.T
	door          *callcoretest.Phone
	phone         *callcoretest.Script
	offer, answer string
	random        *rand.Rand
}

// outcomes are the ways in which a call goes.
var outcomes = []struct {
	name string
	run  func(*load)
}{
	{"answered, the phone hangs up", func(l *load) {
		call := l.accepted()
		l.phone.Reply(call, signaling.Signal{Kind: signaling.HangUp})
		l.closed(callcore.ReasonPeerHungUp)
	}},
	{"answered, the door hangs up", func(l *load) {
		l.accepted()
		s := callcoretest.Await[callcore.Accepted](l.door).Session
		time.Sleep(l.upTo(time.Second))
		must(l.t, s.HangUp(l.t.Context(), nil))
		l.closed(callcore.ReasonHungUp)
	}},
	{"rejected", func(l *load) {
		l.door.Call(signaling.Audio, 2)
		call := l.phone.Await(signaling.Call)
		time.Sleep(l.upTo(time.Second))
		l.phone.Reply(call, signaling.Signal{Kind: signaling.Reject, SDP: l.offer})
		l.closed(callcore.ReasonPeerRejected)
	}},
	{"no answer", func(l *load) {
		l.door.Call(signaling.Audio, 2)
		l.closed(callcore.ReasonNotAnswered)
	}},
	{"cancelled by the door", func(l *load) {
		s := l.door.Call(signaling.Audio, 2)
		time.Sleep(l.upTo(time.Second))
		must(l.t, s.HangUp(l.t.Context(), nil))
		l.closed(callcore.ReasonHungUp)
	}},
	{"busy", func(l *load) {
		s := l.door.Call(signaling.Audio, 3) // nobody
		l.phone.Post(signaling.Signal{Kind: signaling.Call, Peer: 1, Session: s.ID() + "?", SDP: l.offer})
		l.invalid(callcore.ErrBusy)
		must(l.t, s.HangUp(l.t.Context(), nil))
		l.closed(callcore.ReasonHungUp)
	}},
	{"malformed call", func(l *load) {
		l.phone.Post(signaling.Signal{Kind: signaling.Call, Peer: 1, Session: l.name(), SDP: l.offer[:l.random.IntN(200)]})
		l.invalid(callcore.ErrMalformed)
	}},
	{"malformed accept", func(l *load) {
		s := l.door.Call(signaling.Audio, 2)
		call := l.phone.Await(signaling.Call)
		l.phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: l.answer[:l.random.IntN(200)]})
		l.invalid(callcore.ErrMalformed)
		must(l.t, s.HangUp(l.t.Context(), nil))
		l.closed(callcore.ReasonHungUp)
	}},
	{"incoming, accepted", func(l *load) {
		s := l.incoming()
		must(l.t, s.Accept(l.t.Context(), nil))
		l.phone.Reply(l.phone.Await(signaling.Accept), signaling.Signal{Kind: signaling.HangUp})
		l.closed(callcore.ReasonPeerHungUp)
	}},
	{"incoming, rejected", func(l *load) {
		s := l.incoming()
		time.Sleep(l.upTo(time.Second))
		must(l.t, s.Reject(l.t.Context(), nil))
		l.closed(callcore.ReasonRejected)
	}},
	{"incoming, not answered", func(l *load) {
		l.incoming()
		l.closed(callcore.ReasonNotAnswered)
	}},
}

// accepted lets the phone accept a call, to which no path is ever found.
func (l *load) accepted() *signaling.Signal {
	l.door.Call(signaling.Audio, 2)
	call := l.phone.Await(signaling.Call)
	time.Sleep(l.upTo(time.Second))
	l.phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: l.answer})
	return call
}

// incoming lets the phone call.
func (l *load) incoming() *callcore.Session {
	l.phone.Post(signaling.Signal{Kind: signaling.Call, Peer: 1, Session: l.name(), SDP: l.offer})
	return callcoretest.Await[callcore.Incoming](l.door).Session
}

func (l *load) closed(want callcore.Reason) {
	l.t.Helper()
	closed(l.t, l.door, want)
}

func (l *load) invalid(want error) {
	l.t.Helper()
	if e := callcoretest.Await[callcore.Invalid](l.door); !errors.Is(e.Err, want) {
		l.t.Errorf("invalid %+v, want %v", e, want)
	}
}

func (l *load) upTo(d time.Duration) time.Duration { return time.Duration(l.random.Int64N(int64(d))) }

func (l *load) name() string {
	var b strings.Builder
	for range 16 {
		b.WriteByte("0123456789abcdef"[l.random.IntN(16)])
	}
	return b.String()
}

// calls makes n calls, and forgets them.
func (l *load) calls(n int) {
	for range n {
		o := outcomes[l.random.IntN(len(outcomes))]
		o.run(l)
		l.phone.Listen(10 * time.Millisecond) // what is under way
		l.door.Seen = nil
		if l.t.Failed() {
			l.t.Fatalf("after %q", o.name)
		}
	}
}

// baseline lets everything that was remembered be forgotten, and counts what is left.
func (l *load) baseline() (left map[string]int, goroutines int, heap uint64) {
	l.door.Idle(10 * time.Minute)
	l.door.Seen = nil
	synctest.Wait()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return l.door.Left(), runtime.NumGoroutine(), m.HeapAlloc
}

// TestManyCalls: years of calls leave nothing behind.
func TestManyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		// It rings for a shorter time than usual: the camera runs meanwhile.
		door := w.Phone(callcoretest.Spec{User: 1, Device: "door", Timers: callcore.Timers{Answer: 2 * time.Second, Dialing: 800 * time.Millisecond}})
		l := &load{t: t, door: door, phone: w.Script(2, "phone"), random: rand.New(rand.NewPCG(1, 2))}
		other := w.Script(9, "other")
		l.offer = withoutCandidates(l.phone.Offer())
		l.answer = withoutCandidates(other.Answer(l.offer))
		l.phone.Renew()
		other.Renew()
		l.calls(200)
		_, goroutines, heap := l.baseline()
		l.calls(tenThousand)
		left, g, h := l.baseline()
		for name, n := range left {
			if n != 0 {
				t.Errorf("%d %s are left", n, name)
			}
		}
		if g != goroutines {
			t.Errorf("%d goroutines, before %d", g, goroutines)
		}
		const slack = 1 << 20 // 100 bytes a call
		if h > heap+slack {
			t.Errorf("%d bytes of heap, before %d", h, heap)
		}
		t.Logf("%d calls: goroutines %d then %d, heap %d then %d", tenThousand, goroutines, g, heap, h)
	})
}
