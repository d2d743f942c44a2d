package relay_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"intercom/hw"
	"intercom/hw/relay"
)

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

// panel is two locks' wires and the lines beside them.
type panel struct {
	mu     sync.Mutex
	wires  map[string]*wire
	levels map[string]bool // of inputs
	fault  error           // reading them fails
	edges  chan hw.Edge    // of the present reader; nil: there is none
	more   chan struct{}   // closed when there is a fault
}

func newPanel() *panel {
	return &panel{wires: map[string]*wire{"door": {keeping: true}, "gate": {keeping: true}}, levels: map[string]bool{}}
}

func (p *panel) Output(l hw.Line, active bool) (hw.Output, error) {
	return p.wires[l.Name].Output(l, active)
}

func (p *panel) Inputs(lines ...hw.Line) (hw.Inputs, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault != nil {
		return nil, p.fault
	}
	p.edges, p.more = make(chan hw.Edge, 100), make(chan struct{})
	for _, l := range lines {
		p.edges <- hw.Edge{Line: l.Name, Active: p.levels[l.Name], At: time.Now()}
	}
	return panelInputs{p, p.edges, p.more}, nil
}

// set changes the level of an input.
func (p *panel) set(line string, active bool) {
	p.mu.Lock()
	p.levels[line] = active
	if p.edges != nil {
		p.edges <- hw.Edge{Line: line, Active: active, At: time.Now()}
	}
	p.mu.Unlock()
	synctest.Wait()
}

// fail has reading fail, until it is called without an error.
func (p *panel) fail(err error) {
	p.mu.Lock()
	if p.fault = err; err != nil {
		close(p.more)
	}
	p.mu.Unlock()
	synctest.Wait()
}

type panelInputs struct {
	panel *panel
	edges chan hw.Edge
	more  chan struct{}
}

func (in panelInputs) Next(ctx context.Context) (hw.Edge, error) {
	select {
	case e := <-in.edges:
		return e, nil
	default:
	}
	select {
	case e := <-in.edges:
		return e, nil
	case <-in.more:
		return hw.Edge{}, errBroken
	case <-ctx.Done():
		return hw.Edge{}, ctx.Err()
	}
}

func (in panelInputs) Close() error {
	in.panel.mu.Lock()
	defer in.panel.mu.Unlock()
	in.panel.edges = nil
	return nil
}

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

// strike is a lock with the usual times and nothing beside it.
var strike = []relay.Lock{{Line: hw.Line{Name: "door"}}}

// rig is a guard at work on a wire.
type rig struct {
	guard   *relay.Guard
	wire    *wire
	reports chan error
	stop    context.CancelFunc
	done    chan error
}

// start runs a guard of a strike, open for 3 s, at most 10, with 2 s between openings.
func start(t *testing.T, w *wire) *rig {
	t.Helper()
	r := &rig{wire: w, reports: make(chan error, 100), done: make(chan error, 1)}
	g, err := relay.New(relay.Config{Lines: w, Locks: strike, Report: func(_ string, err error) { r.reports <- err }})
	if err != nil {
		t.Fatal(err)
	}
	r.guard = g
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	go func() { r.done <- g.Run(ctx) }()
	synctest.Wait()
	return r
}

func (r *rig) Open(ctx context.Context, length time.Duration) error {
	return r.guard.Open(ctx, "door", length)
}

func (r *rig) State() relay.LockState { return r.guard.State().Locks[0] }

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
