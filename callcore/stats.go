package callcore

import (
	"sync/atomic"
	"time"

	"intercom/capture"
	"intercom/signaling"
)

// Stats is what was exchanged with one user since the call began.
type Stats struct {
	User         signaling.UserID
	Audio, Video TrackStats
}

// TrackStats counts RTP packets and the bytes of their payloads.
type TrackStats struct {
	Codec                          capture.Codec // that is sent; empty: none was negotiated
	PacketsSent, BytesSent         uint64
	PacketsReceived, BytesReceived uint64
	SinceReceived                  time.Duration // the last packet; meaningless if there was none
}

// traffic counts what is exchanged with a peer. It is written by the tracks' goroutines.
type traffic struct {
	begin        time.Time // anchors moments to the monotonic clock; constant
	audio, video trackTraffic
}

type trackTraffic struct {
	codec                          atomic.Value // capture.Codec
	packetsSent, bytesSent         atomic.Uint64
	packetsReceived, bytesReceived atomic.Uint64
	last                           atomic.Int64 // received; since traffic.begin
}

func (t *traffic) of(c capture.Codec) *trackTraffic {
	if c.IsVideo() {
		return &t.video
	}
	return &t.audio
}

func (t *trackTraffic) sent(n int) {
	t.packetsSent.Add(1)
	t.bytesSent.Add(uint64(n))
}

func (t *trackTraffic) received(n int, since time.Duration) {
	t.packetsReceived.Add(1)
	t.bytesReceived.Add(uint64(n))
	t.last.Store(int64(since))
}

func (t *traffic) stats(u signaling.UserID) Stats {
	now := time.Since(t.begin)
	return Stats{User: u, Audio: t.audio.stats(now), Video: t.video.stats(now)}
}

func (t *trackTraffic) stats(now time.Duration) TrackStats {
	codec, _ := t.codec.Load().(capture.Codec)
	return TrackStats{
		Codec:           codec,
		PacketsSent:     t.packetsSent.Load(),
		BytesSent:       t.bytesSent.Load(),
		PacketsReceived: t.packetsReceived.Load(),
		BytesReceived:   t.bytesReceived.Load(),
		SinceReceived:   now - time.Duration(t.last.Load()),
	}
}
