package sim_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"intercom/hw"
	"intercom/hw/hwtest"
	"intercom/hw/sim"
)

// mutant is a board with one fault in it.
type mutant struct {
	*sim.Board
	inputs func(*sim.Board, []hw.Line) (hw.Inputs, error)
	output func(*sim.Board, hw.Line, bool) (hw.Output, error)
}

func (m mutant) Inputs(l ...hw.Line) (hw.Inputs, error) {
	if m.inputs != nil {
		return m.inputs(m.Board, l)
	}
	return m.Board.Inputs(l...)
}

func (m mutant) Output(l hw.Line, active bool) (hw.Output, error) {
	if m.output != nil {
		return m.output(m.Board, l, active)
	}
	return m.Board.Output(l, active)
}

// edges passes each edge through f, which may swallow it.
type edges struct {
	hw.Inputs
	f func(*hw.Edge) bool
}

func (e edges) Next(ctx context.Context) (hw.Edge, error) {
	for {
		got, err := e.Inputs.Next(ctx)
		if err != nil || e.f(&got) {
			return got, err
		}
	}
}

// deaf is an output that says yes to everything.
type deaf struct{ hw.Output }

func (deaf) Set(bool) error { return nil }

// fragile is an output that is closed once.
type fragile struct {
	hw.Output
	closed *bool
}

func (f fragile) Close() error {
	if *f.closed {
		return errors.New("already closed")
	}
	*f.closed = true
	return f.Output.Close()
}

// change takes inputs with something about each line forgotten.
func change(f func(*hw.Line)) func(*sim.Board, []hw.Line) (hw.Inputs, error) {
	return func(b *sim.Board, lines []hw.Line) (hw.Inputs, error) {
		lines = slices.Clone(lines)
		for i := range lines {
			f(&lines[i])
		}
		return b.Inputs(lines...)
	}
}

// filter takes inputs and passes edges through f, which is made for each.
func filter(f func() func(*hw.Edge) bool) func(*sim.Board, []hw.Line) (hw.Inputs, error) {
	return func(b *sim.Board, lines []hw.Line) (hw.Inputs, error) {
		in, err := b.Inputs(lines...)
		if err != nil {
			return nil, err
		}
		return edges{in, f()}, nil
	}
}

// TestContractNotices breaks the board in one way after the other; the contract must
// notice, and must not fail for anything else.
func TestContractNotices(t *testing.T) {
	for _, tt := range []struct {
		name   string
		queue  int
		m      mutant
		broken []string // the clauses
	}{
		{name: "nothing", queue: 16},
		{name: "levels missing", queue: 16, m: mutant{inputs: filter(func() func(*hw.Edge) bool {
			seen := map[string]bool{}
			return func(e *hw.Edge) bool { old := seen[e.Line]; seen[e.Line] = true; return old }
		})}, broken: []string{"LevelsFirst", "EdgesInOrder", "ActiveLow", "Pull", "Debounce", "LostEdgesAreCounted",
			"NextEndsWithItsContext", "CloseEndsNext", "Presses", "LongPress", "HeldBefore", "Storm"}},
		{name: "no time", queue: 16, m: mutant{inputs: filter(func() func(*hw.Edge) bool {
			return func(e *hw.Edge) bool { *e = hw.Edge{Line: e.Line, Active: e.Active, Lost: e.Lost}; return true }
		})}, broken: []string{"LevelsFirst", "EdgesInOrder", "ActiveLow", "Pull", "Debounce", "LostEdgesAreCounted",
			"NextEndsWithItsContext", "CloseEndsNext", "Presses", "LongPress", "HeldBefore", "Storm"}},
		{name: "releases not told", queue: 16, m: mutant{inputs: filter(func() func(*hw.Edge) bool {
			seen := map[string]bool{}
			return func(e *hw.Edge) bool { first := !seen[e.Line]; seen[e.Line] = true; return first || e.Active }
		})}, broken: []string{"EdgesInOrder", "LostEdgesAreCounted", "Presses", "LongPress", "HeldBefore", "Storm"}},
		{name: "levels untrue", queue: 16, m: mutant{inputs: filter(func() func(*hw.Edge) bool {
			seen := map[string]bool{}
			return func(e *hw.Edge) bool { e.Active = e.Active && seen[e.Line]; seen[e.Line] = true; return true }
		})}, broken: []string{"LevelsFirst", "Pull", "HeldBefore"}},
		{name: "edges late", queue: 16, m: mutant{inputs: filter(func() func(*hw.Edge) bool {
			return func(e *hw.Edge) bool { time.Sleep(2 * time.Second); return true }
		})}, broken: []string{"Presses", "LongPress", "HeldBefore", "Storm"}},
		{name: "loss not told", queue: 16, m: mutant{inputs: filter(func() func(*hw.Edge) bool {
			return func(e *hw.Edge) bool { e.Lost = 0; return true }
		})}, broken: []string{"LostEdgesAreCounted"}},
		{name: "short queue", queue: 8, broken: []string{"LostEdgesAreCounted"}},
		{name: "endless queue", queue: 1 << 20, broken: []string{"LostEdgesAreCounted"}},
		{name: "input polarity", queue: 16, m: mutant{inputs: change(func(l *hw.Line) { l.ActiveLow = false })}, broken: []string{"ActiveLow", "Pull"}},
		{name: "pull", queue: 16, m: mutant{inputs: change(func(l *hw.Line) { l.Pull = 0 })}, broken: []string{"Pull"}},
		{name: "debounce", queue: 16, m: mutant{inputs: change(func(l *hw.Line) { l.Debounce = 0 })}, broken: []string{"Debounce"}},
		{name: "unnamed error", queue: 16, m: mutant{
			inputs: func(b *sim.Board, l []hw.Line) (hw.Inputs, error) {
				in, err := b.Inputs(l...)
				if err != nil {
					return nil, errors.New("no such file or directory")
				}
				return in, nil
			},
			output: func(b *sim.Board, l hw.Line, active bool) (hw.Output, error) {
				out, err := b.Output(l, active)
				if err != nil {
					return nil, errors.New("device or resource busy")
				}
				return out, nil
			},
		}, broken: []string{"UnknownInput", "BusyInput", "UnknownOutput", "BusyOutput"}},
		{name: "takes what it can", queue: 16, m: mutant{inputs: func(b *sim.Board, lines []hw.Line) (hw.Inputs, error) {
			in, err := b.Inputs(lines...)
			if err != nil {
				for _, l := range lines {
					_, _ = b.Inputs(l)
				}
			}
			return in, err
		}}, broken: []string{"UnknownInput", "BusyInput"}},
		{name: "output pulse", queue: 16, m: mutant{output: func(b *sim.Board, l hw.Line, active bool) (hw.Output, error) {
			out, err := b.Output(l, !active)
			if err != nil {
				return nil, err
			}
			return out, out.Set(active)
		}}, broken: []string{"OutputLevelFromTheFirstMoment", "OutputActiveLow", "OutputSet"}},
		{name: "output polarity", queue: 16, m: mutant{output: func(b *sim.Board, l hw.Line, active bool) (hw.Output, error) {
			l.ActiveLow = false
			return b.Output(l, active)
		}}, broken: []string{"OutputActiveLow"}},
		{name: "deaf output", queue: 16, m: mutant{output: func(b *sim.Board, l hw.Line, active bool) (hw.Output, error) {
			out, err := b.Output(l, active)
			if err != nil {
				return nil, err
			}
			return deaf{out}, nil
		}}, broken: []string{"OutputActiveLow", "OutputSet", "OutputClosed"}},
		{name: "closed once", queue: 16, m: mutant{output: func(b *sim.Board, l hw.Line, active bool) (hw.Output, error) {
			out, err := b.Output(l, active)
			if err != nil {
				return nil, err
			}
			return fragile{out, new(bool)}, nil
		}}, broken: []string{"OutputClosed"}},
	} {
		for _, c := range hwtest.Contract() {
			t.Run(tt.name+"/"+c.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := tt.m
					m.Board = board(t, sim.Config{Names: []string{"a", "b", "c"}, Queue: tt.queue})
					err := c.Check(hwtest.Rig{
						Lines: m, Names: [3]string{"a", "b", "c"}, Unknown: "zzz", Queue: 16, High: m.High,
						Drive: func(name string, high bool) { m.Drive(name, high) },
						Trace: func(name string) []bool {
							var levels []bool
							for _, l := range m.History(name) {
								levels = append(levels, l.High)
							}
							return levels
						},
					})
					if want := slices.Contains(tt.broken, c.Name); (err != nil) != want {
						t.Errorf("the contract says %v, want it broken: %t", err, want)
					}
				})
			})
		}
	}
}
