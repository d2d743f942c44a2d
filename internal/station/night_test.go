package station

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/capture"
	"intercom/hw"
	"intercom/hw/sim"
	"intercom/internal/control"
)

// gloom is a camera whose pictures are of one shade.
type gloom struct {
	camera capture.Camera
	luma   atomic.Int64
}

func (c *gloom) Run(ctx context.Context, out func(*capture.Frame)) error {
	pool := capture.NewFramePool(160, 120, 5)
	return c.camera.Run(ctx, func(f *capture.Frame) {
		g := pool.Get()
		g.Time = f.Time
		for i := range g.Planes[0] {
			g.Planes[0][i] = byte(c.luma.Load())
		}
		out(g)
		g.Release()
	})
}

// TestNightLight: at night the line is active during the call, and it is told and written
// down; between calls it is not, as the camera is off then. By day it never is.
func TestNightLight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cam := &gloom{}
		cam.luma.Store(20)
		r := newRig(t, func(c *Config) {
			cam.camera, c.Camera = c.Camera, cam
			var err error
			board, err := sim.New(sim.Config{Names: []string{"call", "hang-up", "status", "door", "ir"}})
			if err != nil {
				t.Fatal(err)
			}
			c.Lines, c.Night = board, hw.Line{Name: "ir"}
		})
		defer r.end()
		board := r.cfg.Lines.(*sim.Board)
		r.board = board
		a := r.world.Phone(callcoretest.Spec{User: anna})
		call := func() *callcore.Session {
			r.press("call")
			in := callcoretest.Await[callcore.Incoming](a)
			if err := in.Session.Accept(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			r.expect(control.Connected)
			return in.Session
		}
		if board.Active("ir") {
			t.Error("the lamp is lit before anybody rings")
		}
		s := call()
		r.press("call") // nothing: it is in use
		time.Sleep(5 * time.Second)
		if st := r.Status(); !board.Active("ir") || st.Brightness == nil || !st.Brightness.Dark || st.Brightness.Luma != 20 {
			t.Errorf("at night: lamp %v, brightness %+v", board.Active("ir"), st.Brightness)
		}
		if err := s.HangUp(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		r.expect(control.Ended)
		time.Sleep(time.Second)
		if board.Active("ir") {
			t.Error("the lamp is lit after the call")
		}
		dark := 0
		for _, e := range r.events {
			if e.Type == control.GotDark && strings.Contains(e.Text, "brightness 20") {
				dark++
			}
		}
		if dark != 1 {
			t.Errorf("told %d times that it is dark, want once; events %v", dark, r.events)
		}
		cam.luma.Store(140)
		s = call()
		r.expect(control.GotLight)
		time.Sleep(5 * time.Second)
		if board.Active("ir") {
			t.Error("the lamp is lit by day")
		}
		if err := s.HangUp(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		r.expect(control.Ended)
	})
}

// stubborn is a line that cannot be driven for a while.
type stubborn struct {
	hw.Output
	fails atomic.Bool
	level atomic.Bool
}

func (s *stubborn) Set(on bool) error {
	if s.fails.Load() {
		return errors.New("no such device")
	}
	s.level.Store(on)
	return nil
}

// TestNightLineFails: a line that cannot be driven is a condition, and is tried again.
func TestNightLineFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := &stubborn{}
		var wrong atomic.Bool
		l := &nightLamp{line: line, report: func(err error) { wrong.Store(err != nil) }, wants: make(chan bool, 1)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.run(ctx) }()
		synctest.Wait()
		line.fails.Store(true)
		l.want(false)
		l.want(true)
		time.Sleep(3 * time.Second)
		if !wrong.Load() || line.level.Load() {
			t.Errorf("reported %v, line %v", wrong.Load(), line.level.Load())
		}
		line.fails.Store(false)
		time.Sleep(2 * time.Second)
		if wrong.Load() || !line.level.Load() {
			t.Errorf("reported %v, line %v; want it active", wrong.Load(), line.level.Load())
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) || line.level.Load() {
			t.Errorf("ended with %v, line %v; want it inactive", err, line.level.Load())
		}
	})
}
