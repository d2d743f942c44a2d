// Package hw holds the words for the lines of a door station: buttons, contacts, locks
// and lights, each one digital line. It is vocabulary only: hw/sim has scripted lines,
// hw/relay guards those that open doors, hw/hwtest is the contract that every
// backend passes. It has no goroutines; backends say whether they do.
package hw

import (
	"context"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// Line describes one line as the wiring has it. "Active" everywhere else means what the
// installer means: pressed, lit, energised.
type Line struct {
	Name      string        // a backend's name for it; unique within a station
	ActiveLow bool          // active when the line is electrically low
	Pull      gpio.Pull     // bias of an input; zero value, gpio.PullNoChange, leaves it alone
	Debounce  time.Duration // an edge counts when the level held this long; 0: every edge
}

// Edge is a change of an input line, or its level when it was opened.
type Edge struct {
	Line   string
	Active bool
	At     time.Time // when the line changed, by the kernel where it tells
	Lost   int       // edges of this line lost before this one, because nobody read them; 1 where only that is known
}

// Lines is a set of lines that can be taken into use.
type Lines interface {
	// Inputs takes lines as inputs. A line that does not exist or is taken is an
	// error that names it; then none is taken.
	Inputs(...Line) (Inputs, error)
	// Output takes a line as an output that is at the given level (true: active)
	// from its first moment: there is no pulse of the other level.
	Output(Line, bool) (Output, error)
}

// Inputs reads the lines taken together.
type Inputs interface {
	// Next returns the level of each line first, in the order they were taken, then
	// edges in the order of their time. One reader. It returns the context's error
	// when that ends.
	Next(context.Context) (Edge, error)
	Close() error
}

// Output drives one line. There is no way to read it back: on some kernels that turns
// the line into an input.
type Output interface {
	Set(active bool) error
	// Close releases the line. Its level afterwards is not defined: Set the safe one first.
	Close() error
}
