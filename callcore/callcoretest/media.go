package callcoretest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"intercom/capture"
	"intercom/signaling"
)

// framePeriod is that of 30 pictures a second.
const framePeriod = time.Second / 30

// usualBitRate is the most that pictures have unless a test wants more, in bits a second:
// packets cost a test its time.
const usualBitRate = 360_000

// keyInterval is how many pictures there are from one key frame to the next.
const keyInterval = 300

var errFeedClosed = errors.New("the feed was closed")

// Media makes packets of nothing at the pace of real ones, as large as the bit rate that is
// demanded has them, and counts what it is given to play. It implements callcore.Media.
type Media struct {
	codecs []capture.Codec
	most   int // bits a second of pictures
	pool   capture.PacketPool

	mu      sync.Mutex
	fail    map[capture.Codec]error
	feeds   int
	players int
	opened  []capture.Codec
	keys    int
	rates   []int
	losses  []float64
	played  map[signaling.UserID]int
}

// NewMedia returns media with these codecs, best first.
func NewMedia(codecs ...capture.Codec) *Media {
	return &Media{codecs: codecs, most: usualBitRate, fail: map[capture.Codec]error{}, played: map[signaling.UserID]int{}}
}

// Most lets pictures have so many bits a second, if they are demanded, from now on.
func (m *Media) Most(bits int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.most = bits
}

// Codecs is part of callcore.Media.
func (m *Media) Codecs() []capture.Codec { return m.codecs }

// Break makes Open of a codec fail from now on.
func (m *Media) Break(c capture.Codec, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail[c] = err
}

// Open is part of callcore.Media.
func (m *Media) Open(c capture.Codec) (capture.Feed, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.codecs, c) {
		return nil, errors.New("no such codec: " + string(c))
	}
	if err := m.fail[c]; err != nil {
		return nil, err
	}
	m.feeds++
	m.opened = append(m.opened, c)
	return &feed{media: m, codec: c, most: m.most, due: time.Now(), closed: make(chan struct{})}, nil
}

// Play is part of callcore.Media.
func (m *Media) Play(u signaling.UserID, _ capture.Codec) (capture.Player, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.players++
	return &player{media: m, user: u}, nil
}

// OpenFeeds is how many feeds are open.
func (m *Media) OpenFeeds() int { return m.count(&m.feeds) }

// OpenPlayers is how many players are open.
func (m *Media) OpenPlayers() int { return m.count(&m.players) }

// KeyDemands is how often a key frame was demanded.
func (m *Media) KeyDemands() int { return m.count(&m.keys) }

// BitRates lists the bit rates that were demanded.
func (m *Media) BitRates() []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.rates)
}

// Losses lists the shares of lost sound that were reported.
func (m *Media) Losses() []float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.losses)
}

// Opened lists the codecs of all feeds ever opened.
func (m *Media) Opened() []capture.Codec {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.opened)
}

// Played is how many packets of a user were played.
func (m *Media) Played(u signaling.UserID) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.played[u]
}

func (m *Media) count(n *int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return *n
}

// feed makes packets. One key frame is due at once, the next ones on demand.
type feed struct {
	media  *Media
	codec  capture.Codec
	due    time.Time
	frames int
	once   sync.Once
	closed chan struct{}

	mu   sync.Mutex
	key  bool
	rate int // bits a second that were demanded; zero: none
	most int // constant
}

// Next is part of capture.Feed.
func (f *feed) Next(ctx context.Context) (*capture.Packet, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-time.After(time.Until(f.due)):
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-f.closed:
		return nil, errFeedClosed
	}
	period := capture.Period
	if f.codec.IsVideo() {
		period = framePeriod
	}
	f.mu.Lock()
	key := f.key || f.frames%keyInterval == 0 || !f.codec.IsVideo()
	f.key = false
	size := 1500
	if f.rate > 0 {
		size = f.rate / 8 * int(framePeriod/time.Millisecond) / 1000
	}
	f.mu.Unlock()
	f.frames++
	p := f.media.pool.Get(0)
	p.Data = payload(p.Data, f.codec, key, size)
	p.Codec, p.Time, p.Duration, p.Key = f.codec, f.due, period, key
	f.due = f.due.Add(period)
	if late := time.Since(f.due); late > 0 {
		f.due = time.Now() // who is late skips
	}
	return p, nil
}

// Demand is part of capture.Feed.
func (f *feed) Demand(d capture.Demand) {
	if d.Reported && !f.codec.IsVideo() {
		f.media.mu.Lock()
		f.media.losses = append(f.media.losses, d.Loss)
		f.media.mu.Unlock()
	}
	if d.BitRate > 0 {
		f.media.mu.Lock()
		f.media.rates = append(f.media.rates, d.BitRate)
		f.media.mu.Unlock()
		f.mu.Lock()
		f.rate = min(d.BitRate, f.most)
		f.mu.Unlock()
	}
	if !d.KeyFrame {
		return
	}
	f.mu.Lock()
	f.key = true
	f.mu.Unlock()
	f.media.mu.Lock()
	f.media.keys++
	f.media.mu.Unlock()
}

// Close is part of capture.Feed.
func (f *feed) Close() error {
	f.once.Do(func() {
		close(f.closed)
		f.media.mu.Lock()
		f.media.feeds--
		f.media.mu.Unlock()
	})
	return nil
}

// payload writes something of the shape of a coded picture of 320x240 or period of sound.
func payload(b []byte, c capture.Codec, key bool, size int) []byte {
	if key {
		size = max(4000, 4*size)
	}
	switch c {
	case capture.Opus:
		b, size = append(b, 0x78), 80
	case capture.VP8:
		// RFC 6386, 9.1: the lowest bit of the first byte is 0 in key frames.
		if key {
			b = append(b, 0xb0, 0x12, 0, 0x9d, 0x01, 0x2a, 320&0xff, 320>>8, 240, 0)
		} else {
			b = append(b, 1)
		}
	case capture.H264:
		if key {
			b = append(b, 0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0x8c, 0x8d, 0x40, 0xa0, 0xf9, 0, 0xf0, 0x88, 0x46, 0xa0, 0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80)
			b = append(b, 0, 0, 0, 1, 0x65)
		} else {
			b = append(b, 0, 0, 0, 1, 0x41)
		}
	}
	for len(b) < size {
		b = append(b, 0xaa)
	}
	return b
}

// player counts.
type player struct {
	media *Media
	user  signaling.UserID
	once  sync.Once
}

// Write is part of capture.Player.
func (p *player) Write(capture.Received) {
	p.media.mu.Lock()
	defer p.media.mu.Unlock()
	p.media.played[p.user]++
}

// Close is part of capture.Player.
func (p *player) Close() error {
	p.once.Do(func() {
		p.media.mu.Lock()
		p.media.players--
		p.media.mu.Unlock()
	})
	return nil
}
