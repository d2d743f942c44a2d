package callcore

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	"intercom/capture"
)

// wire keeps what a track writes.
type wire struct {
	keep    bool
	packets []rtp.Packet
	err     error
}

func (w *wire) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	// As interceptors do: an extension must not be there in the next packet already.
	if h.Extension {
		return 0, errors.New("a header with an extension from before")
	}
	if w.keep {
		if err := h.SetExtension(1, []byte{1}); err != nil {
			return 0, err
		}
		w.packets = append(w.packets, rtp.Packet{Header: h.Clone(), Payload: bytes.Clone(payload)})
	}
	return len(payload), nil
}

func (w *wire) Write([]byte) (int, error) { return 0, errors.New("not used") }

// negotiated is what pion gives to Bind.
type negotiated struct {
	codecs []webrtc.RTPCodecParameters
	writer *wire
}

func (n negotiated) CodecParameters() []webrtc.RTPCodecParameters           { return n.codecs }
func (n negotiated) HeaderExtensions() []webrtc.RTPHeaderExtensionParameter { return nil }
func (n negotiated) SSRC() webrtc.SSRC                                      { return 77 }
func (n negotiated) SSRCRetransmission() webrtc.SSRC                        { return 0 }
func (n negotiated) SSRCForwardErrorCorrection() webrtc.SSRC                { return 0 }
func (n negotiated) WriteStream() webrtc.TrackLocalWriter                   { return n.writer }
func (n negotiated) ID() string                                             { return "" }
func (n negotiated) RTCPReader() interceptor.RTCPReader                     { return nil }

// bound returns a track that writes c to w.
func bound(t testing.TB, c capture.Codec, w *wire) *track {
	t.Helper()
	k := &track{whole: new(traffic), sentFirst: func() {}, video: c.IsVideo(), codecs: []capture.Codec{c}, muted: new(atomic.Bool), traffic: new(trackTraffic), chosen: make(chan struct{})}
	params := offered[c].params
	params.PayloadType = 99 // the peer chose it
	if _, err := k.Bind(negotiated{[]webrtc.RTPCodecParameters{params}, w}); err != nil {
		t.Fatal(err)
	}
	k.begin(c)
	return k
}

func h264Picture(size int) []byte {
	b := []byte{0, 0, 0, 1, 0x67, 0x42, 0xe0, 0x1f, 0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80, 0, 0, 0, 1, 0x65}
	return append(b, bytes.Repeat([]byte{0xaa}, size)...)
}

// TestPacketize depacketizes what was packetized.
func TestPacketize(t *testing.T) {
	at := time.Unix(1e9, 0)
	for _, c := range []struct {
		codec capture.Codec
		data  []byte
		de    rtp.Depacketizer
		want  []byte
	}{
		{capture.VP8, bytes.Repeat([]byte{0, 1, 2, 3}, 2000), new(codecs.VP8Packet), bytes.Repeat([]byte{0, 1, 2, 3}, 2000)},
		{capture.H264, h264Picture(5000), new(codecs.H264Packet), h264Picture(5000)},
		{capture.Opus, []byte{0x78, 1, 2, 3}, nil, []byte{0x78, 1, 2, 3}},
	} {
		w := &wire{keep: true}
		k := bound(t, c.codec, w)
		for i := range 2 {
			if err := k.write(&capture.Packet{Codec: c.codec, Data: c.data, Time: at.Add(time.Duration(i) * 20 * time.Millisecond), Duration: 20 * time.Millisecond, Key: true}); err != nil {
				t.Fatal(err)
			}
		}
		n := len(w.packets) / 2
		var got []byte
		for i, p := range w.packets {
			if p.PayloadType != 99 || p.SSRC != 77 || p.Version != 2 || p.SequenceNumber != w.packets[0].SequenceNumber+uint16(i) {
				t.Errorf("%s: packet %d: %+v", c.codec, i, p.Header)
			}
			if want := c.codec.IsVideo() && i%n == n-1; p.Marker != want {
				t.Errorf("%s: packet %d of %d: marker %t", c.codec, i%n, n, p.Marker)
			}
			if size := p.MarshalSize(); size > 1200-10-4 {
				t.Errorf("%s: a packet of %d bytes", c.codec, size)
			}
			want := w.packets[0].Timestamp
			if i >= n {
				want += c.codec.ClockRate() / 50
			}
			if p.Timestamp != want {
				t.Errorf("%s: packet %d: time %d, want %d", c.codec, i, p.Timestamp, want)
			}
			if i >= n {
				continue
			}
			if c.de == nil {
				got = append(got, p.Payload...)
				continue
			}
			b, err := c.de.Unmarshal(p.Payload)
			if err != nil {
				t.Fatalf("%s: packet %d: %v", c.codec, i, err)
			}
			got = append(got, b...)
		}
		if !bytes.Equal(got, c.want) {
			t.Errorf("%s: %d bytes came out, want %d", c.codec, len(got), len(c.want))
		}
	}
}

// TestVP8PictureIDs looks at the payload descriptors (RFC 7741, section 4.2) of many frames:
// either all frames have a picture id or none has. A browser stops at the first that has
// not what the others have.
func TestVP8PictureIDs(t *testing.T) {
	w := &wire{keep: true}
	k := bound(t, capture.VP8, w)
	for i := range 3 {
		if err := k.write(&capture.Packet{Codec: capture.VP8, Data: []byte{0, 1, 2, 3}, Time: time.Unix(int64(i), 0), Key: i == 0}); err != nil {
			t.Fatal(err)
		}
	}
	var with int
	for _, p := range w.packets {
		var d codecs.VP8Packet
		if _, err := d.Unmarshal(p.Payload); err != nil {
			t.Fatal(err)
		}
		with += int(d.I)
	}
	if with != 0 && with != len(w.packets) {
		t.Errorf("%d of %d frames have a picture id", with, len(w.packets))
	}
}

func TestMediaClock(t *testing.T) {
	begin := time.Unix(1e9, 0)
	at := func(d time.Duration, duration time.Duration) *capture.Packet {
		return &capture.Packet{Time: begin.Add(d), Duration: duration}
	}
	video := mediaClock{rate: 90000, base: 0xfffffff0}
	for _, c := range []struct {
		at   time.Duration
		want uint32
	}{{0, 0}, {time.Second / 30, 2999}, {time.Second, 90000}, {100 * time.Hour, 32400000000 & 0xffffffff}} {
		if got := video.timestamp(at(c.at, 0)) - 0xfffffff0; got != c.want {
			t.Errorf("video at %v: %d, want %d", c.at, got, c.want)
		}
	}
	// Sound counts samples while periods are fetched early and late, and follows the
	// clock over a gap.
	sound := mediaClock{rate: 48000, steady: true}
	for i, c := range []struct {
		at   time.Duration
		want uint32
	}{{0, 0}, {31 * time.Millisecond, 960}, {38 * time.Millisecond, 1920}, {60 * time.Millisecond, 2880}, {time.Second, 48000}, {1021 * time.Millisecond, 48960}} {
		if got := sound.timestamp(at(c.at, capture.Period)); got != c.want {
			t.Errorf("sound %d at %v: %d, want %d", i, c.at, got, c.want)
		}
	}
}

// TestChoice: our order counts, not theirs.
func TestChoice(t *testing.T) {
	k := &track{whole: new(traffic), sentFirst: func() {}, video: true, codecs: []capture.Codec{capture.H264, capture.VP8}, traffic: new(trackTraffic)}
	for _, c := range []struct {
		theirs []capture.Codec
		want   capture.Codec
	}{
		{[]capture.Codec{capture.VP8, capture.H264}, capture.H264},
		{[]capture.Codec{capture.VP8}, capture.VP8},
		{nil, ""},
	} {
		var params []webrtc.RTPCodecParameters
		for _, o := range c.theirs {
			params = append(params, offered[o].params)
		}
		k.bound, k.chosen = "", make(chan struct{})
		if _, err := k.Bind(negotiated{params, new(wire)}); err != nil {
			t.Errorf("%v: %v", c.theirs, err)
		}
		if k.bound != c.want {
			t.Errorf("%v: %q, want %q", c.theirs, k.bound, c.want)
		}
	}
}

// TestWriteEnds: only a closed connection ends the sending.
func TestWriteEnds(t *testing.T) {
	p := &capture.Packet{Codec: capture.Opus, Data: []byte{1}, Key: true}
	w := new(wire)
	k := bound(t, capture.Opus, w)
	w.err = errors.New("network is unreachable")
	if err := k.write(p); err != nil {
		t.Errorf("a bad network: %v", err)
	}
	if got := k.traffic.packetsSent.Load(); got != 0 {
		t.Errorf("%d packets counted", got)
	}
	w.err = webrtc.ErrConnectionClosed
	if err := k.write(p); err == nil {
		t.Error("a closed connection: no error")
	}
}

// script is a feed with given packets.
type script struct {
	packets []*capture.Packet
	up      func() // after the last one
}

func (s *script) Next(ctx context.Context) (*capture.Packet, error) {
	if len(s.packets) == 0 {
		s.up()
		return nil, ctx.Err()
	}
	p := s.packets[0]
	s.packets = s.packets[1:]
	return p, nil
}
func (s *script) Demand(capture.Demand) {}
func (s *script) Close() error          { return nil }

// TestHold: what waits for DTLS begins with a key frame, is fresh, and what does not wait
// is given back.
func TestHold(t *testing.T) {
	for name, c := range map[string]struct{ keys, want string }{
		"nothing":       {"", ""},
		"no key":        {"ppppp", ""},
		"key":           {"k", "k"},
		"key and more":  {"kppp", "kppp"},
		"another key":   {"kpppkp", "kp"},
		"long ago":      {"kpppppppppppppp", ""},
		"only just":     {"kppppppppp", "kppppppppp"},
		"sound":         {"kkkk", "k"},
		"key after all": {"kppppppppppppkp", "kp"},
	} {
		t.Run(name, func(t *testing.T) {
			up, rise := context.WithCancel(context.Background())
			var pool capture.PacketPool
			feed := &script{up: rise}
			for _, k := range c.keys {
				p := pool.Get(1)
				p.Key = k == 'k'
				feed.packets = append(feed.packets, p)
			}
			all := slices.Clone(feed.packets)
			held, err := hold(up, nil, feed.Next, nil)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			got := ""
			for i, p := range held {
				got += map[bool]string{true: "k", false: "p"}[p.Key]
				if want := all[len(all)-len(held)+i]; p != want {
					t.Errorf("held packet %d is not one of the last", i)
				}
			}
			if got != c.want {
				t.Errorf("held %q, want %q", got, c.want)
			}
			drop(held)
			for i, p := range all {
				func() {
					defer func() {
						if recover() == nil {
							t.Errorf("packet %d was not given back", i)
						}
					}()
					p.Release()
				}()
			}
		})
	}
}

// TestAllocations: nothing is allocated between a packet of an encoder and pion.
func TestAllocations(t *testing.T) {
	for _, c := range []capture.Codec{capture.Opus, capture.VP8, capture.H264} {
		data := bytes.Repeat([]byte{0x10}, 8000)
		if c == capture.H264 {
			data = h264Picture(8000)
		}
		k := bound(t, c, new(wire))
		p := &capture.Packet{Codec: c, Data: data, Key: true, Duration: capture.Period}
		if n := testing.AllocsPerRun(100, func() {
			p.Time = p.Time.Add(capture.Period)
			if err := k.write(p); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a picture, want 0", c, n)
		}
	}
}

func BenchmarkWriteH264(b *testing.B) {
	k := bound(b, capture.H264, new(wire))
	p := &capture.Packet{Codec: capture.H264, Data: h264Picture(8300), Key: true}
	b.ReportAllocs()
	for b.Loop() {
		if err := k.write(p); err != nil {
			b.Fatal(err)
		}
	}
}
