//go:build cgo

package station

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/transport/v4/vnet"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/capture"
	"intercom/capture/capturetest"
	"intercom/capture/display"
	"intercom/capture/soft/openh264"
	"intercom/capture/soft/vpx"
	"intercom/signaling"
)

// film is a callcore.Source with real pictures, really coded.
type film struct {
	codecs map[capture.Codec]capture.NewEncoder
}

var filmFormat = capture.Format{Pixel: capture.I420, Width: 320, Height: 240, FPS: 20}

func (s film) Open(c capture.Codec) (capture.Feed, error) {
	f := &filmFeed{pool: capture.NewFramePool(filmFormat.Width, filmFormat.Height, filmFormat.FPS), closed: make(chan struct{}), due: time.Now()}
	e, err := s.codecs[c](filmFormat, func(p *capture.Packet) { p.Retain(); f.made = p })
	f.encoder = e
	return f, err
}

// filmFeed codes a frame for each Next.
type filmFeed struct {
	encoder capture.Encoder
	pool    *capture.FramePool
	made    *capture.Packet
	n       int
	due     time.Time
	key     atomic.Bool
	once    sync.Once
	closed  chan struct{}
}

func (f *filmFeed) Next(ctx context.Context) (*capture.Packet, error) {
	for f.made = nil; f.made == nil; f.n++ {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.closed:
			f.encoder.Close()
			return nil, capture.ErrClosed
		case <-time.After(time.Until(f.due)):
		}
		f.due = f.due.Add(time.Second / time.Duration(filmFormat.FPS))
		if f.key.Swap(false) {
			if err := f.encoder.Set(capture.Target{KeyFrame: true}); err != nil {
				return nil, err
			}
		}
		frame := f.pool.Get()
		frame.Time = time.Now()
		capturetest.Paint(frame, f.n)
		for y := range frame.Height { // bars: dark at the left, bright at the right
			row := frame.Planes[0][y*frame.Stride[0]:][:frame.Width]
			for x := range bar {
				row[x], row[len(row)-1-x] = 40, 200
			}
		}
		err := f.encoder.Encode(frame)
		frame.Release()
		if err != nil {
			return nil, err
		}
	}
	return f.made, nil
}

func (f *filmFeed) Demand(d capture.Demand) {
	if d.KeyFrame {
		f.key.Store(true)
	}
}

func (f *filmFeed) Close() error { f.once.Do(func() { close(f.closed) }); return nil }

// TestDisplay: what a peer shows is seen, decoded, on a surface: whole, mirrored, also over a
// network that loses packets, and black when the peer's camera is muted. Both codecs.
func TestDisplay(t *testing.T) {
	decoders := map[capture.Codec]func() (display.Decoder, error){
		capture.VP8:  func() (display.Decoder, error) { return vpx.NewDecoder() },
		capture.H264: func() (display.Decoder, error) { return openh264.NewDecoder() },
	}
	source := film{map[capture.Codec]capture.NewEncoder{capture.VP8: vpx.NewEncoder, capture.H264: openh264.NewEncoder}}
	for _, c := range []struct {
		codec capture.Codec
		loss  int64 // one packet in so many; zero: none
	}{{capture.VP8, 0}, {capture.H264, 0}, {capture.VP8, 20}, {capture.H264, 20}} {
		t.Run(fmt.Sprint(c.codec, ", loss ", c.loss), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := callcoretest.NewWorld(t)
				var seen atomic.Int64
				var last atomic.Pointer[capture.Frame]
				surface, err := display.New(display.Config{Width: 320, Height: 240, Decoders: decoders, Out: func(f *capture.Frame) {
					f.Retain()
					if was := last.Swap(f); was != nil {
						was.Release()
					}
					seen.Add(1)
				}})
				if err != nil {
					t.Fatal(err)
				}
				indoor := w.Phone(callcoretest.Spec{User: 1, Display: surface})
				phone := w.Phone(callcoretest.Spec{User: 2, Codecs: []capture.Codec{c.codec, capture.Opus}})
				s, err := phone.NewSession(callcore.Invite{Users: []signaling.UserID{1}, CallType: signaling.Video})
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Replace(callcore.VideoTrack, source); err != nil {
					t.Fatal(err)
				}
				if err := s.Call(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				if err := callcoretest.Await[callcore.Incoming](indoor).Session.Accept(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				callcoretest.AwaitWhere(indoor, func(e callcore.MediaStarted) bool { return e.Codec == c.codec })
				var n atomic.Int64
				if c.loss > 0 {
					w.Filter(func(k vnet.Chunk) bool { return len(k.UserData()) < 200 || n.Add(1)%c.loss != 0 })
				}
				time.Sleep(time.Second)
				before := seen.Load()
				time.Sleep(3 * time.Second)
				if got := seen.Load() - before; got < 50 {
					t.Errorf("%d pictures in 3s, want nearly 60", got)
				}
				if l, r := edges(last.Load()); l < 35 || l > 45 || r < 195 || r > 205 {
					t.Errorf("brightness %d at the left and %d at the right", l, r)
				}
				surface.SetMirror(true)
				time.Sleep(200 * time.Millisecond)
				if l, r := edges(last.Load()); l < 195 || r > 45 {
					t.Errorf("mirrored: brightness %d at the left and %d at the right", l, r)
				}
				s.Mute(callcore.VideoTrack, true)
				time.Sleep(3 * time.Second)
				if l, r := edges(last.Load()); l > 17 || r > 17 {
					t.Errorf("muted: brightness %d at the left and %d at the right, want black", l, r)
				}
			})
		})
	}
}

// bar is the width of the film's bars.
const bar = 40

// edges is the mean brightness where the bars are.
func edges(f *capture.Frame) (left, right int) {
	for y := range f.Height {
		row := f.Planes[0][y*f.Stride[0]:][:f.Width]
		for x := range bar {
			left += int(row[x])
			right += int(row[len(row)-1-x])
		}
	}
	n := bar * f.Height
	return left / n, right / n
}
