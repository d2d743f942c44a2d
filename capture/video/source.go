package video

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"intercom/capture"
	"intercom/internal/backoff"
)

// defaultBitRate carries 640x480 at 20 frames a second well.
const defaultBitRate = 1_000_000

// Config is what a Source is made of.
type Config struct {
	// Camera may have a method Spoiled() int64 that counts pictures it had to leave out.
	Camera   capture.Camera
	Encoders map[capture.Codec]capture.NewEncoder
	// Format is what the camera is expected to deliver: encoders for it are made while
	// the camera opens. They are made again if it delivers another. Zero: not known.
	Format capture.Format
	// BitRate is the most that an encoder is asked for, in bits a second. 0: 1 Mbit/s.
	BitRate int
	// CodeSign codes the sign and NewDecoder decodes snapshots where the camera codes by
	// itself. Both may be nil: there is no sign then, and no snapshot.
	CodeSign   capture.NewEncoder
	NewDecoder func() (Decoder, error)
	// Logger may be nil.
	Logger *slog.Logger
	// Report is told what is wrong with the camera or an encoder, and nil when pictures
	// come again. It does not block. It may be nil.
	Report func(error)
	// Dark is told when it has become dark before the camera (true) and light again, as
	// Brightness has it. It does not block. It may be nil.
	Dark func(bool)
	// Lamp switches a lamp beside the camera, such as one of infrared light: on while the
	// camera is on and it is dark, off when it is light again without the lamp, or when the
	// camera is turned off. It does not block. Nil: there is none.
	Lamp func(bool)
	// Find says why the camera cannot be found, without opening it; nil: it is always there.
	// It is asked now and then while the camera is off, so that Report is told before anybody
	// wants to see something.
	Find func() error
}

// Source is a camera that many calls watch. Its methods may be called from any goroutine.
type Source struct {
	cfg     Config
	log     *slog.Logger
	changed chan struct{} // of capacity 1: somebody came or went
	on      atomic.Bool

	frames, passed, packets, dropped, broken atomic.Int64

	mu      sync.Mutex
	running bool
	lanes   map[capture.Codec]*lane // the codecs in use

	// use is what lanes holds, for the camera's goroutine to walk along without the lock.
	use atomic.Pointer[[]*lane]

	trouble  trouble
	presence presence
	light    light

	sets    parameterSets         // of a camera that codes; its goroutine's, as the next two
	signed  bool                  // viewers may have the sign's ones
	coded   capture.CodedPool     // of key frames
	wanted  []chan *capture.Frame // snapshots; mu guards it
	wanting atomic.Bool           // there are some
}

// Stats counts since the start.
type Stats struct {
	Frames  int64 // that the camera delivered
	Passed  int64 // frames that an encoder was too busy for
	Packets int64 // that encoders made
	Dropped int64 // packets that a feed was too late for
	Spoiled int64 // pictures that were broken, and left out
}

// New checks the configuration; it opens nothing.
func New(cfg Config) (*Source, error) {
	switch {
	case cfg.Camera == nil:
		return nil, errors.New("video: no camera")
	case len(cfg.Encoders) == 0:
		return nil, errors.New("video: no encoders")
	case cfg.BitRate < 0 || cfg.BitRate > 0 && cfg.BitRate < minBitRate:
		return nil, fmt.Errorf("video: bit rate %d is below %d", cfg.BitRate, minBitRate)
	}
	for codec, newEncoder := range cfg.Encoders {
		if !codec.IsVideo() || newEncoder == nil {
			return nil, fmt.Errorf("video: no encoder for codec %q", codec)
		}
	}
	if cfg.BitRate == 0 {
		cfg.BitRate = defaultBitRate
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Source{
		cfg:     cfg,
		log:     cfg.Logger,
		changed: make(chan struct{}, 1),
		lanes:   make(map[capture.Codec]*lane),
		trouble: trouble{log: cfg.Logger, report: cfg.Report},
	}
	s.light.lamp = cfg.Lamp != nil
	s.use.Store(new([]*lane))
	return s, nil
}

// On tells whether the camera is open, or being opened.
func (s *Source) On() bool { return s.on.Load() }

// Stats returns the counters.
func (s *Source) Stats() Stats {
	return Stats{s.frames.Load(), s.passed.Load(), s.packets.Load(), s.dropped.Load(), s.spoiled()}
}

// Open returns a feed of this codec, which begins with a key frame, and has the camera
// opened if it is off. It does not wait for either. It fails with capture.ErrNotRunning
// outside Run.
func (s *Source) Open(codec capture.Codec) (capture.Feed, error) {
	newEncoder := s.cfg.Encoders[codec]
	if newEncoder == nil {
		return nil, fmt.Errorf("open video feed: no encoder for codec %q", codec)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return nil, fmt.Errorf("open video feed: %w", capture.ErrNotRunning)
	}
	l := s.lanes[codec]
	if l == nil {
		l = newLane(s, codec, newEncoder)
		s.lanes[codec] = l
	}
	f := newFeed(l)
	l.add(f)
	s.change()
	return f, nil
}

// left is called by a feed that was closed.
func (s *Source) left(f *feed) {
	s.mu.Lock()
	l := f.lane
	last := l.remove(f) == 0
	if last && s.lanes[l.codec] == l {
		delete(s.lanes, l.codec)
	}
	s.change()
	s.mu.Unlock()
	if last {
		l.box.shut()
	}
}

// change publishes the lanes and wakes Run. The lock is held.
func (s *Source) change() {
	use := make([]*lane, 0, len(s.lanes))
	for _, l := range s.lanes {
		use = append(use, l)
	}
	s.use.Store(&use)
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Run serves feeds until ctx ends. It returns after the camera is off, with all feeds
// closed; the error is the context's.
func (s *Source) Run(ctx context.Context) error {
	s.mu.Lock()
	s.running = true
	s.mu.Unlock()

	c := crew{Source: s, workers: make(map[*lane]*task)}
	for ctx.Err() == nil {
		c.follow(ctx, *s.use.Load())
		select {
		case <-ctx.Done():
		case <-s.changed:
		}
	}

	s.mu.Lock()
	s.running = false
	lanes := s.lanes
	s.lanes = make(map[capture.Codec]*lane)
	s.change()
	s.mu.Unlock()
	c.end()
	for _, l := range lanes {
		l.closeFeeds()
	}
	return ctx.Err()
}

// runCamera keeps the camera delivering until ctx ends. Somebody waits for its picture: one that is
// back is in use again within two seconds.
func (s *Source) runCamera(ctx context.Context) error {
	retry := backoff.Backoff{Base: 250 * time.Millisecond, Cap: 2 * time.Second, Healthy: 10 * time.Second}
	for {
		up := false
		err := s.cfg.Camera.Run(ctx, func(f *capture.Frame) {
			if !up {
				up = true
				retry.Up()
			}
			s.deliver(f)
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			err = errors.New("it ended")
		}
		s.presence.lose()
		s.trouble.set(theCamera, err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retry.Next()):
		}
	}
}

// deliver hands a frame to the codecs in use.
func (s *Source) deliver(f *capture.Frame) {
	if f.Pixel == capture.AVC && isSpoiled(f.Planes[0]) {
		s.broken.Add(1)
		for _, l := range *s.use.Load() {
			l.box.lose()
		}
		return
	}
	s.frames.Add(1)
	if back := s.presence.see(f.Format); f.Pixel == capture.AVC {
		f = s.afterSign(f, back)
		defer f.Release()
	}
	s.trouble.set(theCamera, nil)
	changed, dark, lamp, lit := s.light.see(f, time.Now())
	if changed && s.cfg.Dark != nil {
		s.cfg.Dark(dark)
	}
	if lamp {
		s.cfg.Lamp(lit)
	}
	s.giveSnapshots(f)
	for _, l := range *s.use.Load() {
		l.offer(f)
	}
}
