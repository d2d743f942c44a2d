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

// readTrack reads what a peer sends until the connection closes. Sound is played; pictures
// are shown if there is a display.
func (w *conn) readTrack(ctx, up context.Context, t *webrtc.TrackRemote) {
	codec := codecOf(t.Codec().MimeType)
	var player capture.Player
	if codec == capture.Opus {
		p, err := w.cfg.Media.Play(w.peer.user, codec)
		if err != nil {
			w.report(ctx, report{what: trackFailed, codec: codec, err: err})
		} else {
			player = p
			defer player.Close()
		}
	}
	screen, err := w.show(t, codec)
	if err != nil {
		w.report(ctx, report{what: trackFailed, codec: codec, err: err})
	}
	if screen != nil {
		defer screen.viewer.Close()
	}
	buf := make([]byte, rtpSize)
	var header rtp.Header
	count := w.peer.traffic.of(codec)
	quality := reception{rate: codec.ClockRate()}
	for first := true; ; first = false {
		n, _, err := t.Read(buf)
		if err != nil {
			return
		}
		now := time.Now()
		start, err := header.Unmarshal(buf[:n])
		if err != nil {
			continue
		}
		end := n
		if header.Padding && n > start {
			end = max(start, n-int(buf[n-1]))
		}
		at := now.Sub(w.peer.traffic.begin)
		count.received(end-start, at)
		quality.take(&header, at, count)
		w.heard.Store(int64(max(1, now.Sub(w.born))))
		if first {
			w.peer.traffic.reached(momentFirstReceived)
			<-up.Done() // that it is connected is told first
			w.report(ctx, report{what: trackStarted, codec: codec})
		}
		if webrtc.PayloadType(header.PayloadType) != t.PayloadType() {
			continue
		}
		if screen != nil {
			screen.take(buf[:n], now) // padding as well: its numbers are not missing
		}
		if end == start {
			continue
		}
		if codec.IsVideo() {
			if quality.newPicture(header.Timestamp) {
				count.picturesReceived.n.Add(1)
			}
			count.picturesReceived.setSize(payloadPicture(codec, buf[start:end]))
		}
		if player != nil {
			player.Write(capture.Received{Sequence: header.SequenceNumber, Timestamp: header.Timestamp, Arrival: now, Payload: buf[start:end]})
		}
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
