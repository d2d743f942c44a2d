package door

import (
	"slices"
	"testing"
	"time"
)

func TestKeypad(t *testing.T) {
	ring := "ringing; Ring{1 [2004]}; Cue{calling}; light calling"
	for _, c := range []struct{ name, typed, want string }{
		{"flat", "2#", "dialled; " + ring},
		{"hidden flat", "4#", "dialled; " + ring},
		{"no such flat", "7#", "dialled (there is no such flat); Cue{unknown}"},
		{"nothing", "#", ""},
		{"cleared", "77C2#", "dialled; " + ring},
		{"too long", "11111111111111111111111111#", "dialled (there is no such flat); Cue{unknown}"},
		{"other keys", "A2\x00é#", "dialled; " + ring},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newHouse(t)
			x.expect(show(x.run(keys(c.typed)...)), c.want)
			if x.state.Typed != "" {
				t.Errorf("%q is left", x.state.Typed)
			}
		})
	}
	x := newHouse(t, keys("11111111111111111111111111")...)
	if len(x.state.Typed) != mostTyped {
		t.Errorf("%d keys are remembered", len(x.state.Typed))
	}
}

func TestTypingTimesOut(t *testing.T) {
	x := newHouse(t, keys("12")...)
	x.expect(x.state.Phase.String()+" "+x.state.Typed, "dialling 12")
	x.expect(x.sleep(DefaultDial), "")
	x.expect(x.state.Phase.String()+" "+x.state.Typed, "idle ")
	// The directory asks, and is done with as well.
	x.expect(show(x.run(Pressed{Button: "list"})), "pressed; Cue{dial}")
	x.expect(x.state.Phase.String(), "dialling")
	x.expect(show(x.run(keys("2#")...)), "dialled; ringing; Ring{1 [2004]}; Cue{calling}; light calling")
	x.expect(show(x.run(Pressed{Button: "list"})), "pressed")
	x = newHouse(t, Pressed{Button: "list"})
	x.expect(x.sleep(DefaultDial), "")
	x.expect(x.state.Phase.String(), "idle")
	x.expect(show(x.run(Pressed{Button: "list"}, Key{KeyClear})), "")
	x.expect(x.state.Phase.String(), "idle")
}

// TestClearHangsUp: a keypad needs no button for it.
func TestClearHangsUp(t *testing.T) {
	x := newHouse(t, keys("2#")...)
	x.expect(show(x.run(keys("9C")...)), "") // it cleared the 9
	x.expect(show(x.run(Key{KeyClear})), "HangUp{1 hung up at the door}; Cue{}")
	x.expect(show(newHouse(t).run(Key{KeyClear})), "")
	// Digits in a talk end nothing, and time out.
	x = newHouse(t, slices.Concat(keys("2#"), []Input{Answered{"1", dora}}, keys("77"))...)
	x.expect(x.sleep(DefaultDial), "")
	x.expect(x.state.Phase.String()+" "+x.state.Typed, "talking ")
	x.expect(show(x.run(keys("77#")...)), "dialled (there is no such flat)")
	x.expect(show(x.run(keys("1#")...)), "dialled")
	if d := x.wake.Sub(x.now); d < 4*time.Minute || d > 5*time.Minute {
		t.Errorf("the call is to end in %v", d)
	}
}

func TestDialled(t *testing.T) {
	for name, want := range map[string]bool{"12": true, "0": true, "": false, "12a": false, "12345678901234567": false} {
		if got := Dialled(name); got != want {
			t.Errorf("%q can be dialled: %v", name, got)
		}
	}
}
