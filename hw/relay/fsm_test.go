package relay

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// testRules: a front door with everything, and a gate that is never open together with it.
func testRules() *rules {
	return &rules{
		locks: []rule{
			{name: "door", onTime: 3 * time.Second, most: 10 * time.Second, pause: 2 * time.Second, others: []int{1}, contact: true, held: 20 * time.Second, forced: true, relock: true},
			{name: "gate", onTime: 3 * time.Second, most: 10 * time.Second, pause: 2 * time.Second, others: []int{0}, contact: true},
		},
		block: 60 * time.Second,
	}
}

var (
	errBroken = errors.New("broken")
	t0        = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

// script runs inputs, each at a second; drives succeed unless the next input is a wrote.
type script struct {
	rules *rules
	state state
	now   time.Time
	last  []effect
	wake  time.Time
}

func newScript(r *rules) *script { return &script{rules: r, state: r.begin(), now: t0} }

// do gives one input, and what follows from it.
func (s *script) do(at float64, in input, writes error) {
	s.now = t0.Add(time.Duration(at * float64(time.Second)))
	s.last = nil
	failed := false // the opening: making it safe succeeds then
	for queue := []input{in}; len(queue) > 0; queue = queue[1:] {
		var do []effect
		s.state, do, s.wake = s.state.next(s.rules, s.now, queue[0])
		s.last = append(s.last, do...)
		for _, e := range do {
			switch e := e.(type) {
			case drive:
				if err := writes; failed {
					queue = append(queue, wrote{lock: e.lock})
				} else {
					queue = append(queue, wrote{e.lock, err})
				}
				failed = e.open && writes != nil
			case save:
				queue = append(queue, saved{})
			}
		}
	}
}

// short writes effects as a person would.
func short(r *rules, effects []effect) string {
	var parts []string
	name := func(i int) string {
		if i == everywhere {
			return ""
		}
		return " " + r.locks[i].name
	}
	for _, e := range effects {
		switch e := e.(type) {
		case drive:
			parts = append(parts, map[bool]string{true: "drive open", false: "drive safe"}[e.open]+name(e.lock))
		case grant:
			parts = append(parts, "grant")
		case refuse:
			parts = append(parts, "refuse: "+e.err.Error())
		case notify:
			text := e.kind.String() + name(e.lock)
			if e.exit {
				text += " by exit"
			}
			if e.reason != "" {
				text += " (" + e.reason + ")"
			}
			parts = append(parts, text)
		case report:
			parts = append(parts, fmt.Sprintf("report %s %q", e.part, e.err))
		case save:
			parts = append(parts, fmt.Sprintf("save %v", e.left))
		}
	}
	return strings.Join(parts, "; ")
}

// timed is an input at a second; writes is how drives end then.
type timed struct {
	at     float64
	in     input
	writes error
}

// inOrder is everything taken, closed and known, at second 0.
var inOrder = []timed{
	{0, wake{}, nil}, {0, restored{}, nil}, {0, contact{0, true}, nil}, {0, contact{1, true}, nil}, {0, cased{false}, nil},
}

func with(more ...timed) []timed { return append(inOrder[:len(inOrder):len(inOrder)], more...) }

// TestNext has every input in every phase, and what doors, buttons and the case do to it.
func TestNext(t *testing.T) {
	opened := timed{10, asked{lock: 0}, nil}
	ajar := timed{11, contact{0, false}, nil}
	for _, tt := range []struct {
		name   string
		before []timed
		in     timed
		want   string
		wake   float64 // second; 0: never
	}{
		{"the first wake takes the lines", nil, timed{0, wake{}, nil}, `drive safe door; drive safe gate; report door ""; report gate ""`, 0},
		{"not to be had", nil, timed{0, wake{}, errBroken}, `drive safe door; drive safe gate; report door "broken"; report gate "broken"`, 0.2},
		{"still not", []timed{{0, wake{}, errBroken}}, timed{0.2, wake{}, errBroken}, "drive safe door; drive safe gate", 0.4},
		{"asked before it is taken", []timed{{0, cased{false}, nil}, {0, wake{}, errBroken}}, timed{0.1, asked{lock: 0}, nil}, `refuse: another door comes first: lock "gate" is not known to be safe`, 0.2},

		{"asked", inOrder, opened, "drive open door; opened door; grant", 13},
		{"asked for longer", inOrder, timed{10, asked{0, 7 * time.Second}, nil}, "drive open door; opened door; grant", 17},
		{"asked for too long", inOrder, timed{10, asked{0, time.Hour}, nil}, "drive open door; opened door; grant", 20},
		{"asked too soon", with(opened, timed{13, wake{}, nil}), timed{14.5, asked{lock: 0}, nil}, "refuse: was opened a moment ago; again in 500ms", 0},
		{"asked after the pause", with(opened, timed{13, wake{}, nil}), timed{15, asked{lock: 0}, nil}, "drive open door; opened door; grant", 18},
		{"woken while safe", inOrder, timed{9, wake{}, nil}, "", 0},
		{"a late word of a write", inOrder, timed{9, wrote{0, errBroken}, nil}, "", 0},
		{"not opened", inOrder, timed{10, asked{lock: 0}, errBroken}, `drive open door; drive safe door; refuse: broken; report door "broken"; report door ""; safe door`, 0},
		{"woken too early", with(opened), timed{12.9, wake{}, nil}, "", 13},
		{"time is up", with(opened), timed{13, wake{}, nil}, "drive safe door; safe door", 0},
		{"does not shut", with(opened), timed{13, wake{}, errBroken}, `drive safe door; report door "broken"`, 13.2},
		{"shut at last", with(opened, timed{13, wake{}, errBroken}), timed{13.2, wake{}, nil}, `drive safe door; report door ""; safe door`, 0},
		{"another cause", with(opened, timed{13, wake{}, errBroken}), timed{13.2, wake{}, errors.New("gone")}, `drive safe door; report door "gone"`, 13.4},
		{"asked while failing", with(opened, timed{13, wake{}, errBroken}), timed{13.1, asked{lock: 0}, nil}, "refuse: the line is not in order: broken", 13.2},
		{"asked while open", with(opened), timed{12, asked{lock: 0}, nil}, "grant", 15},
		{"asked for less while open", with(opened), timed{12, asked{0, time.Millisecond}, nil}, "grant", 13},
		{"asked for more than the maximum", with(opened), timed{12, asked{0, 9 * time.Second}, nil}, "grant", 20},
		{"asked at the maximum", with(timed{10, asked{0, 10 * time.Second}, nil}), timed{20, asked{lock: 0}, nil}, "refuse: was opened a moment ago; it has been open for 10s", 20},

		{"shut by who opened", with(opened), timed{11, shut{0}, nil}, "drive safe door; grant; safe door", 0},
		{"shut, and the line does not obey", with(opened), timed{11, shut{0}, errBroken}, `drive safe door; refuse: broken; report door "broken"`, 11.2},
		{"shut while safe", inOrder, timed{11, shut{0}, nil}, "grant", 0},

		{"exit", inOrder, timed{10, exited{0}, nil}, "drive open door; exit door; opened door by exit", 13},
		{"exit while open", with(opened), timed{12, exited{0}, nil}, "exit door", 15},
		{"exit too soon", with(opened, timed{13, wake{}, nil}), timed{14, exited{0}, nil}, "exit door (was opened a moment ago; again in 1s)", 0},
		{"exit, bouncing", with(timed{10, exited{0}, nil}), timed{10.4, exited{0}, nil}, "", 13},
		{"exit on a broken line", inOrder, timed{10, exited{0}, errBroken}, `drive open door; exit door; drive safe door; report door "broken"; report door ""; safe door`, 0},

		{"the door is opened", with(opened), ajar, "door opened door", 13},
		{"and closed: the opening ends", with(opened, ajar), timed{12, contact{0, true}, nil}, "door closed door; drive safe door; safe door", 0},
		{"closed in a second opening that it was not opened in", with(opened, ajar, timed{13, wake{}, nil}, timed{15, asked{lock: 0}, nil}), timed{16, contact{0, true}, nil}, "door closed door", 18},
		{"opened just after", with(opened, timed{13, wake{}, nil}), timed{14.9, contact{0, false}, nil}, "door opened door", 34.9},
		{"forced", inOrder, timed{10, contact{0, false}, nil}, "door opened door; forced door", 30},
		{"forced later", with(opened, timed{13, wake{}, nil}), timed{15, contact{0, false}, nil}, "door opened door; forced door", 35},
		{"forced, of a lock that minds not", inOrder, timed{10, contact{1, false}, nil}, "door opened gate", 0},
		{"open at the start", []timed{{0, wake{}, nil}}, timed{0, contact{0, false}, nil}, "door opened door", 20},
		{"the same level again", with(timed{5, blind{errBroken}, nil}), timed{6, contact{0, true}, nil}, "", 0},
		{"held open", with(opened, ajar, timed{13, wake{}, nil}), timed{33, wake{}, nil}, "held open door", 0},
		{"not yet", with(opened, ajar, timed{13, wake{}, nil}), timed{32.9, wake{}, nil}, "", 33},
		{"held open and closed", with(opened, ajar, timed{13, wake{}, nil}, timed{33, wake{}, nil}), timed{40, contact{0, true}, nil}, "door closed door", 0},

		{"interlock, open", with(opened), timed{11, asked{lock: 1}, nil}, `refuse: another door comes first: lock "door" is open`, 13},
		{"interlock, not closed", with(opened, ajar, timed{13, wake{}, nil}), timed{14, asked{lock: 1}, nil}, `refuse: another door comes first: the door of lock "door" is not known to be closed`, 33},
		{"interlock, not in order", with(opened, timed{13, wake{}, errBroken}), timed{13.1, asked{lock: 1}, nil}, `refuse: another door comes first: lock "door" is not known to be safe`, 13.2},
		{"interlock, exit", with(opened), timed{11, exited{1}, nil}, `exit gate (another door comes first: lock "door" is open)`, 13},
		{"interlock, the other is opened by a key", with(opened), timed{11, contact{1, false}, nil}, "door opened gate; drive safe door; safe door", 0},
		{"interlock, nobody knows", with(timed{5, blind{errBroken}, nil}, timed{5, cased{false}, nil}), timed{6, asked{lock: 1}, nil}, `refuse: another door comes first: the door of lock "door" is not known to be closed`, 0},

		{"the inputs fail", inOrder, timed{5, blind{errBroken}, nil}, `report lock inputs "broken"`, 0},
		{"and again", with(timed{5, blind{errBroken}, nil}), timed{6, blind{errBroken}, nil}, "", 0},
		{"and work", with(timed{5, blind{errBroken}, nil}), timed{6, blind{}, nil}, `report lock inputs ""`, 0},

		{"tampered", inOrder, timed{10, cased{true}, nil}, "save 1m0s; tampered", 0},
		{"tampered while open", with(opened), timed{11, cased{true}, nil}, "drive safe door; save 1m0s; safe door; tampered", 0},
		{"asked", with(timed{10, cased{true}, nil}), timed{11, asked{lock: 0}, nil}, "refuse: somebody has opened the case; again in 1m0s", 0},
		{"exit while the case is open", with(timed{10, cased{true}, nil}), timed{11, exited{0}, nil}, "exit door (somebody has opened the case; again in 1m0s)", 0},
		{"the case is closed", with(timed{10, cased{true}, nil}), timed{100, cased{false}, nil}, "save 1m0s", 130},
		{"asked in the block", with(timed{10, cased{true}, nil}, timed{11, cased{false}, nil}), timed{61, asked{lock: 0}, nil}, "refuse: somebody has opened the case; again in 10s", 41},
		{"the file says what is left", with(timed{10, cased{true}, nil}, timed{11, cased{false}, nil}), timed{41, wake{}, nil}, "save 30s", 71},
		{"over", with(timed{10, cased{true}, nil}, timed{11, cased{false}, nil}, timed{41, wake{}, nil}), timed{71, wake{}, nil}, "tamper over; save 0s", 0},
		{"asked after it", with(timed{10, cased{true}, nil}, timed{11, cased{false}, nil}, timed{71, wake{}, nil}), timed{71, asked{lock: 0}, nil}, "drive open door; opened door; grant", 74},
		{"again in the block", with(timed{10, cased{true}, nil}, timed{11, cased{false}, nil}), timed{20, cased{true}, nil}, "save 1m0s", 0},
		{"nobody knows of the case", with(timed{5, blind{errBroken}, nil}), timed{6, asked{lock: 0}, nil}, "refuse: nobody knows whether the case is closed: its line cannot be read", 0},
		{"the file has a block", []timed{{0, wake{}, nil}}, timed{0, restored{left: 40 * time.Second}, nil}, "save 40s; tampered (since before the restart)", 30},
		{"the file is damaged", []timed{{0, wake{}, nil}}, timed{0, restored{err: errBroken}, nil}, "save 1m0s; tampered (broken)", 30},
		{"the file cannot be written", inOrder, timed{10, saved{errBroken}, nil}, `report tamper "broken"`, 11},
	} {
		s := newScript(testRules())
		for _, b := range tt.before {
			s.do(b.at, b.in, b.writes)
		}
		s.do(tt.in.at, tt.in.in, tt.in.writes)
		want := time.Time{}
		if tt.wake > 0 {
			want = t0.Add(time.Duration(tt.wake * float64(time.Second)))
		}
		if got := short(s.rules, s.last); got != tt.want || !s.wake.Equal(want) {
			t.Errorf("%s:\ngot  %s, wake %v\nwant %s, wake %v", tt.name, got, s.wake.Sub(t0), tt.want, want.Sub(t0))
		}
	}
}

// TestWroteWhileOpening has what cannot happen as long as one goroutine drives and decides.
func TestWroteWhileOpening(t *testing.T) {
	r := testRules()
	s := newScript(r)
	for _, b := range inOrder {
		s.do(b.at, b.in, nil)
	}
	st, do, _ := s.state.next(r, t0, asked{lock: 0})
	if got := short(r, do); got != "drive open door" {
		t.Fatalf("got %s", got)
	}
	for in, want := range map[input]string{
		asked{lock: 0}: "refuse: is being opened",
		shut{0}:        "refuse: is being opened",
		wake{}:         "",
	} {
		if _, do, _ := st.next(r, t0, in); short(r, do) != want {
			t.Errorf("%#v: %s, want %s", in, short(r, do), want)
		}
	}
	st, do, _ = st.next(r, t0, cased{true})
	if got := short(r, do); got != "save 1m0s" {
		t.Errorf("tampered: %s", got)
	}
	_, do, _ = st.next(r, t0, wrote{lock: 0})
	if got := short(r, do); got != "opened door; grant; drive safe door" {
		t.Errorf("opened when it was too late: %s", got)
	}
}

// TestHold is a lock that stays open until somebody shuts it, but not for ever.
func TestHold(t *testing.T) {
	r := testRules()
	r.locks[0].hold = true
	s := newScript(r)
	for _, b := range with(timed{10, asked{lock: 0}, nil}) {
		s.do(b.at, b.in, nil)
	}
	if want := t0.Add(20 * time.Second); !s.wake.Equal(want) {
		t.Errorf("open until %v, want %v", s.wake, want)
	}
	s.do(15, shut{0}, nil)
	if got := short(r, s.last); got != "drive safe door; grant; safe door" {
		t.Errorf("shut: %s", got)
	}
	s.do(30, exited{0}, nil)
	if want := t0.Add(33 * time.Second); !s.wake.Equal(want) {
		t.Errorf("by the button inside: open until %v, want %v", s.wake, want)
	}
}
