//go:build cgo

package station

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/capture"
	"intercom/capture/capturetest"
	"intercom/capture/soft/openh264"
	"intercom/capture/soft/vpx"
	"intercom/capture/video"
	"intercom/signaling"
)

// filmCamera plays a film over and over.
type filmCamera struct {
	film []*capture.Frame
	fps  int
}

// Run is part of capture.Camera.
func (c *filmCamera) Run(ctx context.Context, out func(*capture.Frame)) error {
	tick := time.NewTicker(time.Second / time.Duration(c.fps))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-tick.C:
			f := c.film[n%len(c.film)]
			f.Time = now
			out(f)
		}
	}
}

// adaptMedia has the pictures of a real encoder and made-up sound.
type adaptMedia struct {
	*callcoretest.Media
	pictures *video.Source
}

// Open is part of callcore.Media.
func (m *adaptMedia) Open(c capture.Codec) (capture.Feed, error) {
	if c.IsVideo() {
		return m.pictures.Open(c)
	}
	return m.Media.Open(c)
}

// TestEncodersFollowTheNetwork is the whole way from a camera by real encoders and real
// WebRTC to a network that falls from 2 Mbit/s to 300 kbit/s and comes back.
func TestEncodersFollowTheNetwork(t *testing.T) {
	for codec, newEncoder := range map[capture.Codec]capture.NewEncoder{capture.H264: openh264.NewEncoder, capture.VP8: vpx.NewEncoder} {
		synctest.Test(t, func(t *testing.T) { testFollow(t, codec, newEncoder) })
	}
}

// adaptDoor is a door with a film, an encoder and made-up sound.
type adaptDoor struct {
	*callcore.Client
	w     *callcoretest.World
	media *callcoretest.Media
	stop  func()
}

func newAdaptDoor(t *testing.T, codec capture.Codec, newEncoder capture.NewEncoder, width, height, bitRate int) *adaptDoor {
	t.Helper()
	format := capture.Format{Pixel: capture.I420, Width: width, Height: height, FPS: 20}
	w := callcoretest.NewWorld(t)
	src, err := video.New(video.Config{
		Camera: &filmCamera{film: capturetest.Film(format, 40), fps: format.FPS}, Format: format, BitRate: bitRate,
		Encoders: map[capture.Codec]capture.NewEncoder{codec: newEncoder},
	})
	if err != nil {
		t.Fatal(err)
	}
	media := callcoretest.NewMedia(codec, capture.Opus)
	door, err := callcore.New(callcore.Config{
		Channel: w.Join(1, "door"), Net: w.Net(),
		Media: &adaptMedia{media, src},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- src.Run(ctx) }()
	go func() { ended <- door.Run(ctx) }()
	go func() {
		for range door.Events() {
		}
	}()
	synctest.Wait()
	return &adaptDoor{Client: door, w: w, media: media, stop: func() {
		cancel()
		<-ended
		<-ended
	}}
}

// call calls a phone and returns both sides of the call.
func (d *adaptDoor) call(t *testing.T, p *callcoretest.Phone) (out, in *callcore.Session) {
	t.Helper()
	out, err := d.NewSession(callcore.Invite{Users: []signaling.UserID{p.User}, CallType: signaling.Video})
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Call(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	in = callcoretest.Await[callcore.Incoming](p).Session
	if err := in.Accept(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	callcoretest.Await[callcore.MediaStarted](p)
	return out, in
}

func testFollow(t *testing.T, codec capture.Codec, newEncoder capture.NewEncoder) {
	door := newAdaptDoor(t, codec, newEncoder, 640, 480, 1_500_000)
	const queue = 37_500 // bytes: 150 ms at 2 Mbit/s, a second at 300 kbit/s
	narrow := door.w.NarrowNet(2_000_000, queue)
	phone := door.w.Phone(callcoretest.Spec{User: 2, Net: narrow.Net, Codecs: []capture.Codec{codec, capture.Opus}})
	out, in := door.call(t, phone)
	for _, part := range []struct {
		name  string
		bits  int
		lasts time.Duration
		least int // of the second half, bits a second
	}{{"wide", 2_000_000, 6 * time.Second, 400_000}, {"narrow", 300_000, 14 * time.Second, 120_000}, {"wide again", 2_000_000, 10 * time.Second, 300_000}} {
		narrow.Carry(part.bits, queue)
		gap, late, bits := follow(out, in, part.lasts)
		s := out.Stats()[0]
		t.Logf("%s, %s: longest gap %v, round trip at most %v in the second half, %d bit/s of pictures there; estimate %d, asked for %d, pictures of %dx%d", codec, part.name, gap, late, bits, s.Available, s.Video.Target, s.Video.PicturesSent.Width, s.Video.PicturesSent.Height)
		if gap >= time.Second {
			t.Errorf("%s, %s: no picture for %v", codec, part.name, gap)
		}
		if bits < part.least || bits > part.bits {
			t.Errorf("%s, %s: %d bit/s of pictures, want %d to %d", codec, part.name, bits, part.least, part.bits)
		}
		if late > 600*time.Millisecond {
			t.Errorf("%s, %s: a round trip of %v when it had settled", codec, part.name, late)
		}
	}
	if err := out.HangUp(t.Context(), nil); err != nil {
		t.Error(err)
	}
	phone.Stop()
	door.stop()
}

// TestOneSlowOfThree: two residents with good networks and one at 70 kbit/s share an encoder.
// The third goes on with sound alone; when its network is better it sees the door again.
func TestOneSlowOfThree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		door := newAdaptDoor(t, capture.H264, openh264.NewEncoder, 320, 240, 500_000)
		const queue = 20_000
		narrow := door.w.NarrowNet(1_000_000, queue)
		codecs := []capture.Codec{capture.H264, capture.Opus}
		a := door.w.Phone(callcoretest.Spec{User: 2, Codecs: codecs})
		b := door.w.Phone(callcoretest.Spec{User: 3, Codecs: codecs})
		c := door.w.Phone(callcoretest.Spec{User: 4, Codecs: codecs, Net: narrow.Net})
		phones := []*callcoretest.Phone{a, b, c}
		var out, in [3]*callcore.Session
		for i, p := range phones {
			out[i], in[i] = door.call(t, p)
		}
		fromDoor := func(i int) callcore.TrackStats { return in[i].Stats()[0].Video }
		// watch returns pictures and bits a second that each gets, and the most of pictures' gaps.
		watch := func(d time.Duration) (pictures [3]float64, bits [3]int, gap [3]time.Duration) {
			var first, was [3]callcore.TrackStats
			var last [3]time.Time
			start := time.Now()
			for i := range was {
				first[i], last[i] = fromDoor(i), start
			}
			was = first
			for time.Since(start) < d {
				time.Sleep(20 * time.Millisecond)
				for i := range was {
					got := fromDoor(i)
					if got.PicturesReceived.Count > was[i].PicturesReceived.Count {
						last[i] = time.Now()
					}
					was[i] = got
					gap[i] = max(gap[i], time.Since(last[i]))
				}
			}
			for i := range was {
				pictures[i] = float64(was[i].PicturesReceived.Count-first[i].PicturesReceived.Count) / d.Seconds()
				bits[i] = int(float64(8*(was[i].BytesReceived-first[i].BytesReceived)) / d.Seconds())
			}
			return pictures, bits, gap
		}
		show := func(name string, pictures [3]float64, bits [3]int, gap [3]time.Duration) {
			t.Logf("%s: pictures a second %.1f, bit/s %v, longest gaps %v", name, pictures, bits, gap)
		}
		pictures, bits, gap := watch(5 * time.Second)
		show("all are well", pictures, bits, gap)
		narrow.Carry(70_000, queue)
		pictures, bits, gap = watch(8 * time.Second)
		show("one falls to 70 kbit/s", pictures, bits, gap)
		if gap[0] > 300*time.Millisecond || gap[1] > 300*time.Millisecond {
			t.Errorf("the others saw nothing for %v and %v", gap[0], gap[1])
		}
		pictures, bits, gap = watch(12 * time.Second)
		show("later", pictures, bits, gap)
		for i := range 2 {
			if pictures[i] < 18 || bits[i] < 300_000 || gap[i] > 300*time.Millisecond {
				t.Errorf("phone %d gets %.1f pictures and %d bit/s: it is held back", i, pictures[i], bits[i])
			}
		}
		if pictures[2] > 5 {
			t.Errorf("the slow one still gets %.1f pictures a second", pictures[2])
		}
		narrow.Carry(1_000_000, queue)
		watch(40 * time.Second)
		pictures, bits, gap = watch(4 * time.Second)
		show("40 s after it is well again", pictures, bits, gap)
		for i := range 3 {
			if pictures[i] < 18 {
				t.Errorf("phone %d gets %.1f pictures a second", i, pictures[i])
			}
		}
		for i, p := range phones {
			if err := out[i].HangUp(t.Context(), nil); err != nil {
				t.Error(err)
			}
			p.Stop()
		}
		door.stop()
	})
}

// TestPicturesWithoutSound: the door has no sound, and its network is so narrow for a while
// that pictures stop. Then nothing at all is sent, and nothing shows that the network is well
// again; the pictures come back nevertheless.
func TestPicturesWithoutSound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		door := newAdaptDoor(t, capture.H264, openh264.NewEncoder, 320, 240, 500_000)
		door.media.Break(capture.Opus, errors.New("the sound card was pulled"))
		const queue = 20_000
		narrow := door.w.NarrowNet(1_000_000, queue)
		phone := door.w.Phone(callcoretest.Spec{User: 2, Codecs: []capture.Codec{capture.H264, capture.Opus}, Net: narrow.Net})
		out, in := door.call(t, phone)
		if gap, _, _ := follow(out, in, 5*time.Second); gap > time.Second {
			t.Errorf("no picture for %v when all is well", gap)
		}
		narrow.Carry(20_000, queue)
		gap, _, _ := follow(out, in, 20*time.Second)
		t.Logf("20 kbit/s: longest gap %v, estimate %d", gap, out.Stats()[0].Available)
		narrow.Carry(1_000_000, queue)
		start, was := time.Now(), in.Stats()[0].Video.PicturesReceived.Count
		for in.Stats()[0].Video.PicturesReceived.Count < was+10 && time.Since(start) < time.Minute {
			time.Sleep(20 * time.Millisecond)
		}
		took := time.Since(start)
		t.Logf("ten pictures after %v, estimate %d", took, out.Stats()[0].Available)
		if took > 16*time.Second {
			t.Errorf("ten pictures after %v, want 16s at most", took)
		}
		if gap, _, bits := follow(out, in, 20*time.Second); gap > time.Second || bits < 200_000 {
			t.Errorf("then no picture for %v, and %d bit/s", gap, bits)
		}
		if err := out.HangUp(t.Context(), nil); err != nil {
			t.Error(err)
		}
		phone.Stop()
		door.stop()
	})
}

// follow watches a call for a while: the longest time without a picture, and for the second
// half of it the longest round trip and the bits a second of pictures.
func follow(out, in *callcore.Session, d time.Duration) (gap, late time.Duration, bits int) {
	const tick = 20 * time.Millisecond
	start := time.Now()
	last, half := start, in.Stats()[0].Video
	was := half
	for now := start; now.Sub(start) < d; now = time.Now() {
		time.Sleep(tick)
		got := in.Stats()[0].Video
		if got.PicturesReceived.Count > was.PicturesReceived.Count {
			last = time.Now()
		}
		was = got
		gap = max(gap, time.Since(last))
		if now.Sub(start) < d/2 {
			half = got
		} else {
			late = max(late, out.Stats()[0].Audio.RoundTrip)
		}
	}
	return gap, late, int(float64(8*(was.BytesReceived-half.BytesReceived)) / (d / 2).Seconds())
}
