package callcore

import (
	"context"
	"embed"
	"fmt"
	"sync"
	"time"

	"intercom/capture"
)

// Source gives what a track sends. Media is one, and so is a capture/video Source of another
// camera.
type Source interface {
	// Open takes a place at an encoder, as Media.Open does.
	Open(capture.Codec) (capture.Feed, error)
}

// Replace has a track of this session sent from another source, now and in connections to
// come: another camera, or a screen. Nothing is signaled: the stream goes on, with a key
// frame. A nil source is Config.Media again. If the source does not open, nothing changes
// and the error says why. The SDKs call this replaceVideoTrack, switchMediaTracks,
// switchCamera, setVideoCapturer and changeCaptureFormat.
func (s *Session) Replace(t Track, from Source) error {
	err := ErrClosed
	switch {
	case t != AudioTrack && t != VideoTrack:
		err = ErrBadTrack
	case s.State() != StateClosed:
		err = s.sources.replace(t, from)
	}
	if err != nil {
		return &OpError{Op: "replace", Session: s.id, Err: err}
	}
	return nil
}

// Mute stops or resumes a track of ours, for all peers; nothing is signaled. The peer of a
// muted AudioTrack gets silence. That of a muted VideoTrack sees black, not the last
// picture, and the camera is let go of: it is off if nobody else watches. There are two
// tracks; of another one nothing happens.
func (s *Session) Mute(t Track, muted bool) {
	if t != AudioTrack && t != VideoTrack {
		return
	}
	s.muted[t].Store(muted)
	if t == VideoTrack {
		s.sources.blacken(muted)
	}
}

// sources is what the tracks of a session send. Feeds open at once, so its lock is not held
// for long; a track's own is taken inside it.
type sources struct {
	mu    sync.Mutex
	from  [2]Source // by Track; nil: Config.Media
	black bool
	live  map[*track]struct{}
}

// replace has the live tracks of a kind read another source.
func (s *sources) replace(k Track, from Source) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.from[k]
	s.from[k] = from
	feeds := map[*track]capture.Feed{}
	for t := range s.live {
		if t.kind() != k {
			continue
		}
		feed, err := s.open(t, t.reads)
		if err != nil {
			for _, f := range feeds {
				f.Close()
			}
			s.from[k] = was
			return fmt.Errorf("open %s: %w", t.reads, err)
		}
		feeds[t] = feed
	}
	for t, feed := range feeds {
		t.install(feed, nil)
	}
	return nil
}

// blacken has the live tracks of video read black pictures, or their source again.
func (s *sources) blacken(black bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.black == black {
		return
	}
	s.black = black
	for t := range s.live {
		if t.video {
			t.install(s.open(t, t.reads))
		}
	}
}

// take opens a feed of this codec for a track, which is live from now on.
func (s *sources) take(t *track, c capture.Codec) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	feed, err := s.open(t, c)
	if err != nil {
		return fmt.Errorf("open %s: %w", c, err)
	}
	if s.live == nil {
		s.live = map[*track]struct{}{}
	}
	s.live[t] = struct{}{}
	t.reads = c
	t.install(feed, nil)
	return nil
}

// leave closes the feed of a track that ends.
func (s *sources) leave(t *track) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, t)
	t.install(nil, nil)
}

// open opens a feed. The lock is held.
func (s *sources) open(t *track, c capture.Codec) (capture.Feed, error) {
	if t.video && s.black {
		return newBlackFeed(c, t.traffic.picturesSent.stats()), nil
	}
	if from := s.from[t.kind()]; from != nil {
		return from.Open(c)
	}
	return t.media.Open(c)
}

func (t *track) kind() Track {
	if t.video {
		return VideoTrack
	}
	return AudioTrack
}

// install makes a feed, or the error in its place, what next returns, and closes the one
// that was.
func (t *track) install(feed capture.Feed, err error) {
	t.mu.Lock()
	was := t.feed
	t.feed, t.broken = feed, err
	t.feeds++
	target := tighter(t.limit, t.estimate)
	t.demanded = target
	t.mu.Unlock()
	if was != nil {
		was.Close()
	}
	t.demandRate(feed, target)
}

// next returns the next packet of the feed that the track has. A feed that takes the place
// of another begins with a key frame, and nothing before that is of use.
func (t *track) next(ctx context.Context) (*capture.Packet, error) {
	for {
		feed, n, err := t.current()
		if err != nil {
			return nil, err
		}
		if n != t.reading {
			t.reading, t.wantKey, t.askedKey = n, true, false
		}
		p, err := feed.Next(ctx)
		if err == nil || ctx.Err() != nil {
			return p, err
		}
		if _, now, _ := t.current(); now == n {
			return nil, err
		}
	}
}

func (t *track) current() (feed capture.Feed, n int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.feed == nil && t.broken == nil {
		return nil, t.feeds, capture.ErrClosed
	}
	return t.feed, t.feeds, t.broken
}

const (
	// blackInterval: Chrome too sends one picture a second of a track that is disabled.
	blackInterval = time.Second
	// blackGap is between those that are asked for; requests come in storms.
	blackGap = 250 * time.Millisecond
)

//go:generate go run ../internal/cmd/black black

// blackPictures are key frames of our own encoders; internal/cmd/black makes them.
//
//go:embed black
var blackPictures embed.FS

// blackFeed is a feed of black key frames.
type blackFeed struct {
	codec  capture.Codec
	data   []byte
	pool   capture.PacketPool
	asked  chan struct{} // of capacity 1: a key frame was
	last   time.Time
	once   sync.Once
	closed chan struct{}
}

// newBlackFeed returns one whose pictures have the shape of those before.
func newBlackFeed(c capture.Codec, was Pictures) *blackFeed {
	shape := "320x240"
	if 2*was.Width > 3*was.Height {
		shape = "320x180"
	}
	name := "black/" + shape + map[capture.Codec]string{capture.VP8: ".vp8", capture.H264: ".h264"}[c]
	data, err := blackPictures.ReadFile(name)
	if err != nil {
		panic("callcore: no black picture for " + string(c)) // newMediaEngine knows no other codecs
	}
	return &blackFeed{codec: c, data: data, asked: make(chan struct{}, 1), closed: make(chan struct{})}
}

// Next is part of capture.Feed.
func (f *blackFeed) Next(ctx context.Context) (*capture.Packet, error) {
	due := time.NewTimer(time.Until(f.last.Add(blackInterval)))
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.closed:
			return nil, capture.ErrClosed
		case <-f.asked:
			due.Reset(time.Until(f.last.Add(blackGap)))
		case now := <-due.C:
			f.last = now
			p := f.pool.Get(len(f.data))
			copy(p.Data, f.data)
			p.Codec, p.Time, p.Duration, p.Key = f.codec, now, blackInterval, true
			return p, nil
		}
	}
}

// Demand is part of capture.Feed.
func (f *blackFeed) Demand(d capture.Demand) {
	if !d.KeyFrame {
		return
	}
	select {
	case f.asked <- struct{}{}:
	default:
	}
}

// Close is part of capture.Feed.
func (f *blackFeed) Close() error {
	f.once.Do(func() { close(f.closed) })
	return nil
}
