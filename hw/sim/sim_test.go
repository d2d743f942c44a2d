package sim_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"

	"intercom/hw"
	"intercom/hw/hwtest"
	"intercom/hw/sim"
)

func board(t *testing.T, c sim.Config) *sim.Board {
	t.Helper()
	b, err := sim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestContract(t *testing.T) {
	hwtest.Run(t, func(t *testing.T) hwtest.Rig {
		b := board(t, sim.Config{Names: []string{"a", "b", "c"}, Queue: 16})
		return hwtest.Rig{
			Lines: b, Names: [3]string{"a", "b", "c"}, Unknown: "zzz", Queue: 16, High: b.High,
			Drive: func(name string, high bool) {
				if err := b.Drive(name, high); err != nil {
					t.Error(err)
				}
			},
			Trace: func(name string) []bool {
				var levels []bool
				for _, l := range b.History(name) {
					levels = append(levels, l.High)
				}
				return levels
			},
		}
	})
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		c    sim.Config
		want string
	}{
		{"nothing", sim.Config{}, "no lines"},
		{"no name", sim.Config{Names: []string{"a", ""}}, "without a name"},
		{"twice", sim.Config{Names: []string{"a", "a"}}, `two lines named "a"`},
		{"queue", sim.Config{Names: []string{"a"}, Queue: -1}, "queue of -1"},
		{"released", sim.Config{Names: []string{"a"}, Released: 9}, "behaviour 9"},
	} {
		if _, err := sim.New(tt.c); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestReleasedOutput(t *testing.T) {
	for _, tt := range []struct {
		released sim.Released
		high     bool
		want     bool
	}{
		{sim.Keeps, true, true}, {sim.Keeps, false, false},
		{sim.Falls, true, false}, {sim.Falls, false, false},
		{sim.Rises, true, true}, {sim.Rises, false, true},
	} {
		b := board(t, sim.Config{Names: []string{"lock"}, Released: tt.released})
		out, err := b.Output(hw.Line{Name: "lock"}, tt.high)
		if err != nil {
			t.Fatal(err)
		}
		out.Close()
		if got := b.High("lock"); got != tt.want {
			t.Errorf("released %d, was high %t: is high %t, want %t", tt.released, tt.high, got, tt.want)
		}
	}
}

func TestOutputIsStrongerThanOutside(t *testing.T) {
	b := board(t, sim.Config{Names: []string{"lock"}})
	out, err := b.Output(hw.Line{Name: "lock"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Drive("lock", true); err != nil {
		t.Fatal(err)
	}
	if b.High("lock") {
		t.Error("a line was pulled away from its output")
	}
	out.Close()
	if !b.High("lock") {
		t.Error("a released line does not follow who drives it")
	}
}

// TestFingers drives a button as the wiring has it: active low against a pull-up.
func TestFingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := board(t, sim.Config{Names: []string{"call", "lock"}})
		if err := b.Press("call"); err == nil {
			t.Error("a line that nobody reads has no active level")
		}
		in, err := b.Inputs(hw.Line{Name: "call", ActiveLow: true, Pull: gpio.PullUp, Debounce: 20 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		if e, err := in.Next(t.Context()); err != nil || e.Active || !b.High("call") {
			t.Fatalf("level %+v, %v, high %t; want inactive and high", e, err, b.High("call"))
		}
		pressed := time.Now()
		for range 3 { // bouncing
			b.Press("call")
			time.Sleep(5 * time.Millisecond)
			b.Release("call")
			time.Sleep(5 * time.Millisecond)
		}
		b.Press("call")
		e, err := in.Next(t.Context())
		if want := pressed.Add(50 * time.Millisecond); err != nil || !e.Active || !e.At.Equal(want) {
			t.Errorf("edge %+v, %v; want active at %v", e, err, want)
		}
		if !b.Active("call") || b.High("call") {
			t.Errorf("active %t, high %t; want a low, active line", b.Active("call"), b.High("call"))
		}
		// A change under way when the inputs are closed is nobody's.
		b.Release("call")
		in.Close()
		time.Sleep(time.Second)

		if err := b.Press("nosuch"); err == nil || !strings.Contains(err.Error(), "there are call, lock") {
			t.Errorf("Press of an unknown line: %v, want the known ones", err)
		}
		if _, err := b.Output(hw.Line{Name: "lock"}, false); err != nil {
			t.Fatal(err)
		}
		if err := b.Press("lock"); err == nil {
			t.Error("an output was pressed")
		}
	})
}

func TestFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := board(t, sim.Config{Names: []string{"call", "lock"}})
		broken := errors.New("no such device")
		b.Fail("lock", broken)
		if _, err := b.Output(hw.Line{Name: "lock"}, false); !errors.Is(err, broken) {
			t.Errorf("Output: %v, want %v", err, broken)
		}
		b.Fail("lock", nil)
		out, err := b.Output(hw.Line{Name: "lock"}, false)
		if err != nil {
			t.Fatal(err)
		}
		b.Fail("lock", broken)
		if err := out.Set(true); !errors.Is(err, broken) || b.High("lock") {
			t.Errorf("Set: %v, high %t; want an error and no change", err, b.High("lock"))
		}
		in, err := b.Inputs(hw.Line{Name: "call"})
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		if _, err := in.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { b.Fail("call", broken) })
		if _, err := in.Next(t.Context()); !errors.Is(err, broken) {
			t.Errorf("Next: %v, want %v", err, broken)
		}
		b.Fail("call", nil)
		b.Press("call")
		if e, err := in.Next(t.Context()); err != nil || !e.Active {
			t.Errorf("Next after the repair: %+v, %v", e, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := in.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Next: %v, want the context's error", err)
		}
	})
}

func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := board(t, sim.Config{Names: []string{"lock"}})
		began := time.Now()
		out, err := b.Output(hw.Line{Name: "lock", ActiveLow: true}, false)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		out.Set(true)
		out.Set(true)
		want := []sim.Level{{At: began}, {At: began, High: true}, {At: began.Add(time.Second)}}
		got := b.History("lock")
		if len(got) != len(want) {
			t.Fatalf("History: %v, want %v", got, want)
		}
		for i := range want {
			if !got[i].At.Equal(want[i].At) || got[i].High != want[i].High {
				t.Errorf("History[%d]: %v, want %v", i, got[i], want[i])
			}
		}
		for i := range 5000 {
			out.Set(i%2 == 0)
		}
		if n := len(b.History("lock")); n != 1024 {
			t.Errorf("%d levels are remembered, want 1024", n)
		}
	})
}
