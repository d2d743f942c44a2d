package callcore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/webrtc/v4"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/capture"
	"intercom/signaling"
)

func candidate(c signaling.Candidate) webrtc.ICECandidateInit {
	return webrtc.ICECandidateInit{Candidate: c.Candidate, SDPMid: &c.SDPMid, SDPMLineIndex: &c.SDPMLineIndex}
}

// broken checks that an operation was refused for this rule, and says so.
func broken(t *testing.T, err, rule error, op string) {
	t.Helper()
	var o *callcore.OpError
	if !errors.As(err, &o) || !errors.Is(err, rule) || o.Op != op || !strings.Contains(err.Error(), op) || !strings.Contains(err.Error(), rule.Error()) {
		t.Errorf("%s: %v, want an OpError: %v", op, err, rule)
	}
}

// TestNoSuchTrack asks for a third track.
func TestNoSuchTrack(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		s, err := door.NewSession(callcore.Invite{Users: []signaling.UserID{2}, CallType: signaling.Video})
		if err != nil {
			t.Fatal(err)
		}
		s.Mute(callcore.VideoTrack+1, true)
		broken(t, s.Replace(callcore.VideoTrack+1, nil), callcore.ErrBadTrack, "replace")
	})
}

func TestInvitations(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		many := make([]signaling.UserID, 9)
		for i := range many {
			many[i] = signaling.UserID(i + 2)
		}
		for _, c := range []struct {
			users []signaling.UserID
			ct    signaling.CallType
			want  error
		}{
			{nil, signaling.Audio, callcore.ErrNoUsers},
			{[]signaling.UserID{2, 1}, signaling.Audio, callcore.ErrOwnID},
			{[]signaling.UserID{2, 0}, signaling.Audio, callcore.ErrBadUser},
			{[]signaling.UserID{2, 3, 2}, signaling.Audio, callcore.ErrDuplicateUser},
			{[]signaling.UserID{2}, 0, callcore.ErrBadCallType},
			{many, signaling.Audio, callcore.ErrTooManyUsers},
		} {
			_, err := door.NewSession(callcore.Invite{Users: c.users, CallType: c.ct})
			broken(t, err, c.want, "new session")
		}
		if _, err := door.NewSession(callcore.Invite{Users: many[1:], CallType: signaling.Video}); err != nil {
			t.Errorf("8 users: %v", err)
		}
	})
}

// TestRules uses every operation where it has no business.
func TestRules(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		ctx := t.Context()
		phone := w.Phone(callcoretest.Spec{User: 2})
		s, err := door.NewSession(callcore.Invite{Users: []signaling.UserID{2}, CallType: signaling.Audio})
		must(t, err)
		if s.State() != callcore.StateNew {
			t.Errorf("state %s, want new", s.State())
		}
		broken(t, s.Accept(ctx, nil), callcore.ErrNotIncoming, "accept")
		broken(t, s.Reject(ctx, nil), callcore.ErrNotIncoming, "reject")
		broken(t, s.Update(ctx, nil), callcore.ErrNotCalled, "update")

		broken(t, s.Call(ctx, map[string]string{"two words": "x"}), callcore.ErrBadInfo, "call")
		must(t, s.Call(ctx, nil))
		broken(t, s.Call(ctx, nil), callcore.ErrAlreadyCalled, "call")
		broken(t, s.Update(ctx, map[string]string{"delay": "x"}), callcore.ErrBadInfo, "update")
		broken(t, s.Accept(ctx, nil), callcore.ErrNotIncoming, "accept")

		in := callcoretest.Await[callcore.Incoming](phone).Session
		broken(t, in.Call(ctx, nil), callcore.ErrIncoming, "call")
		must(t, in.Accept(ctx, nil))
		broken(t, in.Accept(ctx, nil), callcore.ErrAlreadyAccepted, "accept")
		broken(t, in.Reject(ctx, nil), callcore.ErrAlreadyAccepted, "reject")
		callcoretest.Await[callcore.MediaStarted](door)
		broken(t, in.Accept(ctx, nil), callcore.ErrAlreadyAccepted, "accept")
		broken(t, s.Call(ctx, nil), callcore.ErrAlreadyCalled, "call")

		must(t, s.HangUp(ctx, nil))
		for op, f := range map[string]func(context.Context, map[string]string) error{"call": s.Call, "hang up": s.HangUp, "accept": s.Accept} {
			broken(t, f(ctx, nil), callcore.ErrClosed, op)
		}
		broken(t, s.Update(ctx, nil), callcore.ErrClosed, "update")
		closed(t, phone, callcore.ReasonPeerHungUp)
		broken(t, in.HangUp(ctx, nil), callcore.ErrClosed, "hang up")

		never, err := door.NewSession(callcore.Invite{Users: []signaling.UserID{2}, CallType: signaling.Audio})
		must(t, err)
		must(t, never.HangUp(ctx, nil))
		closed(t, door, callcore.ReasonHungUp)
		broken(t, never.Call(ctx, nil), callcore.ErrClosed, "call")
	})
}

func TestConfig(t *testing.T) {
	channel := callcoretest.NewWorld(t).Join(1, "door")
	media := callcoretest.NewMedia(capture.Opus)
	for name, c := range map[string]struct {
		cfg  callcore.Config
		want string
	}{
		"no channel":     {callcore.Config{Media: media}, "channel"},
		"no media":       {callcore.Config{Channel: channel}, "media"},
		"no sound":       {callcore.Config{Channel: channel, Media: callcoretest.NewMedia(capture.VP8)}, "sound"},
		"unknown codec":  {callcore.Config{Channel: channel, Media: callcoretest.NewMedia(capture.Opus, "video/AV1")}, "video/AV1"},
		"negative timer": {callcore.Config{Channel: channel, Media: media, Timers: callcore.Timers{Dialing: -1}}, "dialing"},
		"negative ring":  {callcore.Config{Channel: channel, Media: media, MaxRing: -1}, "negative"},
		"negative limit": {callcore.Config{Channel: channel, Media: media, IncomingLimit: -1}, "incoming"},
		"bad policy":     {callcore.Config{Channel: channel, Media: media, ICE: callcore.ICE{Policy: "none"}}, `"none"`},
		"bad server":     {callcore.Config{Channel: channel, Media: media, ICE: callcore.ICE{Servers: []callcore.ICEServer{{URLs: []string{"http://x"}}}}}, "http://x"},
		"TURN without credentials": {callcore.Config{Channel: channel, Media: media,
			ICE: callcore.ICE{Servers: []callcore.ICEServer{{URLs: []string{"turn:x:3478"}}}}}, "credential"},
	} {
		if _, err := callcore.New(c.cfg); err == nil || !strings.HasPrefix(err.Error(), "callcore: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want it to name %s", name, err, c.want)
		}
	}
	good := callcore.Config{Channel: channel, Media: media, ICE: callcore.ICE{Policy: callcore.PolicyRelay,
		Servers: []callcore.ICEServer{{URLs: []string{"stun:x:3478", "turn:x:3478?transport=udp"}, Username: "u", Credential: "c"}}}}
	if _, err := callcore.New(good); err != nil {
		t.Errorf("a good configuration: %v", err)
	}
}

// TestRunOnce: a client runs once, and ends with an error when its channel is closed.
func TestRunOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		channel := w.Join(1, "door")
		c, err := callcore.New(callcore.Config{Channel: channel, Media: callcoretest.NewMedia(capture.Opus), Net: w.Net()})
		must(t, err)
		ended := make(chan error)
		go func() { ended <- c.Run(t.Context()) }()
		synctest.Wait()
		if err := c.Run(t.Context()); !errors.Is(err, callcore.ErrRunBefore) {
			t.Errorf("a second Run: %v, want %v", err, callcore.ErrRunBefore)
		}
		channel.Close()
		_, closed := channel.Receive(t.Context())
		if err := <-ended; closed == nil || !errors.Is(err, closed) {
			t.Errorf("run: %v, want %v", err, closed)
		}
		for range c.Events() {
		}
	})
}

// TestNobodyReads: signals wait in the channel when events are not read, calls go on, and
// nothing is lost once they are.
func TestNobodyReads(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Script(2, "phone")
		s := door.Call(signaling.Audio, 2)
		call := phone.Await(signaling.Call)
		const n = 900
		for i := range n {
			phone.Reply(call, signaling.Signal{Kind: signaling.Update, Info: map[string]string{"n": strings.Repeat("i", i)}})
		}
		time.Sleep(7 * time.Second)
		phone.Await(signaling.Call) // dialing goes on
		if s.State() != callcore.StateCalling {
			t.Errorf("state %s", s.State())
		}
		for i := range n {
			if u := callcoretest.Await[callcore.Updated](door); len(u.Info["n"]) != i {
				t.Fatalf("update %d came as %d", len(u.Info["n"]), i)
			}
		}
	})
}

// TestCancelledContext: an operation that nobody takes ends with its context.
func TestCancelledContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		c, err := callcore.New(callcore.Config{Channel: w.Join(1, "door"), Media: callcoretest.NewMedia(capture.Opus), Net: w.Net()})
		must(t, err)
		s, err := c.NewSession(callcore.Invite{Users: []signaling.UserID{2}, CallType: signaling.Audio})
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Call(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("call without Run: %v, want %v", err, context.DeadlineExceeded)
		}
	})
}
