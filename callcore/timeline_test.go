package callcore_test

import (
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// TestTimeline counts the trips of a call's start over a network in which a packet takes
// 20 ms, and a signal 25 ms.
func TestTimeline(t *testing.T) {
	const trip, signal, answered = 20 * time.Millisecond, 25 * time.Millisecond, 3 * time.Second
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewDistantWorld(t, trip)
		door := w.Phone(callcoretest.Spec{User: 1, Device: "door", Prepared: 1})
		phone := w.Phone(callcoretest.Spec{User: 2})
		time.Sleep(5 * time.Second)
		pressed := time.Now().Add(-7 * time.Millisecond)
		s := door.Invite(callcore.Invite{Users: []signaling.UserID{2}, CallType: signaling.Video, Pressed: pressed})
		begun := time.Now()
		in := callcoretest.Await[callcore.Incoming](phone)
		time.Sleep(answered)
		taken := time.Now()
		must(t, in.Session.Accept(t.Context(), nil))
		e := callcoretest.Await[callcore.Established](door)
		callcoretest.Await[callcore.Established](phone)
		got := s.Timeline()[0]
		if got != e.Timeline || got.User != 2 || !got.Pressed.Equal(pressed) || !got.Sent.Equal(begun) {
			t.Errorf("timeline %+v, event %+v", got, e.Timeline)
		}
		if !got.Ringing.Equal(got.Accepted) {
			t.Errorf("ringing at %v, accepted at %v: nothing else was heard of the phone", got.Ringing, got.Accepted)
		}
		theirs := in.Session.Timeline()[0]
		for _, c := range []struct {
			what     string
			from, at time.Time
			want     time.Duration
		}{
			{"their call", begun, theirs.Pressed, signal},
			{"their accept is asked for", taken, theirs.Accepted, 0},
			{"accept arrives", theirs.Sent, got.Accepted, signal},
			// A check and the nomination, each there and back.
			{"path", got.Accepted, got.ICE, 4 * trip},
			// Their hello has come just now: our flight, and theirs.
			{"keys", got.ICE, got.DTLS, 2 * trip},
			{"first packet out", got.DTLS, got.FirstSent, 0},
			{"first packet in", got.Accepted, got.FirstReceived, 8 * trip},
			{"their path", theirs.Sent, theirs.ICE, signal + 3*trip},
			{"their keys", theirs.ICE, theirs.DTLS, 4 * trip},
			{"their first packet in", theirs.Sent, theirs.FirstReceived, signal + 7*trip},
		} {
			if took := c.at.Sub(c.from); took < c.want || took > c.want+time.Millisecond {
				t.Errorf("%s took %v, want %v", c.what, took, c.want)
			}
		}
	})
}
