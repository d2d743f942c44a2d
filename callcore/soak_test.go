//go:build soak

package callcore_test

import (
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// soakCalls is how many calls TestSoak makes; each takes about half a second.
const soakCalls = 300

// remembered is how long calls are that have ended.
const remembered = 2 * time.Minute

// held is what a process holds.
type held struct {
	goroutines, files int
	heap              uint64
}

func hold(t *testing.T) held {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return held{runtime.NumGoroutine(), len(files), m.HeapAlloc}
}

// TestSoak makes calls between two clients on this machine, in which media flow, and checks
// that nothing of them is left.
func TestSoak(t *testing.T) {
	w := callcoretest.NewWorld(t)
	timers := callcore.Timers{Answer: 10 * time.Second}
	door := w.Phone(callcoretest.Spec{User: 1, Device: "door", Timers: timers, Host: true})
	phone := w.Phone(callcoretest.Spec{User: 2, Timers: timers, Host: true})
	random := rand.New(rand.NewPCG(3, 4))
	var slowest time.Duration
	calls := func(n int) {
		for i := range n {
			start := time.Now()
			soakCall(t, door, phone, random)
			slowest = max(slowest, time.Since(start))
			door.Seen, phone.Seen = nil, nil
			if t.Failed() {
				t.Fatalf("in call %d", i)
			}
		}
		door.Idle(time.Second)
		phone.Idle(time.Second)
		door.Seen, phone.Seen = nil, nil
	}
	calls(10)
	before := hold(t)
	start := time.Now()
	calls(soakCalls)
	t.Logf("%d calls in %v, the slowest %v", soakCalls, time.Since(start).Round(time.Second), slowest.Round(time.Millisecond))
	// Calls are remembered for two minutes, and then forgotten with the next.
	door.Idle(remembered + time.Second)
	phone.Idle(0)
	calls(1)
	after := hold(t)
	t.Logf("before: %d goroutines, %d files, %d bytes of heap", before.goroutines, before.files, before.heap)
	t.Logf("after:  %d goroutines, %d files, %d bytes of heap", after.goroutines, after.files, after.heap)
	const slack = 1 << 20 // 3.5 kB a call: a connection that was kept would be a hundred times that
	if after.goroutines > before.goroutines || after.files > before.files || after.heap > before.heap+slack {
		t.Error("something is left of the calls")
	}
}

// soakCall is one call, which ends in one of the ways that calls do.
func soakCall(t *testing.T, door, phone *callcoretest.Phone, random *rand.Rand) {
	t.Helper()
	a, b := door, phone
	if random.IntN(2) == 0 {
		a, b = phone, door
	}
	out := a.Call(signaling.CallType(1+random.IntN(2)), b.User)
	in := callcoretest.Await[callcore.Incoming](b).Session
	both := func(at, other callcore.Reason) {
		t.Helper()
		closed(t, a, at)
		closed(t, b, other)
	}
	switch random.IntN(6) {
	case 0:
		must(t, in.Reject(t.Context(), nil))
		both(callcore.ReasonPeerRejected, callcore.ReasonRejected)
		return
	case 1:
		must(t, out.HangUp(t.Context(), nil))
		both(callcore.ReasonHungUp, callcore.ReasonPeerHungUp)
		return
	}
	must(t, in.Accept(t.Context(), nil))
	callcoretest.Await[callcore.Accepted](a)
	if random.IntN(6) == 0 { // while it connects
		must(t, out.HangUp(t.Context(), nil))
		both(callcore.ReasonHungUp, callcore.ReasonPeerHungUp)
		return
	}
	callcoretest.Await[callcore.MediaStarted](a)
	callcoretest.Await[callcore.MediaStarted](b)
	a.NetworkChanged()
	a.Idle(time.Duration(random.IntN(300)) * time.Millisecond)
	if random.IntN(2) == 0 {
		must(t, out.HangUp(t.Context(), nil))
		both(callcore.ReasonHungUp, callcore.ReasonPeerHungUp)
		return
	}
	must(t, in.HangUp(t.Context(), nil))
	both(callcore.ReasonPeerHungUp, callcore.ReasonHungUp)
}
