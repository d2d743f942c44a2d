package annexb

import (
	"bytes"
	"slices"
	"testing"
)

var (
	sps   = []byte{0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0x8c}
	pps   = []byte{0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80}
	idr   = []byte{0, 0, 1, 0x65, 0xb8, 0x00, 0x04}
	slice = []byte{0, 0, 0, 1, 0x41, 0x9a, 0x01}
	aud   = []byte{0, 0, 0, 1, 0x09, 0xf0}
)

func TestNext(t *testing.T) {
	for name, tt := range map[string]struct {
		stream []byte
		types  []byte
	}{
		"key frame":               {slices.Concat(aud, sps, pps, idr), []byte{Delimiter, SPS, PPS, IDR}},
		"key frame in two":        {slices.Concat(idr, idr), []byte{IDR, IDR}},
		"slice":                   {slice, []byte{Slice}},
		"padded":                  {slices.Concat(slice, []byte{0, 0, 0}, idr, []byte{0, 0}), []byte{Slice, IDR}},
		"nothing":                 {},
		"no start code":           {[]byte{0x65, 1, 2, 3}, nil},
		"only a start code":       {[]byte{0, 0, 1}, nil},
		"only zeros":              {[]byte{0, 0, 1, 0, 0, 0, 0}, nil},
		"start codes in a row":    {[]byte{0, 0, 1, 0, 0, 1, 0, 0, 0, 1}, nil},
		"half a start code":       {[]byte{0, 0}, nil},
		"something in front":      {slices.Concat([]byte{7, 7}, slice), []byte{Slice}},
		"what only looks like it": {slices.Concat(slice, []byte{0, 0, 3, 1, 0x65}), []byte{Slice}},
	} {
		var types []byte
		for nal, rest := Next(tt.stream); nal != nil; nal, rest = Next(rest) {
			types = append(types, Type(nal))
		}
		if !slices.Equal(types, tt.types) {
			t.Errorf("%s: units of type %v, want %v", name, types, tt.types)
		}
	}
	nal, rest := Next(slices.Concat(sps, pps, []byte{0, 0}))
	if !bytes.Equal(nal, sps[4:]) || !bytes.Equal(rest, slices.Concat(pps, []byte{0, 0})) {
		t.Errorf("first unit % x and then % x", nal, rest)
	}
	if nal, _ = Next(rest); !bytes.Equal(nal, pps[4:]) {
		t.Errorf("second unit % x, want % x: the padding is not its own", nal, pps[4:])
	}
	stream := slices.Concat(aud, sps, pps, idr)
	if n := testing.AllocsPerRun(20, func() {
		for nal, rest := Next(stream); nal != nil; nal, rest = Next(rest) {
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func FuzzNext(f *testing.F) {
	f.Add(slices.Concat(aud, sps, pps, idr))
	f.Add(slice)
	f.Fuzz(func(t *testing.T, stream []byte) {
		for nal, rest := Next(stream); nal != nil; nal, rest = Next(rest) {
			if len(nal) == 0 || bytes.Contains(nal, startCode) || nal[len(nal)-1] == 0 {
				t.Fatalf("% x is no unit", nal)
			}
		}
	})
}
