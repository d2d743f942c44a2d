package video

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"intercom/capture"
)

// Types of NAL units (ITU-T H.264, table 7-1).
const (
	nalIDR = 5
	nalSPS = 7
	nalPPS = 8
)

var startCode = []byte{0, 0, 1}

// nalUnits calls f with the NAL units of an access unit in the Annex B byte stream, without
// their start codes, until it returns false.
func nalUnits(unit []byte, f func(nal []byte) bool) {
	at := bytes.Index(unit, startCode)
	for at >= 0 {
		unit = unit[at+len(startCode):]
		at = bytes.Index(unit, startCode)
		nal := unit
		if at >= 0 {
			nal = bytes.TrimRight(unit[:at], "\x00") // a start code of four bytes, or padding
		}
		if len(nal) > 0 && !f(nal) {
			return
		}
	}
}

// isKeyUnit tells whether an access unit can be decoded without what came before.
func isKeyUnit(unit []byte) (key bool) {
	nalUnits(unit, func(nal []byte) bool {
		key = nal[0]&31 == nalIDR
		return !key
	})
	return key
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
	nalUnits(unit, func(nal []byte) bool {
		switch nal[0] & 31 {
		case nalSPS:
			e.sps, hasSPS = keep(e.sps, nal), true
		case nalPPS:
			e.pps, hasPPS = keep(e.pps, nal), true
		case nalIDR:
			key = true
		case 1: // a slice: the parameter sets came before it
			return false
		}
		return true
	})
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
	return append(append(append(old[:0], 0), startCode...), nal...)
}

// Set is part of capture.Encoder; the camera codes as it was told to.
func (e *passthrough) Set(capture.Target) error { return nil }

// Close is part of capture.Encoder.
func (e *passthrough) Close() error {
	e.closed = true
	return nil
}
