//go:build e2e

package lab

import (
	"context"
	"errors"
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
	"intercom/lab/browser"
	"intercom/signaling"
	"intercom/signaling/quickblox"
)

// engine is a callcore client as a program has it that is no door: its own camera, sound
// card and chat link.
type engine struct {
	*callcore.Client
	camera *video.Source
	sound  *audio.Source
}

// Codecs, Open and Play make it its own callcore.Media.
func (e *engine) Codecs() []capture.Codec {
	return []capture.Codec{capture.H264, capture.VP8, capture.Opus}
}

func (e *engine) Open(c capture.Codec) (capture.Feed, error) {
	if c == capture.Opus {
		return e.sound.Open()
	}
	return e.camera.Open(c)
}

func (e *engine) Play(signaling.UserID, capture.Codec) (capture.Player, error) {
	return e.sound.Play("page")
}

// newCamera runs a test picture of this size until the test ends.
func newCamera(t *testing.T, width, height int) *video.Source {
	t.Helper()
	c, err := synth.NewCamera(synth.CameraConfig{Width: width, Height: height})
	must(t, err)
	s, err := video.New(video.Config{Camera: c, Encoders: map[capture.Codec]capture.NewEncoder{capture.H264: openh264.NewEncoder, capture.VP8: vpx.NewEncoder}})
	must(t, err)
	runs(t, s.Run)
	for err := errors.New(""); err != nil; { // it takes feeds once it runs
		var feed capture.Feed
		if feed, err = s.Open(capture.VP8); err == nil {
			feed.Close()
		}
	}
	return s
}

// runs runs something until the test ends.
func runs(t *testing.T, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

func newEngine(t *testing.T, at server, who account) *engine {
	t.Helper()
	duplex, err := synth.NewDuplex(synth.DuplexConfig{Tone: doorTone})
	must(t, err)
	sound, err := audio.New(audio.Config{Duplex: duplex, NewEncoder: opus.NewEncoder, NewDecoder: opus.NewDecoder})
	must(t, err)
	runs(t, sound.Run)
	e := &engine{camera: newCamera(t, 640, 480), sound: sound}
	chat, err := quickblox.New(quickblox.Config{
		AppID: app, User: signaling.UserID(who.id), ChatDomain: domain, Address: at.websocket,
		Credentials: func(context.Context) (string, error) { return who.password, nil },
	})
	must(t, err)
	runs(t, chat.Run)
	e.Client, err = callcore.New(callcore.Config{Channel: chat, Media: e, Timers: callcore.Timers{StatsReport: time.Second}})
	must(t, err)
	runs(t, e.Run)
	awaitEvent(t, e, func(c callcore.LinkChanged) bool { return c.Up })
	return e
}

// awaitEvent reads events until there is one of type E that ok likes.
func awaitEvent[E callcore.Event](t *testing.T, e *engine, ok func(E) bool) E {
	t.Helper()
	late := time.After(soon)
	for {
		select {
		case event := <-e.Events():
			if event, is := event.(E); is && ok(event) {
				return event
			}
		case <-late:
			t.Fatalf("no %T within %v", *new(E), soon)
		}
	}
}

// TestMediaOnPage: in a call with a page of the SDK's, our statistics agree with the SDK's;
// another camera takes the place of ours and is seen; and a muted camera is black.
func TestMediaOnPage(t *testing.T) {
	d := lab.door(t)
	p := newPhone(t, server{rest: d.rest, websocket: d.websocket, webrtc: map[string]any{"statsReportTimeInterval": 1}}, anna, browser.ProbeConfig{Tone: annaTone})
	must(t, p.Eval(t.Context(), "() => { QB.webrtc.onCallStatsReport = (session, user, stats) => { phone.stats = stats; }; }", nil, nil))
	e := newEngine(t, d.server, ben)
	s, err := e.NewSession(callcore.Invite{Users: []signaling.UserID{signaling.UserID(anna.id)}, CallType: signaling.Video})
	must(t, err)
	must(t, s.Call(t.Context(), nil))
	p.event(t, soon, "call-received", 1)
	must(t, p.Click(t.Context(), quick, "#answer"))
	awaitEvent(t, e, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
	firstFrame(t, p.Page, 0)

	before := sees(t, p.Page, 640)
	if faults := checkVideo(before); faults != nil {
		t.Errorf("the picture: %q: %+v", faults, before)
	}
	checkReports(t, e, p)

	must(t, s.Replace(callcore.VideoTrack, newCamera(t, 320, 240)))
	after := sees(t, p.Page, 320)
	if faults := checkVideo(after); faults != nil {
		t.Errorf("the picture of the other camera: %q: %+v", faults, after)
	}
	if e.camera.On() {
		t.Error("the camera that was replaced is on")
	}

	s.Mute(callcore.VideoTrack, true)
	black, err := p.Video(t.Context(), 2*time.Second)
	must(t, err)
	if black.Brightest > leastLight/2 {
		black, err = p.Video(t.Context(), 2*time.Second)
		must(t, err)
	}
	if black.Brightest > leastLight/2 || black.Mean > leastLight/4 {
		t.Errorf("muted, the page shows %+v, want black", black)
	}
	s.Mute(callcore.VideoTrack, false)
	must(t, s.Replace(callcore.VideoTrack, nil))
	if again := sees(t, p.Page, 640); checkVideo(again) != nil {
		t.Errorf("after all that: %q: %+v", checkVideo(again), again)
	}
	must(t, s.HangUp(t.Context(), nil))
	p.event(t, quick, "closed", 1)
}

// sees waits until the page's picture has this width, and measures it.
func sees(t *testing.T, p *browser.Page, width int) browser.Video {
	t.Helper()
	must(t, p.Wait(t.Context(), soon, "(w) => document.getElementById('remote').videoWidth === w", width))
	v, err := p.Video(t.Context(), 2*time.Second)
	must(t, err)
	return v
}

// checkReports compares our statistics with those that the SDK gives to the page.
func checkReports(t *testing.T, e *engine, p *phone) {
	t.Helper()
	type media struct {
		Bitrate, BytesSent, BytesReceived, PacketsSent, PacketsReceived float64
	}
	var theirs struct {
		Local, Remote struct{ Audio, Video media }
	}
	awaitEvent(t, e, func(callcore.StatsReport) bool { return true }) // older ones, and the first
	must(t, p.Wait(t.Context(), soon, "() => phone.stats && phone.stats.remote.video.bitrate > 0", nil))
	for len(e.Events()) > 0 {
		<-e.Events()
	}
	ours := awaitEvent(t, e, func(callcore.StatsReport) bool { return true }).Stats
	must(t, p.Eval(t.Context(), "() => phone.stats", nil, &theirs))
	t.Logf("ours %+v", ours)
	t.Logf("the page's %+v", theirs)
	// The two are taken up to a second apart. Sizes and rates of pictures the SDK looks for in
	// statistics that Chrome no longer has: those are held against the cameras'.
	for what, c := range map[string][2]float64{
		"video that we send, packets": {float64(ours.Video.PacketsSent), theirs.Remote.Video.PacketsReceived},
		"video that we send, bytes":   {float64(ours.Video.BytesSent), theirs.Remote.Video.BytesReceived},
		"video that we send, kbit/s":  {float64(ours.Video.BitrateSent), theirs.Remote.Video.Bitrate},
		"video that we send, 1/s":     {ours.Video.PicturesSent.PerSecond, 20},
		"video that we send, width":   {float64(ours.Video.PicturesSent.Width), 640},
		"video that we get, bytes":    {float64(ours.Video.BytesReceived), theirs.Local.Video.BytesSent},
		"video that we get, height":   {float64(ours.Video.PicturesReceived.Height), 480},
		"audio that we send, packets": {float64(ours.Audio.PacketsSent), theirs.Remote.Audio.PacketsReceived},
		"audio that we get, packets":  {float64(ours.Audio.PacketsReceived), theirs.Local.Audio.PacketsSent},
		"audio that we get, bytes":    {float64(ours.Audio.BytesReceived), theirs.Local.Audio.BytesSent},
	} {
		if c[0] <= 0 || c[0] < c[1]*0.6 || c[0] > c[1]*1.67 {
			t.Errorf("%s: ours %.0f, the page's %.0f", what, c[0], c[1])
		}
	}
	for what, k := range map[string]callcore.TrackStats{"audio": ours.Audio, "video": ours.Video} {
		if k.RoundTrip <= 0 || k.RoundTrip > time.Second || k.RemoteFractionLost > 0.5 {
			t.Errorf("%s: round trip %v, fraction lost %v", what, k.RoundTrip, k.RemoteFractionLost)
		}
	}
	if l, r := ours.Path.Local, ours.Path.Remote; l.Protocol != "udp" || l.Port == 0 || r.Port == 0 || l.Type == "" || r.Type == "" {
		t.Errorf("path %+v", ours.Path)
	}
}
