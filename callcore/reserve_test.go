package callcore_test

import (
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/capture"
	"intercom/signaling"
)

// candidates returns those in a description of a type, as "host:port". pion writes each of
// them twice, for RTCP too.
func candidates(sdp, typ string) []string {
	var list []string
	for line := range strings.Lines(sdp) {
		if f := strings.Fields(line); strings.HasPrefix(line, "a=candidate:") && len(f) > 7 && f[1] == "1" && f[7] == typ {
			list = append(list, net.JoinHostPort(f[4], f[5]))
		}
	}
	return list
}

// prepared runs a test with a door that keeps n connections ready, which it has had the
// time to make.
func prepared(t *testing.T, n int, f func(*testing.T, *callcoretest.World, *callcoretest.Phone)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		door := w.Phone(callcoretest.Spec{User: 1, Device: "door", Prepared: n})
		time.Sleep(5 * time.Second)
		f(t, w, door)
	})
}

// atOnce checks that a call went out in the moment that it was asked for, with candidates.
func atOnce(t *testing.T, w *callcoretest.World, phone *callcoretest.Script, asked time.Time) *signaling.Signal {
	t.Helper()
	call := phone.Await(signaling.Call)
	if took := time.Since(asked); took != w.Hub.Delay {
		t.Errorf("the call came after %v, want %v", took, w.Hub.Delay)
	}
	if len(candidates(call.SDP, "host")) == 0 {
		t.Errorf("no host candidate in the call:\n%s", call.SDP)
	}
	return call
}

// TestPrepared: a call with a prepared connection goes out at once, and is a call like any
// other; nothing was opened for it before.
func TestPrepared(t *testing.T) {
	prepared(t, 1, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		if opened := door.Media.Opened(); len(opened) != 0 {
			t.Errorf("%v was opened before the call", opened)
		}
		asked := time.Now()
		s := door.Call(signaling.Video, 2)
		call := atOnce(t, w, phone, asked)
		if again := phone.Await(signaling.Call); time.Since(asked) != 5*time.Second+w.Hub.Delay || again.SDP != call.SDP {
			t.Errorf("repeated after %v, with the same description: %v", time.Since(asked), again.SDP == call.SDP)
		}
		if got := door.Media.OpenFeeds(); got != 2 {
			t.Errorf("%d feeds open while the phone rings, want 2", got)
		}
		s.Mute(callcore.VideoTrack, true)
		phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: phone.Answer(call.SDP)})
		callcoretest.AwaitWhere(door, func(e callcore.ConnectionChanged) bool { return e.State == callcore.PeerConnected })
		phone.Speak(2 * time.Second)
		if st := s.Stats()[0]; st.Audio.PacketsSent < 90 || st.Audio.PacketsReceived < 90 || st.Video.Codec != capture.H264 || st.Video.PacketsSent > 20 {
			t.Errorf("stats %+v", st)
		}
		must(t, s.HangUp(t.Context(), nil))
		phone.Await(signaling.HangUp)
		closed(t, door, callcore.ReasonHungUp)
	})
}

// TestPreparedGroup: a ring group that is larger than what was prepared, one that is not,
// and the next one, for which others have been made.
func TestPreparedGroup(t *testing.T) {
	prepared(t, 3, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phones := []*callcoretest.Script{w.Script(2, "a"), w.Script(3, "b"), w.Script(4, "c"), w.Script(5, "d")}
		for _, n := range []int{3, 4, 3} {
			users := []signaling.UserID{2, 3, 4, 5}[:n]
			asked := time.Now()
			s := door.Call(signaling.Video, users...)
			seen := map[string]bool{}
			for i, p := range phones[:n] {
				call := p.Await(signaling.Call)
				seen[iceUfrag(call.SDP)] = true
				if took := time.Since(asked); i < 3 && took != w.Hub.Delay || took > w.Hub.Delay+20*time.Millisecond {
					t.Errorf("call %d of %d came after %v", i+1, n, took)
				}
			}
			if len(seen) != n {
				t.Errorf("%d connections for %d users", len(seen), n)
			}
			must(t, s.HangUp(t.Context(), nil))
			closed(t, door, callcore.ReasonHungUp)
			for _, p := range phones[:n] {
				p.Await(signaling.HangUp)
			}
			time.Sleep(5 * time.Second)
		}
	})
}

func iceUfrag(sdp string) string {
	_, rest, _ := strings.Cut(sdp, "a=ice-ufrag:")
	ufrag, _, _ := strings.Cut(rest, "\r\n")
	return ufrag
}

// TestPreparedWinner: of three who are called over prepared connections, the second
// answers.
func TestPreparedWinner(t *testing.T) {
	prepared(t, 3, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		var phones []*callcoretest.Phone
		for u := signaling.UserID(2); u < 5; u++ {
			phones = append(phones, w.Phone(callcoretest.Spec{User: u}))
		}
		s := door.Call(signaling.Video, 2, 3, 4)
		in := callcoretest.Await[callcore.Incoming](phones[1])
		must(t, in.Session.Accept(t.Context(), nil))
		closed(t, phones[0], callcore.ReasonPeerHungUp)
		closed(t, phones[2], callcore.ReasonPeerHungUp)
		callcoretest.Await[callcore.MediaStarted](door)
		callcoretest.Await[callcore.MediaStarted](phones[1])
		time.Sleep(time.Second)
		if st := s.Stats()[1]; st.User != 3 || st.Audio.PacketsReceived < 40 || st.Video.PacketsSent < 20 {
			t.Errorf("stats %+v", st)
		}
		if got := door.Media.OpenFeeds(); got != 2 {
			t.Errorf("%d feeds open, want 2", got)
		}
	})
}

// TestPreparedAudio: prepared connections are for calls with pictures.
func TestPreparedAudio(t *testing.T) {
	prepared(t, 1, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		door.Call(signaling.Audio, 2)
		if call := phone.Await(signaling.Call); strings.Contains(call.SDP, "m=video") {
			t.Errorf("a section for pictures in an audio call:\n%s", call.SDP)
		}
	})
}

// TestPreparedReflexive calls at any time, and looks how old the address is that the STUN
// server told.
func TestPreparedReflexive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		stun := w.STUN()
		door := w.Phone(callcoretest.Spec{User: 1, Device: "door", Prepared: 2, ICE: stun.ICE("stun")})
		phone := w.Script(2, "phone")
		time.Sleep(10 * time.Second)
		for wait := time.Duration(0); wait < 17*time.Second; wait += 330 * time.Millisecond {
			asked := time.Now()
			s := door.Call(signaling.Video, 2)
			call := atOnce(t, w, phone, asked)
			if list := candidates(call.SDP, "srflx"); len(list) != 1 {
				t.Errorf("server-reflexive candidates %v, want 1", list)
			} else if age := asked.Sub(stun.Asked(list[0])); age > 20*time.Second {
				t.Errorf("after %v: the address %s is %v old", wait, list[0], age)
			}
			must(t, s.HangUp(t.Context(), nil))
			closed(t, door, callcore.ReasonHungUp)
			time.Sleep(5*time.Second + wait)
		}
		before := stun.Bindings()
		time.Sleep(10 * time.Minute)
		if n := stun.Bindings() - before; n < 78 || n > 82 {
			t.Errorf("%d addresses were asked for in ten minutes, want 80", n)
		}
	})
}

// TestPreparedWhileRenewed calls at each moment of a connection's renewal.
func TestPreparedWhileRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		stun := w.STUN()
		door := w.Phone(callcoretest.Spec{User: 1, Device: "door", Prepared: 1, ICE: stun.ICE("stun")})
		phone := w.Script(2, "phone")
		for at := time.Duration(0); at < 1100*time.Millisecond; at = at*4/3 + time.Millisecond {
			time.Sleep(3 * time.Second)
			for n := stun.Bindings(); stun.Bindings() == n; { // the renewal begins
				time.Sleep(time.Millisecond)
			}
			time.Sleep(at)
			asked := time.Now()
			s := door.Call(signaling.Video, 2)
			call := atOnce(t, w, phone, asked)
			if list := candidates(call.SDP, "srflx"); len(list) != 1 || asked.Sub(stun.Asked(list[0])) > 20*time.Second {
				t.Errorf("%v after a renewal began: server-reflexive candidates %v", at, list)
			}
			phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: phone.Answer(call.SDP)})
			callcoretest.AwaitWhere(door, func(e callcore.ConnectionChanged) bool { return e.State == callcore.PeerConnected })
			must(t, s.HangUp(t.Context(), nil))
			closed(t, door, callcore.ReasonHungUp)
			phone.Renew()
		}
	})
}

// TestPreparedMoves: another address is in the calls right after the client was told.
func TestPreparedMoves(t *testing.T) {
	prepared(t, 2, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		w.Move(door.Net, "10.0.0.99")
		door.NetworkChanged()
		for range 2 {
			time.Sleep(50 * time.Millisecond)
			asked := time.Now()
			s := door.Call(signaling.Video, 2)
			call := atOnce(t, w, phone, asked)
			for _, c := range candidates(call.SDP, "host") {
				if host, _, _ := net.SplitHostPort(c); host != "10.0.0.99" && host != "127.0.0.1" {
					t.Errorf("candidate %s after the move", c)
				}
			}
			must(t, s.HangUp(t.Context(), nil))
			closed(t, door, callcore.ReasonHungUp)
			time.Sleep(2 * time.Second)
		}
	})
}

// TestPreparedRelay: TURN servers are left alone until somebody is called.
func TestPreparedRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		turn := w.STUN()
		door := w.Phone(callcoretest.Spec{User: 1, Device: "door", Prepared: 2, ICE: turn.ICE("turn")})
		phone := w.Script(2, "phone")
		time.Sleep(10 * time.Minute)
		if n := turn.Allocations(); n != 0 {
			t.Errorf("%d allocations were asked for by a door at rest", n)
		}
		asked := time.Now()
		s := door.Call(signaling.Video, 2)
		call := atOnce(t, w, phone, asked)
		if list := candidates(call.SDP, "srflx"); len(list) != 1 {
			t.Errorf("server-reflexive candidates %v, want 1", list)
		}
		time.Sleep(50 * time.Millisecond)
		if n := turn.Allocations(); n != 1 {
			t.Errorf("%d allocations were asked for after the call, want 1", n)
		}
		must(t, s.HangUp(t.Context(), nil))
		closed(t, door, callcore.ReasonHungUp)
	})
}

// TestPreparedForLong: a door at rest that renews its connections leaves nothing behind.
func TestPreparedForLong(t *testing.T) {
	const rest = 3 * time.Hour // 720 renewals
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		stun := w.STUN()
		w.Phone(callcoretest.Spec{User: 1, Device: "door", Prepared: 1, ICE: stun.ICE("stun")})
		const settled = 14 * time.Second // after a renewal, well before the next
		time.Sleep(settled)
		synctest.Wait()
		count := func() (goroutines int, heap uint64) {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return runtime.NumGoroutine(), m.HeapAlloc
		}
		goroutines, heap := count()
		start := time.Now()
		time.Sleep(rest)
		synctest.Wait()
		renewed := stun.Bindings()
		after, heapAfter := count()
		t.Logf("%v: %d renewals, %d goroutines then %d, heap %d KiB then %d KiB", time.Since(start), renewed, goroutines, after, heap>>10, heapAfter>>10)
		if after != goroutines {
			t.Errorf("%d goroutines, %d before", after, goroutines)
		}
		const slack = 256 << 10 // a connection has far more than the 360 bytes for each renewal
		if heapAfter > heap+slack {
			t.Errorf("%d bytes of heap, %d before", heapAfter, heap)
		}
		if want := int(rest / (15 * time.Second)); renewed < want {
			t.Errorf("%d renewals, want %d", renewed, want)
		}
	})
}
