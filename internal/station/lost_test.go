package station

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/hw"
	"intercom/hw/relay"
	"intercom/hw/sim"
	"intercom/internal/control"
)

// slow is a log that takes its time over lines with some text.
type slow struct {
	text string
	gone <-chan struct{}
}

func (s slow) Enabled(context.Context, slog.Level) bool { return true }
func (s slow) WithAttrs([]slog.Attr) slog.Handler       { return s }
func (s slow) WithGroup(string) slog.Handler            { return s }

func (s slow) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, s.text) {
		<-s.gone
	}
	return nil
}

// TestBouncingContact: a contact without debounce tells more than the door can read while it
// opens and shuts. It learns what it has missed, and a code opens again.
func TestBouncingContact(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tamper")
	board, err := sim.New(sim.Config{Names: []string{"call", "hang-up", "status", "door", "leaf", "case"}})
	if err != nil {
		t.Fatal(err)
	}
	bounce := func() {
		t.Helper()
		for i := range 100 {
			if err := board.Set("leaf", i%2 > 0); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
	}
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan struct{})
		r := newRig(t, func(c *Config) {
			paired(t)(c)
			c.Lines = board
			c.Locks.Locks[0].Contact = &hw.Line{Name: "leaf", ActiveLow: true}
			c.Locks.Tamper = &relay.Tamper{Line: hw.Line{Name: "case"}, Block: time.Minute, File: file}
			c.Logger = slog.New(slow{text: "under duress", gone: gone})
		})
		defer r.end()
		time.Sleep(time.Second)
		if err := r.Type(t.Context(), "*135791#"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the loop is held up by its log, the guard has opened
		if !board.Active("door") {
			t.Fatal("it is not open")
		}
		bounce()
		time.Sleep(10 * time.Second) // it is shut again
		bounce()
		close(gone)
		if e := r.expect(control.Opened); e.User != int64(anna) || e.Name != "door" {
			t.Errorf("opened: %+v", e)
		}
		r.expect(control.Locked)
		time.Sleep(time.Second)
		if n := len(board.History("door")); n != 3 {
			t.Errorf("the line changed %d times; want safe, open and safe", n)
		}
		if err := r.Type(t.Context(), "*135790#"); err != nil {
			t.Fatal(err)
		}
		if e := r.expect(control.Opened); e.User != int64(anna) {
			t.Errorf("opened again: %+v", e)
		}
	})
}
