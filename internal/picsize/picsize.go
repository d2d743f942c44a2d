// Package picsize finds the size of a picture in the headers of its coding, as encoders write it
// and as it comes in RTP. It decodes no picture. What it reads comes from the network: whatever
// is not as it should be, or is no key frame, has the size zero. It allocates nothing and
// starts no goroutine.
package picsize

import (
	"encoding/binary"

	"intercom/internal/annexb"
)

// VP8 returns the size of a key frame, by its header (RFC 6386, 9.1).
func VP8(frame []byte) (width, height int) {
	if len(frame) < 10 || frame[0]&1 != 0 || frame[3] != 0x9d || frame[4] != 0x01 || frame[5] != 0x2a {
		return 0, 0
	}
	return int(binary.LittleEndian.Uint16(frame[6:]) & 0x3fff), int(binary.LittleEndian.Uint16(frame[8:]) & 0x3fff)
}

// VP8Payload returns the size of a key frame that begins in this RTP payload.
func VP8Payload(payload []byte) (width, height int) { return VP8(vp8Begin(payload)) }

// vp8Begin returns what follows the payload descriptor (RFC 7741, 4.2) if a frame begins
// there.
func vp8Begin(b []byte) []byte {
	if len(b) < 1 || b[0]&0x10 == 0 || b[0]&0x07 != 0 { // S, PID
		return nil
	}
	n := 1
	if b[0]&0x80 != 0 { // X
		if len(b) < 2 {
			return nil
		}
		x := b[1]
		n++
		if x&0x80 != 0 { // I
			if len(b) <= n {
				return nil
			}
			if b[n]&0x80 != 0 { // M
				n++
			}
			n++
		}
		if x&0x40 != 0 { // L
			n++
		}
		if x&0x30 != 0 { // T or K
			n++
		}
	}
	if len(b) < n {
		return nil
	}
	return b[n:]
}

// H264 returns the size of a key frame (Annex B), by its parameter set, which comes early.
func H264(unit []byte) (width, height int) {
	for nal, rest := annexb.Next(unit); nal != nil; nal, rest = annexb.Next(rest) {
		switch annexb.Type(nal) {
		case annexb.SPS:
			return spsSize(nal)
		case annexb.IDR:
			return 0, 0
		}
	}
	return 0, 0
}

// stapA is the type of an RTP payload with several NAL units (RFC 6184, 5.2).
const stapA = 24

// H264Payload returns the size of a key frame that begins in this RTP payload (RFC 6184): its
// parameter set is alone, or the first of several units in one packet, as browsers send it.
func H264Payload(b []byte) (width, height int) {
	if len(b) == 0 {
		return 0, 0
	}
	switch b[0] & 0x1f {
	case annexb.SPS:
		return spsSize(b)
	case stapA:
		for b = b[1:]; len(b) > 3; {
			n := int(binary.BigEndian.Uint16(b))
			if n == 0 || len(b) < 2+n {
				return 0, 0
			}
			if b[2]&0x1f == annexb.SPS {
				return spsSize(b[2 : 2+n])
			}
			b = b[2+n:]
		}
	}
	return 0, 0
}

// spsSize reads a sequence parameter set, its unit's header included.
func spsSize(b []byte) (width, height int) {
	if s, ok := parseSPS(b); ok {
		return s.size()
	}
	return 0, 0
}

// sps is what a sequence parameter set says of the size (ITU-T H.264, 7.3.2.1.1).
type sps struct {
	chroma                   uint32 // chroma_format_idc
	across, down             uint32 // in macroblocks; down is of a field, if there are two
	fields                   uint32 // of a frame: 1 or 2
	left, right, top, bottom uint32 // cropped, in units that depend on chroma and fields
}

// mostBlocks bounds the size: 16384 pixels.
const mostBlocks = 1 << 10

func parseSPS(b []byte) (s sps, ok bool) {
	if len(b) < 5 {
		return s, false
	}
	profile := b[1]
	r := bits{data: b[4:]}
	r.ue() // seq_parameter_set_id
	s.chroma = 1
	switch profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128:
		if s.chroma = r.ue(); s.chroma == 3 {
			r.u(1)
		}
		r.ue()
		r.ue()
		r.u(1)
		if r.u(1) == 1 {
			return s, false // scaling lists: nobody sends them in a call
		}
	}
	r.ue() // log2_max_frame_num_minus4
	switch r.ue() {
	case 0:
		r.ue()
	case 1:
		r.u(1)
		r.ue()
		r.ue()
		for range min(r.ue(), 255) {
			r.ue()
		}
	}
	r.ue() // max_num_ref_frames
	r.u(1)
	s.across, s.down = r.ue()+1, r.ue()+1
	if s.fields = 2 - r.u(1); s.fields == 2 {
		r.u(1)
	}
	r.u(1)
	if r.u(1) == 1 {
		s.left, s.right, s.top, s.bottom = r.ue(), r.ue(), r.ue(), r.ue()
	}
	return s, !r.short
}

// size is that of the picture without what is cropped (7.4.2.1.1); zero if it cannot be.
func (s sps) size() (width, height int) {
	if s.across > mostBlocks || s.down > mostBlocks || max(s.left, s.right, s.top, s.bottom) > 16*mostBlocks {
		return 0, 0
	}
	cropX, cropY := uint32(1), s.fields
	if s.chroma == 1 || s.chroma == 2 {
		cropX = 2
	}
	if s.chroma == 1 {
		cropY *= 2
	}
	width = 16*int(s.across) - int(cropX*(s.left+s.right))
	height = 16*int(s.down*s.fields) - int(cropY*(s.top+s.bottom))
	if width <= 0 || height <= 0 || height > 16*mostBlocks {
		return 0, 0
	}
	return width, height
}

// bits reads the bits of a NAL unit, without its emulation prevention bytes. Beyond the end
// all are zero and short is set.
type bits struct {
	data  []byte
	pos   int // of the next byte
	have  int // bits left of cur
	cur   byte
	zeros int // bytes before pos
	short bool
}

func (r *bits) bit() uint32 {
	if r.have == 0 {
		if r.zeros >= 2 && r.pos < len(r.data) && r.data[r.pos] == 3 {
			r.pos++
			r.zeros = 0
		}
		if r.pos >= len(r.data) {
			r.short = true
			return 0
		}
		r.cur, r.have = r.data[r.pos], 8
		r.pos++
		if r.cur == 0 {
			r.zeros++
		} else {
			r.zeros = 0
		}
	}
	r.have--
	return uint32(r.cur>>r.have) & 1
}

// u reads n bits.
func (r *bits) u(n int) (v uint32) {
	for range n {
		v = v<<1 | r.bit()
	}
	return v
}

// ue reads an Exp-Golomb code (9.1).
func (r *bits) ue() uint32 {
	n := 0
	for r.bit() == 0 {
		if n++; n > 31 || r.short {
			r.short = true
			return 0
		}
	}
	return 1<<n - 1 + r.u(n)
}
