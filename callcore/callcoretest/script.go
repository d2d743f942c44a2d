package callcoretest

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"

	"intercom/signaling"
	"intercom/signaling/memory"
)

// Script is a device whose signals a test writes and reads by hand, with a PeerConnection
// of its own where one is wanted. Its methods are called from the test's goroutine.
type Script struct {
	*memory.Client

	tb    testing.TB
	world *World
	sound *webrtc.TrackLocalStaticSample
	pc    *webrtc.PeerConnection
}

// Script adds a scripted device.
func (w *World) Script(user signaling.UserID, device string) *Script {
	w.tb.Helper()
	return &Script{Client: w.Join(user, device), tb: w.tb, world: w}
}

// Post sends a signal. Fields that are zero are as in a call of ours to s.Peer.
func (s *Script) Post(g signaling.Signal) {
	s.tb.Helper()
	if g.Initiator == 0 {
		g.Initiator = s.Self()
	}
	if len(g.Opponents) == 0 {
		g.Opponents = []signaling.UserID{g.Peer}
	}
	if g.CallType == 0 {
		g.CallType = signaling.Audio
	}
	if err := s.Send(context.Background(), &g); err != nil {
		s.tb.Fatalf("script %s/%s: send %s: %v", s.Self(), s.Device(), g.Kind, err)
	}
}

// Reply sends a signal in the session of another one, to the device that is from.
func (s *Script) Reply(to *signaling.Signal, g signaling.Signal) {
	s.tb.Helper()
	g.Peer, g.Device, g.Session = to.Peer, to.Device, to.Session
	g.Initiator, g.Opponents, g.CallType = to.Initiator, to.Opponents, to.CallType
	s.Post(g)
}

// Await receives until there is a signal of this kind, and returns it.
func (s *Script) Await(k signaling.Kind) *signaling.Signal {
	s.tb.Helper()
	return s.AwaitWithin(k, patience)
}

// AwaitWithin is Await with less patience.
func (s *Script) AwaitWithin(k signaling.Kind, d time.Duration) *signaling.Signal {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	for {
		e, err := s.Receive(ctx)
		if err != nil {
			s.tb.Fatalf("script %s/%s: no %s: %v", s.Self(), s.Device(), k, err)
		}
		if g, ok := e.(*signaling.Signal); ok && g.Kind == k {
			return g
		}
	}
}

// Listen returns the signals of the next d.
func (s *Script) Listen(d time.Duration) []*signaling.Signal {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	var list []*signaling.Signal
	for {
		e, err := s.Receive(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			return list
		}
		if err != nil {
			s.tb.Fatalf("script %s/%s: %v", s.Self(), s.Device(), err)
		}
		if g, ok := e.(*signaling.Signal); ok {
			list = append(list, g)
		}
	}
}

// PeerConnection returns the script's PeerConnection, with a track of sound, and of
// pictures when there is a section for them in what it answers.
func (s *Script) PeerConnection() *webrtc.PeerConnection {
	s.tb.Helper()
	if s.pc != nil {
		return s.pc
	}
	var m webrtc.MediaEngine
	if err := m.RegisterDefaultCodecs(); err != nil {
		s.tb.Fatal(err)
	}
	var se webrtc.SettingEngine
	se.SetNet(s.world.Net())
	se.LoggerFactory = &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(&m), webrtc.WithSettingEngine(se)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { pc.GracefulClose() })
	s.sound, err = webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "sound", "script")
	if err != nil {
		s.tb.Fatal(err)
	}
	if _, err := pc.AddTrack(s.sound); err != nil {
		s.tb.Fatal(err)
	}
	s.pc = pc
	return pc
}

// Renew closes the script's PeerConnection: the next use makes another one, as the JS SDK
// does to reconnect.
func (s *Script) Renew() {
	if s.pc != nil {
		s.pc.GracefulClose()
		s.pc = nil
	}
}

// Offer returns a description for a call, with all candidates.
func (s *Script) Offer() string {
	s.tb.Helper()
	pc := s.PeerConnection()
	if d := pc.LocalDescription(); d != nil {
		return d.SDP // as a repeated call has it
	}
	d, err := pc.CreateOffer(nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	return s.local(d)
}

// Answer returns a description that accepts a call, with all candidates.
func (s *Script) Answer(offer string) string {
	s.tb.Helper()
	pc := s.PeerConnection()
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		s.tb.Fatal(err)
	}
	d, err := pc.CreateAnswer(nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	return s.local(d)
}

// Accepted applies the description that accepted our call.
func (s *Script) Accepted(answer string) {
	s.tb.Helper()
	if err := s.PeerConnection().SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		s.tb.Fatal(err)
	}
}

func (s *Script) local(d webrtc.SessionDescription) string {
	s.tb.Helper()
	gathered := webrtc.GatheringCompletePromise(s.pc)
	if err := s.pc.SetLocalDescription(d); err != nil {
		s.tb.Fatal(err)
	}
	<-gathered
	return s.pc.LocalDescription().SDP
}

// Speak sends sound for a while. It is lost until the connection is up.
func (s *Script) Speak(d time.Duration) {
	s.tb.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err := s.sound.WriteSample(media.Sample{Data: []byte{0xf8, 0xff, 0xfe}, Duration: 20 * time.Millisecond}); err != nil {
			s.tb.Fatal(err)
		}
	}
}
