package video

import (
	"context"
	"sync"
	"time"

	"intercom/capture"
)

const (
	// keyGap is between key frames that are asked for again: the peers' requests come in
	// storms, a key frame is the largest of all, and a storm of those is the next loss.
	keyGap = 250 * time.Millisecond
	// encoderRetry is between attempts at an encoder that failed.
	encoderRetry = time.Second
)

// lane is one codec in use: its encoder and its feeds.
type lane struct {
	src        *Source
	codec      capture.Codec
	name       string // of the encoder, in reports
	newEncoder capture.NewEncoder
	wake       chan struct{} // of capacity 1: there is a frame

	box mailbox

	mu      sync.Mutex
	feeds   []*feed
	wantKey bool // somebody cannot decode
	urgent  bool // and has never seen a picture: keyGap does not apply

	// The rest is the worker's.
	encoder capture.Encoder
	format  capture.Format // of the encoder
	rate    int            // last asked of the encoder
	keyAt   time.Time      // when it was last asked for a key frame
	failed  time.Time      // when it last failed
	pace    pace
	shaper  shaper
	fps     int                // to tell the encoder; zero: nothing
	small   *capture.FramePool // of small pictures
	smallOf capture.Format     // what they are made of
}

func newLane(s *Source, codec capture.Codec, newEncoder capture.NewEncoder) *lane {
	return &lane{src: s, codec: codec, name: string(codec) + " encoder", newEncoder: newEncoder, wake: make(chan struct{}, 1)}
}

func (l *lane) add(f *feed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.feeds = append(l.feeds, f)
	l.wantKey, l.urgent = true, true
}

// remove takes out a feed and returns how many are left.
func (l *lane) remove(f *feed) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, g := range l.feeds {
		if g == f {
			// A new slice: send may be walking along the old one.
			l.feeds = append(append([]*feed(nil), l.feeds[:i]...), l.feeds[i+1:]...)
			break
		}
	}
	return len(l.feeds)
}

func (l *lane) closeFeeds() {
	l.mu.Lock()
	feeds := l.feeds
	l.feeds = nil
	l.mu.Unlock()
	for _, f := range feeds {
		f.shut()
	}
	l.box.shut()
}

// demandKey has the next frame coded as a key frame, but for keyGap.
func (l *lane) demandKey() {
	l.mu.Lock()
	l.wantKey = true
	l.mu.Unlock()
}

// offer leaves a frame for the worker.
func (l *lane) offer(f *capture.Frame) {
	l.src.passed.Add(int64(l.box.put(f)))
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run is the worker: it codes frames until ctx ends.
func (l *lane) run(ctx context.Context) error {
	defer l.end()
	if l.src.cfg.Format != (capture.Format{}) {
		l.open(l.src.cfg.Format) // a failure is repeated, and reported, at the first frame
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.wake:
		}
		for ctx.Err() == nil {
			f := l.box.take()
			if f == nil {
				break
			}
			l.work(f)
			f.Release()
		}
	}
}

// work codes one frame, unless the encoder has failed a moment ago.
func (l *lane) work(f *capture.Frame) {
	if !l.failed.IsZero() && time.Since(l.failed) < encoderRetry {
		return
	}
	err := l.encode(f)
	if err != nil {
		l.closeEncoder()
		l.failed = time.Now()
	} else {
		l.failed = time.Time{}
	}
	l.src.trouble.set(l.name, err)
}

// end is the worker's last act.
func (l *lane) end() {
	l.closeEncoder()
	l.src.trouble.set(l.name, nil)
	l.box.shut()
}

func (l *lane) open(format capture.Format) error {
	l.closeEncoder()
	e, err := l.newEncoder(format, l.send)
	if err != nil {
		return err
	}
	l.encoder, l.format, l.rate, l.keyAt = e, format, 0, time.Time{}
	l.pace = pace{fps: format.FPS}
	return nil
}

func (l *lane) closeEncoder() {
	if l.encoder == nil {
		return
	}
	if err := l.encoder.Close(); err != nil {
		l.src.log.Warn("close encoder", "codec", l.codec, "cause", err)
	}
	l.encoder = nil
}

func (l *lane) encode(f *capture.Frame) error {
	now := time.Now()
	l.mu.Lock()
	rate, watching := l.merge(now)
	l.mu.Unlock()
	if watching == 0 {
		return nil
	}
	if f.Pixel == capture.I420 {
		if l.shaper.choose(f.Format, rate, now) {
			l.src.log.Info("picture fitted to the network", "codec", l.codec, "bit/s", rate, "picture", l.shaper.shape.String())
			l.fps = l.shaper.shape.fps(f.FPS)
			l.pace = pace{fps: l.fps}
		}
		if l.shaper.skip(f.Format) {
			return nil
		}
		f = l.fit(f)
		defer f.Release()
	}
	if l.encoder == nil || l.format != f.Format {
		if err := l.open(f.Format); err != nil {
			return err
		}
	}
	if t := l.target(rate, now); t != (capture.Target{}) {
		if err := l.encoder.Set(t); err != nil {
			return err
		}
	}
	return l.encoder.Encode(f)
}

// target returns what is new for the encoder.
func (l *lane) target(rate int, now time.Time) capture.Target {
	l.mu.Lock()
	defer l.mu.Unlock()
	var t capture.Target
	if rate != l.rate {
		t.BitRate, l.rate = rate, rate
	}
	if l.wantKey && (l.urgent || now.Sub(l.keyAt) >= keyGap) {
		t.KeyFrame, l.keyAt, l.urgent = true, now, false
	}
	if t.FPS = l.pace.tick(now); t.FPS == 0 {
		t.FPS = l.fps
	}
	l.fps = 0
	return t
}

// pace measures how many frames a second an encoder really gets: a camera takes longer
// exposures at night, a slow encoder passes frames over, and the bits are divided among
// the frames that there are.
type pace struct {
	fps    int // as the encoder knows it
	since  time.Time
	frames int
}

// paceWindow is long enough to count in whole frames.
const paceWindow = 2 * time.Second

// tick counts a frame. It returns the rate if the encoder must be told a new one, else 0.
func (p *pace) tick(now time.Time) int {
	took := now.Sub(p.since)
	if p.since.IsZero() || took > 2*paceWindow {
		p.since, p.frames = now, 0
		return 0
	}
	p.frames++
	if took < paceWindow {
		return 0
	}
	fps := max(int(float64(p.frames)/took.Seconds()+0.5), 1)
	p.since, p.frames = now, 0
	if off := fps - p.fps; 5*max(off, -off) <= p.fps {
		return 0
	}
	p.fps = fps
	return fps
}

// send hands a packet to every feed. Encoders call it, some from a goroutine of their own.
func (l *lane) send(p *capture.Packet) {
	l.src.packets.Add(1)
	l.mu.Lock()
	feeds := l.feeds
	if p.Key { // every feed there is gets it now
		l.wantKey, l.urgent = false, false
	}
	l.mu.Unlock()
	for _, f := range feeds {
		if !f.push(p) {
			l.demandKey() // again, until there is one
		}
	}
}
