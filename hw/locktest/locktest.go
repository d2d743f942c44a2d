// Package locktest is the contract of programs that drive the lines of locks: a panic in any
// of their goroutines ends them, and leaves the lock safe. A test's binary is that program,
// for a moment: what a panic does cannot be seen from inside. It is not the contract of the
// lines themselves; hw/hwtest is that. It starts no goroutine.
package locktest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"intercom/hw"
)

// The environment of a binary that is a program: the goroutine that panics, and a folder of
// its own.
const (
	whereEnv  = "LOCKTEST_PANIC"
	folderEnv = "LOCKTEST_FOLDER"
)

// patience is how long a program may take to end.
const patience = 20 * time.Second

// Main is a TestMain of tests that call Panics. The program opens its lock, which is the
// Line's, and has the goroutine that the Line names panic then.
func Main(m *testing.M, program func(l Line, folder string)) {
	where := os.Getenv(whereEnv)
	if where == "" {
		os.Exit(m.Run())
	}
	l := Line{Where: where, Open: make(chan struct{}), level: new(bool)}
	*l.level = true
	program(l, os.Getenv(folderEnv))
}

// Panics runs the program once for each of its goroutines, which panics.
func Panics(t *testing.T, where ...string) {
	for _, w := range where {
		t.Run(w, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append(os.Environ(), whereEnv+"="+w, folderEnv+"="+t.TempDir())
			var out, log bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &log
			if err := cmd.Run(); err == nil {
				t.Error("the panic did not end the program")
			}
			if got, want := out.String(), "safe\nopen\nsafe\n"; got != want {
				t.Errorf("levels %q, want %q\n%s", got, want, log.String())
			}
			if !strings.Contains(log.String(), "panic: in the "+w) {
				t.Errorf("the panic is not told: %s", log.String())
			}
		})
	}
}

// Line is the line of a lock, which is open when it is active. It prints its levels.
type Line struct {
	Where string        // the goroutine that is to panic; "loop" is the one that drives the line
	Open  chan struct{} // closed when the lock is open
	level *bool
}

// Panic panics if the lock is open and this is the goroutine that is to.
func (l Line) Panic(where string) {
	select {
	case <-l.Open:
		if where == l.Where {
			panic("in the " + where)
		}
	default:
	}
}

// Output is part of hw.Lines.
func (l Line) Output(_ hw.Line, active bool) (hw.Output, error) { return l, l.Set(active) }

// Set is part of hw.Output.
func (l Line) Set(active bool) error {
	if *l.level == active {
		return nil
	}
	*l.level = active
	fmt.Println(map[bool]string{true: "open", false: "safe"}[active])
	if active {
		close(l.Open)
		l.Panic("loop")
	}
	return nil
}

// Close is part of hw.Output.
func (l Line) Close() error { return nil }
