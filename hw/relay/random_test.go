package relay

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// observer looks at the lines, doors and the case from outside, and knows the rules.
type observer struct {
	*testing.T
	rules   *rules
	line    []time.Time // of being open; zero: it is shut
	shut    []time.Time
	closed  []bool // the doors' contacts, as told
	ajar    bool   // open
	blocked time.Time
	blind   bool

	openings int
	longest  time.Duration
}

// driven takes a drive that reached its line.
func (o *observer) driven(now time.Time, i int, open bool) {
	o.Helper()
	r := o.rules.locks[i]
	if !open {
		if since := o.line[i]; !since.IsZero() {
			o.longest = max(o.longest, now.Sub(since))
			o.line[i], o.shut[i] = time.Time{}, now
		}
		return
	}
	o.openings++
	switch {
	case o.ajar || now.Before(o.blocked):
		o.Fatalf("%s opened in a block", r.name)
	case o.blind:
		o.Fatalf("%s opened, and nobody knows whether the case is closed", r.name)
	case !o.shut[i].IsZero() && now.Sub(o.shut[i]) < r.pause:
		o.Fatalf("%s opened %v after it was shut", r.name, now.Sub(o.shut[i]))
	}
	for _, j := range r.others {
		if !o.line[j].IsZero() || !o.closed[j] {
			o.Fatalf("%s opened; line of %s open: %v, its door closed: %v", r.name, o.rules.locks[j].name, !o.line[j].IsZero(), o.closed[j])
		}
	}
	if o.line[i].IsZero() {
		o.line[i] = now
	}
}

// TestNextAtRandom holds the table against lines that it drives: no sequence of requests,
// doors, buttons, tampering and failing writes keeps one open beyond the maximum, opens it
// in a pause or a block, or two of an interlock, as long as wakes are on time and writes
// that go safe succeed in the end.
func TestNextAtRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	total := observer{}
	for range 1000 {
		o := runAtRandom(t, rnd)
		total.openings += o.openings
		total.longest = max(total.longest, o.longest)
	}
	if most := testRules().locks[0].most; total.longest > most || total.longest < most || total.openings < 5000 {
		t.Errorf("%d openings, the longest %v: want many, and the maximum %v reached and not passed", total.openings, total.longest, most)
	}
	t.Logf("%d openings, the longest %v", total.openings, total.longest)
}

// play is a table with an observer of its lines.
type play struct {
	*observer
	rnd *rand.Rand
	st  state
	now time.Time
	due time.Time
}

func runAtRandom(t *testing.T, rnd *rand.Rand) *observer {
	r := testRules()
	o := &observer{T: t, rules: r, line: make([]time.Time, 2), shut: make([]time.Time, 2), closed: make([]bool, 2), blind: true}
	p := &play{observer: o, rnd: rnd, st: r.begin(), now: t0}
	p.step(wake{})
	p.step(restored{})
	for range 150 {
		next := p.now.Add(time.Duration(rnd.IntN(3000)) * time.Millisecond)
		for !p.due.IsZero() && !p.due.After(next) {
			p.now = p.due
			p.step(wake{})
		}
		p.now = next
		p.step(p.any())
	}
	return o
}

// any is something that happens; the observer hears of it first.
func (p *play) any() input {
	i := p.rnd.IntN(2)
	switch n := p.rnd.IntN(100); {
	case n < 40:
		return asked{i, time.Duration(p.rnd.IntN(20000)) * time.Millisecond}
	case n < 50:
		return exited{i}
	case n < 55:
		return shut{i}
	case n < 85:
		p.closed[i] = p.rnd.IntN(4) > 0
		return contact{i, p.closed[i]}
	case n < 87:
		p.blind, p.closed = true, make([]bool, 2)
		return blind{errors.New("broken")}
	case n < 97:
		p.blind = false
		opened := p.rnd.IntN(8) == 0
		if opened != p.ajar {
			p.blocked = p.now.Add(p.rules.block)
		}
		p.ajar = opened
		return cased{opened}
	default:
		return wake{} // at any time
	}
}

func (p *play) step(in input) {
	for queue := []input{in}; len(queue) > 0; queue = queue[1:] {
		var do []effect
		p.st, do, p.due = p.st.next(p.rules, p.now, queue[0])
		for _, e := range do {
			switch e := e.(type) {
			case drive:
				queue = append(queue, p.drive(e))
			case save:
				var err error
				if p.rnd.IntN(4) == 0 {
					err = errors.New("full")
				}
				queue = append(queue, saved{err})
			case notify:
				if e.kind == TamperOver && (p.ajar || p.now.Before(p.blocked)) {
					p.Fatal("a block was over too early")
				}
			}
		}
	}
	for i, l := range p.st.locks {
		if !p.line[i].IsZero() && l.phase == safe {
			p.Fatalf("%s is open and believed to be safe", p.rules.locks[i].name)
		}
	}
	if p.ajar && (!p.line[0].IsZero() || !p.line[1].IsZero()) {
		p.Fatal("the case is open, and so is a lock")
	}
}

// drive reaches the line, or fails: then it may have opened it or not.
func (p *play) drive(e drive) wrote {
	if e.open && p.rnd.IntN(5) == 0 {
		if p.rnd.IntN(2) == 0 {
			p.driven(p.now, e.lock, true)
		}
		return wrote{e.lock, errors.New("broken")}
	}
	p.driven(p.now, e.lock, e.open)
	return wrote{lock: e.lock}
}

// TestParseBlock: what was written is read; a file that was cut or changed is damaged.
func TestParseBlock(t *testing.T) {
	for _, d := range []time.Duration{0, time.Second, 9*time.Minute + 30*time.Second} {
		whole := formatBlock(d)
		if got, err := parseBlock([]byte(whole)); err != nil || got != d {
			t.Errorf("%v: %v, %v", d, got, err)
		}
		for i := range whole {
			if _, err := parseBlock([]byte(whole[:i])); err == nil {
				t.Errorf("%v: the first %d bytes are taken", d, i)
			}
			for bit := range 8 {
				b := []byte(whole)
				b[i] ^= 1 << bit
				if _, err := parseBlock(b); err == nil {
					t.Errorf("%v: %q is taken", d, b)
				}
			}
		}
	}
	if _, err := parseBlock(fmt.Appendf(nil, "%s 0s 00000000\n", stateName)); err == nil {
		t.Error("a wrong check sum is taken")
	}
}

func FuzzParseBlock(f *testing.F) {
	f.Add([]byte(formatBlock(time.Minute)))
	f.Add([]byte("intercom-tamper/1 -1s 00000000\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := parseBlock(b); err == nil && (d < 0 || formatBlock(d) != string(b)) {
			t.Errorf("%q is taken for %v", b, d)
		}
	})
}
