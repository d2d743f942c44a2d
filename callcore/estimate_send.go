package callcore

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"

	"intercom/capture"
)

// soundShare is what of the estimate is left to the sound: Opus at 32 kbit/s and the headers
// of 50 packets a second.
const soundShare = 50_000

// leastPictures is demanded for pictures however little the network carries; whoever
// encodes them decides whether to send them at all.
const leastPictures = 10_000

// numbering is the interceptor that numbers all packets of a connection, for the peer to
// report on, and tells the estimator. It is the last to see a packet before it is encrypted:
// a retransmission has a number of its own.
type numbering struct {
	interceptor.NoOp
	estimator *estimator
	born      time.Time
	numbers   sync.Pool // of *[2]byte: pion refers to one until the packet is sent
}

// numbering makes that of this connection.
func (w *conn) numbering() *numbering { return &numbering{estimator: w.estimator, born: w.born} }

// NewInterceptor is part of interceptor.Factory: each connection has its own anyway.
func (n *numbering) NewInterceptor(string) (interceptor.Interceptor, error) { return n, nil }

// BindLocalStream is part of interceptor.Interceptor.
func (n *numbering) BindLocalStream(info *interceptor.StreamInfo, writer interceptor.RTPWriter) interceptor.RTPWriter {
	var id uint8
	for _, x := range info.RTPHeaderExtensions {
		if x.URI == sdp.TransportCCURI {
			id = uint8(x.ID)
		}
	}
	if id == 0 {
		return writer // the peer does not report
	}
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		if rtx := info.SSRCRetransmission; rtx != 0 && h.SSRC == rtx && len(payload) > 2 {
			// RFC 4588, 4: the payload begins with the first sequence number.
			if !n.estimator.again(binary.BigEndian.Uint16(payload), len(payload), time.Since(n.born)) {
				return len(payload), nil
			}
		}
		number := n.estimator.send(h.MarshalSize()+len(payload), time.Since(n.born))
		b, _ := n.numbers.Get().(*[2]byte)
		if b == nil {
			b = new([2]byte)
		}
		defer n.numbers.Put(b)
		binary.BigEndian.PutUint16(b[:], number)
		if err := h.SetExtension(id, b[:]); err != nil {
			return 0, err
		}
		return writer.Write(h, payload, a)
	})
}

// reportArrivals hears what the peer reports of the connection as a whole. It may come by
// way of any track.
func (w *conn) reportArrivals(p rtcp.Packet) {
	switch p := p.(type) {
	case *rtcp.TransportLayerCC:
		w.estimator.feedback(p, time.Since(w.born))
	case *rtcp.ReceiverEstimatedMaximumBitrate: // draft-alvestrand-rmcat-remb-03
		w.remb.Store(int64(min(max(p.Bitrate, minEstimate), maxEstimate)))
	default:
		return
	}
	w.tellEstimate()
}

// tellEstimate tells the encoders of pictures what is left to them.
func (w *conn) tellEstimate() {
	rate := w.carries()
	if rate == 0 {
		return
	}
	w.peer.traffic.available.Store(int64(rate))
	for _, t := range w.tracks {
		if t.video {
			t.setEstimate(max(rate-soundShare, leastPictures))
		}
	}
}

// carries is how many bits a second the network carries to the peer; zero: not known.
func (w *conn) carries() int { return tighter(w.estimator.estimate(), int(w.remb.Load())) }

// setEstimate tells the encoder what the network carries, unless that is about what it was
// told before.
func (t *track) setEstimate(bits int) {
	t.mu.Lock()
	t.estimate = bits
	target := tighter(t.limit, bits)
	feed, was := t.feed, t.demanded
	if feed == nil || was > 0 && target > was-was/33 && target < was+was/20 {
		t.mu.Unlock()
		return
	}
	t.demanded = target
	t.mu.Unlock()
	t.demandRate(feed, target)
}

// demandRate asks an encoder for a bit rate.
func (t *track) demandRate(feed capture.Feed, bits int) {
	if feed == nil || bits == 0 {
		return
	}
	t.traffic.target.Store(int64(bits))
	feed.Demand(capture.Demand{BitRate: bits})
}
