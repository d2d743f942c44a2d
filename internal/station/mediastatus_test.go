package station

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/capture"
	"intercom/internal/control"
)

// inCall has Anna answer the door, and returns her phone and her side of the call.
func (r *rig) inCall() (*callcoretest.Phone, *callcore.Session) {
	r.t.Helper()
	a := r.world.Phone(callcoretest.Spec{User: anna, Device: "phone-a"})
	r.press("call")
	call := callcoretest.Await[callcore.Incoming](a)
	if err := call.Session.Accept(r.t.Context(), nil); err != nil {
		r.t.Fatal(err)
	}
	r.expect(control.Connected)
	return a, call.Session
}

// TestMediaStatus: what the status tells of a call's pictures and sound is what they are.
func TestMediaStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		echo := control.Echo{State: control.EchoCancelled, Delay: 61, ERLE: 34}
		r := newRig(t, func(c *Config) { c.Echo = func() control.Echo { return echo } })
		defer r.end()
		m := r.Status().Media
		if m.Camera.State != "off" || m.Sound.State != "off" || len(m.Viewers) != 0 || m.Viewers == nil || m.Echo == nil || *m.Echo != echo {
			t.Errorf("before: %+v", m)
		}
		a, _ := r.inCall()
		near := func(when, what string, got, want float64) {
			t.Helper()
			if math.Abs(got-want) > 0.15*want {
				t.Errorf("%s: %s is %.1f, want about %.1f", when, what, got, want)
			}
		}
		for _, when := range []string{"early", "later"} {
			time.Sleep(8 * time.Second)
			m = r.Status().Media
			if m.Camera.State != "delivering" || m.Camera.Pixels != "I420" || m.Camera.Width != 160 || m.Camera.Height != 120 || m.Camera.Frames < 35 || m.Camera.Spoiled != 0 {
				t.Errorf("%s: camera %+v", when, m.Camera)
			}
			near(when, "the camera's rate", m.Camera.FPS, 5)
			if m.Sound.State != "on" || m.Sound.Overruns != 0 {
				t.Errorf("%s: sound %+v", when, m.Sound)
			}
			if len(m.Viewers) != 1 {
				t.Fatalf("%s: %d residents, want Anna", when, len(m.Viewers))
			}
			s := m.Viewers[0]
			if s.User != int64(anna) || s.Codec != string(capture.VP8) || s.Lost != 0 || s.LostSent != 0 || s.RoundTrip <= 0 || s.Delay < 10 || s.Delay > 130 || s.Concealed > 0.05 {
				t.Errorf("%s: %+v", when, s)
			}
			near(when, "pictures a second", s.FPS, 5)
			near(when, "kbit/s of pictures", s.BitRate, 5*100*8/1000.0)
			near(when, "kbit/s of sound sent", s.SoundOut, 50*3*8/1000.0)
			if again := r.Status().Media.Viewers[0]; again.FPS != s.FPS || again.BitRate != s.BitRate {
				t.Errorf("%s: asked at once again, the rates are others: %+v, %+v", when, s, again)
			}
		}
		r.press("hang-up")
		callcoretest.Await[callcore.HungUp](a)
		time.Sleep(time.Second)
		if m = r.Status().Media; m.Camera.State != "off" || m.Sound.State != "off" || len(m.Viewers) != 0 || m.Camera.Frames < 70 {
			t.Errorf("after: %+v", m)
		}
	})
}

// moody is a camera that behaves as it is told to.
type moody struct {
	camera capture.Camera
	mu     sync.Mutex
	err    error // it is lost with this
	mute   bool
	share  int // of 100 pictures that are spoiled
	n      int
	bad    int64
}

func (c *moody) set(err error, mute bool, share int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err, c.mute, c.share = err, mute, share
}

func (c *moody) Spoiled() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bad
}

// judge says what becomes of the next picture.
func (c *moody) judge() (deliver bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	if c.share > 0 && c.n%(100/c.share) == 0 {
		c.bad++
		return false, c.err
	}
	return !c.mute, c.err
}

func (c *moody) Run(ctx context.Context, out func(*capture.Frame)) error {
	if _, err := c.judge(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err := c.camera.Run(ctx, func(f *capture.Frame) {
		deliver, err := c.judge()
		if err != nil {
			cancel(err)
		} else if deliver {
			out(f)
		}
	})
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// TestBadCamera: whatever is wrong with a camera is a health condition that says what, is in
// the status, and ends when the camera is well. The call goes on.
func TestBadCamera(t *testing.T) {
	for _, test := range []struct {
		name  string
		err   error
		mute  bool
		share int
		state string
		says  string
	}{
		{name: "missing", err: errors.New(`camera "Doorbell": no camera has this name`), state: "absent", says: "no camera has this name"},
		{name: "busy", err: errors.New("camera /dev/video0: another program uses it"), state: "absent", says: "another program uses it"},
		{name: "lies about its size", err: errors.New("camera: 30 spoiled pictures in a row: 115200 bytes are no YUYV picture of 320x240"), state: "absent", says: "30 spoiled pictures in a row"},
		{name: "disappears", err: errors.New("camera: it was unplugged"), state: "absent", says: "unplugged"},
		{name: "stalls", mute: true, state: "absent", says: "it delivers no pictures"},
		{name: "corrupt pictures", share: 50, state: "delivering", says: "were spoiled"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cam := &moody{}
				r := newRig(t, func(c *Config) { cam.camera, c.Camera = c.Camera, cam })
				defer r.end()
				a, session := r.inCall()
				time.Sleep(3 * time.Second)
				cam.set(test.err, test.mute, test.share)
				e := r.expect(control.HealthChanged)
				if e.Name != "camera" || !strings.Contains(e.Reason, test.says) {
					t.Errorf("got %+v, want that the camera %q", e, test.says)
				}
				st := r.Status()
				if len(st.Health) != 1 || st.Health[0].Name != "camera" || !strings.Contains(st.Health[0].Text, test.says) || st.Media.Camera.State != test.state || st.State != "talking" {
					t.Errorf("status %+v of the camera, %+v, %s", st.Media.Camera, st.Health, st.State)
				}
				if spoiled := st.Media.Camera.Spoiled > 0; spoiled != (test.share > 0) {
					t.Errorf("%d spoiled pictures", st.Media.Camera.Spoiled)
				}
				cam.set(nil, false, 0)
				if e := r.expect(control.HealthChanged); e.Name != "camera" || e.Reason != "" {
					t.Errorf("got %+v, want that the camera is well again", e)
				}
				time.Sleep(3 * time.Second)
				if st := r.Status(); len(st.Health) != 0 || st.Media.Camera.State != "delivering" || st.State != "talking" {
					t.Errorf("afterwards: %+v, %+v, %s", st.Media.Camera, st.Health, st.State)
				}
				if err := session.HangUp(t.Context(), nil); err != nil {
					t.Error(err)
				}
				callcoretest.Await[callcore.Closed](a)
			})
		})
	}
}

// shaky is a sound card that is lost when it is told to.
type shaky struct {
	card capture.Duplex
	mu   sync.Mutex
	err  error
}

func (c *shaky) set(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func (c *shaky) get() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *shaky) Run(ctx context.Context, period func(mic, speaker []int16)) error {
	if err := c.get(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err := c.card.Run(ctx, func(mic, speaker []int16) {
		if err := c.get(); err != nil {
			cancel(err)
		}
		period(mic, speaker)
	})
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// TestBadCard is the same for the sound card.
func TestBadCard(t *testing.T) {
	for name, lost := range map[string]error{
		"missing":    errors.New(`microphone "Headset": no sound card has this name`),
		"busy":       errors.New("sound card: open: device or resource busy"),
		"disappears": errors.New("sound card: it was unplugged"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				card := &shaky{}
				r := newRig(t, func(c *Config) { card.card, c.Duplex = c.Duplex, card })
				defer r.end()
				r.inCall()
				time.Sleep(time.Second)
				card.set(lost)
				if e := r.expect(control.HealthChanged); e.Name != "sound" || !strings.Contains(e.Reason, lost.Error()) {
					t.Errorf("got %+v, want %q", e, lost)
				}
				if st := r.Status(); len(st.Health) != 1 || st.Health[0].Name != "sound" || st.Media.Sound.State != "opening" || st.State != "talking" {
					t.Errorf("status %+v of the sound, %+v, %s", st.Media.Sound, st.Health, st.State)
				}
				card.set(nil)
				if e := r.expect(control.HealthChanged); e.Name != "sound" || e.Reason != "" {
					t.Errorf("got %+v, want that the sound is well again", e)
				}
				if st := r.Status(); len(st.Health) != 0 || st.Media.Sound.State != "on" {
					t.Errorf("afterwards: %+v, %+v", st.Media.Sound, st.Health)
				}
			})
		})
	}
}
