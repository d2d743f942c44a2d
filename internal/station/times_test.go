package station

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/capture"
	"intercom/capture/synth"
	"intercom/internal/control"
)

// rareKeys codes a key frame first, and then only on demand.
type rareKeys struct {
	coder
	key atomic.Bool
}

func (c *rareKeys) Encode(f *capture.Frame) error {
	var pool capture.PacketPool
	p := pool.Get(100)
	p.Time, p.Key, p.Codec = f.Time, c.key.Swap(false), capture.VP8
	p.Data[0] = 1
	if p.Key {
		p.Data[0] = 0 // RFC 6386, 9.1
	}
	c.out(p)
	p.Release()
	return nil
}

func (c *rareKeys) Set(t capture.Target) error {
	if t.KeyFrame {
		c.key.Store(true)
	}
	return nil
}

// TestTimes: two phones ring long after the last key frame, and the one that answers gets
// another with the first picture; the status, the events and the log tell how long all took.
func TestTimes(t *testing.T) {
	const period = time.Second / 20
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) {
			cam, err := synth.NewCamera(synth.CameraConfig{Width: 160, Height: 120, FPS: 20})
			if err != nil {
				t.Fatal(err)
			}
			c.Camera, c.Format = cam, cam.Format()
			c.Encoders[capture.VP8] = func(_ capture.Format, out func(*capture.Packet)) (capture.Encoder, error) {
				e := &rareKeys{coder: coder{out}}
				e.key.Store(true)
				return e, nil
			}
		})
		defer r.end()
		r.world.Phone(callcoretest.Spec{User: anna})
		b := r.world.Phone(callcoretest.Spec{User: ben})
		time.Sleep(5 * time.Second)
		pressed := time.Now()
		r.press("call")
		in := callcoretest.Await[callcore.Incoming](b)
		if got := in.Time.Sub(pressed); got != r.world.Hub.Delay {
			t.Errorf("the phone rang after %v, want %v", got, r.world.Hub.Delay)
		}
		time.Sleep(7 * time.Second)
		if err := in.Session.Accept(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		picture := callcoretest.AwaitWhere(b, func(e callcore.MediaStarted) bool { return e.Codec == capture.VP8 })
		if took := picture.Time.Sub(in.Session.Timeline()[0].DTLS); took > period+5*time.Millisecond {
			t.Errorf("the picture came %v after the keys", took)
		}
		e := r.expect(control.Timed)
		if e.Times == nil || !e.Times.Pressed.Equal(pressed) || !e.Times.Sent.Equal(pressed) || e.User != int64(ben) || !strings.HasPrefix(e.Text, "answered in 7") {
			t.Errorf("timed: %+v with %+v", e, e.Times)
		}
		if st := r.Status(); st.Call == nil || st.Call.Times == nil || *st.Call.Times != *e.Times {
			t.Errorf("status %+v, want %+v", st.Call, e.Times)
		}
	})
}
