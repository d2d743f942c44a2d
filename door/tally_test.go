package door

import (
	"slices"
	"testing"

	"intercom/door/access"
)

// TestKeptFirst: what a power cut must not undo is written down before anything shows whether
// a code was right, and what was right is taken back after that.
func TestKeptFirst(t *testing.T) {
	phone := func(pin string) func(*table) Input {
		return func(x *table) Input { return proved(challengeIn(t, x.run(press)), pin) }
	}
	pad := func(code string) func(*table) Input {
		return func(x *table) Input { x.run(keys(code)...); return Key{KeyConfirm} }
	}
	for name, c := range map[string]struct {
		how   func(*table) Input
		right bool
	}{
		"right code": {pad("*1234"), true}, "wrong code": {pad("*1235"), false}, "duress": {pad("*4321"), true},
		"phone": {phone(""), true}, "wrong proof": {phone("9999"), false},
	} {
		x := newGuarded(t)
		in := c.how(x)
		if a, phone := in.(Asked); phone {
			x.run(answered)
			a.Live = true
			in = a
		}
		effects := x.run(in)
		if len(effects) < 2 {
			t.Errorf("%s: %v", name, effects)
			continue
		}
		first, ok := effects[0].(Keep)
		if !ok || first.Later || len(first.Tallies) != 1 || first.Tallies[0].Count != 1 {
			t.Errorf("%s: the first effect is %+v, want one more wrong to be kept", name, effects[0])
		}
		last, ok := effects[len(effects)-1].(Keep)
		if ok != c.right || ok && (!last.Later || len(last.Tallies) != 0) {
			t.Errorf("%s: the last effect is %+v; taken back: %v, want %v", name, effects[len(effects)-1], ok, c.right)
		}
		if got := len(x.state.Tallies(x.now)); (got == 0) != c.right {
			t.Errorf("%s: %d tallies", name, got)
		}
	}
}

func TestRestored(t *testing.T) {
	x := newGuarded(t, Restored{Tallies: []access.Tally{{Keypad: keypad, Count: 4}}})
	effects := x.run(keys("*0000#")...)
	if !slices.ContainsFunc(effects, func(e Effect) bool { n, ok := e.(Note); return ok && n.Type == NoteAlarm }) {
		t.Errorf("the fifth wrong code, the first since the start: %s", show(effects))
	}
	x = newGuarded(t)
	if got := show(x.run(Restored{Doubt: true})); got != "forgotten" {
		t.Errorf("in doubt: %s", got)
	}
	if got := show(x.run(keys("*1234#")...)); got != "refused (too many wrong attempts); Cue{refused}" {
		t.Errorf("a right code then: %s", got)
	}
}
