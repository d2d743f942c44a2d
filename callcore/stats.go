package callcore

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"intercom/capture"
	"intercom/signaling"
)

// Stats is what was exchanged with one user since the call began, and how well. The JS SDK
// has the same in stats.local and stats.remote: here a track has both directions, "Sent"
// and "Received".
type Stats struct {
	User         signaling.UserID
	Time         time.Time // of the sample
	Audio, Video TrackStats
	Path         Path // that is in use
	// Available is how many bits a second the network is estimated to carry to the user, of
	// all media; zero: not known. W3C's statistics call it availableOutgoingBitrate.
	Available int
}

// TrackStats is one kind of media, in both directions. Packets are those of RTP, bytes
// those of their payloads.
type TrackStats struct {
	Codec                          capture.Codec // that is sent; empty: none was negotiated
	PacketsSent, BytesSent         uint64
	PacketsReceived, BytesReceived uint64
	SinceReceived                  time.Duration // the last packet; meaningless if there was none

	// BitrateSent and BitrateReceived are in kbit/s of 1024 bits, as in the SDK, since the
	// sample before; zero in the first one.
	BitrateSent, BitrateReceived int
	// Target is how many bits a second the encoder of pictures was last asked for on behalf
	// of this user; zero: nothing was asked. It may give less, if another user has less.
	Target int
	// PicturesSent and PicturesReceived are zero for sound.
	PicturesSent, PicturesReceived Pictures

	// Lost is how many packets of the peer's have not arrived, and Jitter how much the
	// time between them varies (RFC 3550, 6.4.1). What was sent again in time is not lost.
	Lost   int64
	Jitter time.Duration
	// RemoteLost, RemoteFractionLost (0 to 1, of late) and RemoteJitter are what the peer
	// reports of what we send, RoundTrip how long such a report shows that packets take
	// there and back. They are zero until there is a report.
	RemoteLost         int64
	RemoteFractionLost float64
	RemoteJitter       time.Duration
	RoundTrip          time.Duration
}

// Pictures is one direction of video.
type Pictures struct {
	Width, Height int // of the last key frame
	Count         uint64
	PerSecond     float64 // since the sample before; zero in the first one
}

// Path is the selected candidate pair (RFC 8445). It is zero while there is none.
type Path struct {
	Local, Remote PathEnd
	RoundTrip     time.Duration // of the last check; zero: not measured yet
}

// PathEnd is one end of a path.
type PathEnd struct {
	Type     string // "host", "srflx", "prflx" or "relay"
	Protocol string // "udp" or "tcp"
	IP       string
	Port     int
}

// traffic counts what is exchanged with a peer. It is written by the tracks' goroutines.
type traffic struct {
	begin        time.Time // anchors moments to the monotonic clock; constant
	moments      moments
	audio, video trackTraffic
	path         atomic.Pointer[webrtc.ICETransport] // of the connection there is; nil: none
	available    atomic.Int64                        // bits a second
	asked        sampler                             // for Session.Stats
	reported     sampler                             // for StatsReport
}

type trackTraffic struct {
	codec                          atomic.Value // capture.Codec
	packetsSent, bytesSent         atomic.Uint64
	packetsReceived, bytesReceived atomic.Uint64
	last                           atomic.Int64 // received; since traffic.begin
	picturesSent, picturesReceived pictureCount

	target                   atomic.Int64 // bits a second
	lost, jitter             atomic.Int64 // jitter: time.Duration
	remoteLost, remoteJitter atomic.Int64
	remoteFraction           atomic.Uint32 // of 256
	roundTrip                atomic.Int64
}

// pictureCount counts pictures and keeps the size of the last key frame.
type pictureCount struct {
	n    atomic.Uint64
	size atomic.Uint32 // width << 16 | height
}

func (c *pictureCount) setSize(width, height int) {
	if width > 0 && height > 0 {
		c.size.Store(uint32(width)<<16 | uint32(height))
	}
}

func (c *pictureCount) stats() Pictures {
	size := c.size.Load()
	return Pictures{Width: int(size >> 16), Height: int(size & 0xffff), Count: c.n.Load()}
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

// stats takes a sample. It asks pion for the path, and so is not for the loop.
func (t *traffic) stats(u signaling.UserID, s *sampler) Stats {
	now := time.Now()
	since := now.Sub(t.begin)
	all := Stats{User: u, Time: now, Audio: t.audio.stats(since), Video: t.video.stats(since), Available: int(t.available.Load())}
	if transport := t.path.Load(); transport != nil {
		all.Path = pathOf(transport)
	}
	s.rate(&all)
	return all
}

func (t *trackTraffic) stats(now time.Duration) TrackStats {
	codec, _ := t.codec.Load().(capture.Codec)
	return TrackStats{
		Codec:              codec,
		PacketsSent:        t.packetsSent.Load(),
		BytesSent:          t.bytesSent.Load(),
		PacketsReceived:    t.packetsReceived.Load(),
		BytesReceived:      t.bytesReceived.Load(),
		SinceReceived:      now - time.Duration(t.last.Load()),
		Target:             int(t.target.Load()),
		PicturesSent:       t.picturesSent.stats(),
		PicturesReceived:   t.picturesReceived.stats(),
		Lost:               t.lost.Load(),
		Jitter:             time.Duration(t.jitter.Load()),
		RemoteLost:         t.remoteLost.Load(),
		RemoteFractionLost: float64(t.remoteFraction.Load()) / 256,
		RemoteJitter:       time.Duration(t.remoteJitter.Load()),
		RoundTrip:          time.Duration(t.roundTrip.Load()),
	}
}

// watch makes this connection, which is up, the one whose path statistics tell. Earlier,
// pion's transport is not to be asked: it is being written.
func (w *conn) watch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closing {
		w.peer.traffic.path.Store(w.transport)
	}
}

// reportStats reports statistics at an interval, from up on.
func (w *conn) reportStats(ctx, up context.Context, every time.Duration) {
	<-up.Done()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s := w.peer.traffic.stats(w.peer.user, &w.peer.traffic.reported)
			w.report(ctx, report{what: statsTaken, stats: &s})
		case <-ctx.Done():
			return
		}
	}
}

// pathOf asks for the selected pair.
func pathOf(t *webrtc.ICETransport) Path {
	pair, err := t.GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return Path{}
	}
	p := Path{Local: pathEnd(pair.Local), Remote: pathEnd(pair.Remote)}
	if s, ok := t.GetSelectedCandidatePairStats(); ok {
		p.RoundTrip = time.Duration(s.CurrentRoundTripTime * float64(time.Second))
	}
	return p
}

func pathEnd(c *webrtc.ICECandidate) PathEnd {
	return PathEnd{Type: c.Typ.String(), Protocol: c.Protocol.String(), IP: c.Address, Port: int(c.Port)}
}

// sampler remembers a sample, to tell the rates since then.
type sampler struct {
	mu   sync.Mutex
	last Stats
}

// rate fills in what is per second.
func (s *sampler) rate(now *Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if took := now.Time.Sub(s.last.Time).Seconds(); !s.last.Time.IsZero() && took > 0 {
		now.Audio.rate(&s.last.Audio, took)
		now.Video.rate(&s.last.Video, took)
	}
	s.last = *now
}

func (t *TrackStats) rate(was *TrackStats, seconds float64) {
	kbit := func(n uint64) int { return int(math.Round(float64(n) * 8 / 1024 / seconds)) }
	t.BitrateSent = kbit(t.BytesSent - was.BytesSent)
	t.BitrateReceived = kbit(t.BytesReceived - was.BytesReceived)
	t.PicturesSent.PerSecond = float64(t.PicturesSent.Count-was.PicturesSent.Count) / seconds
	t.PicturesReceived.PerSecond = float64(t.PicturesReceived.Count-was.PicturesReceived.Count) / seconds
}
