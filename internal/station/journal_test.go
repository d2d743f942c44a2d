package station

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/internal/control"
	"intercom/internal/journal"
)

// eventsIn returns the events of a journal, which must be whole.
func eventsIn(t *testing.T, path string) (events []control.Event) {
	t.Helper()
	r, err := journal.NewReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		l, err := r.Next()
		if err == io.EOF {
			return events
		}
		var e control.Event
		if err := errors.Join(err, json.Unmarshal(l.JSON, &e)); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
}

// TestConfigured: each start is in the journal with what has changed, and with a run before it
// that did not end in good order.
func TestConfigured(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	written := 0
	// run starts a station and ends it, or takes back what it wrote as it ended, and returns
	// what is new in the journal.
	run := func(parts map[string]string, crash bool) []control.Event {
		synctest.Test(t, func(t *testing.T) {
			j, err := journal.Open(path, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			defer j.Close()
			r := newRig(t, func(c *Config) { c.Configured, c.Journal = parts, j })
			synctest.Wait()
			if st, h := r.Status().Journal, j.Head(); st == nil || st.Head != h.Hash || st.Lines != h.Seq {
				t.Errorf("the status has %+v, want %v", st, h)
			}
			running, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			r.end()
			if crash {
				if err := os.WriteFile(path, running, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
		events := eventsIn(t, path)[written:]
		written += len(events)
		return events
	}
	for i, tt := range []struct {
		parts        map[string]string
		crash        bool
		reason, text string
		interrupted  bool
	}{
		{map[string]string{"lock": "1", "resident": "2"}, false, "first", "first one", false},
		{map[string]string{"lock": "1", "resident": "2"}, false, "", "as it was", false},
		{map[string]string{"lock": "1", "resident": "3", "tamper": "4"}, false, "changed", ": resident, tamper", false},
		{map[string]string{"lock": "1"}, true, "changed", ": resident, tamper", false},
		{map[string]string{"lock": "1"}, false, "", "as it was", true},
		{map[string]string{"lock": "1"}, false, "", "as it was", false},
	} {
		events := run(tt.parts, tt.crash)
		if tt.interrupted {
			if events[0].Type != control.Interrupted || events[0].Time.IsZero() {
				t.Errorf("run %d begins with %+v", i, events[0])
			}
			events = events[1:]
		}
		if e := events[0]; e.Type != control.Configured || e.Reason != tt.reason || !strings.Contains(e.Text, tt.text) || e.Time.IsZero() {
			t.Errorf("run %d: got %+v, want %q and %q", i, e, tt.reason, tt.text)
		}
		if e := events[1]; e.Type != control.Started {
			t.Errorf("run %d: got %+v, want the start", i, e)
		}
	}
}

// TestHeadIsLogged: the head of the chain goes where it can be kept.
func TestHeadIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := newRig(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		synctest.Wait()
		head := r.Status().Journal.Head
		time.Sleep(headEvery + time.Second)
		r.end()
		events, err := os.ReadFile(r.journal)
		if err != nil {
			t.Fatal(err)
		}
		last := r.cfg.Journal.Head().Hash
		for _, want := range []string{head, last} {
			if !strings.Contains(log.String(), "head="+want) || !bytes.Contains(events, []byte(want)) {
				t.Errorf("head %s is not in the log", want)
			}
		}
		if head == last {
			t.Error("nothing was written at the end")
		}
	})
}
