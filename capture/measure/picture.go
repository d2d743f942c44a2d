package measure

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"intercom/capture"
)

// Picture is what a camera delivers.
type Picture struct {
	Pixels      string  `json:"pixels"`
	AskedWidth  int     `json:"asked_width"`
	AskedHeight int     `json:"asked_height"`
	AskedFPS    int     `json:"asked_fps"`
	Width       int     `json:"width"`
	Height      int     `json:"height"`
	FPS         float64 `json:"fps"`
	Opening     float64 `json:"opening_ms"` // until the first picture
	Gap         float64 `json:"gap_ms"`     // the longest between two pictures
	// Brightness is the mean luma of the last picture, 16 for black to 235 for white, 0 if
	// the camera codes by itself; Spread how far apart the dark and the light parts are.
	Brightness int `json:"brightness"`
	Spread     int `json:"spread"`
}

// keptFrames is how many pictures Camera returns, for the encoders.
const keptFrames = 8

// openingTime is how long a camera may take until its first picture.
const openingTime = 8 * time.Second

// Camera watches a camera for a time after its first picture. It returns up to eight
// pictures, which the caller releases. An error says that the camera does not work.
func Camera(ctx context.Context, camera capture.Camera, asked capture.Format, watch time.Duration) (Picture, []*capture.Frame, error) {
	p := Picture{AskedWidth: asked.Width, AskedHeight: asked.Height, AskedFPS: asked.FPS}
	running, stop := context.WithTimeout(ctx, openingTime+watch)
	defer stop()
	began := time.Now()
	var first, last time.Time
	var frames []*capture.Frame
	n, enough := 0, false
	err := camera.Run(running, func(f *capture.Frame) {
		now := time.Now()
		if enough {
			return
		}
		if n == 0 {
			first, last = now, now
		}
		n++
		p.Gap = max(p.Gap, milliseconds(now.Sub(last)))
		last = now
		if enough = now.Sub(first) >= watch; enough {
			p.see(f)
			stop()
		}
		if len(frames) < keptFrames {
			f.Retain()
			frames = append(frames, f)
		}
	})
	switch {
	case enough:
		p.Opening = milliseconds(first.Sub(began))
		p.FPS = float64(n-1) / last.Sub(first).Seconds()
		return p, frames, nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case n == 0 && (err == nil || errors.Is(err, context.DeadlineExceeded)):
		err = fmt.Errorf("the camera delivered no picture within %v", openingTime+watch)
	case err == nil || errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("the camera delivered %d pictures and no more", n)
	}
	for _, f := range frames {
		f.Release()
	}
	return p, nil, err
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// see takes the measures of a picture.
func (p *Picture) see(f *capture.Frame) {
	p.Pixels, p.Width, p.Height = f.Pixel.String(), f.Width, f.Height
	if f.Pixel != capture.I420 {
		return
	}
	var shades [256]int
	sum, n := 0, 0
	const step = 8
	for y := step / 2; y < f.Height; y += step {
		row := f.Planes[0][y*f.Stride[0]:]
		for x := step / 2; x < f.Width; x += step {
			shades[row[x]]++
			sum += int(row[x])
			n++
		}
	}
	p.Brightness = sum / max(n, 1)
	part := func(share float64) int {
		seen := 0
		for shade, count := range shades {
			if seen += count; float64(seen) > share*float64(n) {
				return shade
			}
		}
		return 255
	}
	p.Spread = part(0.95) - part(0.05)
}

// Speed is what an encoder can do.
type Speed struct {
	Codec capture.Codec `json:"codec"`
	// FPS is how many pictures a second it codes if it has nothing else to do, Needed how
	// many there will be.
	FPS    float64 `json:"fps"`
	Needed int     `json:"needed_fps"`
	// CPU is the share of one processor that the pictures needed cost, 0 to 1 and beyond;
	// what codes in hardware costs little. Longest is how long one picture took, at most.
	CPU     float64 `json:"cpu"`
	Longest float64 `json:"longest_ms"`
}

// codedTimeout is how long hardware may take for a picture.
const codedTimeout = 2 * time.Second

// Encoder has an encoder code pictures of one format again and again for a time.
func Encoder(ctx context.Context, codec capture.Codec, open capture.NewEncoder, frames []*capture.Frame, target capture.Target, watch time.Duration) (Speed, error) {
	s := Speed{Codec: codec}
	if len(frames) == 0 {
		return s, errors.New("there are no pictures to code")
	}
	format := frames[0].Format
	s.Needed = format.FPS
	coded := make(chan struct{}, 1)
	e, err := open(format, func(*capture.Packet) {
		select {
		case coded <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return s, err
	}
	defer e.Close()
	target.KeyFrame = true
	if err := e.Set(target); err != nil {
		return s, err
	}
	timeout := time.NewTimer(codedTimeout)
	defer timeout.Stop()
	var used time.Duration
	began, n := time.Now(), 0
	for now := began; ctx.Err() == nil && now.Sub(began) < watch; n++ {
		f := frames[n%len(frames)]
		f.Time = began.Add(time.Duration(n) * time.Second / time.Duration(format.FPS))
		if n == 1 { // the first one pays for memory
			began, used = now, processorTime()
		}
		if err := e.Encode(f); err != nil {
			return s, err
		}
		timeout.Reset(codedTimeout)
		select {
		case <-coded:
		case <-timeout.C:
			return s, fmt.Errorf("the encoder made nothing of a picture within %v", codedTimeout)
		case <-ctx.Done():
		}
		then := time.Now()
		if n > 0 {
			s.Longest = max(s.Longest, milliseconds(then.Sub(now)))
		}
		now = then
	}
	if ctx.Err() != nil {
		return s, ctx.Err()
	}
	n--
	s.FPS = float64(n) / time.Since(began).Seconds()
	s.CPU = (processorTime() - used).Seconds() / float64(max(1, n)) * float64(format.FPS)
	return s, nil
}

// processorTime is what this process has used of the processors.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
