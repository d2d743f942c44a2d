package video

import (
	"fmt"
	"time"
)

const (
	// spoiledWindow is how long spoiled pictures are counted, and spoiledShare the share of
	// them from which on the camera is in trouble: one now and then is a bad moment, more
	// are a bad cable.
	spoiledWindow = 5 * time.Second
	spoiledShare  = 0.1
)

// thePictures is the part that is in trouble when too many of them are spoiled.
const thePictures = "pictures"

// spoiler is a camera that leaves spoiled pictures out, and counts them.
type spoiler interface{ Spoiled() int64 }

// spoiled is how many pictures were dropped because they were broken, by the camera's driver
// or here.
func (s *Source) spoiled() int64 {
	n := s.broken.Load()
	if c, ok := s.cfg.Camera.(spoiler); ok {
		n += c.Spoiled()
	}
	return n
}

// spoilage notices that too many are.
type spoilage struct {
	at              time.Time // when the counters were these
	frames, spoiled int64
}

// look takes the counters now and then. Once a window is over it says so, with an error if
// too many pictures were spoiled in it.
func (o *spoilage) look(now time.Time, frames, spoiled int64) (over bool, err error) {
	if !o.at.IsZero() && now.Sub(o.at) < spoiledWindow {
		return false, nil
	}
	first, good, bad := o.at.IsZero(), frames-o.frames, spoiled-o.spoiled
	o.at, o.frames, o.spoiled = now, frames, spoiled
	if first || good+bad == 0 {
		return false, nil
	}
	if float64(bad) > spoiledShare*float64(good+bad) {
		err = fmt.Errorf("%d of %d were spoiled: look at the camera's cable and power", bad, good+bad)
	}
	return true, err
}

// isSlice tells whether bytes can be a slice, by the beginning of its header (ITU-T H.264,
// 7.3.3): the number of its first macroblock, its type and its parameter set.
func isSlice(b []byte) bool {
	const mostBlocks, mostType, mostSets = 139_264, 9, 255 // of any level; table 7-6; 7.4.2.2
	r := bits{b: b}
	for _, most := range [...]int{mostBlocks, mostType, mostSets} {
		if v := r.ue(); v < 0 || v > most {
			return false
		}
	}
	return true
}

// bits reads a bit string.
type bits struct {
	b  []byte
	at int
}

// bit returns the next bit; -1: there is none.
func (r *bits) bit() int {
	if r.at >= 8*len(r.b) {
		return -1
	}
	v := int(r.b[r.at/8]>>(7-r.at%8)) & 1
	r.at++
	return v
}

// ue returns an unsigned Exp-Golomb code (9.1); -1: it is cut off, or longer than any.
func (r *bits) ue() int {
	zeros := 0
	for {
		switch r.bit() {
		case -1:
			return -1
		case 0:
			if zeros++; zeros > 24 {
				return -1
			}
			continue
		}
		break
	}
	v := 1
	for range zeros {
		b := r.bit()
		if b < 0 {
			return -1
		}
		v = v<<1 | b
	}
	return v - 1
}
