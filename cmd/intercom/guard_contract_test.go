package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"intercom/hw"
	"intercom/hw/guard"
	"intercom/hw/hwtest"
	"intercom/hw/sim"
)

// guarded are the lines of a board; each output has a guard of its own, behind a socket.
type guarded struct {
	*sim.Board
	t   *testing.T
	dir string

	mu     sync.Mutex
	guards map[string]string // the socket of a line's guard
}

// Output starts a guard of a line at its safe level, unless one has it, and takes the line
// from it.
func (g *guarded) Output(l hw.Line, active bool) (hw.Output, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	path := g.guards[l.Name]
	stop := func() {}
	if path == "" {
		path = filepath.Join(g.dir, fmt.Sprint("g", len(g.guards)))
		gd, err := guard.New(guard.Config{Lines: g.Board, Locks: []guard.Lock{{Line: l, Safe: active}}})
		if err != nil {
			return nil, err
		}
		socket, err := guard.Listen(path)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if err := gd.Serve(ctx, socket); err != nil && !strings.Contains(err.Error(), "zzz") {
				g.t.Error(err)
			}
		}()
		stop = sync.OnceFunc(func() { cancel(); <-ended })
		g.guards[l.Name] = path
	}
	c := guard.NewClient(guard.ClientConfig{Path: path})
	out, err := c.Output(l, active)
	if err != nil {
		stop()
		return nil, err
	}
	return &guardedOutput{out, func() {
		stop()
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.guards, l.Name)
	}}, nil
}

type guardedOutput struct {
	hw.Output
	stop func()
}

func (o *guardedOutput) Close() error {
	err := o.Output.Close()
	o.stop()
	return err
}

func TestContract(t *testing.T) {
	ran := 0
	for _, c := range hwtest.Contract() {
		if !strings.Contains(c.Name, "Output") {
			continue
		}
		ran++
		t.Run(c.Name, func(t *testing.T) {
			b, err := sim.New(sim.Config{Names: []string{"a", "b", "c"}})
			if err != nil {
				t.Fatal(err)
			}
			lines := &guarded{Board: b, t: t, dir: t.TempDir(), guards: map[string]string{}}
			if err := c.Check(hwtest.Rig{
				Lines: lines, Names: [3]string{"a", "b", "c"}, Unknown: "zzz", High: b.High,
				Drive: func(name string, high bool) {
					if err := b.Drive(name, high); err != nil {
						t.Error(err)
					}
				},
				Trace: func(name string) []bool {
					var levels []bool
					for _, l := range b.History(name) {
						levels = append(levels, l.High)
					}
					return levels
				},
			}); err != nil {
				t.Error(err)
			}
		})
	}
	if ran != 6 {
		t.Errorf("%d clauses are about outputs, want 6", ran)
	}
}
