// Package display turns the coded pictures of a peer into frames for a screen: decoded,
// mirrored if that is wanted, and fitted into the screen's size. A door has no screen; an
// indoor station, or a tool that looks at what a resident shows, has one.
//
// It puts nothing on glass, knows no window system and chooses no decoder: the frames go to
// a function, which does. It starts no goroutine: decoding is done by the one that delivers
// the pictures.
package display

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"intercom/capture"
	"intercom/signaling"
)

// Scaling is how a picture fits a surface of another shape.
type Scaling uint8

// The ways to scale; their names are the Android SDK's, without SCALE_ASPECT_.
const (
	Fit      Scaling = iota // all of the picture is seen, with black beside it
	Fill                    // all of the surface is used, and the rest of the picture cut off
	Balanced                // in between: at least 9/16 of the picture is seen
)

// Decoder decodes what one peer sends; the caller releases the frame, which is nil if there
// is nothing to be shown.
type Decoder interface {
	Decode(data []byte, t time.Time) (*capture.Frame, error)
	Close() error
}

// Config is what a Surface is made of.
type Config struct {
	// Width and Height are the surface's, in pixels; even.
	Width, Height int
	// Decoders are those there are.
	Decoders map[capture.Codec]func() (Decoder, error)
	// Out gets each picture, in I420 and of the surface's size; it borrows it. It is called
	// from the goroutine that delivers the pictures, which does not read on meanwhile.
	Out func(*capture.Frame)
}

// Surface is a place where one peer is seen, as QBRTCSurfaceView is. Its methods may be
// called from any goroutine.
type Surface struct {
	cfg  Config
	pool *capture.FramePool

	mu      sync.Mutex
	mirror  bool
	scaling Scaling
}

// New checks the configuration.
func New(cfg Config) (*Surface, error) {
	switch {
	case cfg.Width < 2 || cfg.Height < 2 || cfg.Width%2 != 0 || cfg.Height%2 != 0:
		return nil, fmt.Errorf("display: a surface of %dx%d: both are even and positive", cfg.Width, cfg.Height)
	case len(cfg.Decoders) == 0:
		return nil, errors.New("display: no decoders")
	case cfg.Out == nil:
		return nil, errors.New("display: no function for the pictures")
	}
	return &Surface{cfg: cfg, pool: capture.NewFramePool(cfg.Width, cfg.Height, 0)}, nil
}

// SetMirror has left and right exchanged from the next picture on, or not.
func (s *Surface) SetMirror(mirror bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mirror = mirror
}

// SetScaling chooses how pictures fit, from the next one on. It begins with Fit.
func (s *Surface) SetScaling(scaling Scaling) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scaling = scaling
}

// Show opens a decoder for a peer's pictures. With several peers they take turns, picture by
// picture: who shows them side by side has a Surface for each.
func (s *Surface) Show(_ signaling.UserID, c capture.Codec) (capture.Viewer, error) {
	open := s.cfg.Decoders[c]
	if open == nil {
		return nil, fmt.Errorf("show %s: no decoder", c)
	}
	d, err := open()
	if err != nil {
		return nil, fmt.Errorf("show %s: %w", c, err)
	}
	return &viewer{surface: s, decoder: d}, nil
}

// viewer is a capture.Viewer.
type viewer struct {
	surface *Surface
	decoder Decoder
}

// View decodes a picture and shows it.
func (v *viewer) View(p *capture.Packet) error {
	f, err := v.decoder.Decode(p.Data, p.Time)
	if err != nil || f == nil {
		return err
	}
	defer f.Release()
	s := v.surface
	s.mu.Lock()
	mirror, scaling := s.mirror, s.scaling
	s.mu.Unlock()
	to := s.pool.Get()
	defer to.Release()
	if err := Draw(to, f, mirror, scaling); err != nil {
		return err
	}
	to.Time = f.Time
	s.cfg.Out(to)
	return nil
}

// Close frees the decoder.
func (v *viewer) Close() error { return v.decoder.Close() }
