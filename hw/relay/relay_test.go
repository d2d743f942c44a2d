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
		if e := <-r.guard.Events(); e.Kind != relay.Opened || !e.At.Equal(began) {
			t.Errorf("event %+v, want opened now", e)
		}
		if e := <-r.guard.Events(); e.Kind != relay.Safe || e.At.Sub(began) != relay.DefaultOnTime {
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
		if err := r.guard.Run(t.Context()); err == nil {
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
		var got []relay.Kind
		for e := range r.guard.Events() { // closed
			got = append(got, e.Kind)
		}
		if fmt.Sprint(got) != "[opened safe]" {
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
		g, err := relay.New(relay.Config{Lines: w, Locks: strike})
		if err != nil {
			t.Fatal(err)
		}
		panicked := make(chan any, 1)
		go func() {
			defer func() { panicked <- recover() }()
			g.Run(t.Context())
		}()
		if err := g.Open(t.Context(), "door", 0); !errors.Is(err, relay.ErrEnded) {
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
		g, err := relay.New(relay.Config{Lines: w, Locks: strike, Report: func(string, error) { <-release }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- g.Run(ctx) }()
		for range 200 { // nor by not reading events
			if err := g.Open(t.Context(), "door", time.Second); err != nil {
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
		if n != 64 || last.Kind != relay.Safe {
			t.Errorf("%d events were kept, the last one %+v; want 64 and safe", n, last)
		}
	})
}

// TestNobodyWaits: a request whose asker has gone opens nothing.
func TestNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{keeping: true}
		g, err := relay.New(relay.Config{Lines: w, Locks: strike})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Open(ctx, "door", 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Open before Run: %v, want the context's error", err)
		}
		run, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- g.Run(run) }()
		synctest.Wait()
		for range 100 { // select may choose the request
			_ = g.Open(ctx, "door", 0)
		}
		if err := g.Open(t.Context(), "door", -1); err == nil {
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
		g, err := relay.New(relay.Config{Lines: w, Locks: []relay.Lock{{Line: hw.Line{Name: "door"}, Safe: true, OnTime: 4 * time.Second}}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- g.Run(ctx) }()
		if err := g.Open(t.Context(), "door", 0); err != nil {
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
	one := func(l relay.Lock) relay.Config {
		l.Line = line
		return relay.Config{Lines: &wire{}, Locks: []relay.Lock{l}}
	}
	for _, tt := range []struct {
		name string
		c    relay.Config
		want string
	}{
		{"no lines", relay.Config{Locks: strike}, "no lines"},
		{"no locks", relay.Config{Lines: &wire{}}, "no locks"},
		{"no name", relay.Config{Lines: &wire{}, Locks: []relay.Lock{{}}}, "no name"},
		{"twice", relay.Config{Lines: &wire{}, Locks: []relay.Lock{{Line: line}, {Line: line}}}, "that of another"},
		{"two functions", one(relay.Lock{Exit: &line}), "that of another"},
		{"negative", one(relay.Lock{Pause: -1}), "negative"},
		{"negative maximum", one(relay.Lock{Max: -1}), "negative"},
		{"beyond the maximum", one(relay.Lock{OnTime: 5 * time.Second, Max: time.Second}), "longer than the longest"},
		{"no contact", one(relay.Lock{Relock: true}), "no contact"},
		{"interlock with itself", one(relay.Lock{Interlock: []string{"door"}}), "no other lock"},
		{"tamper without a file", relay.Config{Lines: &wire{}, Locks: strike, Tamper: &relay.Tamper{Line: hw.Line{Name: "case"}}}, "no file"},
		{"tamper without a name", relay.Config{Lines: &wire{}, Locks: strike, Tamper: &relay.Tamper{File: "x"}}, "no name"},
	} {
		if _, err := relay.New(tt.c); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	g, err := relay.New(relay.Config{Lines: &wire{}, Locks: strike})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Open(t.Context(), "gate", 0); !errors.Is(err, relay.ErrUnknown) {
		t.Errorf("an unknown lock: %v", err)
	}
}
