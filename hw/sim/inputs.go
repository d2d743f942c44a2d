package sim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"intercom/hw"
)

// inputs reads lines taken together. The board's mutex guards its fields.
type inputs struct {
	board  *Board
	wires  []*wire
	levels []hw.Edge // not yet read; these are never lost
	edges  []hw.Edge // not yet read; at most board.queue
	lost   map[string]int
	more   chan struct{} // holds one token while there may be something to read
	closed bool
}

// Inputs takes lines as inputs. See hw.Lines.
func (b *Board) Inputs(lines ...hw.Line) (hw.Inputs, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(lines) == 0 {
		return nil, errors.New("inputs: no lines")
	}
	in := &inputs{board: b, lost: make(map[string]int), more: make(chan struct{}, 1)}
	for i, l := range lines {
		w, err := b.check(l)
		if err != nil {
			return nil, err
		}
		for _, other := range lines[:i] {
			if other.Name == l.Name {
				return nil, fmt.Errorf("line %q: named twice", l.Name)
			}
		}
		in.wires = append(in.wires, w)
	}
	for i, w := range in.wires {
		w.taken, w.line = true, lines[i]
		w.settle()
		w.reader, w.told = in, w.active()
		in.levels = append(in.levels, hw.Edge{Line: w.name, Active: w.told, At: time.Now()})
	}
	in.wake()
	return in, nil
}

// changed takes note of a wire's new level. The mutex is held.
func (in *inputs) changed(w *wire) {
	if w.line.Debounce == 0 {
		in.tell(w)
		return
	}
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	if w.active() == w.told {
		return // it bounced back in time
	}
	var t *time.Timer
	t = time.AfterFunc(w.line.Debounce, func() {
		in.board.mu.Lock()
		defer in.board.mu.Unlock()
		// A timer that fired while it was being stopped finds another in its place.
		if w.timer == t {
			w.timer = nil
			in.tell(w)
		}
	})
	w.timer = t
}

// tell queues an edge. The kernel does the same: the oldest edge goes when the queue is
// full, and the time of a debounced edge is when it was believed. The mutex is held.
func (in *inputs) tell(w *wire) {
	w.told = w.active()
	if len(in.edges) == in.board.queue {
		gone := in.edges[0]
		in.edges = append(in.edges[:0], in.edges[1:]...)
		in.blame(gone)
	}
	e := hw.Edge{Line: w.name, Active: w.told, At: time.Now(), Lost: in.lost[w.name]}
	delete(in.lost, w.name)
	in.edges = append(in.edges, e)
	in.wake()
}

// blame counts a lost edge on the line's next one, wherever that is.
func (in *inputs) blame(gone hw.Edge) {
	n := gone.Lost + 1
	for i := range in.edges {
		if in.edges[i].Line == gone.Line {
			in.edges[i].Lost += n
			return
		}
	}
	in.lost[gone.Line] += n
}

func (in *inputs) wake() {
	select {
	case in.more <- struct{}{}:
	default:
	}
}

// Next returns the next level or edge. See hw.Inputs.
func (in *inputs) Next(ctx context.Context) (hw.Edge, error) {
	for {
		if err := ctx.Err(); err != nil {
			return hw.Edge{}, err
		}
		if e, ok, err := in.take(); ok || err != nil {
			return e, err
		}
		select {
		case <-ctx.Done():
		case <-in.more:
		}
	}
}

func (in *inputs) take() (hw.Edge, bool, error) {
	in.board.mu.Lock()
	defer in.board.mu.Unlock()
	if in.closed {
		return hw.Edge{}, false, fmt.Errorf("inputs: %w", os.ErrClosed)
	}
	for _, w := range in.wires {
		if w.fault != nil {
			return hw.Edge{}, false, fmt.Errorf("line %q: %w", w.name, w.fault)
		}
	}
	for _, queue := range []*[]hw.Edge{&in.levels, &in.edges} {
		if len(*queue) > 0 {
			e := (*queue)[0]
			*queue = (*queue)[1:]
			return e, true, nil
		}
	}
	return hw.Edge{}, false, nil
}

// Close gives the lines back. A Next that waits returns.
func (in *inputs) Close() error {
	in.board.mu.Lock()
	defer in.board.mu.Unlock()
	if !in.closed {
		in.closed = true
		for _, w := range in.wires {
			w.free(in.board.released)
		}
		in.wake()
	}
	return nil
}
