package relay

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"intercom/hw"
)

// panicEnv names the goroutine that panics: with it the test's binary is a station that
// opens its lock, and no more.
const panicEnv = "RELAY_TEST_PANIC"

func TestMain(m *testing.M) {
	if where := os.Getenv(panicEnv); where != "" {
		panicIn(where)
		return
	}
	os.Exit(m.Run())
}

// TestPanics: a panic in every goroutine of the guard ends the program, and leaves the lock
// safe.
func TestPanics(t *testing.T) {
	for _, where := range []string{"loop", "reader", "teller", "keeper"} {
		t.Run(where, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append(os.Environ(), panicEnv+"="+where, "RELAY_TEST_FILE="+filepath.Join(t.TempDir(), "tamper"))
			var out, log bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &log
			if err := cmd.Run(); err == nil {
				t.Error("the panic did not end the program")
			}
			if got, want := out.String(), "safe\nopen\nsafe\n"; got != want {
				t.Errorf("levels %q, want %q\n%s", got, want, log.String())
			}
			if !strings.Contains(log.String(), "panic: in the "+where) {
				t.Errorf("the panic is not told: %s", log.String())
			}
		})
	}
}

// talker is a line that prints its levels, and inputs whose reader may panic.
type talker struct {
	where string
	level *bool
	open  chan struct{} // closed when the lock is open
}

func (k talker) Output(_ hw.Line, active bool) (hw.Output, error) { return k, k.Set(active) }

func (k talker) Set(active bool) error {
	if *k.level == active {
		return nil
	}
	*k.level = active
	fmt.Println(map[bool]string{true: "open", false: "safe"}[active])
	if active {
		close(k.open)
		if k.where == "loop" {
			panic("in the loop")
		}
	}
	return nil
}

func (k talker) Inputs(lines ...hw.Line) (hw.Inputs, error) {
	return talkerInputs{k, lines[0].Name}, nil
}

func (k talker) Close() error { return nil }

type talkerInputs struct {
	talker
	line string
}

// Next says that the case is closed, and panics when the lock is open if it is to.
func (in talkerInputs) Next(ctx context.Context) (hw.Edge, error) {
	select {
	case <-in.open:
		switch in.where {
		case "reader":
			panic("in the reader")
		case "keeper":
			return hw.Edge{Line: in.line, Active: true}, nil
		}
		<-ctx.Done()
		return hw.Edge{}, ctx.Err()
	default:
	}
	if ctx.Err() != nil {
		return hw.Edge{}, ctx.Err()
	}
	return hw.Edge{Line: in.line}, nil
}

func panicIn(where string) {
	k := talker{where: where, level: new(bool), open: make(chan struct{})}
	*k.level = true
	g, err := New(Config{
		Lines:  k,
		Locks:  []Lock{{Line: hw.Line{Name: "door"}, OnTime: time.Minute}},
		Tamper: &Tamper{Line: hw.Line{Name: "case"}, File: os.Getenv("RELAY_TEST_FILE")},
		Report: func(part string, err error) {
			if where == "teller" && part == "door" {
				<-k.open
				panic("in the teller")
			}
		},
	})
	if err != nil {
		panic(err)
	}
	g.store = func(string, time.Duration) error {
		panic("in the keeper")
	}
	go func() {
		for g.Open(context.Background(), "door", 0) != nil {
			time.Sleep(time.Millisecond) // until the case is known to be closed
		}
	}()
	_ = g.Run(context.Background())
}
