package relay

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"intercom/hw"
	"intercom/hw/locktest"
)

func TestMain(m *testing.M) { locktest.Main(m, panics) }

// TestPanics: a panic in every goroutine of the guard ends the program, and leaves the lock
// safe.
func TestPanics(t *testing.T) { locktest.Panics(t, "loop", "reader", "teller", "keeper") }

// panics runs a guard that opens its lock.
func panics(l locktest.Line, folder string) {
	g, err := New(Config{
		Lines:  panicLines{l},
		Locks:  []Lock{{Line: hw.Line{Name: "door"}, OnTime: time.Minute}},
		Tamper: &Tamper{Line: hw.Line{Name: "case"}, File: filepath.Join(folder, "tamper")},
		Report: func(part string, err error) {
			if l.Where == "teller" && part == "door" {
				<-l.Open
				l.Panic("teller")
			}
		},
	})
	if err != nil {
		panic(err)
	}
	g.store = func(string, time.Duration) error {
		l.Panic("keeper")
		return nil
	}
	go func() {
		for g.Open(context.Background(), "door", 0) != nil {
			time.Sleep(time.Millisecond) // until the case is known to be closed
		}
	}()
	_ = g.Run(context.Background())
}

// panicLines have a reader that may panic.
type panicLines struct{ locktest.Line }

func (l panicLines) Inputs(lines ...hw.Line) (hw.Inputs, error) {
	return panicInputs{l.Line, lines[0].Name}, nil
}

type panicInputs struct {
	locktest.Line
	name string
}

// Next says that the case is closed, and when the lock is open that it is opened, if a block
// is to be kept.
func (in panicInputs) Next(ctx context.Context) (hw.Edge, error) {
	in.Panic("reader")
	select {
	case <-in.Open:
		if in.Where == "keeper" {
			return hw.Edge{Line: in.name, Active: true}, nil
		}
		<-ctx.Done()
	default:
	}
	return hw.Edge{Line: in.name}, ctx.Err()
}
