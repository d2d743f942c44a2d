package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"

	"intercom/hw"
	"intercom/hw/sim"
	"intercom/internal/conf"
)

// wire is a line as the configuration has it. Without a name it is simulated.
type wire struct {
	Line      string `toml:"line"`
	ActiveLow bool   `toml:"active_low"`
}

// inputWire is a button's.
type inputWire struct {
	wire
	Pull     string         `toml:"pull"`
	Debounce *conf.Duration `toml:"debounce"`
}

// defaultDebounce is longer than contacts bounce and shorter than anybody notices.
const defaultDebounce = 20 * time.Millisecond

var pulls = map[string]gpio.Pull{"": gpio.PullNoChange, "up": gpio.PullUp, "down": gpio.PullDown, "none": gpio.Float}

func (w wire) named(name string) hw.Line { return hw.Line{Name: name, ActiveLow: w.ActiveLow} }

func (w inputWire) named(name string) hw.Line {
	l := w.wire.named(name)
	if w.Line == "" {
		return l // a simulated finger does not bounce
	}
	l.Pull, l.Debounce = pulls[w.Pull], defaultDebounce
	if w.Debounce != nil {
		l.Debounce = time.Duration(*w.Debounce)
	}
	return l
}

// maxDebounce is where a press begins to feel late.
const maxDebounce = 500 * time.Millisecond

// checkLines refuses wiring that cannot be. Lines that do not exist are found at the start.
func (c *config) checkLines() error {
	taken := map[string]string{}
	check := func(key string, w wire) error {
		if other := taken[w.Line]; w.Line != "" && other != "" {
			return c.wrong(key+"line", "%q is the line of %s already", w.Line, other)
		}
		taken[w.Line] = key[:len(key)-1]
		return nil
	}
	input := func(key string, w inputWire) error {
		if _, ok := pulls[w.Pull]; !ok {
			return c.wrong(key+"pull", `%q is none of "up", "down", "none" and ""`, w.Pull)
		}
		if w.Debounce != nil && (*w.Debounce < 0 || time.Duration(*w.Debounce) > maxDebounce) {
			return c.wrong(key+"debounce", "%v is outside 0s to %v", time.Duration(*w.Debounce), maxDebounce)
		}
		return check(key, w.wire)
	}
	real := len(c.Button) > 0 && c.Button[0].Line != ""
	for i, b := range c.Button {
		key := fmt.Sprintf("button.%d.", i)
		if (b.Line != "") != real {
			return c.wrong(key+"line", "is given for some buttons only; all are real or all are simulated")
		}
		if err := input(key, b.inputWire); err != nil {
			return err
		}
	}
	if c.HangUp.Line != "" && !real && len(c.Button) > 0 {
		return c.wrong("hang_up.line", "is given and the other buttons are simulated")
	}
	if err := input("hang_up.", c.HangUp.inputWire); err != nil {
		return err
	}
	if err := check("light.", c.Light.wire); err != nil {
		return err
	}
	if err := check("night.", c.Night.wire); err != nil {
		return err
	}
	for i, l := range c.Lock {
		if err := check(fmt.Sprintf("lock.%d.", i), l.wire); err != nil {
			return err
		}
	}
	return c.checkBeside(input)
}

// wiring is the lines of a station: each one is a line of a GPIO chip or a simulated one.
// The station knows them by what they are for, the chips by their own names.
type wiring struct {
	chips hw.Lines
	board *sim.Board        // nil if none is simulated
	names map[string]string // what it is for -> the chip's name of it
	locks []string          // what the lines of locks are for
	doors []string          // and those of contacts
	lock  *lockGuard        // has the locks' lines that are real; nil: nobody does
}

// newWiring lists what is real.
func newWiring(c *config, chips hw.Lines) (*wiring, error) {
	w := &wiring{chips: chips, names: map[string]string{}}
	var simulated []string
	add := func(name, line string) {
		if line == "" {
			simulated = append(simulated, name)
		} else {
			w.names[name] = line
		}
	}
	for _, b := range c.Button {
		add(b.Name, b.Line)
	}
	add(c.HangUp.Name, c.HangUp.Line)
	_, keys := c.keypad()
	maps.Copy(w.names, keys)
	add(c.Light.Name, c.Light.Line)
	if c.Night.Line != "" {
		add(nightLine, c.Night.Line)
	}
	for _, l := range c.Lock {
		add(l.Name, l.Line)
		w.locks, w.doors = append(w.locks, l.Name), append(w.doors, contactName(l.Name))
	}
	_, lines, wires := c.beside()
	for i, l := range lines {
		add(l.Name, wires[i].Line)
	}
	if len(simulated) == 0 {
		return w, nil
	}
	var err error
	w.board, err = sim.New(sim.Config{Names: simulated})
	return w, err
}

// nightLine is what the night light's line is for.
const nightLine = "night light"

// button is the name of the first button, whose wiring is like that of all others: of the
// one that hangs up if there is no other.
func (c *config) button() string {
	if len(c.Button) > 0 {
		return c.Button[0].Name
	}
	return c.HangUp.Name
}

// real tells whether there is a line behind a name.
func (w *wiring) real(name string) bool { return w.names[name] != "" }

// Inputs is part of hw.Lines.
func (w *wiring) Inputs(lines ...hw.Line) (hw.Inputs, error) {
	return takeBoth(lines, func(l hw.Line) bool { return w.real(l.Name) }, wiredLines{w}, w.board)
}

// wiredLines are those lines of a wiring that are real.
type wiredLines struct{ *wiring }

// Inputs is part of hw.Lines.
func (w wiredLines) Inputs(lines ...hw.Line) (hw.Inputs, error) {
	purpose := map[string]string{}
	lines = slices.Clone(lines)
	for i, l := range lines {
		lines[i].Name = w.names[l.Name]
		purpose[lines[i].Name] = l.Name
	}
	in, err := w.chips.Inputs(lines...)
	if err != nil {
		return nil, err
	}
	return &wiredInputs{in, purpose}, nil
}

// Output is part of hw.Lines.
func (w *wiring) Output(l hw.Line, active bool) (hw.Output, error) {
	if !w.real(l.Name) {
		return w.board.Output(l, active)
	}
	guarded := w.lock != nil && slices.Contains(w.locks, l.Name)
	l.Name = w.names[l.Name]
	if guarded {
		return w.lock.Output(l, active)
	}
	return w.chips.Output(l, active)
}

// wiredInputs are inputs of chips, by what they are for.
type wiredInputs struct {
	hw.Inputs
	purpose map[string]string
}

// Next is part of hw.Inputs.
func (in *wiredInputs) Next(ctx context.Context) (hw.Edge, error) {
	e, err := in.Inputs.Next(ctx)
	e.Line = in.purpose[e.Line]
	return e, err
}

// pressTime is how long a simulated finger stays on a button.
const pressTime = 100 * time.Millisecond

// presser presses simulated buttons; nil: a press of a real one cannot be simulated.
func (w *wiring) presser(button string) func(string) error {
	if w.real(button) {
		return nil
	}
	var finger sync.Mutex // there is one: two presses at once would be one
	return func(name string) error {
		finger.Lock()
		defer finger.Unlock()
		first := !slices.Contains(w.doors, name) // a door is opened, and closed again
		if err := w.board.Set(name, first); err != nil {
			return err
		}
		time.Sleep(pressTime)
		return w.board.Set(name, !first)
	}
}
