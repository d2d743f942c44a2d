package video

import (
	"context"
	"errors"
	"sync"
	"time"

	"intercom/capture"
)

const (
	// silence is how long a camera that delivered may be silent. It shows at night, with
	// long exposures, five pictures a second.
	silence = 800 * time.Millisecond
	// opening is the same for a camera that is being opened.
	opening = 3 * time.Second
	// signGap is between pictures of the sign.
	signGap = 200 * time.Millisecond
)

var errSilent = errors.New("it delivers no pictures")

// presence knows whether the camera delivers.
type presence struct {
	mu     sync.Mutex
	format capture.Format // of the last picture
	seen   time.Time      // when it came, or when the camera was turned on
	wait   time.Duration  // until the camera counts as absent
	lost   bool           // and it is known to be

	delivered bool // since it was turned on
	rate      rate // of pictures
}

// begin says that the camera is being opened.
func (p *presence) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen, p.wait, p.lost = time.Now(), opening, false
	p.delivered, p.rate = false, rate{}
}

// see takes note of a picture. back tells that the camera was absent.
func (p *presence) see(f capture.Format) (back bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	back = p.lost
	p.format, p.seen, p.wait, p.lost, p.delivered = f, time.Now(), silence, false, true
	p.rate.see(p.seen)
	return back
}

func (p *presence) lose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = true
}

// absent tells whether the camera is, and since this call; format is of its last picture.
func (p *presence) absent() (absent, news bool, format capture.Format) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.lost && time.Since(p.seen) > p.wait {
		p.lost, news = true, true
	}
	return p.lost, news, p.format
}

// standIn shows the sign while the camera is absent, so that nobody takes an old picture
// for what is going on, until ctx ends. Where the camera codes by itself and there is no
// Config.CodeSign, the picture stands, and only the report tells.
func (s *Source) standIn(ctx context.Context) error {
	tick := time.NewTicker(signGap)
	defer tick.Stop()
	var pool *capture.FramePool
	var of capture.Format
	var spoiled spoilage
	coded := codedSign{open: s.cfg.CodeSign}
	defer coded.close()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if over, err := spoiled.look(time.Now(), s.frames.Load(), s.spoiled()); over {
			s.trouble.set(thePictures, err)
		}
		absent, news, format := s.presence.absent()
		if news {
			s.trouble.set(theCamera, errSilent)
		}
		if format == (capture.Format{}) {
			format = s.cfg.Format
		}
		if format == (capture.Format{}) {
			format = capture.Format{Pixel: capture.I420, Width: 640, Height: 480, FPS: 10}
		}
		if !absent {
			coded.close()
			continue
		}
		if format != of {
			pool, of = capture.NewFramePool(format.Width, format.Height, format.FPS), format
		}
		f := pool.Get()
		paintSign(f)
		f.Time = time.Now()
		if format.Pixel == capture.AVC {
			sign, err := coded.code(f, format)
			f.Release()
			if err != nil {
				s.log.Warn("the picture stands while the camera is away", "cause", err)
			}
			f = sign
		}
		if f == nil {
			continue
		}
		for _, l := range *s.use.Load() {
			l.offer(f)
		}
		f.Release()
	}
}

// Shades of the sign, in luma.
const (
	signGround = 40
	signInk    = 180
)

// paintSign draws a ring with a bar across on dark ground: no picture, in any language.
func paintSign(f *capture.Frame) {
	for i := range f.Planes {
		shade := byte(128)
		if i == 0 {
			shade = signGround
		}
		for j := range f.Planes[i] {
			f.Planes[i][j] = shade
		}
	}
	outer := min(f.Width, f.Height) / 4
	inner := outer * 3 / 4
	bar := max(outer/8, 1)
	for dy := -outer; dy <= outer; dy++ {
		row := f.Planes[0][(f.Height/2+dy)*f.Stride[0]:][:f.Width]
		for dx := -outer; dx <= outer; dx++ {
			d := dx*dx + dy*dy
			ring := d <= outer*outer && d >= inner*inner
			across := d <= outer*outer && dx+dy <= bar && dx+dy >= -bar
			if ring || across {
				row[f.Width/2+dx] = signInk
			}
		}
	}
}
