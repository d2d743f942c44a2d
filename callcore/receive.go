package callcore

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"intercom/capture"
)

const (
	rtpSize  = 1500
	rtcpSize = 1500
)

// stream is what a peer sends on one track. It belongs to the goroutine that reads it.
type stream struct {
	codec   capture.Codec
	player  capture.Player // nil: it is not heard
	screen  *screen        // nil: it is not seen
	count   *trackTraffic
	quality reception

	header  rtp.Header // of the last packet
	payload []byte     // its own, without padding; borrowed
}

// openStream finds who hears or sees a track: sound is played; pictures are shown if there
// is a display. What nobody takes is counted all the same.
func (w *conn) openStream(ctx context.Context, t *webrtc.TrackRemote) *stream {
	c := codecOf(t.Codec().MimeType)
	s := &stream{codec: c, count: w.peer.traffic.of(c), quality: reception{rate: c.ClockRate()}}
	var err error
	if c == capture.Opus {
		s.player, err = w.cfg.Media.Play(w.peer.user, c)
	} else {
		s.screen, err = w.show(t, c)
	}
	if err != nil {
		s.player, s.screen = nil, nil
		w.report(ctx, report{what: trackFailed, codec: c, err: err})
	}
	return s
}

func (s *stream) close() {
	if s.player != nil {
		s.player.Close()
	}
	if s.screen != nil {
		s.screen.viewer.Close()
	}
}

// readTrack reads what a peer sends until the connection closes.
func (w *conn) readTrack(ctx, up context.Context, t *webrtc.TrackRemote) {
	s := w.openStream(ctx, t)
	defer s.close()
	buf := make([]byte, rtpSize)
	for first := true; ; {
		n, _, err := t.Read(buf)
		if err != nil {
			return
		}
		packet, now := buf[:n], time.Now()
		if s.parse(packet) != nil {
			continue
		}
		s.counted(now.Sub(w.peer.traffic.begin))
		w.heard.Store(int64(max(1, now.Sub(w.born))))
		if first {
			first = false
			w.peer.traffic.reached(momentFirstReceived)
			<-up.Done() // that it is connected is told first
			w.report(ctx, report{what: trackStarted, codec: s.codec})
		}
		if webrtc.PayloadType(s.header.PayloadType) == t.PayloadType() {
			s.deliver(packet, now)
		}
	}
}

// parse takes a packet apart.
func (s *stream) parse(packet []byte) error {
	start, err := s.header.Unmarshal(packet)
	if err != nil {
		return err
	}
	end := len(packet)
	if s.header.Padding && end > start {
		end = max(start, end-int(packet[end-1]))
	}
	s.payload = packet[start:end]
	return nil
}

// counted counts the last packet, which arrived at a moment of a monotonic clock.
func (s *stream) counted(at time.Duration) {
	s.count.received(len(s.payload), at)
	s.quality.take(&s.header, at, s.count)
}

// deliver hands the last packet to who hears or sees it.
func (s *stream) deliver(packet []byte, now time.Time) {
	if s.screen != nil {
		s.screen.take(packet, now) // padding as well: its numbers are not missing
	}
	if len(s.payload) == 0 {
		return
	}
	if s.codec.IsVideo() {
		if s.quality.newPicture(s.header.Timestamp) {
			s.count.picturesReceived.n.Add(1)
		}
		s.count.picturesReceived.setSize(payloadPicture(s.codec, s.payload))
	}
	if s.player != nil {
		s.player.Write(capture.Received{Sequence: s.header.SequenceNumber, Timestamp: s.header.Timestamp, Arrival: now, Payload: s.payload})
	}
}

// quiet returns the time since the last packet on this connection, and whether there was
// one. It may be called from any goroutine.
func (w *conn) quiet() (time.Duration, bool) {
	at := w.heard.Load()
	if at == 0 {
		return 0, false
	}
	return time.Since(w.born) - time.Duration(at), true
}

// codecOf returns our name for a media type; an unknown one keeps its own.
func codecOf(mime string) capture.Codec {
	for c, o := range offered {
		if strings.EqualFold(o.params.MimeType, mime) {
			return c
		}
	}
	return capture.Codec(mime)
}

// drainRTCP reads the sender reports of a peer: pion's interceptors see them as they are
// read.
func drainRTCP(r *webrtc.RTPReceiver) {
	buf := make([]byte, rtcpSize)
	for {
		if _, _, err := r.Read(buf); err != nil {
			return
		}
	}
}

// isClosed tells the errors of a closed connection from those of a bad network.
func isClosed(err error) bool {
	return errors.Is(err, io.ErrClosedPipe) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed)
}
