package video

import (
	"errors"
	"fmt"
	"time"

	"intercom/capture"
	"intercom/internal/annexb"
)

// isKeyUnit tells whether an access unit can be decoded without what came before.
func isKeyUnit(unit []byte) bool {
	for nal, rest := annexb.Next(unit); nal != nil; nal, rest = annexb.Next(rest) {
		if annexb.Type(nal) == annexb.IDR {
			return true
		}
	}
	return false
}

// isSpoiled tells whether an access unit is not what a camera codes: without a start code,
// without a picture or parameter sets, or with the header of a unit or a slice that cannot
// be. What is damaged inside a slice only a decoder sees.
func isSpoiled(unit []byte) bool {
	useful := false
	for nal, rest := annexb.Next(unit); nal != nil; nal, rest = annexb.Next(rest) {
		switch t := annexb.Type(nal); {
		case nal[0]&0x80 != 0 || t == 0 || t > 23: // forbidden_zero_bit; H.264 leaves these types to RTP
			return true
		case (t == annexb.Slice || t == annexb.IDR) && len(nal) > 1 && !isSlice(nal[1:]):
			return true
		case t <= annexb.PPS && len(nal) > 1:
			useful = true
		}
	}
	return !useful
}

// Passthrough is the capture.NewEncoder for frames that the camera has coded as H.264. It
// changes nothing but that each key frame has its parameter sets in front: a viewer may come
// at any time. What it is asked for (a bit rate, a key frame) it cannot do: the camera has
// its own rate, and a new viewer waits for the next of its key frames.
func Passthrough(format capture.Format, out func(*capture.Packet)) (capture.Encoder, error) {
	if format.Pixel != capture.AVC || format.FPS < 1 {
		return nil, fmt.Errorf("pass H.264 through: frames of %v at %d/s are not coded", format.Pixel, format.FPS)
	}
	return &passthrough{format: format, out: out}, nil
}

type passthrough struct {
	format   capture.Format
	out      func(*capture.Packet)
	pool     capture.PacketPool
	sps, pps []byte // with their start codes; the latest
	started  bool   // there was a key frame
	closed   bool
}

// Encode is part of capture.Encoder.
func (e *passthrough) Encode(f *capture.Frame) error {
	if e.closed {
		return errors.New("pass H.264 through: it is closed")
	}
	if f.Pixel != capture.AVC {
		return fmt.Errorf("pass H.264 through: a frame of %v", f.Pixel)
	}
	unit := f.Planes[0]
	key, hasSPS, hasPPS := false, false, false
units:
	for nal, rest := annexb.Next(unit); nal != nil; nal, rest = annexb.Next(rest) {
		switch annexb.Type(nal) {
		case annexb.SPS:
			e.sps, hasSPS = keep(e.sps, nal), true
		case annexb.PPS:
			e.pps, hasPPS = keep(e.pps, nal), true
		case annexb.IDR:
			key = true
		case annexb.Slice: // the parameter sets came before it
			break units
		}
	}
	if key && (len(e.sps) == 0 || len(e.pps) == 0) {
		return nil // nobody can decode it yet
	}
	if e.started = e.started || key; !e.started {
		return nil
	}
	var head [2][]byte
	if key && !hasSPS {
		head[0] = e.sps
	}
	if key && !hasPPS {
		head[1] = e.pps
	}
	p := e.pool.Get(len(head[0]) + len(head[1]) + len(unit))
	n := copy(p.Data, head[0])
	n += copy(p.Data[n:], head[1])
	copy(p.Data[n:], unit)
	p.Codec, p.Key, p.Time, p.Duration = capture.H264, key, f.Time, time.Second/time.Duration(e.format.FPS)
	e.out(p)
	p.Release()
	return nil
}

// keep replaces a parameter set.
func keep(old, nal []byte) []byte {
	return append(append(old[:0], 0, 0, 0, 1), nal...)
}

// Set is part of capture.Encoder; the camera codes as it was told to.
func (e *passthrough) Set(capture.Target) error { return nil }

// Close is part of capture.Encoder.
func (e *passthrough) Close() error {
	e.closed = true
	return nil
}
