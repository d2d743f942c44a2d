package main

import (
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"

	"intercom/hw"
	"intercom/hw/cdev"
	"intercom/hw/sim"
	"intercom/internal/conf"
)

// TestWiringOfRealLines has no simulated line at all.
func TestWiringOfRealLines(t *testing.T) {
	c := demoConfig(demoAccounts())
	c.Button[0].Line, c.HangUp.Line, c.Light.Line, c.Lock[0].Line = "A", "B", "C", "D"
	if _, err := newWiring(c, nil); err != nil {
		t.Error(err)
	}
}

// TestWiring has a button and the lock on lines of a chip, and the light simulated.
func TestWiring(t *testing.T) {
	c := demoConfig(demoAccounts())
	c.Button[0].Line, c.Lock[0].Line, c.Lock[0].ActiveLow = "P1_11", "gpiochip0:5", true
	w, err := newWiring(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	chip, err := sim.New(sim.Config{Names: []string{"P1_11", "gpiochip0:5"}})
	if err != nil {
		t.Fatal(err)
	}
	w.chips = chip
	in, err := w.Inputs(c.Button[0].named("call"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := chip.Press("P1_11"); err != nil {
		t.Fatal(err)
	}
	for _, pressed := range []bool{false, true} {
		if e, err := in.Next(t.Context()); err != nil || e.Line != "call" || e.Active != pressed {
			t.Errorf("%+v, %v; want the line called call, %v", e, err, pressed)
		}
	}
	lock, err := w.Output(c.Lock[0].named("door"), false)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if high := chip.High("gpiochip0:5"); !high {
		t.Error("the lock's line is low at rest, and it is active low")
	}
	light, err := w.Output(c.Light.named("status"), true)
	if err != nil {
		t.Fatal(err)
	}
	defer light.Close()
	if w.presser("call") != nil {
		t.Error("a real button can be pressed by a command")
	}
	if w, err := newWiring(demoConfig(demoAccounts()), nil); err != nil || w.presser("call") == nil {
		t.Errorf("a simulated button cannot be pressed (%v)", err)
	}
}

func TestInputLine(t *testing.T) {
	none := conf.Duration(0)
	for name, tt := range map[string]struct {
		wire inputWire
		want hw.Line
	}{
		"simulated":   {inputWire{}, hw.Line{Name: "x"}},
		"real":        {inputWire{wire: wire{Line: "GPIO4"}}, hw.Line{Name: "x", Debounce: defaultDebounce}},
		"all of it":   {inputWire{wire: wire{"GPIO4", true}, Pull: "up", Debounce: &none}, hw.Line{Name: "x", ActiveLow: true, Pull: gpio.PullUp}},
		"its own way": {inputWire{wire: wire{Line: "GPIO4"}, Pull: "none"}, hw.Line{Name: "x", Pull: gpio.Float, Debounce: 20 * time.Millisecond}},
	} {
		if got := tt.wire.named("x"); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

// TestRealLineMissing: a line that does not exist is named when the station starts.
func TestRealLineMissing(t *testing.T) {
	c := demoConfig(demoAccounts())
	c.Button[0].Line = "no-such-line"
	w, err := newWiring(c, cdev.Lines{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Inputs(c.Button[0].named("call")); err == nil || !strings.Contains(err.Error(), "no-such-line") {
		t.Errorf("got %v, want an error that names the line", err)
	}
}
