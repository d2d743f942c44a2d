//go:build cgo

package station

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/capture"
	"intercom/capture/soft/openh264"
	"intercom/capture/video"
	"intercom/internal/control"
)

// codingCamera codes its pictures by itself, with a key frame every two seconds, until it is
// unplugged.
type codingCamera struct {
	camera    capture.Camera
	unplugged atomic.Bool
}

func (c *codingCamera) Run(ctx context.Context, out func(*capture.Frame)) error {
	unplugged := errors.New("it was unplugged")
	if c.unplugged.Load() {
		return unplugged
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	format := capture.Format{Pixel: capture.I420, Width: 160, Height: 120, FPS: 5}
	var pool capture.CodedPool
	e, err := openh264.NewEncoder(format, func(p *capture.Packet) {
		coded := format
		coded.Pixel = capture.AVC
		f := pool.Get(coded, p.Data)
		f.Time = p.Time
		out(f)
		f.Release()
	})
	if err != nil {
		return err
	}
	defer e.Close()
	n := 0
	err = c.camera.Run(ctx, func(f *capture.Frame) {
		if c.unplugged.Load() {
			cancel(unplugged)
			return
		}
		if err := errors.Join(e.Set(capture.Target{KeyFrame: n%10 == 0}), e.Encode(f)); err != nil {
			cancel(err)
		}
		n++
	})
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// TestCodingCamera: a camera that codes by itself has snapshots in a call, and while it is
// away the resident gets the sign.
func TestCodingCamera(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cam := &codingCamera{}
		r := newRig(t, func(c *Config) {
			cam.camera, c.Camera = c.Camera, cam
			c.Format.Pixel = capture.AVC
			c.Codecs = []capture.Codec{capture.H264}
			c.Encoders = map[capture.Codec]capture.NewEncoder{capture.H264: video.Passthrough}
			c.CodeSign = openh264.NewEncoder
			c.NewPictureDecoder = func() (video.Decoder, error) { return openh264.NewDecoder() }
		})
		defer r.end()
		a := r.world.Phone(callcoretest.Spec{User: anna, Codecs: []capture.Codec{capture.H264, capture.Opus}})
		r.press("call")
		in := callcoretest.Await[callcore.Incoming](a).Session
		if err := in.Accept(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		r.expect(control.Connected)
		received := func() uint64 { return in.Stats()[0].Video.PicturesReceived.Count }
		for range 2 {
			time.Sleep(3 * time.Second)
			picture, err := r.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			img, err := jpeg.Decode(bytes.NewReader(picture))
			if err != nil || img.Bounds().Dx() != 160 || img.Bounds().Dy() != 120 {
				t.Fatalf("the snapshot is %v, %v", img, err)
			}
			// The test picture's bars are light and dark.
			light, dark := 0, 0
			for x := range 160 {
				for y := range 120 {
					if _, green, _, _ := img.At(x, y).RGBA(); green>>8 > 170 {
						light++
					} else if green>>8 < 64 {
						dark++
					}
				}
			}
			if part := 160 * 120 / 20; light < part || dark < part {
				t.Errorf("the snapshot has %d light and %d dark points, want some of each", light, dark)
			}
		}
		if m := r.Status().Media.Camera; m.State != "delivering" || m.Pixels != "H264" || m.Spoiled != 0 {
			t.Errorf("camera %+v", m)
		}
		cam.unplugged.Store(true)
		if e := r.expect(control.HealthChanged); e.Name != "camera" {
			t.Errorf("got %+v", e)
		}
		before := received()
		time.Sleep(4 * time.Second)
		if n := received() - before; n < 15 {
			t.Errorf("%d pictures in 4 s that the camera was away, want the sign's 20", n)
		}
		cam.unplugged.Store(false)
		r.expect(control.HealthChanged)
		before = received()
		time.Sleep(6 * time.Second)
		if n := received() - before; n < 20 {
			t.Errorf("%d pictures in 6 s after the camera is back, want 30", n)
		}
	})
}
