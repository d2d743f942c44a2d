// Package annexb takes H.264 apart as encoders and cameras write it: the byte stream of ITU-T
// H.264, annex B, NAL units between start codes. It decodes nothing and checks nothing within
// a unit. It starts no goroutine.
package annexb

import "bytes"

// Types of NAL units (ITU-T H.264, table 7-1).
const (
	Slice     = 1
	IDR       = 5
	SPS       = 7
	PPS       = 8
	Delimiter = 9
	Filler    = 12
)

// startCode begins a unit; often there is one more zero in front.
var startCode = []byte{0, 0, 1}

// Type is the type of a NAL unit, which is not empty.
func Type(nal []byte) byte { return nal[0] & 0x1f }

// Next returns the first NAL unit of a byte stream, without its start code and the zeros behind
// it, and the stream after it. The unit is nil if there is none; otherwise it is not empty.
// What is in front of the first start code is no unit.
func Next(stream []byte) (nal, rest []byte) {
	at := bytes.Index(stream, startCode)
	for at >= 0 {
		stream = stream[at+len(startCode):]
		at = bytes.Index(stream, startCode)
		nal = stream
		if at >= 0 {
			nal = stream[:at]
		}
		// A unit ends with a bit that is set: zeros belong to the next start code, or are padding.
		if nal = bytes.TrimRight(nal, "\x00"); len(nal) > 0 {
			return nal, stream[len(nal):]
		}
	}
	return nil, nil
}
