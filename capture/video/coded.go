package video

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"intercom/capture"
	"intercom/internal/annexb"
)

// Decoder decodes the H.264 of a camera that codes by itself. Decode returns nil while there
// is nothing to show; the caller releases the picture.
type Decoder interface {
	Decode(unit []byte, at time.Time) (*capture.Frame, error)
	Close() error
}

// parameterSets are the latest of a camera that codes: a key frame alone is not decodable.
type parameterSets struct{ sps, pps []byte } // with their start codes

// see keeps those of an access unit.
func (p *parameterSets) see(unit []byte) {
	for nal, rest := annexb.Next(unit); nal != nil; nal, rest = annexb.Next(rest) {
		switch annexb.Type(nal) {
		case annexb.SPS:
			p.sps = keep(p.sps, nal)
		case annexb.PPS:
			p.pps = keep(p.pps, nal)
		case annexb.Slice, annexb.IDR: // they come before it
			return
		}
	}
}

// whole returns an access unit with the parameter sets in front.
func (p *parameterSets) whole(unit []byte) []byte { return slices.Concat(p.sps, p.pps, unit) }

// afterSign has a camera that codes go on after the sign, if it was back with this frame: with
// a key frame, as its other pictures build on those from before, and with its own parameter
// sets. The caller releases what is returned.
func (s *Source) afterSign(f *capture.Frame, back bool) *capture.Frame {
	unit := f.Planes[0]
	s.sets.see(unit)
	if back {
		s.signed = true
		for _, l := range *s.use.Load() {
			l.box.lose()
		}
	}
	if !s.signed || !isKeyUnit(unit) {
		f.Retain()
		return f
	}
	s.signed = false
	return s.wholeFrame(f)
}

// wholeFrame returns a key frame with its parameter sets in front.
func (s *Source) wholeFrame(f *capture.Frame) *capture.Frame {
	k := s.coded.Get(f.Format, s.sets.whole(f.Planes[0]))
	k.Time = f.Time
	return k
}

// decodeStill decodes a key frame that is not followed by anything.
func decodeStill(open func() (Decoder, error), coded *capture.Frame) (*capture.Frame, error) {
	d, err := open()
	if err != nil {
		return nil, err
	}
	defer d.Close()
	for range 2 { // some streams announce that pictures may come in another order
		f, err := d.Decode(coded.Planes[0], coded.Time)
		if err != nil || f != nil {
			return f, err
		}
	}
	return nil, errors.New("the key frame shows no picture")
}

// signKey is how many pictures of a coded sign there are from one key frame to the next: a
// viewer who comes, or has lost one, waits two seconds at most.
const signKey = 10

// codedSign codes the sign for viewers of a camera that codes by itself, in the camera's
// place. It belongs to one goroutine.
type codedSign struct {
	open    capture.NewEncoder // nil: there is none, and the picture stands
	encoder capture.Encoder
	of      capture.Format // of the camera
	n       int
	unit    []byte
	pool    capture.CodedPool
	failed  bool
}

// code returns the sign as a frame of the camera's format, which the caller releases; nil if
// it cannot be coded, with an error the first time.
func (c *codedSign) code(sign *capture.Frame, of capture.Format) (*capture.Frame, error) {
	if c.open == nil || c.failed && c.of == of {
		return nil, nil
	}
	f, err := c.try(sign, of)
	if c.failed = err != nil; c.failed {
		c.close()
		return nil, fmt.Errorf("code the sign: %w", err)
	}
	return f, nil
}

func (c *codedSign) try(sign *capture.Frame, of capture.Format) (*capture.Frame, error) {
	if c.encoder == nil || c.of != of {
		c.close()
		c.of, c.n = of, 0
		raw := sign.Format
		raw.FPS = int(time.Second / signGap)
		var err error
		c.encoder, err = c.open(raw, func(p *capture.Packet) { c.unit = append(c.unit[:0], p.Data...) })
		if err != nil {
			return nil, err
		}
	}
	c.unit = c.unit[:0]
	if err := c.encoder.Set(capture.Target{KeyFrame: c.n%signKey == 0}); err != nil {
		return nil, err
	}
	if err := c.encoder.Encode(sign); err != nil {
		return nil, err
	}
	c.n++
	if len(c.unit) == 0 {
		return nil, errors.New("the encoder made nothing of it")
	}
	f := c.pool.Get(of, c.unit)
	f.Time = sign.Time
	return f, nil
}

// close ends the encoder; the next sign begins with a key frame.
func (c *codedSign) close() {
	if c.encoder != nil {
		c.encoder.Close()
		c.encoder = nil
	}
}
