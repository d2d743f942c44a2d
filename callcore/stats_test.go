package callcore_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/transport/v4/vnet"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/capture"
	"intercom/signaling"
)

// TestStatsReport: every interval there is an event for each peer that is connected, with
// what the JS SDK's onCallStatsReport has, and round-trip time, loss, jitter and path.
func TestStatsReport(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, _ *callcoretest.Phone) {
		door := w.Phone(callcoretest.Spec{User: 5, Timers: callcore.Timers{StatsReport: 2 * time.Second}})
		phone := w.Phone(callcoretest.Spec{User: 6})
		var n atomic.Int64
		var lossy atomic.Bool
		w.Filter(func(c vnet.Chunk) bool { // one packet in ten, of those with media
			return !lossy.Load() || len(c.UserData()) < 60 || n.Add(1)%10 != 0
		})
		out, _ := connectWith(t, door, phone, callcore.Invite{Users: []signaling.UserID{6}, CallType: signaling.Video, Bandwidth: 360})
		lossy.Store(true)
		start := time.Now()
		first := callcoretest.Await[callcore.StatsReport](door)
		if first.User != 6 || first.Stats.User != 6 || first.Session != out {
			t.Errorf("head %+v, stats of %d", first.Head, first.Stats.User)
		}
		if v := first.Stats.Video; v.BitrateSent != 0 || v.PicturesSent.PerSecond != 0 || v.PacketsSent == 0 || v.BytesSent == 0 {
			t.Errorf("first sample %+v, want counts and no rates", v)
		}
		for range 4 {
			callcoretest.Await[callcore.StatsReport](door)
		}
		last := callcoretest.Await[callcore.StatsReport](door)
		if took := time.Since(start); took < 10*time.Second || took > 12*time.Second {
			t.Errorf("six reports took %v, want one each 2s", took)
		}
		checkStats(t, last.Stats)
		// As often as it is asked, and with rates of its own.
		out.Stats()
		time.Sleep(time.Second)
		checkStats(t, out.Stats()[0])

		must(t, out.HangUp(t.Context(), nil))
		callcoretest.Await[callcore.Closed](door)
		for _, e := range door.Idle(10 * time.Second) {
			if _, is := e.(callcore.StatsReport); is {
				t.Error("a report after the end")
			}
		}
		if p := out.Stats()[0].Path; p != (callcore.Path{}) {
			t.Errorf("path %+v after the end", p)
		}
	})
}

// checkStats holds a sample against what callcoretest.Media sends: 30 pictures of 320x240
// a second with 360 kbit/s, and sound of 80 bytes 50 times a second.
func checkStats(t *testing.T, s callcore.Stats) {
	t.Helper()
	if s.Time.IsZero() || s.Audio.Codec != capture.Opus || s.Video.Codec != capture.H264 {
		t.Errorf("at %v, codecs %s and %s", s.Time, s.Audio.Codec, s.Video.Codec)
	}
	between := func(what string, got, low, high float64) {
		t.Helper()
		if got < low || got > high {
			t.Errorf("%s: %v, want %v to %v", what, got, low, high)
		}
	}
	between("audio sent, kbit/s", float64(s.Audio.BitrateSent), 30, 33) // 31.25
	between("audio received, kbit/s", float64(s.Audio.BitrateReceived), 24, 33)
	between("video sent, kbit/s", float64(s.Video.BitrateSent), 330, 420)
	between("video received, kbit/s", float64(s.Video.BitrateReceived), 280, 420)
	for what, p := range map[string]callcore.Pictures{"sent": s.Video.PicturesSent, "received": s.Video.PicturesReceived} {
		if p.Width != 320 || p.Height != 240 {
			t.Errorf("pictures %s are %dx%d", what, p.Width, p.Height)
		}
		between("pictures "+what+" a second", p.PerSecond, 26, 31)
	}
	if p := s.Audio.PicturesSent; p != (callcore.Pictures{}) {
		t.Errorf("pictures in the sound: %+v", p)
	}
	heard := float64(s.Audio.PacketsReceived)
	between("audio lost", float64(s.Audio.Lost), heard/20, heard/5)
	between("remote audio lost", float64(s.Audio.RemoteLost), heard/30, heard/5)
	between("remote fraction lost", s.Audio.RemoteFractionLost, 0.01, 0.3)
	for what, k := range map[string]callcore.TrackStats{"audio": s.Audio, "video": s.Video} {
		between(what+" round trip, ms", float64(k.RoundTrip.Microseconds())/1000, 1, 10)
		between(what+" jitter, ms", float64(k.Jitter.Microseconds())/1000, 0, 60) // repaired packets are late
		between(what+" remote jitter, ms", float64(k.RemoteJitter.Microseconds())/1000, 0, 60)
	}
	for what, e := range map[string]callcore.PathEnd{"local": s.Path.Local, "remote": s.Path.Remote} {
		if e.Type != "host" || e.Protocol != "udp" || e.Port == 0 || len(e.IP) < 8 || e.IP[:7] != "10.0.0." {
			t.Errorf("%s end of the path: %+v", what, e)
		}
	}
	if s.Path.Local.IP == s.Path.Remote.IP {
		t.Errorf("a path from %s to itself", s.Path.Local.IP)
	}
	between("round trip of the path, ms", float64(s.Path.RoundTrip.Microseconds())/1000, 1, 10)
}

// TestNoStatsReport: they are off by default, and there is none of who is not connected.
func TestNoStatsReport(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Phone(callcoretest.Spec{User: 2, Timers: callcore.Timers{StatsReport: time.Second}})
		connect(t, door, phone, signaling.Audio)
		phone.Idle(3 * time.Second)
		cut := w.Cut()
		callcoretest.AwaitWhere(phone, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerDisconnected })
		for _, e := range append(door.Idle(2*time.Second), phone.Idle(2*time.Second)...) {
			if r, is := e.(callcore.StatsReport); is {
				t.Errorf("a report: %+v", r)
			}
		}
		cut(false)
	})
}
