// Package hwtest is the contract of lines: what every backend of hw.Lines does, as a suite
// that its tests run. It is not a fake; hw/sim is that. It runs in real time, on lines
// that something outside the backend can drive and measure: a script, a simulated chip,
// or two pins joined by a wire. It leaves no goroutine behind.
package hwtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"

	"intercom/hw"
)

// Rig is a backend on the bench. All its lines are free and low.
type Rig struct {
	Lines   hw.Lines
	Names   [3]string // lines that exist
	Unknown string    // one that does not
	Queue   int       // edges the backend keeps for a reader at least
	// Blurred benches make one of some changes that come fast, so that edges cannot be
	// counted exactly.
	Blurred bool
	// Uncounted backends are told that edges were lost, and not how many.
	Uncounted bool

	Drive func(name string, high bool) // drives a line from outside
	High  func(name string) bool       // measures it from outside

	// Trace returns all levels that were measured on a line since the rig was made,
	// oldest first. Nil if a bench can only measure the present one.
	Trace func(name string) []bool
}

// Patience with a real device, and how long nothing must happen to be believed.
const (
	patience = 5 * time.Second
	quiet    = 50 * time.Millisecond
	bounce   = 200 * time.Millisecond // a busy machine may pause a test for a while
)

// Run runs the contract, each part on a rig of its own.
func Run(t *testing.T, rig func(*testing.T) Rig) { run(t, Contract(), rig) }

// RunKeys runs what of the contract is for keys of input devices.
func RunKeys(t *testing.T, rig func(*testing.T) Rig) { run(t, KeyContract(), rig) }

func run(t *testing.T, clauses []Clause, rig func(*testing.T) Rig) {
	for _, c := range clauses {
		t.Run(c.Name, func(t *testing.T) {
			if err := c.Check(rig(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

// Clause is one part of the contract. Check says how a backend breaks it, or nothing.
type Clause struct {
	Name  string
	Check func(Rig) error
}

// Contract returns all clauses, for those who want to see one broken.
func Contract() []Clause {
	return []Clause{
		{"LevelsFirst", levelsFirst},
		{"EdgesInOrder", edgesInOrder},
		{"ActiveLow", activeLow},
		{"Pull", pull},
		{"Debounce", debounce},
		{"LostEdgesAreCounted", lostEdges},
		{"NextEndsWithItsContext", nextContext},
		{"CloseEndsNext", closeEndsNext},
		{"UnknownInput", unknownInput},
		{"BusyInput", busyInput},
		{"Presses", presses},
		{"LongPress", longPress},
		{"HeldBefore", heldBefore},
		{"Storm", storm},
		{"UnknownOutput", unknownOutput},
		{"BusyOutput", busyOutput},
		{"OutputLevelFromTheFirstMoment", outputLevel},
		{"OutputActiveLow", outputActiveLow},
		{"OutputSet", outputSet},
		{"OutputClosed", outputClosed},
	}
}

// KeyContract returns the clauses for keys of input devices, which have no pull and drive
// nothing. Their rig measures nothing: High and Trace are nil.
func KeyContract() []Clause {
	return slices.DeleteFunc(Contract(), func(c Clause) bool {
		return c.Name == "Pull" || strings.Contains(c.Name, "Output")
	})
}

// line is line n as an input or output without extras.
func (r Rig) line(n int) hw.Line { return hw.Line{Name: r.Names[n]} }

// next returns the next edge; none in time is an error.
func next(in hw.Inputs) (hw.Edge, error) { return nextIn(in, patience) }

func nextIn(in hw.Inputs, limit time.Duration) (hw.Edge, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return in.Next(ctx)
}

// expect reads edges and compares them, but for their time, which may not go back.
func expect(in hw.Inputs, want ...hw.Edge) error {
	var last time.Time
	for i, w := range want {
		got, err := next(in)
		if err != nil {
			return fmt.Errorf("edge %d of %d: %w", i+1, len(want), err)
		}
		at := got.At
		if got.At = (time.Time{}); got != w {
			return fmt.Errorf("edge %d of %d: got %+v, want %+v", i+1, len(want), got, w)
		}
		if at.IsZero() || at.Before(last) {
			return fmt.Errorf("edge %d of %d: its time %v is not after %v", i+1, len(want), at, last)
		}
		last = at
	}
	return nil
}

// silent says that no edge comes for a while.
func silent(in hw.Inputs, d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	e, err := in.Next(ctx)
	if err == nil {
		return fmt.Errorf("an edge too many: %+v", e)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("next: %w, want the context's error", err)
	}
	return nil
}

// refused says that err names a line.
func refused(what string, err error, name string) error {
	if err == nil {
		return fmt.Errorf("%s was granted", what)
	}
	if !strings.Contains(err.Error(), name) {
		return fmt.Errorf("%s: the error %q does not name line %q", what, err, name)
	}
	return nil
}

func levelsFirst(r Rig) error {
	r.Drive(r.Names[1], true)
	in, err := r.Lines.Inputs(r.line(2), r.line(1), r.line(0))
	if err != nil {
		return err
	}
	defer in.Close()
	// An edge before the levels were read comes after all of them.
	r.Drive(r.Names[0], true)
	if err := expect(in, hw.Edge{Line: r.Names[2]}, hw.Edge{Line: r.Names[1], Active: true},
		hw.Edge{Line: r.Names[0]}, hw.Edge{Line: r.Names[0], Active: true}); err != nil {
		return err
	}
	return silent(in, quiet)
}

func edgesInOrder(r Rig) error {
	in, err := r.Lines.Inputs(r.line(0), r.line(1))
	if err != nil {
		return err
	}
	defer in.Close()
	want := []hw.Edge{{Line: r.Names[0]}, {Line: r.Names[1]}}
	for i := range min(r.Queue, 6) {
		e := hw.Edge{Line: r.Names[i%2], Active: i/2%2 == 0}
		r.Drive(e.Line, e.Active)
		r.Drive(e.Line, e.Active) // no change, no edge
		want = append(want, e)
	}
	if err := expect(in, want...); err != nil {
		return err
	}
	return silent(in, quiet)
}

func activeLow(r Rig) error {
	r.Drive(r.Names[0], true)
	in, err := r.Lines.Inputs(hw.Line{Name: r.Names[0], ActiveLow: true}, r.line(1))
	if err != nil {
		return err
	}
	defer in.Close()
	r.Drive(r.Names[0], false)
	return expect(in, hw.Edge{Line: r.Names[0]}, hw.Edge{Line: r.Names[1]}, hw.Edge{Line: r.Names[0], Active: true})
}

// pull: nobody drives the lines, so their bias says what they are.
func pull(r Rig) error {
	in, err := r.Lines.Inputs(hw.Line{Name: r.Names[0], Pull: gpio.PullUp}, hw.Line{Name: r.Names[1], Pull: gpio.PullDown},
		hw.Line{Name: r.Names[2], Pull: gpio.PullUp, ActiveLow: true})
	if err != nil {
		return err
	}
	defer in.Close()
	return expect(in, hw.Edge{Line: r.Names[0], Active: true}, hw.Edge{Line: r.Names[1]}, hw.Edge{Line: r.Names[2]})
}

func debounce(r Rig) error {
	in, err := r.Lines.Inputs(hw.Line{Name: r.Names[0], Debounce: bounce})
	if err != nil {
		return err
	}
	defer in.Close()
	if err := expect(in, hw.Edge{Line: r.Names[0]}); err != nil {
		return err
	}
	for _, high := range []bool{true, false, true, false, true} {
		r.Drive(r.Names[0], high)
	}
	began := time.Now()
	if err := expect(in, hw.Edge{Line: r.Names[0], Active: true}); err != nil {
		return err
	}
	if d := time.Since(began); d < bounce/2 {
		return fmt.Errorf("the edge was believed after %v, want %v", d, bounce)
	}
	for _, high := range []bool{false, true, false, true} { // a glitch
		r.Drive(r.Names[0], high)
	}
	return silent(in, 2*bounce)
}

func lostEdges(r Rig) error {
	in, err := r.Lines.Inputs(r.line(0), r.line(1))
	if err != nil {
		return err
	}
	defer in.Close()
	if err := expect(in, hw.Edge{Line: r.Names[0]}, hw.Edge{Line: r.Names[1]}); err != nil {
		return err
	}
	// An even number of changes, so that one more ends active; far more than are kept.
	const changes = 2000
	sent := max(changes, 4*r.Queue) &^ 1
	if r.Blurred { // on real drivers, each of them takes its time; a keypad's kernel keeps 32
		sent = max(200, 8*r.Queue)
	}
	for i := range sent + 1 {
		r.Drive(r.Names[0], i%2 == 0)
	}
	seen, lost := 0, 0
	var last hw.Edge
	limit := patience
	if r.Blurred || r.Uncounted {
		limit = 5 * bounce // how many are to come is not known; all have been sent
	}
	for seen+lost < sent+1 {
		e, err := nextIn(in, limit)
		if err != nil && (r.Blurred || r.Uncounted) && seen > 0 {
			break
		}
		if err != nil {
			return fmt.Errorf("%d edges seen, %d counted as lost, of %d: %w", seen, lost, sent+1, err)
		}
		seen, lost, last = seen+1, lost+e.Lost, e
	}
	least, kept := sent+1, r.Queue
	if r.Blurred {
		least, kept = least*9/10, kept*3/4
	}
	if r.Uncounted {
		least = 2 // one seen, and it says that there were more
	}
	switch {
	case seen+lost > sent+1 || seen+lost < least:
		return fmt.Errorf("%d edges seen and %d counted as lost, want %d to %d together", seen, lost, least, sent+1)
	case seen < kept:
		return fmt.Errorf("%d edges kept, want %d", seen, kept)
	case lost == 0:
		return fmt.Errorf("%d edges were kept: the queue has no bound", seen)
	case !last.Active:
		return errors.New("the last edge is not the last change")
	}
	// The other line lost none.
	r.Drive(r.Names[1], true)
	return expect(in, hw.Edge{Line: r.Names[1], Active: true})
}

func nextContext(r Rig) error {
	in, err := r.Lines.Inputs(r.line(0))
	if err != nil {
		return err
	}
	defer in.Close()
	if err := expect(in, hw.Edge{Line: r.Names[0]}); err != nil {
		return err
	}
	if err := silent(in, quiet); err != nil {
		return err
	}
	// That Next gave up takes nothing from the following one.
	r.Drive(r.Names[0], true)
	return expect(in, hw.Edge{Line: r.Names[0], Active: true})
}

func closeEndsNext(r Rig) error {
	in, err := r.Lines.Inputs(r.line(0))
	if err != nil {
		return err
	}
	if err := expect(in, hw.Edge{Line: r.Names[0]}); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		_, err := next(in)
		ended <- err
	}()
	if err := errors.Join(in.Close(), in.Close()); err != nil {
		return fmt.Errorf("close twice: %w", err)
	}
	if err := <-ended; err == nil || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("next of closed inputs: %v, want an error at once", err)
	}
	in, err = r.Lines.Inputs(r.line(0))
	if err != nil {
		return fmt.Errorf("take the line again: %w", err)
	}
	return in.Close()
}

func unknownInput(r Rig) error {
	_, err := r.Lines.Inputs(r.line(0), hw.Line{Name: r.Unknown})
	if err := refused("an unknown line", err, r.Unknown); err != nil {
		return err
	}
	in, err := r.Lines.Inputs(r.line(0))
	if err != nil {
		return fmt.Errorf("the known line was taken all the same: %w", err)
	}
	return in.Close()
}

func busyInput(r Rig) error {
	in, err := r.Lines.Inputs(r.line(0))
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = r.Lines.Inputs(r.line(1), r.line(0))
	if err := refused("a busy line", err, r.Names[0]); err != nil {
		return err
	}
	_, err = r.Lines.Inputs(r.line(1), r.line(1))
	if err := refused("one line twice", err, r.Names[1]); err != nil {
		return err
	}
	other, err := r.Lines.Inputs(r.line(1))
	if err != nil {
		return fmt.Errorf("the free line was taken all the same: %w", err)
	}
	return other.Close()
}
