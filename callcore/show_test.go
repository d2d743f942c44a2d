package callcore

import (
	"errors"
	"testing"
	"time"

	"github.com/pion/rtp"

	"intercom/capture"
)

// sight is a capture.Viewer.
type sight struct {
	sizes []int
	keys  []bool
	err   error
}

func (s *sight) View(p *capture.Packet) error {
	s.sizes, s.keys = append(s.sizes, len(p.Data)), append(s.keys, p.Key)
	return s.err
}
func (s *sight) Close() error { return nil }

// TestScreen: pictures are whole and begin with a key frame; after a loss, or what cannot be
// decoded, one is asked for, now and then.
func TestScreen(t *testing.T) {
	w := &wire{keep: true}
	k := bound(t, capture.VP8, w)
	key, inter := append(readFile(t, "black/320x240.vp8"), make([]byte, 5000)...), append([]byte{1}, make([]byte, 3000)...)
	at := time.Unix(1e9, 0)
	packets := func(data []byte) []rtp.Packet {
		t.Helper()
		w.packets = nil
		at = at.Add(50 * time.Millisecond)
		if err := k.write(&capture.Packet{Codec: capture.VP8, Data: data, Time: at, Key: data[0]&1 == 0}); err != nil {
			t.Fatal(err)
		}
		return w.packets
	}
	asked := 0
	v := new(sight)
	s := newScreen(capture.VP8, v, func() { asked++ })
	take := func(list []rtp.Packet) {
		t.Helper()
		for _, p := range list {
			b, err := p.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			s.take(b, at)
		}
	}
	check := func(what string, pictures, requests int) {
		t.Helper()
		if len(v.sizes) != pictures || asked != requests {
			t.Errorf("%s: %d pictures and %d requests, want %d and %d", what, len(v.sizes), asked, pictures, requests)
		}
	}
	take(packets(key)) // of which the track wants one first
	take(packets(inter))
	take(packets(inter))
	check("a key frame and two others", 2, 0) // the third is known to be whole when there is a fourth
	if v.sizes[0] != len(key) || v.sizes[1] != len(inter) || !v.keys[0] || v.keys[1] {
		t.Fatalf("pictures of %v bytes, key frames %v", v.sizes, v.keys)
	}
	late := packets(inter)
	late[0], late[1] = late[1], late[0]
	take(late)
	check("packets that change places", 3, 0)
	k.header.SequenceNumber++ // padding
	take([]rtp.Packet{{Header: rtp.Header{Version: 2, SequenceNumber: k.header.SequenceNumber - 1, Timestamp: w.packets[0].Timestamp}}})
	take(packets(inter))
	check("padding", 4, 0)
	packets(inter) // lost
	for range 20 {
		take(packets(inter))
	}
	if len(v.sizes) != 4 || asked < 1 || asked > 3 {
		t.Errorf("after a loss: %d pictures and %d requests in a second", len(v.sizes), asked)
	}
	before := asked
	take(packets(key))
	take(packets(inter))
	check("after the loss", 5, before) // by the key frame
	v.err = errors.New("damaged")
	at = at.Add(time.Second)
	take(packets(inter))
	v.err = nil
	take(packets(inter))
	check("what cannot be decoded", 6, before+1)
	s.take([]byte{1, 2, 3}, at)
}
