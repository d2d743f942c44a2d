package callcore

import (
	"bytes"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media/samplebuilder"

	"intercom/capture"
	"intercom/signaling"
)

// Display is where the pictures of peers are seen. Without one they are not even put
// together; what comes only shows that the peer is there.
type Display interface {
	// Show is called when pictures of a user begin to arrive in this codec, on each of his
	// connections. A capture/display Surface does it.
	Show(signaling.UserID, capture.Codec) (capture.Viewer, error)
}

const (
	// latePackets and lateTime are how long a packet may be missing before the picture is
	// given up: time for it to be sent again.
	latePackets = 256
	lateTime    = 200 * time.Millisecond

	// keyPatience is between requests for a key frame.
	keyPatience = 500 * time.Millisecond
)

// screen puts the pictures of one stream together. It belongs to the goroutine that reads
// the stream.
type screen struct {
	codec   capture.Codec
	viewer  capture.Viewer
	request func() // of a key frame
	builder *samplebuilder.SampleBuilder
	pool    capture.PacketPool
	padding int // packets of it since the last picture; the builder counts them as lost
	wantKey bool
	asked   time.Time
}

func newScreen(c capture.Codec, v capture.Viewer, request func()) *screen {
	var d rtp.Depacketizer = new(codecs.VP8Packet)
	if c == capture.H264 {
		d = new(codecs.H264Packet)
	}
	return &screen{
		codec: c, viewer: v, request: request, wantKey: true,
		builder: samplebuilder.New(latePackets, d, c.ClockRate(), samplebuilder.WithMaxTimeDelay(lateTime)),
	}
}

// show opens the display for a stream; nil: there is none.
func (w *conn) show(t *webrtc.TrackRemote, c capture.Codec) (*screen, error) {
	if w.cfg.Display == nil || !c.IsVideo() {
		return nil, nil
	}
	v, err := w.cfg.Display.Show(w.peer.user, c)
	if err != nil {
		return nil, err
	}
	return newScreen(c, v, func() {
		pli := &rtcp.PictureLossIndication{MediaSSRC: uint32(t.SSRC())}
		if err := w.pc.WriteRTCP([]rtcp.Packet{pli}); err != nil {
			w.log.Debug("key frame not asked for", keyCall, w.peer.wire, keyError, err)
		}
	}), nil
}

// take takes an RTP packet, which it copies, and shows what pictures are whole: each when
// the next one begins. What follows a loss is of no use before the next key frame.
func (s *screen) take(packet []byte, now time.Time) {
	p := new(rtp.Packet)
	if p.Unmarshal(bytes.Clone(packet)) != nil {
		return
	}
	if len(p.Payload) == 0 {
		s.padding++
	}
	s.builder.Push(p)
	for m := s.builder.Pop(); m != nil; m = s.builder.Pop() {
		if int(m.PrevDroppedPackets) > s.padding {
			s.wantKey = true
		}
		s.padding = 0
		width, _ := keySize(s.codec, m.Data)
		if s.wantKey && width == 0 {
			s.ask(now)
			continue
		}
		s.wantKey = false
		k := s.pool.Get(len(m.Data))
		copy(k.Data, m.Data)
		k.Codec, k.Time, k.Duration, k.Key = s.codec, now, m.Duration, width > 0
		if err := s.viewer.View(k); err != nil {
			s.wantKey = true
			s.ask(now)
		}
		k.Release()
	}
}

func (s *screen) ask(now time.Time) {
	if now.Sub(s.asked) >= keyPatience {
		s.asked = now
		s.request()
	}
}
