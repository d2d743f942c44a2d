package payload

import (
	"bytes"
	"slices"
	"testing"

	"github.com/pion/rtp/codecs"

	"intercom/internal/annexb"
)

// unit returns a NAL unit of n bytes without anything that looks like a start code.
func unit(header byte, n int) []byte {
	b := []byte{header}
	for i := 1; i < n; i++ {
		b = append(b, byte(i%251)+1)
	}
	return b
}

// stream writes units as encoders do.
func stream(units ...[]byte) []byte {
	var b []byte
	for _, u := range units {
		b = append(append(b, 0, 0, 0, 1), u...)
	}
	return b
}

type cutter interface {
	Start([]byte)
	Next() ([]byte, bool)
}

// cut returns copies of the payloads of a picture.
func cut(t *testing.T, c cutter, most int, picture []byte) [][]byte {
	t.Helper()
	var all [][]byte
	c.Start(picture)
	for {
		b, last := c.Next()
		if b != nil {
			all = append(all, bytes.Clone(b))
		}
		if len(b) > most {
			t.Fatalf("payload %d has %d bytes, want at most %d", len(all)-1, len(b), most)
		}
		if last {
			break
		}
		if b == nil {
			t.Fatalf("payload %d is nil and not the last", len(all))
		}
	}
	if b, last := c.Next(); b != nil || !last {
		t.Fatalf("after the last payload there is % x", b)
	}
	return all
}

func TestH264(t *testing.T) {
	sps, pps, idr, slice, sei := unit(0x67, 12), unit(0x68, 4), unit(0x65, 3000), unit(0x41, 60), unit(0x06, 20)
	const most = 100
	for name, tt := range map[string]struct {
		in    []byte
		want  [][]byte // units that arrive
		heads [][]byte // first bytes of the payloads
	}{
		"slice":                 {stream(slice), [][]byte{slice}, [][]byte{{0x41}}},
		"just fits":             {stream(unit(0x41, most)), [][]byte{unit(0x41, most)}, [][]byte{{0x41}}},
		"one more":              {stream(unit(0x41, most+1)), [][]byte{unit(0x41, most+1)}, [][]byte{{0x5c, 0x81}, {0x5c, 0x41}}},
		"in threes":             {stream(unit(0x25, 2*(most-2)+1)), [][]byte{unit(0x25, 2*(most-2)+1)}, [][]byte{{0x3c, 0x85}, {0x3c, 0x45}}},
		"middle":                {stream(unit(0x25, 2*(most-2)+2)), [][]byte{unit(0x25, 2*(most-2)+2)}, [][]byte{{0x3c, 0x85}, {0x3c, 0x05}, {0x3c, 0x45}}},
		"together":              {stream(sei, sps, pps, slice), [][]byte{sei, sps, pps, slice}, [][]byte{{0x78, 0, 20, 0x06}, {0x41}}},
		"two do not fit":        {stream(slice, slice), [][]byte{slice, slice}, [][]byte{{0x41}, {0x41}}},
		"left out":              {stream(unit(0x09, 2), slice, unit(0x0c, 300)), [][]byte{slice}, [][]byte{{0x41}}},
		"forbidden":             {stream(unit(0x87, 3), unit(0x68, 3)), [][]byte{unit(0x87, 3), unit(0x68, 3)}, [][]byte{{0xf8}}},
		"nothing":               {},
		"no units":              {in: []byte{1, 2, 3}},
		"only what is left out": {in: stream(unit(0x09, 2))},
	} {
		got := cut(t, NewH264(most), most, tt.in)
		heads := true
		for i := range got {
			heads = heads && i < len(tt.heads) && bytes.HasPrefix(got[i], tt.heads[i])
		}
		if !heads || len(got) != len(tt.heads) {
			t.Errorf("%s: payloads % x, want them to begin % x", name, got, tt.heads)
		}
		if units := depacketize(t, got); !bytes.Equal(units, stream(tt.want...)) {
			t.Errorf("%s: arrives as % x", name, units)
		}
	}
	// A key frame of many packets, and the cutter used again.
	h := NewH264(most)
	for range 2 {
		if got := depacketize(t, cut(t, h, most, stream(sps, pps, idr))); !bytes.Equal(got, stream(sps, pps, idr)) {
			t.Error("a key frame arrives as something else")
		}
	}
	// A picture that was given up does not end up in the next one.
	h.Start(stream(idr))
	h.Next()
	if got := cut(t, h, most, stream(slice)); len(got) != 1 || !bytes.Equal(got[0], slice) {
		t.Errorf("after half a picture: % x", got)
	}
}

// depacketize is pion's other side.
func depacketize(t *testing.T, payloads [][]byte) []byte {
	t.Helper()
	var p codecs.H264Packet
	var all []byte
	for _, b := range payloads {
		units, err := p.Unmarshal(b)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, units...)
	}
	return all
}

func TestVP8(t *testing.T) {
	const most = 50
	for _, n := range []int{0, 1, most - 1, most, 5 * (most - 1), 5*most + 3} {
		frame := unit(1, n+1)[1:]
		var got []byte
		for i, b := range cut(t, NewVP8(most), most, frame) {
			var p codecs.VP8Packet
			data, err := p.Unmarshal(b)
			if err != nil {
				t.Fatal(err)
			}
			if (p.S == 1) != (i == 0) || p.PID != 0 || p.X != 0 {
				t.Errorf("%d bytes, payload %d: %+v", n, i, p)
			}
			got = append(got, data...)
		}
		if !bytes.Equal(got, frame) {
			t.Errorf("%d bytes arrive as others", n)
		}
	}
}

// TestAllocatesNothing: not a byte of memory for a picture, of one packet or of many.
func TestAllocatesNothing(t *testing.T) {
	h, v := NewH264(1158), NewVP8(1158)
	for _, picture := range [][]byte{stream(unit(0x67, 12), unit(0x68, 4), unit(0x65, 30_000)), stream(unit(0x41, 500))} {
		for _, c := range []cutter{h, v} {
			if got := testing.AllocsPerRun(20, func() {
				c.Start(picture)
				for last := false; !last; {
					_, last = c.Next()
				}
			}); got != 0 {
				t.Errorf("%T: %v allocations, want 0", c, got)
			}
		}
	}
}

func FuzzH264(f *testing.F) {
	f.Add(stream(unit(0x67, 12), unit(0x68, 4), unit(0x65, 300)), uint16(100))
	f.Add(stream(unit(0x09, 2), unit(0x41, 60), unit(0x41, 60)), uint16(3))
	f.Fuzz(func(t *testing.T, picture []byte, most uint16) {
		size := max(int(most), 3)
		var want []byte
		for nal, rest := annexb.Next(picture); nal != nil; nal, rest = annexb.Next(rest) {
			switch k := annexb.Type(nal); {
			case k == annexb.Delimiter || k == annexb.Filler:
			case k == 0 || k >= stapA:
				return // not for use in RTP: a receiver takes it for something else
			case nal[0]&forbidden != 0:
				return // pion loses this bit in an FU-A
			default:
				want = append(want, stream(nal)...)
			}
		}
		if got := depacketize(t, cut(t, NewH264(size), size, picture)); !slices.Equal(got, want) {
			t.Errorf("% x in payloads of %d arrives as % x", picture, size, got)
		}
	})
}
