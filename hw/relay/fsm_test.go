package relay

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var testLimits = limits{onTime: 3 * time.Second, most: 10 * time.Second, pause: 2 * time.Second}

// short writes effects as a person would.
func short(effects []effect) string {
	var parts []string
	for _, e := range effects {
		switch e := e.(type) {
		case drive:
			parts = append(parts, map[bool]string{true: "drive open", false: "drive safe"}[e.open])
		case grant:
			parts = append(parts, "grant")
		case refuse:
			parts = append(parts, "refuse: "+e.err.Error())
		case notify:
			parts = append(parts, map[bool]string{true: "opened", false: "shut"}[e.open])
		case report:
			parts = append(parts, fmt.Sprintf("report %q", e.err))
		}
	}
	return strings.Join(parts, "; ")
}

// TestNext has every input in every phase.
func TestNext(t *testing.T) {
	t0 := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return t0.Add(time.Duration(s * float64(time.Second))) }
	broken := errors.New("broken")
	fresh := pulse{}
	failing := pulse{phase: unsure, opened: at(0), until: at(3), again: at(5), cause: "broken"}
	shut := pulse{phase: safe, ready: at(5)}
	under := pulse{phase: opening, opened: at(0), until: at(3)}
	opened := pulse{phase: open, opened: at(0), until: at(3)}
	never := time.Time{}
	for _, tt := range []struct {
		name string
		p    pulse
		now  float64
		in   input
		want pulse
		do   string
		wake time.Time
	}{
		{"the first wake takes the line", fresh, 0, wake{}, fresh, "drive safe", never},
		{"taken", fresh, 0, wrote{}, pulse{phase: safe}, `report ""`, never},
		{"not to be had", fresh, 0, wrote{broken}, pulse{again: at(0.2), cause: "broken"}, `report "broken"`, at(0.2)},
		{"still not", pulse{again: at(0.2), cause: "broken"}, 0.2, wrote{broken}, pulse{again: at(0.4), cause: "broken"}, "", at(0.4)},
		{"asked before it is taken", pulse{again: at(0.2), cause: "broken"}, 0.1, asked{}, pulse{again: at(0.2), cause: "broken"}, "refuse: the line is not in order: broken", at(0.2)},

		{"asked", shut, 5, asked{}, pulse{phase: opening, opened: at(5), until: at(8), ready: at(5)}, "drive open", never},
		{"asked for longer", shut, 6, asked{7 * time.Second}, pulse{phase: opening, opened: at(6), until: at(13), ready: at(5)}, "drive open", never},
		{"asked for too long", shut, 6, asked{time.Hour}, pulse{phase: opening, opened: at(6), until: at(16), ready: at(5)}, "drive open", never},
		{"asked too soon", shut, 4.5, asked{}, shut, "refuse: was opened a moment ago; again in 500ms", never},
		{"woken while safe", shut, 9, wake{}, shut, "", never},
		{"a late word of a write", shut, 9, wrote{broken}, pulse{phase: safe, ready: at(5)}, "", never},

		{"opened", under, 0, wrote{}, opened, "opened; grant", at(3)},
		{"not opened", under, 0, wrote{broken}, pulse{phase: unsure, opened: at(0), until: at(3), again: at(0), cause: "broken"}, `drive safe; refuse: broken; report "broken"`, at(0)},
		{"asked while opening", under, 0, asked{}, under, "refuse: is being opened", never},
		{"woken while opening", under, 9, wake{}, under, "", never},

		{"woken too early", opened, 2.9, wake{}, opened, "", at(3)},
		{"time is up", opened, 3, wake{}, opened, "drive safe", at(3)},
		{"shut", opened, 3, wrote{}, pulse{phase: safe, ready: at(5)}, "shut", never},
		{"does not shut", opened, 3, wrote{broken}, pulse{phase: unsure, opened: at(0), until: at(3), again: at(3.2), cause: "broken"}, `report "broken"`, at(3.2)},
		{"asked while open", opened, 2, asked{}, pulse{phase: open, opened: at(0), until: at(5)}, "grant", at(5)},
		{"asked for less while open", opened, 2, asked{time.Millisecond}, opened, "grant", at(3)},
		{"asked for more than the maximum", opened, 2, asked{9 * time.Second}, pulse{phase: open, opened: at(0), until: at(10)}, "grant", at(10)},
		{"asked at the maximum", opened, 10, asked{}, opened, "refuse: was opened a moment ago; it has been open for 10s", at(3)},

		{"again", failing, 5, wake{}, failing, "drive safe", at(5)},
		{"not yet again", failing, 4.9, wake{}, failing, "", at(5)},
		{"shut at last", failing, 5, wrote{}, pulse{phase: safe, ready: at(7)}, `report ""; shut`, never},
		{"another cause", failing, 5, wrote{errors.New("gone")}, pulse{phase: unsure, opened: at(0), until: at(3), again: at(5.2), cause: "gone"}, `report "gone"`, at(5.2)},
		{"asked while failing", failing, 4, asked{}, failing, "refuse: the line is not in order: broken", at(5)},
	} {
		got, do, w := tt.p.next(testLimits, at(tt.now), tt.in)
		if got != tt.want || short(do) != tt.do || !w.Equal(tt.wake) {
			t.Errorf("%s:\ngot  %+v, %s, wake %v\nwant %+v, %s, wake %v", tt.name, got, short(do), w, tt.want, tt.do, tt.wake)
		}
	}
}

// TestNextAtRandom holds the table against a line that it drives: no sequence of requests
// keeps it open beyond the maximum, whatever writes fail, as long as wakes are on time
// and writes that go safe succeed.
func TestNextAtRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	openings, longest := 0, time.Duration(0)
	for range 2000 {
		var p pulse
		var due time.Time
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		var opened, shut time.Time // what the line does
		step := func(in input) {
			for queue := []input{in}; len(queue) > 0; queue = queue[1:] {
				var do []effect
				p, do, due = p.next(testLimits, now, queue[0])
				for _, e := range do {
					d, ok := e.(drive)
					if !ok {
						continue
					}
					if d.open {
						if !shut.IsZero() && now.Sub(shut) < testLimits.pause {
							t.Fatalf("opened %v after it was shut", now.Sub(shut))
						}
						openings++
						if r.IntN(5) == 0 { // a failed write may have opened it or not
							if r.IntN(2) == 0 {
								opened = now
							}
							queue = append(queue, wrote{errors.New("broken")})
							continue
						}
						opened = now
					} else if !opened.IsZero() {
						longest = max(longest, now.Sub(opened))
						opened, shut = time.Time{}, now
					}
					queue = append(queue, wrote{})
				}
			}
		}
		step(wake{})
		for range 100 {
			next := now.Add(time.Duration(r.IntN(4000)) * time.Millisecond)
			for !due.IsZero() && !due.After(next) {
				now = due
				step(wake{})
			}
			now = next
			if r.IntN(10) == 0 {
				step(wake{}) // at any time
			} else {
				step(asked{time.Duration(r.IntN(20000)) * time.Millisecond})
			}
		}
	}
	if longest > testLimits.most {
		t.Errorf("open for %v, the maximum is %v", longest, testLimits.most)
	}
	if openings < 10000 || longest < testLimits.most {
		t.Errorf("%d openings, the longest %v: the test proves little", openings, longest)
	}
}
