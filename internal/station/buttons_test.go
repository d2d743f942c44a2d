package station

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/hw/sim"
	"intercom/internal/control"
)

// TestStuckButton: one that is stuck calls once, and never as the station starts, however
// often that is; it is reported, and works again when it is free.
func TestStuckButton(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) {
			if err := c.Lines.(*sim.Board).Drive("call", true); err != nil {
				t.Fatal(err)
			}
		})
		defer r.end()
		start := time.Now()
		checkStuck := func() {
			e := r.expect(control.HealthChanged)
			if e.Name != "button call" || !strings.Contains(e.Reason, "stuck") {
				t.Errorf("stuck: %+v", e)
			}
			if d := time.Since(start); d < stuck || d > stuck+2*settle {
				t.Errorf("reported after %v, want %v", d, stuck)
			}
			if err := r.board.Release("call"); err != nil {
				t.Fatal(err)
			}
			if e := r.expect(control.HealthChanged); e.Name != "button call" || e.Reason != "" {
				t.Errorf("free again: %+v", e)
			}
		}
		checkStuck()
		if slices.ContainsFunc(r.events, func(e control.Event) bool { return e.Type == control.Pressed }) {
			t.Errorf("a button that was held as the station started: %+v", r.events)
		}

		start = time.Now()
		if err := r.board.Press("call"); err != nil {
			t.Fatal(err)
		}
		r.expect(control.Pressed)
		checkStuck()
		time.Sleep(time.Minute)
		pressed := 0
		for len(r.more) > 0 {
			r.events = append(r.events, <-r.more)
		}
		for _, e := range r.events {
			if e.Type == control.Pressed && e.Name == "call" {
				pressed++
			}
		}
		if pressed != 1 {
			t.Errorf("%d presses, want 1", pressed)
		}
	})
}
