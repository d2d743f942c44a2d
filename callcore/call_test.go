package callcore_test

import (
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// bubble runs a test in a bubble, with a door (user 1) on a network.
func bubble(t *testing.T, f func(*testing.T, *callcoretest.World, *callcoretest.Phone)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		f(t, w, w.Phone(callcoretest.Spec{User: 1, Device: "door"}))
	})
}

func TestAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Phone(callcoretest.Spec{User: 2})
		start := time.Now()
		s := door.Call(signaling.Video, 2)
		in := callcoretest.Await[callcore.Incoming](phone)
		if in.User != 1 || in.Device != "door" || in.CallType != signaling.Video || in.Session.ID() != s.ID() {
			t.Errorf("incoming %+v", in)
		}
		t.Logf("incoming after %v", time.Since(start))
		if err := in.Session.Accept(t.Context(), map[string]string{"floor": "3"}); err != nil {
			t.Fatal(err)
		}
		accepted := time.Now()
		if a := callcoretest.Await[callcore.Accepted](door); a.User != 2 || a.Device != "phone" || a.Info["floor"] != "3" {
			t.Errorf("accepted %+v", a)
		}
		callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
		t.Logf("connected after %v", time.Since(accepted))
		callcoretest.Await[callcore.MediaStarted](phone)
		t.Logf("media after %v", time.Since(accepted))
		callcoretest.Await[callcore.MediaStarted](door)
		time.Sleep(10 * time.Second)
		for _, st := range []callcore.Stats{s.Stats()[0], in.Session.Stats()[0]} {
			t.Logf("%+v", st)
			if st.Audio.PacketsReceived < 490 || st.Video.PacketsReceived < 300 {
				t.Errorf("received %+v", st)
			}
		}
		if got := door.Media.Played(2); got < 490 {
			t.Errorf("the door played %d packets", got)
		}
	})
}
