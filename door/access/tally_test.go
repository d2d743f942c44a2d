package access_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"intercom/door/access"
)

// power cuts it: what is remembered is all that the next run has, and its clock says anything.
func (h *house) power(kept []access.Tally, change ...func(*access.Config)) {
	h.t.Helper()
	next := newHouse(h.t, carla, change...)
	next.now = next.now.AddDate(-20, 0, 0) // no network yet
	next.s, next.given = next.s.Challenge(next.now, "1", carla)
	next.s = next.s.Restore(next.now, kept)
	*h = *next
}

func TestTalliesOutliveAPowerCut(t *testing.T) {
	h := newHouse(t, carla)
	for range 3 {
		h.typed("000000")
	}
	h.now = h.now.Add(10 * time.Minute)
	h.s, h.given = h.s.Challenge(h.now, "1", carla)
	for range 5 {
		h.ask(h.request(carla, "c", "11111"))
	}
	kept := h.s.Tallies(h.now)
	want := []access.Tally{{User: carla, Count: 5, Left: time.Minute}, {Keypad: "front", Count: 3, Since: 10 * time.Minute}}
	if !reflect.DeepEqual(kept, want) {
		t.Fatalf("kept %+v, want %+v", kept, want)
	}
	h.power(kept)
	if got := h.s.Tallies(h.now); !reflect.DeepEqual(got, want) {
		t.Errorf("restored %+v, want %+v", got, want)
	}
	if v := h.ask(h.request(carla, "c", "24680")); v.Reason != access.ReasonLockedOut || v.LockedOut != time.Minute {
		t.Errorf("a right PIN after the restart: %+v", v)
	}
	h.typed("000000")
	if v := h.typed("000000"); v.LockedOut != time.Minute {
		t.Errorf("the fifth wrong code, of which two after the restart: %+v", v)
	}
	// Time forgives as before: what went by before the power cut counts.
	h = newHouse(t, anna)
	for range 4 {
		h.typed("000000")
	}
	h.now = h.now.Add(access.DefaultLongestLockOut - time.Minute)
	h.power(h.s.Tallies(h.now))
	h.now = h.now.Add(time.Minute)
	if v := h.typed("000000"); v.LockedOut != 0 {
		t.Errorf("one was forgiven, and it is locked out: %+v", v)
	}
	h.now = h.now.Add(5 * access.DefaultLongestLockOut)
	if got := h.s.Tallies(h.now); len(got) != 0 || got == nil {
		t.Errorf("what time has forgiven is kept: %+v", got)
	}
}

// TestRestoreForged: nothing that a file can say opens, or locks anybody out for ever.
func TestRestoreForged(t *testing.T) {
	h := newHouse(t, anna)
	h.power([]access.Tally{
		{Keypad: "front", Count: 1 << 60, Since: -time.Hour, Left: 1 << 62}, {Keypad: "back", Count: -7, Since: -1, Left: -1},
		{Keypad: "gone", Count: 5}, {User: mallory, Count: 5, Left: time.Hour}, {User: anna, Keypad: "back", Count: 1},
	})
	if v := h.typed("135790"); v.Reason != access.ReasonLockedOut || v.LockedOut != access.DefaultLongestLockOut {
		t.Errorf("at once: %+v", v)
	}
	if _, v := h.s.Type(h.now, access.Typed{Keypad: "back", PIN: "135790"}); !v.Granted() {
		t.Errorf("at the other keypad: %+v", v)
	}
	h.now = h.now.Add(access.DefaultLongestLockOut)
	if v := h.typed("000000"); v.LockedOut != access.DefaultLongestLockOut {
		t.Errorf("a wrong code after it: %+v", v)
	}
	h.now = h.now.Add(access.DefaultLongestLockOut)
	if v := h.typed("135790"); !v.Granted() {
		t.Errorf("a right code after it: %+v", v)
	}
}

func TestDoubt(t *testing.T) {
	h := newHouse(t, anna)
	h.s = h.s.Doubt(h.now)
	if v := h.typed("135790"); v.Reason != access.ReasonLockedOut || v.LockedOut != time.Minute {
		t.Errorf("at once: %+v", v)
	}
	h.now = h.now.Add(time.Minute)
	if v := h.typed("135790"); !v.Granted() {
		t.Errorf("a right code a minute later: %+v", v)
	}
	if v := h.typed("000000"); v.LockedOut != 2*time.Minute {
		t.Errorf("a wrong code: %+v", v)
	}
	// It takes nothing back.
	before := h.s.Tallies(h.now)[len(everybody)-1]
	after := h.s.Doubt(h.now).Tallies(h.now)[len(everybody)-1]
	if before != after || before.Keypad != "front" || before.Count != 6 || before.Left != 2*time.Minute {
		t.Errorf("doubt made %+v of %+v", after, before)
	}
	h.now = h.now.Add(100 * time.Hour)
	if got := h.s.Tallies(h.now); len(got) != 0 {
		t.Errorf("it is not over: %+v", got)
	}
}

// TestAtWorst: what is to be on the disk before a verdict is known is the same for a right
// code and a wrong one, and there is nothing to be kept where no secret was tried.
func TestAtWorst(t *testing.T) {
	for _, c := range []struct {
		name string
		try  func(*house) access.Verdict
		want string
	}{
		{"right", func(h *house) access.Verdict { return h.typed("135790") }, "[{0 front 1 0s 0s}]"},
		{"duress", func(h *house) access.Verdict { return h.typed("135791") }, "[{0 front 1 0s 0s}]"},
		{"of another lock", func(h *house) access.Verdict { return h.typed("24680") }, "[{0 front 1 0s 0s}]"},
		{"wrong", func(h *house) access.Verdict { return h.typed("000000") }, "[{0 front 1 0s 0s}]"},
		{"blocked", func(h *house) access.Verdict {
			_, v := h.s.Type(h.now, access.Typed{Keypad: "front", PIN: "135790", Blocked: true})
			return v
		}, "[]"},
		{"right key and PIN", func(h *house) access.Verdict { return h.ask(h.request(carla, "c", "24680")) }, "[{2003  1 0s 0s}]"},
		{"wrong PIN", func(h *house) access.Verdict { return h.ask(h.request(carla, "c", "11111")) }, "[{2003  1 0s 0s}]"},
		{"no PIN", func(h *house) access.Verdict { return h.ask(h.request(carla, "c", "")) }, "[]"},
		{"old challenge", func(h *house) access.Verdict {
			h.now = h.now.Add(time.Hour)
			return h.ask(h.request(carla, "c", "24680"))
		}, "[]"},
	} {
		h := newHouse(t, carla)
		if v := c.try(h); fmt.Sprint(v.AtWorst) != c.want || (v.AtWorst == nil) != (c.want == "[]") {
			t.Errorf("%s: %+v, want %s", c.name, v.AtWorst, c.want)
		}
	}
}

// TestPowerCutsWinNothing: somebody at the keypad guesses whenever he is heard, and cuts the
// power when it suits him: as soon as he sees that a guess is wrong, before that, and at
// random. For the time for which it is on he has no more guesses than who never cuts it.
func TestPowerCutsWinNothing(t *testing.T) {
	const on = 50 * time.Hour
	guesses := func(cut func(*rand.Rand) int, r *rand.Rand) int {
		h := newHouse(t, carla)
		var disk []access.Tally
		learnt, spent, written := 0, time.Duration(0), time.Duration(0)
		for spent < on {
			var v access.Verdict
			after := h.s
			after, v = h.s.Type(h.now, access.Typed{Keypad: "front", PIN: "000000"})
			how := cut(r)
			step := time.Second // to type it
			switch {
			case v.Reason == access.ReasonLockedOut:
				step += min(v.LockedOut, time.Duration(r.IntN(3600))*time.Second) // he waits
			case how == 1: // before the disk has it: nothing is to be seen yet
			default:
				disk, learnt = v.AtWorst, learnt+1
			}
			h.s = after
			h.now, spent = h.now.Add(step), spent+step
			if spent-written > 5*time.Minute {
				disk, written = h.s.Tallies(h.now), spent // as the station does
			}
			if how > 0 {
				h.power(disk)
				written = spent
			}
		}
		return learnt
	}
	most := guesses(func(*rand.Rand) int { return 0 }, rand.New(rand.NewPCG(0, 0)))
	if most < 50 || most > 70 {
		t.Errorf("%d guesses in 50 hours without a power cut; want a dozen, and one an hour", most)
	}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		often := 1 + r.IntN(20)
		got := guesses(func(r *rand.Rand) int {
			if r.IntN(often) > 0 {
				return 0
			}
			return 1 + r.IntN(2)
		}, r)
		if got > most+1 {
			t.Errorf("seed %d, a power cut each %d guesses: %d guesses, and %d without any", seed, often, got, most)
		}
	}
}
