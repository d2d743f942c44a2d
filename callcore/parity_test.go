package callcore_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/capture"
	"intercom/signaling"
)

// This file shows what docs/parity.md names and no other test is about.

// TestTimers sets the three intervals and finds them kept.
func TestTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		timers := callcore.Timers{Answer: 20 * time.Second, Dialing: 3 * time.Second, Disconnect: 12 * time.Second}
		door := w.Phone(callcoretest.Spec{User: 1, Timers: timers})
		script := w.Script(2, "script")
		begin := time.Now()
		door.Call(signaling.Audio, 2)
		calls := slices.DeleteFunc(script.Listen(time.Minute), func(s *signaling.Signal) bool { return s.Kind != signaling.Call })
		if want := 7; len(calls) != want { // at 0, 3, ... 18 s
			t.Errorf("%d calls, want %d", len(calls), want)
		}
		if took := callcoretest.Await[callcore.NotAnswered](door).Time.Sub(begin); took != timers.Answer {
			t.Errorf("not answered after %v, want %v", took, timers.Answer)
		}
		closed(t, door, callcore.ReasonNotAnswered)

		// Here the other end gives up, too.
		connect(t, door, w.Phone(callcoretest.Spec{User: 3, Timers: timers}), signaling.Audio)
		w.Cut()
		lost := callcoretest.AwaitWhere(door, func(r callcore.Reconnect) bool { return r.State == callcore.Reconnecting }).Time
		gone := callcoretest.AwaitWhere(door, func(r callcore.Reconnect) bool { return r.State == callcore.ReconnectFailed }).Time
		if took := gone.Sub(lost); took != timers.Disconnect {
			t.Errorf("given up after %v, want %v", took, timers.Disconnect)
		}
		closed(t, door, callcore.ReasonLost)
	})
}

// TestProcessCalls: calls wait for Run; when it ends, what is live is hung up, and calls are
// not received any more.
func TestProcessCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		phone := w.Script(2, "phone")
		media := callcoretest.NewMedia(capture.Opus)
		c, err := callcore.New(callcore.Config{Channel: w.Join(1, "door"), Media: media, Net: w.Net()})
		must(t, err)
		phone.Post(signaling.Signal{Kind: signaling.Call, Peer: 1, Session: "early", SDP: phone.Offer()})
		synctest.Wait()
		if n := len(c.Events()); n != 0 {
			t.Errorf("%d events before Run", n)
		}
		ctx, destroy := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Run(ctx) }()
		var in callcore.Incoming
		for e := range c.Events() {
			if i, is := e.(callcore.Incoming); is {
				in = i
				break
			}
		}
		must(t, in.Session.Accept(t.Context(), nil))
		phone.Await(signaling.Accept)
		destroy()
		must(t, <-ended)
		phone.Await(signaling.HangUp)
		for range c.Events() { // they end
		}
		if n := media.OpenFeeds(); n != 0 {
			t.Errorf("%d feeds are open", n)
		}
		if err := in.Session.HangUp(t.Context(), nil); !errors.Is(err, callcore.ErrStopped) {
			t.Errorf("hang up: %v, want %v", err, callcore.ErrStopped)
		}
	})
}

// TestIncomingLimit: with room for one more call, one rings beside the live one and the next
// is rejected; both live ones have media.
func TestIncomingLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		a, b, c := w.Phone(callcoretest.Spec{User: 2}), w.Phone(callcoretest.Spec{User: 3}), w.Phone(callcoretest.Spec{User: 4})
		media := callcoretest.NewMedia(capture.Opus)
		door, err := callcore.New(callcore.Config{Channel: w.Join(1, "door"), Media: media, Net: w.Net(), IncomingLimit: 1})
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- door.Run(ctx) }()

		a.Call(signaling.Audio, 1)
		first := await[callcore.Incoming](door)
		must(t, first.Session.Accept(t.Context(), nil))
		callcoretest.Await[callcore.MediaStarted](a)

		b.Call(signaling.Audio, 1)
		second := await[callcore.Incoming](door)
		if second.User != 3 {
			t.Errorf("incoming %+v", second)
		}
		c.Call(signaling.Audio, 1)
		if e := await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrBusy) || e.User != 4 {
			t.Errorf("invalid %+v", e)
		}
		closed(t, c, callcore.ReasonPeerRejected)

		must(t, second.Session.Accept(t.Context(), nil))
		callcoretest.Await[callcore.MediaStarted](b)
		before := media.Played(2)
		time.Sleep(time.Second)
		if media.Played(2) < before+45 || media.Played(3) < 45 {
			t.Errorf("in a second %d packets of user 2 and %d of user 3 were played", media.Played(2)-before, media.Played(3))
		}
		cancel()
		must(t, <-ended)
	})
}

// TestMaxOpponents: a conference has no more than are allowed.
func TestMaxOpponents(t *testing.T) {
	channel := callcoretest.NewWorld(t).Join(1, "door")
	for limit, users := range map[int][]signaling.UserID{0: {2, 3, 4}, 2: {2, 3}, 4: {2, 3, 4, 5}} {
		c, err := callcore.New(callcore.Config{Channel: channel, Media: callcoretest.NewMedia(capture.Opus), MaxOpponents: limit})
		must(t, err)
		inv := callcore.Invite{Users: users, CallType: signaling.Audio, Mode: callcore.Conference}
		if _, err := c.NewSession(inv); err != nil {
			t.Errorf("limit %d: %v", limit, err)
		}
		inv.Users = append(inv.Users, 9)
		_, err = c.NewSession(inv)
		broken(t, err, callcore.ErrTooManyOpponents, "new session")
	}
}

// TestDebug: the log tells the steps of a call; at Debug, every detail of pion too.
func TestDebug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		for level, wantDebug := range map[slog.Level]bool{slog.LevelInfo: false, slog.LevelDebug: true} {
			var log bytes.Buffer
			ctx, cancel := context.WithCancel(t.Context())
			c, err := callcore.New(callcore.Config{
				Channel: w.Join(1, level.String()), Media: callcoretest.NewMedia(capture.Opus), Net: w.Net(),
				Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level})),
			})
			must(t, err)
			ended := make(chan error)
			go func() { ended <- c.Run(ctx) }()
			s, err := c.NewSession(callcore.Invite{Users: []signaling.UserID{2}, CallType: signaling.Audio})
			must(t, err)
			must(t, s.Call(t.Context(), nil))
			time.Sleep(time.Second)
			cancel()
			must(t, <-ended)
			if text := log.String(); !strings.Contains(text, "state=Dialing") || strings.Contains(text, "level=DEBUG") != wantDebug {
				t.Errorf("level %s: %s", level, text)
			}
		}
	})
}

// TestLocalMedia: what is sent is the application's, which sees each track as it is opened.
// An audio call opens no camera, and offers no pictures (trap 22).
func TestLocalMedia(t *testing.T) {
	for ct, want := range map[signaling.CallType][]capture.Codec{
		signaling.Audio: {capture.Opus}, signaling.Video: {capture.Opus, capture.VP8},
	} {
		t.Run(ct.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := callcoretest.NewWorld(t)
				media := callcoretest.NewMedia(capture.VP8, capture.Opus)
				c, err := callcore.New(callcore.Config{Channel: w.Join(1, "door"), Media: media, Net: w.Net()})
				must(t, err)
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- c.Run(ctx) }()
				phone := w.Script(2, "phone")
				s, err := c.NewSession(callcore.Invite{Users: []signaling.UserID{2}, CallType: ct})
				must(t, err)
				must(t, s.Call(t.Context(), nil))
				call := phone.Await(signaling.Call)
				if has := strings.Contains(call.SDP, "m=video"); has != (ct == signaling.Video) || call.CallType != ct {
					t.Errorf("call of type %s, with a section for pictures: %t", call.CallType, has)
				}
				phone.Reply(call, signaling.Signal{Kind: signaling.Accept, SDP: phone.Answer(call.SDP)})
				time.Sleep(time.Second)
				opened := media.Opened()
				slices.Sort(opened)
				if !slices.Equal(opened, want) || media.OpenFeeds() != len(want) {
					t.Errorf("opened %v, want %v", opened, want)
				}
				must(t, s.HangUp(t.Context(), nil))
				synctest.Wait()
				if n := media.OpenFeeds(); n != 0 {
					t.Errorf("%d feeds are open after the call", n)
				}
				cancel()
				must(t, <-ended)
			})
		})
	}
}

// TestInfo: application data go both ways with each signal that has them in the SDKs.
func TestInfo(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		phone := w.Phone(callcoretest.Spec{User: 2})
		info := func(v string) map[string]string { return map[string]string{"key": v} }
		has := func(got map[string]string, want string) {
			t.Helper()
			if len(got) != 1 || got["key"] != want {
				t.Errorf("info %v, want %q", got, want)
			}
		}
		call := func() (out, in *callcore.Session) {
			out, err := door.NewSession(callcore.Invite{Users: []signaling.UserID{2}, CallType: signaling.Audio})
			must(t, err)
			must(t, out.Call(t.Context(), info("call")))
			i := callcoretest.Await[callcore.Incoming](phone)
			has(i.Info, "call")
			return out, i.Session
		}
		out, in := call()
		must(t, in.Reject(t.Context(), info("reject")))
		has(callcoretest.Await[callcore.Rejected](door).Info, "reject")
		closed(t, door, callcore.ReasonPeerRejected)

		out, in = call()
		must(t, in.Accept(t.Context(), info("accept")))
		has(callcoretest.Await[callcore.Accepted](door).Info, "accept")
		must(t, out.Update(t.Context(), info("there")))
		has(callcoretest.Await[callcore.Updated](phone).Info, "there")
		must(t, in.Update(t.Context(), info("back"), 1))
		has(callcoretest.Await[callcore.Updated](door).Info, "back")
		must(t, out.HangUp(t.Context(), info("stop")))
		has(callcoretest.Await[callcore.HungUp](phone).Info, "stop")
	})
}

// wall is a display that remembers what it is given.
type wall struct {
	mu     sync.Mutex
	shown  []signaling.UserID
	keys   []bool // of the pictures, whether it is a key frame
	closed int
}

func (d *wall) Show(u signaling.UserID, _ capture.Codec) (capture.Viewer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shown = append(d.shown, u)
	return (*viewer)(d), nil
}

// viewer is the wall as one connection sees it.
type viewer wall

func (v *viewer) View(p *capture.Packet) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keys = append(v.keys, p.Key)
	return nil
}

func (v *viewer) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed++
	return nil
}

// TestDisplay: the pictures of a user are shown while he is in the call, from a key frame on.
func TestDisplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := callcoretest.NewWorld(t)
		var d wall
		phone := w.Phone(callcoretest.Spec{User: 2, Codecs: []capture.Codec{capture.VP8, capture.Opus}})
		c, err := callcore.New(callcore.Config{
			Channel: w.Join(1, "door"), Media: callcoretest.NewMedia(capture.VP8, capture.Opus), Net: w.Net(), Display: &d,
		})
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Run(ctx) }()
		s := phone.Call(signaling.Video, 1)
		must(t, await[callcore.Incoming](c).Session.Accept(t.Context(), nil))
		time.Sleep(3 * time.Second)
		must(t, s.HangUp(t.Context(), nil))
		await[callcore.Closed](c)
		cancel()
		must(t, <-ended)
		if !slices.Equal(d.shown, []signaling.UserID{2}) || d.closed != 1 {
			t.Errorf("shown users %v, and %d viewers closed", d.shown, d.closed)
		}
		if len(d.keys) < 80 || !d.keys[0] {
			t.Errorf("%d pictures in 3 s, the first one a key frame: %v", len(d.keys), d.keys[:min(1, len(d.keys))])
		}
	})
}
