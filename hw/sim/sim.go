// Package sim has scripted lines: a set of wires without a device behind them, driven and
// watched by hand. The simulation, the demo and most tests run on them. It models what a
// wire does, electrically: pull resistors, polarity, debouncing, edges lost because nobody
// read them, a level that nobody answers for once its line is released, and failures.
//
// It is not a clock, nor a script language: who drives the lines decides when. It runs
// in real time and in a synctest bubble alike. Its only goroutines are the timers of
// debounced lines, which end with the inputs they belong to.
package sim

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"

	"intercom/hw"
)

// Released is what the level of an output does when its line is released. Nothing
// guarantees any of them, so a station must be safe with each.
type Released uint8

// What released outputs do.
const (
	Keeps Released = iota // as on a Raspberry Pi: the last level stays
	Falls                 // to low, by a pull-down
	Rises                 // to high, by a pull-up
)

// Config describes the wires.
type Config struct {
	Names    []string // the lines there are; at least one, all different
	Queue    int      // edges kept for a reader; 0 means 64; the oldest are lost first
	Released Released // what outputs do when their line is released
}

// historyLimit bounds what a line remembers: some hours of a busy door.
const historyLimit = 1024

// Level is what was measured on a wire from a moment on.
type Level struct {
	At   time.Time
	High bool
}

// Board is a set of scripted lines. All methods may be called from any goroutine.
type Board struct {
	queue    int
	released Released

	mu    sync.Mutex
	names []string
	wires map[string]*wire
}

var _ hw.Lines = (*Board)(nil)

// wire is one line. The board's mutex guards it.
type wire struct {
	name   string
	driven bool // from outside: a button that is held
	drive  bool // to this level
	high   bool // its level now
	trace  []Level
	fault  error

	taken  bool
	line   hw.Line // how it was taken last: says what active means
	output bool
	reader *inputs     // of an input
	told   bool        // the level its reader was told last, as active
	timer  *time.Timer // of a debounced change under way
}

// New returns lines at low level, with nobody's finger on them.
func New(c Config) (*Board, error) {
	b := &Board{queue: c.Queue, released: c.Released, names: slices.Clone(c.Names), wires: make(map[string]*wire)}
	if b.queue == 0 {
		b.queue = 64
	}
	switch {
	case len(c.Names) == 0:
		return nil, errors.New("sim: no lines")
	case b.queue < 0:
		return nil, fmt.Errorf("sim: a queue of %d edges", b.queue)
	case b.released > Rises:
		return nil, fmt.Errorf("sim: unknown behaviour %d of released lines", b.released)
	}
	for _, n := range c.Names {
		if n == "" {
			return nil, errors.New("sim: a line without a name")
		}
		if b.wires[n] != nil {
			return nil, fmt.Errorf("sim: two lines named %q", n)
		}
		b.wires[n] = &wire{name: n, trace: []Level{{At: time.Now()}}}
	}
	return b, nil
}

// wire finds a line. The mutex is held.
func (b *Board) wire(name string) (*wire, error) {
	if w := b.wires[name]; w != nil {
		return w, nil
	}
	return nil, fmt.Errorf("line %q: does not exist; there are %s", name, strings.Join(b.names, ", "))
}

// Drive drives a line from outside to an electrical level, as a switch would. What an
// output drives is stronger, so there it shows only after the release.
func (b *Board) Drive(name string, high bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	w, err := b.wire(name)
	if err != nil {
		return err
	}
	w.driven, w.drive = true, high
	if !w.output {
		w.settle()
	}
	return nil
}

// Set drives an input from outside to the level that means active, or inactive, by the
// way it was taken. It is an error for a line that is not in use as an input.
func (b *Board) Set(name string, active bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	w, err := b.wire(name)
	switch {
	case err != nil:
		return err
	case !w.taken:
		return fmt.Errorf("line %q: not in use", name)
	case w.output:
		return fmt.Errorf("line %q: is an output", name)
	}
	w.driven, w.drive = true, active != w.line.ActiveLow
	w.settle()
	return nil
}

// Press makes an input active, like a finger on a button.
func (b *Board) Press(name string) error { return b.Set(name, true) }

// Release makes an input inactive.
func (b *Board) Release(name string) error { return b.Set(name, false) }

// Fail makes a line fail: taking it, reading it or setting it returns err and changes
// nothing. A nil err heals it.
func (b *Board) Fail(name string, err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	w, unknown := b.wire(name)
	if unknown != nil {
		return unknown
	}
	w.fault = err
	if w.reader != nil {
		w.reader.wake()
	}
	return nil
}

// High measures the electrical level of a line. An unknown one is low.
func (b *Board) High(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.wires[name]
	return w != nil && w.high
}

// Active measures a line and says what its level means, by the way it was taken last. An
// unknown one is not active.
func (b *Board) Active(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.wires[name]
	return w != nil && w.active()
}

// History returns what was measured on a line since New, the last 1024 changes, oldest
// first; the first entry is the level it began with. An unknown line has none.
func (b *Board) History(name string) []Level {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.wires[name]; w != nil {
		return slices.Clone(w.trace)
	}
	return nil
}

func (w *wire) active() bool { return w.high != w.line.ActiveLow }

// settle gives an input, or a free line, the level of what is strongest on it.
func (w *wire) settle() {
	switch {
	case w.driven:
		w.setLevel(w.drive)
	case w.taken && w.line.Pull == gpio.PullUp:
		w.setLevel(true)
	case w.taken && w.line.Pull == gpio.PullDown:
		w.setLevel(false)
	}
}

// setLevel changes the electrical level and tells the reader.
func (w *wire) setLevel(high bool) {
	if w.high == high {
		return
	}
	w.high = high
	if len(w.trace) == historyLimit {
		w.trace = slices.Delete(w.trace, 0, 1)
	}
	w.trace = append(w.trace, Level{At: time.Now(), High: high})
	if w.reader != nil {
		w.reader.changed(w)
	}
}

// free gives a line back. The mutex is held.
func (w *wire) free(r Released) {
	if w.timer != nil {
		w.timer.Stop()
	}
	output := w.output
	w.taken, w.output, w.reader, w.timer = false, false, nil, nil
	switch {
	case w.driven:
		w.settle()
	case output && r == Falls:
		w.setLevel(false)
	case output && r == Rises:
		w.setLevel(true)
	}
}

// check says whether a line can be taken. The mutex is held.
func (b *Board) check(l hw.Line) (*wire, error) {
	w, err := b.wire(l.Name)
	switch {
	case err != nil:
		return nil, err
	case w.taken:
		return nil, fmt.Errorf("line %q: is taken", l.Name)
	case w.fault != nil:
		return nil, fmt.Errorf("line %q: %w", l.Name, w.fault)
	case l.Debounce < 0:
		return nil, fmt.Errorf("line %q: debounce of %v", l.Name, l.Debounce)
	}
	return w, nil
}

// output drives one line.
type output struct {
	board  *Board
	wire   *wire
	closed bool
}

// Output takes a line as an output at a level. See hw.Lines.
func (b *Board) Output(l hw.Line, active bool) (hw.Output, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w, err := b.check(l)
	if err != nil {
		return nil, err
	}
	w.taken, w.output, w.line = true, true, l
	w.setLevel(active != l.ActiveLow)
	return &output{board: b, wire: w}, nil
}

func (o *output) Set(active bool) error {
	o.board.mu.Lock()
	defer o.board.mu.Unlock()
	switch {
	case o.closed:
		return fmt.Errorf("line %q: %w", o.wire.name, os.ErrClosed)
	case o.wire.fault != nil:
		return fmt.Errorf("line %q: %w", o.wire.name, o.wire.fault)
	}
	o.wire.setLevel(active != o.wire.line.ActiveLow)
	return nil
}

func (o *output) Close() error {
	o.board.mu.Lock()
	defer o.board.mu.Unlock()
	if !o.closed {
		o.closed = true
		o.wire.free(o.board.released)
	}
	return nil
}
