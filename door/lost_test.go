package door

import (
	"testing"
	"time"
)

// TestLockIs: word of a lock is lost, and what is known of it later makes up for that.
func TestLockIs(t *testing.T) {
	is := func(open bool) LockIs { return LockIs{Lock: "door", Open: open} }
	for _, c := range []struct {
		name   string
		before []Input
		in     LockIs
		want   string
	}{
		{"opened for a code, and shut", keys("*1234#"), is(false), "opened 2001 (PIN); Cue{opened}; locked"},
		{"opened for a code", keys("*1234#"), is(true), "opened 2001 (PIN); Cue{opened}; light opened"},
		{"shut again", append(keys("*1234#"), opened), is(false), "locked; light idle"},
		{"opened from inside", nil, is(true), "opened (from inside); light opened"},
		{"nothing is new", nil, is(false), ""},
		{"nothing is new: open", append(keys("*1234#"), opened), is(true), ""},
		{"another lock", nil, LockIs{Lock: "other", Open: true}, ""},
	} {
		x := newGuarded(t, c.before...)
		c.in.At = x.now.Add(time.Second)
		if got := show(x.run(c.in)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		x.run(closed)
		if got := show(x.run(keys("*1234#")...)); got != "Open{door 2001}" {
			t.Errorf("%s: then it is refused: %s", c.name, got)
		}
	}
	// What was known before the code was typed says nothing of what became of it.
	x := newGuarded(t, keys("*1234#")...)
	if got := show(x.run(LockIs{Lock: "door", At: x.now.Add(-time.Second)})); got != "" {
		t.Errorf("late word: %s", got)
	}
	if got := show(x.run(opened)); got != "opened 2001 (PIN); Cue{opened}; light opened" {
		t.Errorf("after late word: %s", got)
	}
}
