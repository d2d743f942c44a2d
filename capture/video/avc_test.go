package video

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"intercom/capture"
)

// Access units as cameras write them: start codes of three and of four bytes, an access unit
// delimiter in front, zeros behind.
var (
	sps   = []byte{0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0x8c}
	pps   = []byte{0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80}
	idr   = []byte{0, 0, 1, 0x65, 0xb8, 0x00, 0x04}
	slice = []byte{0, 0, 0, 1, 0x41, 0x9a, 0x01}
	aud   = []byte{0, 0, 0, 1, 0x09, 0xf0}
)

func TestUnits(t *testing.T) {
	for name, tt := range map[string]struct {
		unit         []byte
		key, spoiled bool
	}{
		"key frame":                {slices.Concat(aud, sps, pps, idr), true, false},
		"slice":                    {slice, false, false},
		"slice and key frame":      {slices.Concat(slice, idr), true, false},
		"parameter sets":           {slices.Concat(sps, pps), false, false},
		"nothing":                  {nil, false, true},
		"no start code":            {[]byte{0x65, 1, 2, 3}, false, true},
		"a delimiter alone":        {aud, false, true},
		"a header without a slice": {slice[:5], false, true},
		"forbidden bit":            {slices.Concat(slice, []byte{0, 0, 1, 0xe1, 1}), false, true},
		"type 0":                   {slices.Concat([]byte{0, 0, 1, 0x60, 1}, idr), true, true},
		"type 28":                  {[]byte{0, 0, 1, 0x7c, 0x81, 1}, false, true},
	} {
		if isKeyUnit(tt.unit) != tt.key || isSpoiled(tt.unit) != tt.spoiled {
			t.Errorf("%s: key %v, spoiled %v; want %v, %v", name, isKeyUnit(tt.unit), isSpoiled(tt.unit), tt.key, tt.spoiled)
		}
	}
}

func coded(data ...[]byte) *capture.Frame {
	f := capture.NewFrame(nil)
	f.Format = capture.Format{Pixel: capture.AVC, Width: 640, Height: 480, FPS: 20}
	f.Planes[0], f.Time = slices.Concat(data...), time.Unix(1, 0)
	return f
}

func TestPassthrough(t *testing.T) {
	var got [][]byte
	var keys []bool
	e, err := Passthrough(coded().Format, func(p *capture.Packet) {
		if p.Codec != capture.H264 || p.Duration != 50*time.Millisecond || !p.Time.Equal(time.Unix(1, 0)) {
			t.Errorf("packet %+v", p)
		}
		got, keys = append(got, slices.Clone(p.Data)), append(keys, p.Key)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*capture.Frame{
		coded(slice),    // before anything can be decoded
		coded(aud, idr), // parameter sets are not known
		coded(sps, pps), // a unit of their own
		coded(idr),
		coded(slice),
		coded(aud, sps, pps, idr),
		coded(pps, idr),
	} {
		if err := e.Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	want := [][]byte{slices.Concat(sps, pps, idr), slice, slices.Concat(aud, sps, pps, idr), slices.Concat(sps, pps, idr)}
	if len(got) != len(want) || !slices.Equal(keys, []bool{true, false, true, true}) {
		t.Fatalf("%d packets, keys %v", len(got), keys)
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("packet %d: % x, want % x", i, got[i], want[i])
		}
	}
	if err := e.Set(capture.Target{BitRate: 1, KeyFrame: true}); err != nil {
		t.Error(err)
	}
	raw := capture.NewFramePool(32, 32, 20).Get()
	if err := e.Encode(raw); err == nil {
		t.Error("a raw frame was passed through")
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if err := e.Encode(coded(idr)); err == nil {
		t.Error("coded after Close")
	}
	if _, err := Passthrough(raw.Format, nil); err == nil {
		t.Error("raw frames are not coded")
	}
}

func TestPassthroughAllocatesNothing(t *testing.T) {
	e, err := Passthrough(coded().Format, func(*capture.Packet) {})
	if err != nil {
		t.Fatal(err)
	}
	f := coded(aud, sps, pps, idr)
	if got := testing.AllocsPerRun(20, func() {
		if err := e.Encode(f); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("%v allocations a frame, want 0", got)
	}
}

func TestMailbox(t *testing.T) {
	held := 0
	frame := func(pixel capture.Pixel, data []byte) *capture.Frame {
		held++
		f := capture.NewFrame(func(*capture.Frame) { held-- })
		f.Pixel, f.Planes[0] = pixel, data
		return f
	}
	var m mailbox
	put := func(f *capture.Frame) int { defer f.Release(); return m.put(f) }

	// Raw: the newest one.
	if n := put(frame(capture.I420, nil)); n != 0 {
		t.Errorf("%d passed over, want none", n)
	}
	if n := put(frame(capture.I420, []byte{2})); n != 1 || held != 1 {
		t.Errorf("%d passed over, %d held, want 1 and 1", n, held)
	}
	f := m.take()
	if f == nil || len(f.Planes[0]) != 1 || m.take() != nil {
		t.Fatal("want the newest frame, and no other")
	}
	f.Release()

	// Coded: all, in order, until there are too many; then none before a key frame.
	for i := range codedWaiting {
		if n := put(frame(capture.AVC, append(slices.Clone(slice), byte(i)))); n != 0 {
			t.Errorf("frame %d: %d passed over", i, n)
		}
	}
	if n := put(frame(capture.AVC, slice)); n != codedWaiting+1 || m.take() != nil {
		t.Errorf("%d passed over, want all", n)
	}
	if n := put(frame(capture.AVC, slice)); n != 1 {
		t.Errorf("%d passed over after a loss, want the one", n)
	}
	put(frame(capture.AVC, idr))
	put(frame(capture.AVC, slice))
	for i, want := range [][]byte{idr, slice} {
		f := m.take()
		if f == nil || !bytes.Equal(f.Planes[0], want) {
			t.Fatalf("frame %d after the loss is %v, want % x", i, f, want)
		}
		f.Release()
	}
	put(frame(capture.AVC, slice))
	m.shut()
	put(frame(capture.AVC, idr))
	if held != 0 || m.take() != nil {
		t.Errorf("%d frames held after the end", held)
	}
}
