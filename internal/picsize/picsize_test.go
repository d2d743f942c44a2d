package picsize

import "testing"

var (
	// vp8 is the beginning of a key frame of 320x240, with one pixel of scaling hint set.
	vp8 = []byte{0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x41, 0xf0, 0x00, 0x02}

	// high is a parameter set of the high profile, with cropping and emulation prevention.
	high = []byte{0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x02, 0x27, 0xe5, 0xc0, 0x44, 0, 0, 0x03, 0, 0x04, 0, 0, 0x03, 0, 0xf0, 0x3c, 0x60, 0xc6, 0x58}
	idr  = []byte{0, 0, 1, 0x65, 0xb8, 0x00, 0x04}
)

func stream(units ...[]byte) (all []byte) {
	for _, u := range units {
		all = append(append(all, 0, 0, 0, 1), u...)
	}
	return all
}

// packed is an RTP payload of several units, of which this one is the first.
func packed(unit []byte) []byte {
	return append(append([]byte{0x78, 0, byte(len(unit))}, unit...), 0, 1, 0x68)
}

func TestSizes(t *testing.T) {
	for _, tt := range []struct {
		name          string
		size          func([]byte) (int, int)
		data          []byte
		width, height int
	}{
		{"VP8", VP8, vp8, 320, 240},
		{"VP8, no key frame", VP8, append([]byte{0x11}, vp8[1:]...), 0, 0},
		{"VP8, without its start code", VP8, append([]byte{0x10, 2, 0, 1, 2, 3}, vp8[6:]...), 0, 0},
		{"VP8, cut", VP8, vp8[:9], 0, 0},
		{"H.264", H264, stream([]byte{0x09, 0xf0}, high, idr), 1920, 1080},
		{"H.264, no parameter set", H264, stream(idr, high), 0, 0},
		{"H.264, cut", H264, stream(high[:8]), 0, 0},
		{"H.264, nothing", H264, nil, 0, 0},
		{"H.264 in RTP, alone", H264Payload, high, 1920, 1080},
		{"H.264 in RTP, with others", H264Payload, packed(high), 1920, 1080},
		{"H.264 in RTP, longer than it is", H264Payload, packed(high)[:20], 0, 0},
		{"H.264 in RTP, no parameter set", H264Payload, idr[3:], 0, 0},
		{"H.264 in RTP, nothing", H264Payload, nil, 0, 0},
	} {
		if w, h := tt.size(tt.data); w != tt.width || h != tt.height {
			t.Errorf("%s: %dx%d, want %dx%d", tt.name, w, h, tt.width, tt.height)
		}
	}
}

// TestDescriptors: a payload of VP8 begins with a descriptor of one to six bytes (RFC 7741, 4.2).
func TestDescriptors(t *testing.T) {
	for _, d := range [][]byte{{0x10}, {0x90, 0x80, 0x01}, {0x90, 0x80, 0x81, 0x02}, {0x90, 0xe0, 0x81, 2, 3, 4}, {0x90, 0x20, 4}} {
		if w, h := VP8Payload(append(d, vp8...)); w != 320 || h != 240 {
			t.Errorf("descriptor %x: %dx%d, want 320x240", d, w, h)
		}
	}
	for _, d := range [][]byte{{0x00}, {0x11}, {0x90, 0x80}, {}} {
		if w, h := VP8Payload(append(d, 1, 2, 3)); w != 0 || h != 0 {
			t.Errorf("descriptor %x: %dx%d, want no picture", d, w, h)
		}
	}
}

// FuzzSizes: what comes from the network has a size or none, and nothing worse.
func FuzzSizes(f *testing.F) {
	f.Add(append([]byte{0x10}, vp8...))
	f.Add(vp8)
	f.Add(stream(high, idr))
	f.Add(packed(high))
	f.Add([]byte{0x90, 0x80})
	f.Add([]byte{24, 0, 5, 0x67, 0x42, 0xc0, 0x1f, 0x8c})
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, size := range map[string]func([]byte) (int, int){"VP8": VP8, "VP8 in RTP": VP8Payload, "H.264": H264, "H.264 in RTP": H264Payload} {
			w, h := size(data)
			if w < 0 || h < 0 || w > 1<<14 || h > 1<<14 || (w == 0) != (h == 0) && name[0] == 'H' {
				t.Errorf("%s: %dx%d", name, w, h)
			}
		}
	})
}
