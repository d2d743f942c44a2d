package station

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/door"
	"intercom/hw"
	"intercom/hw/press"
	"intercom/hw/sim"
	"intercom/internal/control"
)

// stuck is how long a button must be held until it is called stuck.
const stuck = 30 * time.Second

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

// TestPressStorm: a loose contact calls a few times and is reported; then it calls nobody until
// it is calm, while other buttons work.
func TestPressStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) {
			c.Presses = press.Config{Burst: 5}
			c.Door.Buttons = append(c.Door.Buttons, door.Button{Name: "hang-up 2", HangUp: true})
		})
		defer r.end()
		for range 50 {
			r.press("hang-up")
		}
		if e := r.expect(control.HealthChanged); e.Name != "presses of hang-up" || !strings.Contains(e.Reason, "contact") {
			t.Errorf("storm: %+v", e)
		}
		r.press("call")
		r.expect(control.Ringing)
		if e := r.expect(control.Ignored); e.Name != "hang-up" || e.Text != `45 presses of "hang-up" were ignored` {
			t.Errorf("calm: %+v", e)
		}
		if e := r.expect(control.HealthChanged); e.Name != "presses of hang-up" || e.Reason != "" {
			t.Errorf("calm: %+v", e)
		}
		pressed := 0
		for _, e := range r.events {
			if e.Type == control.Pressed && e.Name == "hang-up" {
				pressed++
			}
		}
		if pressed != 5 {
			t.Errorf("%d presses, want 5", pressed)
		}
		r.press("hang-up")
		r.expect(control.Ended)
	})
}

// TestManyButtons: there is no limit to them, and keys of a keypad are among them.
func TestManyButtons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const buttons = 300
		var keys []Key
		r := newRig(t, func(c *Config) {
			names := []string{"call", "hang-up", "status", "door"}
			for i := range buttons {
				name := "flat " + strconv.Itoa(i)
				names = append(names, name)
				c.Door.Buttons = append(c.Door.Buttons, door.Button{Name: name, HangUp: true})
				c.Buttons = append(c.Buttons, Button{Label: name, Line: hw.Line{Name: name}})
			}
			for _, symbol := range "0123456789*#" {
				keys = append(keys, Key{Line: hw.Line{Name: "key " + string(symbol)}, Symbol: symbol})
				names = append(names, "key "+string(symbol))
			}
			var err error
			if c.Lines, err = sim.New(sim.Config{Names: names}); err != nil {
				t.Fatal(err)
			}
			c.Keypad = keys
		})
		defer r.end()
		r.board = r.cfg.Lines.(*sim.Board)
		for _, i := range []int{0, 150, buttons - 1} {
			name := "flat " + strconv.Itoa(i)
			r.press(name)
			if e := r.expect(control.Pressed); e.Name != name {
				t.Errorf("pressed %+v, want %s", e, name)
			}
		}
		// A key is no button.
		r.press("key 7")
		synctest.Wait()
		for len(r.more) > 0 {
			if e := <-r.more; e.Type == control.Pressed {
				t.Errorf("a key: %+v", e)
			}
		}
	})
}
