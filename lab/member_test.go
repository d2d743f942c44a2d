//go:build e2e

package lab

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"intercom/callcore"
	"intercom/capture"
	"intercom/capture/audio"
	"intercom/capture/soft/openh264"
	"intercom/capture/soft/opus"
	"intercom/capture/soft/vpx"
	"intercom/capture/synth"
	"intercom/capture/video"
	"intercom/signaling"
	"intercom/signaling/quickblox"
)

// member is a client of ours without a door around it: the call engine with a synthetic
// camera and card, in this process.
type member struct {
	*callcore.Client
	account account
	camera  *video.Source
	sound   *audio.Source

	mu     sync.Mutex
	events []callcore.Event // all so far
	more   chan struct{}    // closed and replaced with each
	from   int              // the next one to expect
}

// newMember starts a client, which runs until the test ends, and waits until it is online.
func (h *house) newMember(t *testing.T, who account) *member {
	t.Helper()
	m := &member{account: who, more: make(chan struct{})}
	cam, err := synth.NewCamera(synth.CameraConfig{Width: 320, Height: 240, FPS: 15})
	must(t, err)
	m.camera, err = video.New(video.Config{Camera: cam, Format: cam.Format(), Encoders: map[capture.Codec]capture.NewEncoder{
		capture.H264: openh264.NewEncoder, capture.VP8: vpx.NewEncoder,
	}})
	must(t, err)
	card, err := synth.NewDuplex(synth.DuplexConfig{Tone: doorTone})
	must(t, err)
	m.sound, err = audio.New(audio.Config{Duplex: card, NewEncoder: opus.NewEncoder, NewDecoder: opus.NewDecoder})
	must(t, err)
	chat, err := quickblox.New(quickblox.Config{
		AppID: app, User: signaling.UserID(who.id), ChatDomain: domain, Address: "tcp://" + h.chat,
		Credentials: func(context.Context) (string, error) { return who.password, nil },
	})
	must(t, err)
	m.Client, err = callcore.New(callcore.Config{Channel: chat, Media: m, Timers: callcore.Timers{Answer: 20 * time.Second}})
	must(t, err)

	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{m.camera.Run, m.sound.Run} {
		running.Go(func() { report(t, run(ctx)) })
	}
	calls, hangUp := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- m.Client.Run(calls) }()
	running.Go(func() { report(t, chat.Run(ctx)) })
	running.Go(m.record)
	t.Cleanup(func() {
		hangUp()
		report(t, <-ended) // before the chat: its last words go out that way
		cancel()
		running.Wait()
	})
	expect(t, m, "online", func(e callcore.LinkChanged) bool { return e.Up })
	return m
}

// report takes how something has ended that was asked to.
func report(t *testing.T, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// record keeps the events until the client has ended.
func (m *member) record() {
	for e := range m.Events() {
		m.mu.Lock()
		m.events = append(m.events, e)
		close(m.more)
		m.more = make(chan struct{})
		m.mu.Unlock()
	}
}

// expect waits for the next event of type E that ok likes, and returns it.
func expect[E callcore.Event](t *testing.T, m *member, what string, ok func(E) bool) E {
	t.Helper()
	for late := time.After(soon); ; {
		m.mu.Lock()
		for ; m.from < len(m.events); m.from++ {
			if e, is := m.events[m.from].(E); is && ok(e) {
				m.from++
				m.mu.Unlock()
				return e
			}
		}
		more := m.more
		m.mu.Unlock()
		select {
		case <-more:
		case <-late:
			var all []string
			for _, e := range m.events {
				all = append(all, fmt.Sprintf("%T %+v", e, e))
			}
			t.Fatalf("%s: it is not %s after %v; events:\n%q", m.account.login, what, soon, all)
		}
	}
}

// Codecs is part of callcore.Media.
func (m *member) Codecs() []capture.Codec {
	return []capture.Codec{capture.Opus, capture.H264, capture.VP8}
}

// Open is part of callcore.Media.
func (m *member) Open(c capture.Codec) (capture.Feed, error) {
	if c == capture.Opus {
		return m.sound.Open()
	}
	return m.camera.Open(c)
}

// Play is part of callcore.Media.
func (m *member) Play(u signaling.UserID, _ capture.Codec) (capture.Player, error) {
	return m.sound.Play(u.String())
}
