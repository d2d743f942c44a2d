package callcore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/capture"
	"intercom/signaling"
)

// TestReplace: another camera takes the place of the first, in a live call and in the
// connection that replaces it; and back. The stream stays the same one for the peer, and goes
// on with a key frame.
func TestReplace(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
		other := callcoretest.NewMedia(capture.H264, capture.VP8)
		phone := w.Script(2, "phone")
		seen := watch(t, phone)
		s := door.Call(signaling.Video, 2)
		answered(t, door, phone)
		time.Sleep(time.Second)
		before := seen()
		must(t, s.Replace(callcore.VideoTrack, other))
		if other.OpenFeeds() != 1 || door.Media.OpenFeeds() != 1 {
			t.Errorf("feeds open: %d of the other camera's, %d of ours, want 1 and that of sound", other.OpenFeeds(), door.Media.OpenFeeds())
		}
		time.Sleep(time.Second)
		after := seen()
		if after.streams != 1 || before.streams != 1 || after.gaps != before.gaps {
			t.Errorf("the peer sees %+v, and saw %+v", after, before)
		}
		if n := after.keys - before.keys; n != 1 {
			t.Errorf("%d key frames, want one", n)
		}
		if n := after.pictures - before.pictures; n < 25 {
			t.Errorf("%d pictures in a second", n)
		}

		// What does not open leaves all as it is.
		other.Break(capture.H264, errors.New("unplugged"))
		var op *callcore.OpError
		if err := s.Replace(callcore.VideoTrack, other); !errors.As(err, &op) || !strings.Contains(err.Error(), "unplugged") {
			t.Errorf("replace with a broken camera: %v", err)
		}
		time.Sleep(time.Second)
		if n := seen().pictures - after.pictures; n < 25 || other.OpenFeeds() != 1 {
			t.Errorf("%d pictures in a second after a failure, %d feeds", n, other.OpenFeeds())
		}
		must(t, s.Replace(callcore.AudioTrack, nil))
		must(t, s.Replace(callcore.VideoTrack, nil))
		if other.OpenFeeds() != 0 || door.Media.OpenFeeds() != 2 {
			t.Errorf("feeds open at the end: %d of the other camera's, %d of ours", other.OpenFeeds(), door.Media.OpenFeeds())
		}
		must(t, s.HangUp(t.Context(), nil))
		callcoretest.Await[callcore.Closed](door)
		if err := s.Replace(callcore.VideoTrack, other); !errors.Is(err, callcore.ErrClosed) {
			t.Errorf("replace after the end: %v", err)
		}
	})
}

// TestReplaceBeforeCall: the other camera is the only one that is ever opened, and a
// connection that replaces a lost one is sent from it as well.
func TestReplaceBeforeCall(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, _ *callcoretest.Phone) {
		door := w.Phone(callcoretest.Spec{User: 5})
		phone := w.Phone(callcoretest.Spec{User: 6})
		sever := w.Sever()
		other := callcoretest.NewMedia(capture.H264, capture.VP8)
		s, err := door.NewSession(callcore.Invite{Users: []signaling.UserID{6}, CallType: signaling.Video})
		must(t, err)
		must(t, s.Replace(callcore.VideoTrack, other))
		must(t, s.Call(t.Context(), nil))
		must(t, callcoretest.Await[callcore.Incoming](phone).Session.Accept(t.Context(), nil))
		callcoretest.AwaitWhere(door, func(c callcore.ConnectionChanged) bool { return c.State == callcore.PeerConnected })
		sever()
		callcoretest.AwaitWhere(door, func(r callcore.Reconnect) bool { return r.State == callcore.Reconnected })
		time.Sleep(time.Second)
		for _, c := range door.Media.Opened() {
			if c.IsVideo() {
				t.Errorf("%s of the replaced camera was opened", c)
			}
		}
		if n := len(other.Opened()); n < 2 {
			t.Errorf("the other camera was opened %d times, want once for each connection", n)
		}
	})
}

// TestMuteVideoBlack: the peer of a muted camera sees black, at once, and the picture again
// when it is not muted any more. Both codecs.
func TestMuteVideoBlack(t *testing.T) {
	for _, codec := range []capture.Codec{capture.VP8, capture.H264} {
		t.Run(string(codec), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, _ *callcoretest.Phone) {
				door := w.Phone(callcoretest.Spec{User: 5, Codecs: []capture.Codec{codec, capture.Opus}})
				phone := w.Script(2, "phone")
				seen := watch(t, phone)
				s := door.Call(signaling.Video, 2)
				answered(t, door, phone)
				time.Sleep(time.Second)
				s.Mute(callcore.VideoTrack, true)
				s.Mute(callcore.VideoTrack, true)
				time.Sleep(50 * time.Millisecond)
				before := seen()
				if before.keySize > 300 {
					t.Errorf("the last key frame has %d bytes: that is no black one", before.keySize)
				}
				time.Sleep(3 * time.Second)
				during := seen()
				if n := during.pictures - before.pictures; n < 3 || n != during.keys-before.keys {
					t.Errorf("%d pictures in 3s, %d of them key frames, want one a second", n, during.keys-before.keys)
				}
				if n := door.Media.OpenFeeds(); n != 1 {
					t.Errorf("%d feeds open, want that of sound: the camera is off", n)
				}
				s.Mute(callcore.VideoTrack, false)
				time.Sleep(time.Second)
				after := seen()
				if n := after.pictures - during.pictures; n < 25 || after.keySize < 1000 || after.streams != 1 {
					t.Errorf("after the mute: %d pictures in a second, the last key frame of %d bytes, %d streams", n, after.keySize, after.streams)
				}
			})
		})
	}
}

// pictures is what a peer sees of a video.
type pictures struct {
	streams, pictures, keys, gaps int
	keySize                       int // of the last key frame
}

// watch has a script look at what it receives. The result tells what it has seen so far.
func watch(t *testing.T, s *callcoretest.Script) func() pictures {
	t.Helper()
	type packet struct {
		rtp   *rtp.Packet
		codec string
	}
	packets := make(chan packet, 100_000)
	s.PeerConnection().OnTrack(func(r *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for r.Kind() == webrtc.RTPCodecTypeVideo {
			p, _, err := r.ReadRTP()
			if err != nil {
				return
			}
			packets <- packet{p, r.Codec().MimeType}
		}
	})
	var all pictures
	streams := map[uint32]bool{}
	var last uint16
	var size int
	var key bool
	return func() pictures {
		for {
			var p packet
			select {
			case p = <-packets:
			default:
				return all
			}
			if len(streams) > 0 && p.rtp.SequenceNumber != last+1 {
				all.gaps++
			}
			last = p.rtp.SequenceNumber
			streams[p.rtp.SSRC] = true
			all.streams = len(streams)
			if strings.EqualFold(p.codec, webrtc.MimeTypeVP8) {
				var d codecs.VP8Packet
				data, err := d.Unmarshal(p.rtp.Payload)
				key = key || err == nil && d.S == 1 && data[0]&1 == 0
			} else {
				key = key || p.rtp.Payload[0]&0x1f == 24 // parameter sets, in one packet
			}
			size += len(p.rtp.Payload)
			if p.rtp.Marker {
				all.pictures++
				if key {
					all.keys++
					all.keySize = size
				}
				size, key = 0, false
			}
		}
	}
}
