package press

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"intercom/hw"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// cfg has times that are told apart at a glance.
var cfg = Config{Long: time.Second, Repeat: 300 * time.Millisecond, Stuck: 2 * time.Second, Burst: 3, Within: time.Second, Calm: 5 * time.Second}

// play feeds a panel with a script such as "a+0 a-200 tick3000": a goes active at 0 ms, and not
// at 200; lost edges are written a+0!2. The first level of each line is inactive, or active if
// it is in held. It returns what happens, such as "pressed a 0".
func play(t *testing.T, script, held string) []string {
	t.Helper()
	p, err := New(cfg, "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []string{"a", "b"} {
		if got := p.Take(hw.Edge{Line: l, Active: strings.Contains(held, l), At: start}); len(got) > 0 {
			t.Errorf("a level means %v", got)
		}
	}
	var told []string
	tell := func(events []Event) {
		for _, e := range events {
			s := fmt.Sprintf("%s %s %d", e.Kind, e.Line, e.At.Sub(start).Milliseconds())
			if e.Kind == Calm {
				s += fmt.Sprintf(" %d", e.Count)
			}
			told = append(told, s)
		}
	}
	for step := range strings.FieldsSeq(script) {
		var ms, lost int
		if n, _ := fmt.Sscanf(step, "tick%d", &ms); n == 1 {
			tell(p.Tick(start.Add(time.Duration(ms) * time.Millisecond)))
			continue
		}
		if n, err := fmt.Sscanf(step[2:], "%d!%d", &ms, &lost); n == 0 {
			t.Fatalf("step %q: %v", step, err)
		}
		tell(p.Take(hw.Edge{Line: step[:1], Active: step[1] == '+', At: start.Add(time.Duration(ms) * time.Millisecond), Lost: lost}))
	}
	return told
}

func TestTable(t *testing.T) {
	for _, tt := range []struct{ name, script, held, want string }{
		{"a press", "a+10 a-200 tick9000", "", "pressed a 10"},
		{"two buttons", "a+10 b+20 b-30 a-40", "", "pressed a 10, pressed b 20"},
		{"the same level again", "a+10 a+20 a-30 a-40", "", "pressed a 10"},
		{"a long one", "a+0 tick1000 a-1200", "", "pressed a 0, long pressed a 1000"},
		{"told late", "a+0 a-1200", "", "pressed a 0, long pressed a 1000"},
		{"not quite long", "a+0 a-999 tick5000", "", "pressed a 0"},
		{"repeated", "a+0 a-1700", "", "pressed a 0, long pressed a 1000, repeated a 1300, repeated a 1600"},
		{"stuck", "a+0 tick9000 tick9999", "", "pressed a 0, long pressed a 1000, repeated a 1300, repeated a 1600, repeated a 1900, stuck a 2000"},
		{"freed", "a+0 tick2000 a-9000 a+9001", "", "pressed a 0, long pressed a 1000, repeated a 1300, repeated a 1600, repeated a 1900, stuck a 2000, freed a 9000, pressed a 9001"},
		{"held from before", "tick1900 a-1950 a+1999 a-2000", "a", "pressed a 1999"},
		{"stuck from before", "tick2000 b+2100 b-2200 a-3000 a+4000", "a", "stuck a 2000, pressed b 2100, freed a 3000, pressed a 4000"},
		{"another edge tells the time", "a+0 b+2500", "", "pressed a 0, long pressed a 1000, repeated a 1300, repeated a 1600, repeated a 1900, stuck a 2000, pressed b 2500"},
		{"lost a release", "a+0 a+500!1 a-600", "", "pressed a 0, pressed a 500"},
		{"lost a release while stuck", "a+0 tick2000 a+2500!1", "", "pressed a 0, long pressed a 1000, repeated a 1300, repeated a 1600, repeated a 1900, stuck a 2000, freed a 2500, pressed a 2500"},
		{"lost a press", "a-500!1 a+600", "", "pressed a 600"},
		{"as many as may be", "a+0 a-1 a+2 a-3 a+4 a-5 a+1000 a-1001", "", "pressed a 0, pressed a 2, pressed a 4, pressed a 1000"},
		{"a storm", "a+0 a-1 a+2 a-3 a+4 a-5 a+6 a-7 a+8 a-9 b+10 tick9000", "", "pressed a 0, pressed a 2, pressed a 4, storm a 6, pressed b 10, " +
			"long pressed b 1010, repeated b 1310, repeated b 1610, repeated b 1910, stuck b 2010, calm a 5008 2"},
		{"one that goes on", "a+0 a-1 a+2 a-3 a+4 a-5 a+6 a-7 a+4000 a-4001 a+8000 a-8001 a+13000", "",
			"pressed a 0, pressed a 2, pressed a 4, storm a 6, calm a 13000 3, pressed a 13000"},
		{"a storm that sticks", "a+0 a-1 a+2 a-3 a+4 a-5 a+6 tick9000 a-9001 a+9002", "",
			"pressed a 0, pressed a 2, pressed a 4, storm a 6, stuck a 2006, calm a 5006 1, freed a 9001, pressed a 9002"},
		{"another line", "c+0 c-10", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(play(t, tt.script, tt.held), ", "); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	if p, err := New(Config{}); err != nil || p.cfg.Long != time.Second || p.cfg.Burst != 12 {
		t.Errorf("defaults: %+v, %v", p, err)
	}
	for _, c := range []Config{{Long: -1}, {Repeat: -1}, {Within: -1}, {Calm: -1}, {Long: time.Minute}, {Burst: -1}, {Burst: maxBurst + 1}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
	if _, err := New(Config{}, "a", "a"); err == nil {
		t.Error("a line was taken twice")
	}
}

// TestProperties plays random edges on many buttons, with ticks when Wake wants them, and
// without: the same happens. Nothing is told of a button that is stuck or in a storm, events are
// in the order of time, and what is remembered is bounded.
func TestProperties(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 6))
		var edges []hw.Edge
		lines := make([]string, 1+r.IntN(40))
		down := make([]bool, len(lines))
		for i := range lines {
			lines[i] = fmt.Sprintf("key %d", i)
			down[i] = r.IntN(8) == 0
			edges = append(edges, hw.Edge{Line: lines[i], Active: down[i], At: start})
		}
		now := start
		for range 400 {
			now = now.Add(time.Duration(r.ExpFloat64() * float64(200*time.Millisecond)))
			i := r.IntN(1 + r.IntN(len(lines))) // some more than others
			e := hw.Edge{Line: lines[i], Active: !down[i], At: now}
			if r.IntN(20) == 0 {
				e.Active, e.Lost = r.IntN(2) == 0, 1+r.IntN(3)
			}
			down[i] = e.Active
			edges = append(edges, e)
		}
		eager, lazy := run(t, edges, lines, true), run(t, edges, lines, false)
		if !slices.Equal(eager, lazy) {
			t.Fatalf("seed %d: with ticks %d events, without %d", seed, len(eager), len(lazy))
		}
		check(t, seed, eager)
	}
}

func run(t *testing.T, edges []hw.Edge, lines []string, ticks bool) (events []Event) {
	p, err := New(cfg, lines...)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range edges {
		for w := p.Wake(); ticks && !w.IsZero() && !w.After(e.At); w = p.Wake() {
			got := p.Tick(w)
			if len(got) == 0 {
				t.Fatalf("Wake said %v, and nothing was there", w)
			}
			events = append(events, got...)
		}
		events = append(events, p.Take(e)...)
		for _, b := range p.buttons {
			if len(b.presses) > cfg.Burst {
				t.Fatalf("%d presses are remembered", len(b.presses))
			}
		}
	}
	return append(events, p.Tick(edges[len(edges)-1].At.Add(time.Hour))...)
}

func check(t *testing.T, seed uint64, events []Event) {
	stuck, storm, pressed := map[string]bool{}, map[string]bool{}, map[string][]time.Time{}
	last := start
	for _, e := range events {
		if e.At.Before(last) {
			t.Errorf("seed %d: %v before %v", seed, e, last)
		}
		last = e.At
		switch e.Kind {
		case Pressed:
			if stuck[e.Line] || storm[e.Line] {
				t.Errorf("seed %d: a press of %s, which is stuck: %t, in a storm: %t", seed, e.Line, stuck[e.Line], storm[e.Line])
			}
			pressed[e.Line] = append(pressed[e.Line], e.At)
			if n := len(pressed[e.Line]) - 1 - cfg.Burst; n >= 0 && e.At.Sub(pressed[e.Line][n]) < cfg.Within {
				t.Errorf("seed %d: more than %d presses in %v", seed, cfg.Burst, cfg.Within)
			}
		case Stuck:
			stuck[e.Line] = true
		case Freed:
			if !stuck[e.Line] {
				t.Errorf("seed %d: %s is freed and was not stuck", seed, e.Line)
			}
			stuck[e.Line] = false
		case Storm:
			storm[e.Line] = true
		case Calm:
			if !storm[e.Line] || e.Count == 0 {
				t.Errorf("seed %d: %+v without a storm", seed, e)
			}
			storm[e.Line] = false
		}
	}
}
