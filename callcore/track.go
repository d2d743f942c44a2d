package callcore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"intercom/capture"
	"intercom/internal/payload"
)

const (
	// payloadSize leaves room for the RTP header, header extensions, the SRTP tag and a
	// TURN channel's header within a 1200 byte packet, which fits every path.
	payloadSize = 1200 - 12 - 16 - 10 - 4

	// heldPackets is how many packets, from a key frame on, wait for DTLS.
	heldPackets = 10
)

// opusSilence is 20 ms of nothing: one CELT frame, full band, mono (RFC 6716, 3.1).
var opusSilence = []byte{0xf8, 0xff, 0xfe}

// cutter makes payloads of a coded picture. Each is valid until the next one: what is below a
// track copies what it keeps.
type cutter interface {
	Start(picture []byte)
	Next() (payload []byte, last bool)
}

// track sends one kind of media to one peer. It takes packets, which are encoded once for
// all peers, and packetizes them for this one. It implements webrtc.TrackLocal.
type track struct {
	video     bool
	id, group string
	codecs    []capture.Codec // of this kind, best first
	media     Source
	sources   *sources
	muted     *atomic.Bool
	traffic   *trackTraffic
	whole     *traffic // of both tracks
	sentFirst func()   // reports the first packet of the call

	chosen   chan struct{} // closed when bound is known
	mu       sync.Mutex
	feed     capture.Feed // nil: none, or broken says why
	broken   error
	feeds    int           // counts those that feed was
	limit    int           // bits a second that the peer takes; zero: any
	estimate int           // and that the network carries; zero: not known
	demanded int           // of feed, of the two
	bound    capture.Codec // negotiated; empty: none
	ssrc     uint32        // of what is sent
	writer   webrtc.TrackLocalWriter

	reads capture.Codec // of feed; guarded by the lock of sources

	// What follows is the goroutine's of run.
	reading  int // the feed that is read, by number
	header   rtp.Header
	cutter   cutter // nil: a packet is a payload
	clock    mediaClock
	wantKey  bool // what comes before a key frame is of no use
	askedKey bool // and it was demanded
}

// newTracks makes the tracks of a connection: sound, and pictures if there are any.
func (w *conn) newTracks() []*track {
	group := uuid.NewString()
	var tracks []*track
	for _, video := range []bool{false, true} {
		t := &track{
			video: video, id: uuid.NewString(), group: group,
			media: w.cfg.Media, chosen: make(chan struct{}),
		}
		for _, c := range w.engine.codecs {
			if c.IsVideo() == video {
				t.codecs = append(t.codecs, c)
			}
		}
		if len(t.codecs) > 0 {
			tracks = append(tracks, t)
		}
	}
	return tracks
}

// ownTracks makes the tracks those of the peer, if there is one.
func (w *conn) ownTracks() {
	if w.peer == nil {
		return
	}
	for _, t := range w.tracks {
		kind := AudioTrack
		if t.video {
			kind = VideoTrack
		}
		t.muted, t.sources = &w.peer.session.muted[kind], &w.peer.session.sources
		t.traffic, t.whole = w.peer.traffic.of(t.codecs[0]), &w.peer.traffic
	}
}

// ID, RID, StreamID and Kind are part of webrtc.TrackLocal.
func (t *track) ID() string       { return t.id }
func (t *track) RID() string      { return "" }
func (t *track) StreamID() string { return t.group }
func (t *track) Kind() webrtc.RTPCodecType {
	if t.video {
		return webrtc.RTPCodecTypeVideo
	}
	return webrtc.RTPCodecTypeAudio
}

// Bind chooses the codec: our best one among those that both can, whatever the order of
// the description, in which the JS SDK puts VP8 first. It is part of webrtc.TrackLocal.
func (t *track) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	for _, codec := range t.codecs {
		for _, p := range c.CodecParameters() {
			if codecOf(p.MimeType) != codec {
				continue
			}
			t.mu.Lock()
			defer t.mu.Unlock()
			if t.bound == "" {
				close(t.chosen)
			}
			t.bound, t.writer, t.ssrc = codec, c.WriteStream(), uint32(c.SSRC())
			t.header = rtp.Header{Version: 2, PayloadType: uint8(p.PayloadType), SSRC: uint32(c.SSRC()), SequenceNumber: uint16(rand.Uint32())}
			t.traffic.codec.Store(codec)
			return p, nil
		}
	}
	// An error would fail the whole call. Nothing is sent, so it matters to nobody which
	// codec that nothing has.
	return offered[t.codecs[0]].params, nil
}

// Unbind is part of webrtc.TrackLocal.
func (t *track) Unbind(webrtc.TrackLocalContext) error { return nil }

// run sends until ctx ends or the feed does. It opens the feed that is likely at once, so
// that the device starts while the phone rings, another one if that is negotiated, and
// begins to send when up ends. The codec is the one the error is about.
func (t *track) run(ctx, up context.Context) (codec capture.Codec, err error) {
	codec = t.codecs[0]
	if err := t.sources.take(t, codec); err != nil {
		return codec, err
	}
	defer t.sources.leave(t)
	var held []*capture.Packet
	defer func() { drop(held) }()
	if held, err = hold(up, t.chosen, t.next, held); err != nil && up.Err() == nil {
		return codec, err
	}
	t.mu.Lock()
	bound := t.bound
	t.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return codec, ctx.Err()
	case bound == "":
		return codec, nil // the peer wants none of it
	case bound != codec:
		drop(held)
		held, codec = nil, bound
		if err := t.sources.take(t, codec); err != nil {
			return codec, err
		}
	}
	if held, err = hold(up, nil, t.next, held); up.Err() == nil {
		return codec, err
	}
	t.begin(codec)
	for _, p := range held {
		if err := t.write(p); err != nil {
			return codec, err
		}
	}
	drop(held)
	held = nil
	return codec, t.send(ctx, codec)
}

// demandKey asks for a key frame. It may be called from any goroutine.
func (t *track) demandKey() {
	t.mu.Lock()
	feed := t.feed
	t.mu.Unlock()
	if t.video && feed != nil {
		feed.Demand(capture.Demand{KeyFrame: true})
	}
}

// hold reads a feed until up ends, which is an error, or the codec is chosen. Of what it
// reads it keeps what the peer could begin with: the last key frame and what followed, as
// long as that is only a little.
func hold(up context.Context, chosen <-chan struct{}, next func(context.Context) (*capture.Packet, error), held []*capture.Packet) ([]*capture.Packet, error) {
	for {
		select {
		case <-chosen:
			return held, nil
		default:
		}
		p, err := next(up)
		switch {
		case err != nil:
			return held, err
		case p.Key:
			drop(held)
			held = append(held[:0], p)
		case len(held) > 0 && len(held) < heldPackets:
			held = append(held, p)
		default:
			drop(held)
			held = held[:0]
			p.Release()
		}
	}
}

func drop(packets []*capture.Packet) {
	for _, p := range packets {
		p.Release()
	}
}

// send packetizes the feed.
func (t *track) send(ctx context.Context, codec capture.Codec) error {
	if t.wantKey {
		t.askedKey = true
		t.demandKey()
	}
	for {
		p, err := t.next(ctx)
		if err != nil {
			return fmt.Errorf("read %s: %w", codec, err)
		}
		err = t.write(p)
		p.Release()
		if err != nil {
			return err
		}
	}
}

// begin sets up the packetizing of a codec.
func (t *track) begin(codec capture.Codec) {
	switch codec {
	case capture.H264:
		t.cutter = payload.NewH264(payloadSize)
	case capture.VP8:
		// No picture ids: sequence numbers do. Whoever begins with ids must never leave one
		// out, or a browser waits for it until it asks for a key frame, three seconds later.
		t.cutter = payload.NewVP8(payloadSize)
	}
	t.clock = mediaClock{rate: codec.ClockRate(), steady: !t.video, base: rand.Uint32()}
	t.wantKey = true
}

// write sends one packet of media as RTP. An error says that the connection is closed.
func (t *track) write(p *capture.Packet) error {
	data := p.Data
	if !t.video && t.muted.Load() {
		data = opusSilence
	}
	if t.wantKey && !p.Key {
		if !t.askedKey {
			t.askedKey = true
			t.demandKey()
		}
		return nil
	}
	t.wantKey, t.askedKey = false, false
	if t.video {
		t.traffic.picturesSent.n.Add(1)
		if p.Key {
			t.traffic.picturesSent.setSize(keySize(p.Codec, data))
		}
	}
	t.header.Timestamp = t.clock.timestamp(p)
	if t.cutter == nil {
		t.header.Marker = false
		return t.writeRTP(data)
	}
	t.cutter.Start(data)
	for {
		b, last := t.cutter.Next()
		if b == nil {
			return nil
		}
		t.header.Marker = last
		if err := t.writeRTP(b); err != nil || last {
			return err
		}
	}
}

// writeRTP sends one RTP packet. Interceptors add extensions to the header they get.
func (t *track) writeRTP(payload []byte) error {
	t.header.Extension, t.header.ExtensionProfile, t.header.Extensions = false, 0, t.header.Extensions[:0]
	n, err := t.writer.WriteRTP(&t.header, payload)
	t.header.SequenceNumber++
	if err != nil {
		if errors.Is(err, webrtc.ErrConnectionClosed) || isClosed(err) {
			return context.Canceled
		}
		return nil // a network that is gone for a moment
	}
	if n > 0 {
		t.traffic.sent(len(payload))
		if t.whole.reached(momentFirstSent) {
			t.sentFirst()
		}
	}
	return nil
}

// mediaClock turns moments of capture into RTP timestamps.
type mediaClock struct {
	rate   uint32
	base   uint32
	steady bool // sound: samples follow each other, whenever they were fetched

	begun bool
	first time.Time
	next  time.Duration // since first; where the sound continues
}

// slack is how far sound may drift from the clock, or a period come late, before there is
// a gap in it.
const slack = 3 * capture.Period

func (c *mediaClock) timestamp(p *capture.Packet) uint32 {
	if !c.begun {
		c.begun, c.first = true, p.Time
	}
	at := p.Time.Sub(c.first)
	if c.steady {
		if d := at - c.next; d > -slack && d < slack {
			at = c.next
		}
		c.next = at + p.Duration
	}
	// Split, so that days of 90 kHz do not overflow.
	s, ns := at/time.Second, at%time.Second
	return c.base + uint32(int64(s)*int64(c.rate)) + uint32(int64(ns)*int64(c.rate)/int64(time.Second))
}

// readRTCP hears what the peer says about what we send, until the connection closes. pion
// needs it to be read in any case, to answer NACKs. What is about the connection as a whole
// goes to whole.
func (t *track) readRTCP(sender *webrtc.RTPSender, whole func(rtcp.Packet)) {
	buf := make([]byte, rtcpSize)
	for {
		n, _, err := sender.Read(buf)
		if err != nil {
			return
		}
		packets, err := rtcp.Unmarshal(buf[:n])
		if err != nil {
			continue
		}
		for _, p := range packets {
			switch p.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				t.demandKey()
			case *rtcp.TransportLayerCC, *rtcp.ReceiverEstimatedMaximumBitrate:
				whole(p)
			default:
				t.reported(p)
			}
		}
	}
}

// reported takes a report about what we send.
func (t *track) reported(p rtcp.Packet) {
	t.mu.Lock()
	bound, ssrc, feed := t.bound, t.ssrc, t.feed
	t.mu.Unlock()
	if bound != "" && t.traffic.reportReceived(p, ssrc, bound.ClockRate(), time.Now()) && feed != nil {
		feed.Demand(capture.Demand{Reported: true, Loss: float64(t.traffic.remoteFraction.Load()) / 256})
	}
}
