package hwtest

import (
	"errors"
	"fmt"
	"slices"

	"intercom/hw"
)

func unknownOutput(r Rig) error {
	_, err := r.Lines.Output(hw.Line{Name: r.Unknown}, false)
	return refused("an unknown line", err, r.Unknown)
}

func busyOutput(r Rig) error {
	out, err := r.Lines.Output(r.line(0), true)
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = r.Lines.Output(r.line(0), false)
	if err := refused("a busy line", err, r.Names[0]); err != nil {
		return err
	}
	_, err = r.Lines.Inputs(r.line(0))
	if err := refused("an output as an input", err, r.Names[0]); err != nil {
		return err
	}
	if !r.High(r.Names[0]) {
		return errors.New("the refused request changed the level of who has the line")
	}
	return nil
}

// trace compares the levels that were measured on a line; where the bench cannot tell,
// the present one.
func (r Rig) trace(name string, want ...bool) error {
	if got, want := r.High(name), want[len(want)-1]; got != want {
		return fmt.Errorf("line %q is high: %t, want %t", name, got, want)
	}
	if r.Trace == nil {
		return nil
	}
	if got := r.Trace(name); !slices.Equal(got, want) {
		return fmt.Errorf("line %q: levels were %v, want %v", name, got, want)
	}
	return nil
}

// outputLevel: a line that was high stays high when it is taken as a high output. A
// backend that takes the line first and sets it then would open the door for a moment.
func outputLevel(r Rig) error {
	for _, high := range []bool{true, false} {
		name := r.Names[0]
		if !high {
			name = r.Names[1]
		}
		want := []bool{false}
		if high {
			r.Drive(name, true)
			want = append(want, true)
		}
		out, err := r.Lines.Output(hw.Line{Name: name}, high)
		if err != nil {
			return err
		}
		defer out.Close()
		if err := r.trace(name, want...); err != nil {
			return err
		}
	}
	return nil
}

func outputActiveLow(r Rig) error {
	out, err := r.Lines.Output(hw.Line{Name: r.Names[0], ActiveLow: true}, true)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := r.trace(r.Names[0], false); err != nil {
		return err
	}
	if err := out.Set(false); err != nil {
		return err
	}
	return r.trace(r.Names[0], false, true)
}

func outputSet(r Rig) error {
	out, err := r.Lines.Output(r.line(0), false)
	if err != nil {
		return err
	}
	defer out.Close()
	want := []bool{false}
	for _, active := range []bool{true, true, false, false, true} {
		if err := out.Set(active); err != nil {
			return err
		}
		if want[len(want)-1] != active {
			want = append(want, active)
		}
		if err := r.trace(r.Names[0], want...); err != nil {
			return err
		}
	}
	return nil
}

func outputClosed(r Rig) error {
	out, err := r.Lines.Output(r.line(0), false)
	if err != nil {
		return err
	}
	if err := errors.Join(out.Close(), out.Close()); err != nil {
		return fmt.Errorf("close twice: %w", err)
	}
	if err := out.Set(true); err == nil {
		return errors.New("a closed output was set")
	}
	out, err = r.Lines.Output(r.line(0), true)
	if err != nil {
		return fmt.Errorf("take the line again: %w", err)
	}
	defer out.Close()
	if !r.High(r.Names[0]) {
		return errors.New("the line taken again has not its level")
	}
	return nil
}
