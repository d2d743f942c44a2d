package relay_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"intercom/hw"
	"intercom/hw/relay"
)

var errBroken = errors.New("input/output error")

// wire is a lock's line as somebody beside the door sees it, with a switch for each way in
// which it can break.
type wire struct {
	mu      sync.Mutex
	taken   bool
	level   bool
	since   time.Time
	spans   []span // the levels it had
	absent  error  // taking it fails
	deaf    error  // setting it fails, and changes nothing
	liar    error  // setting it to open fails, and opens it
	fatal   bool   // setting it to open opens it and panics
	keeping bool   // it keeps its level when it is released, else it becomes high
}

type span struct {
	level    bool
	from, to time.Time
}

func (w *wire) set(level bool) {
	now := time.Now()
	if !w.since.IsZero() && w.level != level {
		w.spans = append(w.spans, span{w.level, w.since, now})
	}
	if w.since.IsZero() || w.level != level {
		w.level, w.since = level, now
	}
}

func (w *wire) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *wire) at() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.level
}

// had returns the times at which the line had a level, the present one included.
func (w *wire) had(level bool) []span {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []span
	for _, s := range append(w.spans[:len(w.spans):len(w.spans)], span{w.level, w.since, time.Now()}) {
		if s.level == level {
			out = append(out, s)
		}
	}
	return out
}

func (w *wire) Inputs(...hw.Line) (hw.Inputs, error) { return nil, errors.New("the lock is no input") }

func (w *wire) Output(l hw.Line, active bool) (hw.Output, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.taken {
		return nil, fmt.Errorf("line %q: is taken", l.Name)
	}
	if w.absent != nil {
		return nil, fmt.Errorf("line %q: %w", l.Name, w.absent)
	}
	w.taken = true
	w.set(active)
	return &held{wire: w}, nil
}

type held struct {
	*wire
	closed bool
}

func (h *held) Set(active bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		panic("a line is set that was given back")
	case h.deaf != nil:
		return h.deaf
	}
	h.set(active)
	if active && h.fatal {
		h.fatal = false
		panic("the guard hit a bug")
	}
	if active {
		return h.liar
	}
	return nil
}

func (h *held) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.closed, h.taken = true, false
		if !h.keeping {
			h.set(true)
		}
	}
	return nil
}

// rig is a guard at work on a wire.
type rig struct {
	*relay.Guard
	wire    *wire
	reports chan error
	stop    context.CancelFunc
	done    chan error
}

// start runs a guard of a strike, open for 3 s, at most 10, with 2 s between openings.
func start(t *testing.T, w *wire) *rig {
	t.Helper()
	r := &rig{wire: w, reports: make(chan error, 100), done: make(chan error, 1)}
	g, err := relay.New(relay.Config{Lines: w, Line: hw.Line{Name: "door"}, Report: func(err error) { r.reports <- err }})
	if err != nil {
		t.Fatal(err)
	}
	r.Guard = g
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	go func() { r.done <- g.Run(ctx) }()
	synctest.Wait()
	return r
}

// end stops the guard and wants it to say that all is well.
func (r *rig) end(t *testing.T) {
	t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// report returns what was reported last, and whether anything was.
func (r *rig) report() (string, bool) {
	synctest.Wait()
	text, any := "", false
	for len(r.reports) > 0 {
		text, any = "", true
		if err := <-r.reports; err != nil {
			text = err.Error()
		}
	}
	return text, any
}

func TestOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, &wire{keeping: true})
		if text, any := r.report(); !any || text != "" {
			t.Errorf("reported %q, %t; want that the line is in order", text, any)
		}
		began := time.Now()
		if err := r.Open(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if s := r.State(); !s.Open || !s.Since.Equal(began) || !r.wire.at() {
			t.Errorf("State %+v, line %t; want open since now", s, r.wire.at())
		}
		if e := <-r.Events(); !e.Open || !e.At.Equal(began) {
			t.Errorf("event %+v, want opened now", e)
		}
		if e := <-r.Events(); e.Open || e.At.Sub(began) != relay.DefaultOnTime {
			t.Errorf("event %+v, want safe after %v", e, relay.DefaultOnTime)
		}
		if s := r.State(); s.Open || r.wire.at() {
			t.Errorf("State %+v, line %t; want shut", s, r.wire.at())
		}
		err := r.Open(t.Context(), 0)
		if !errors.Is(err, relay.ErrTooSoon) || !strings.Contains(err.Error(), `lock "door"`) {
			t.Errorf("Open at once: %v, want ErrTooSoon with the lock's name", err)
		}
		time.Sleep(relay.DefaultPause)
		if err := r.Open(t.Context(), time.Second); err != nil {
			t.Errorf("Open after the pause: %v", err)
		}
		r.end(t)
		if err := r.Open(t.Context(), 0); !errors.Is(err, relay.ErrEnded) {
			t.Errorf("Open after the end: %v, want ErrEnded", err)
		}
		if err := r.Run(t.Context()); err == nil {
			t.Error("a guard ran twice")
		}
	})
}

// TestNobodyHoldsItOpen asks many at once, at random, all the time.
func TestNobodyHoldsItOpen(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, &wire{keeping: true})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			var people sync.WaitGroup
			for i := range uint64(4) {
				people.Go(func() {
					rnd := rand.New(rand.NewPCG(seed, i))
					for ctx.Err() == nil {
						_ = r.Open(ctx, time.Duration(rnd.IntN(30000))*time.Millisecond)
						time.Sleep(time.Duration(rnd.IntN(3000)) * time.Millisecond)
					}
				})
			}
			people.Wait()
			r.end(t)
			longest := time.Duration(0)
			var last time.Time
			for _, s := range r.wire.had(true) {
				longest = max(longest, s.to.Sub(s.from))
				if !last.IsZero() && s.from.Sub(last) < relay.DefaultPause {
					t.Errorf("opened again after %v", s.from.Sub(last))
				}
				last = s.to
			}
			if longest != relay.DefaultMax {
				t.Errorf("open for %v, want the maximum %v reached and never passed", longest, relay.DefaultMax)
			}
		})
	}
}

func TestCannotBeTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{absent: errBroken, keeping: true}
		r := start(t, w)
		if text, _ := r.report(); !strings.Contains(text, "input/output error") || !strings.Contains(text, "door") {
			t.Errorf("reported %q", text)
		}
		if err := r.Open(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "not in order") {
			t.Errorf("Open: %v", err)
		}
		time.Sleep(time.Minute)
		if text, any := r.report(); any {
			t.Errorf("reported %q again", text)
		}
		if s := r.State(); s.Open || s.Fault == "" {
			t.Errorf("State %+v, want a fault", s)
		}
		w.change(func() { w.absent = nil })
		time.Sleep(time.Second)
		if text, any := r.report(); !any || text != "" {
			t.Errorf("reported %q, %t; want the repair", text, any)
		}
		if err := r.Open(t.Context(), 0); err != nil {
			t.Errorf("Open: %v", err)
		}
		r.end(t)
	})
}

// TestOpeningFails: whether the line opened or not, it is driven safe at once.
func TestOpeningFails(t *testing.T) {
	for _, w := range []*wire{{liar: errBroken, keeping: true}, {liar: errBroken}} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, w)
			if err := r.Open(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "input/output error") {
				t.Errorf("Open: %v, want the line's error", err)
			}
			synctest.Wait()
			if w.at() {
				t.Error("the line is open")
			}
			if err := r.Open(t.Context(), 0); !errors.Is(err, relay.ErrTooSoon) {
				t.Errorf("Open at once: %v, want ErrTooSoon: it may have been open", err)
			}
			r.end(t)
		})
	}
}

// TestShuttingFails loses the device while the door is open.
func TestShuttingFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{keeping: true}
		r := start(t, w)
		if err := r.Open(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		r.report()
		w.change(func() { w.deaf, w.absent = errBroken, errBroken })
		time.Sleep(time.Minute)
		if text, _ := r.report(); !strings.Contains(text, "input/output error") {
			t.Errorf("reported %q", text)
		}
		if s := r.State(); !s.Open || s.Fault == "" {
			t.Errorf("State %+v, want open and a fault", s)
		}
		// Requests meanwhile do not put the next try off.
		healed := time.Now()
		w.change(func() { w.deaf, w.absent = nil, nil })
		for r.State().Open && time.Since(healed) < time.Minute {
			_ = r.Open(t.Context(), 0)
			time.Sleep(10 * time.Millisecond)
		}
		if d := time.Since(healed); d > 250*time.Millisecond || w.at() {
			t.Errorf("shut %v after the repair, line open: %t", d, w.at())
		}
		if text, any := r.report(); !any || text != "" {
			t.Errorf("reported %q, %t; want the repair", text, any)
		}
		r.end(t)
	})
}

// TestTakenAnew: the output is broken for good, but the line can be had again.
func TestTakenAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{keeping: true}
		r := start(t, w)
		if err := r.Open(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		w.change(func() { w.deaf = errBroken })
		time.Sleep(relay.DefaultOnTime)
		synctest.Wait()
		if w.at() || r.State().Open {
			t.Errorf("line open: %t, State %+v; want it shut on time", w.at(), r.State())
		}
		w.change(func() { w.deaf = nil })
		time.Sleep(relay.DefaultPause)
		if err := r.Open(t.Context(), 0); err != nil {
			t.Errorf("Open: %v", err)
		}
		r.end(t)
	})
}

func TestEndWhileOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{keeping: true}
		r := start(t, w)
		if err := r.Open(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		r.end(t)
		if w.at() || r.State().Open {
			t.Errorf("line open: %t, State %+v", w.at(), r.State())
		}
		var got []bool
		for e := range r.Events() { // closed
			got = append(got, e.Open)
		}
		if fmt.Sprint(got) != "[true false]" {
			t.Errorf("events %v, want opened and safe", got)
		}
	})
}

func TestEndWithABrokenLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{keeping: true}
		r := start(t, w)
		if err := r.Open(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		w.change(func() { w.deaf, w.absent = errBroken, errBroken })
		began := time.Now()
		r.stop()
		if err := <-r.done; !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "not known to be safe") {
			t.Errorf("Run: %v, want that the door may be open", err)
		}
		if d := time.Since(began); d > time.Second {
			t.Errorf("it took %v to give up", d)
		}
	})
}

func TestPanicLeavesItSafe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{fatal: true, keeping: true}
		g, err := relay.New(relay.Config{Lines: w, Line: hw.Line{Name: "door"}})
		if err != nil {
			t.Fatal(err)
		}
		panicked := make(chan any, 1)
		go func() {
			defer func() { panicked <- recover() }()
			g.Run(t.Context())
		}()
		if err := g.Open(t.Context(), 0); !errors.Is(err, relay.ErrEnded) {
			t.Errorf("Open: %v, want ErrEnded", err)
		}
		if p := <-panicked; p != "the guard hit a bug" {
			t.Errorf("panic %v is lost", p)
		}
		if had := w.had(true); w.at() || len(had) != 1 || had[0].to != had[0].from {
			t.Errorf("line was open %v, is open: %t; want it shut at once", had, w.at())
		}
	})
}

// TestSlowReport: whoever listens to the guard cannot hold the door open.
func TestSlowReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{keeping: true}
		release := make(chan struct{})
		g, err := relay.New(relay.Config{Lines: w, Line: hw.Line{Name: "door"}, Report: func(error) { <-release }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- g.Run(ctx) }()
		for range 200 { // nor by not reading events
			if err := g.Open(t.Context(), time.Second); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Second)
		}
		for _, s := range w.had(true) {
			if d := s.to.Sub(s.from); d != time.Second {
				t.Fatalf("open for %v, want 1s", d)
			}
		}
		cancel()
		close(release)
		if err := <-done; err != nil {
			t.Error(err)
		}
		var last relay.Event
		n := 0
		for last = range g.Events() {
			n++
		}
		if n != 64 || last.Open {
			t.Errorf("%d events were kept, the last one %+v; want 64 and safe", n, last)
		}
	})
}

// TestNobodyWaits: a request whose asker has gone opens nothing.
func TestNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{keeping: true}
		g, err := relay.New(relay.Config{Lines: w, Line: hw.Line{Name: "door"}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Open(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Open before Run: %v, want the context's error", err)
		}
		run, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- g.Run(run) }()
		synctest.Wait()
		for range 100 { // select may choose the request
			_ = g.Open(ctx, 0)
		}
		if err := g.Open(t.Context(), -1); err == nil {
			t.Error("a negative time was granted")
		}
		stop()
		<-done
		if had := w.had(true); len(had) != 0 {
			t.Errorf("opened %v for nobody", had)
		}
	})
}

// TestMagnet is a lock that holds under power: its safe state is active.
func TestMagnet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		g, err := relay.New(relay.Config{Lines: w, Line: hw.Line{Name: "door"}, Safe: true, OnTime: 4 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- g.Run(ctx) }()
		if err := g.Open(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if w.at() {
			t.Error("the magnet holds")
		}
		time.Sleep(5 * time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		had := w.had(false)
		if len(had) != 1 || had[0].to.Sub(had[0].from) != 4*time.Second {
			t.Errorf("let go %v, want once for 4s", had)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	line := hw.Line{Name: "door"}
	for _, tt := range []struct {
		name string
		c    relay.Config
		want string
	}{
		{"no lines", relay.Config{Line: line}, "no lines"},
		{"no name", relay.Config{Lines: &wire{}}, "no name"},
		{"negative", relay.Config{Lines: &wire{}, Line: line, Pause: -1}, "negative"},
		{"negative maximum", relay.Config{Lines: &wire{}, Line: line, Max: -1}, "negative"},
		{"beyond the maximum", relay.Config{Lines: &wire{}, Line: line, OnTime: 5 * time.Second, Max: time.Second}, "longer than the longest"},
	} {
		if _, err := relay.New(tt.c); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
