package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

type event struct{ N int }

// temporary returns the path of a journal that does not exist yet.
func temporary(t *testing.T) string { return filepath.Join(t.TempDir(), "journal") }

func mustOpen(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := Open(path, 4096)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func (j *Journal) must(t *testing.T, events ...any) {
	t.Helper()
	for _, e := range events {
		if err := j.Append(e); err != nil {
			t.Fatal(err)
		}
	}
}

// read returns the numbers of the events of a journal, the types of its own lines, and where
// it is broken.
func read(t *testing.T, path string) (events []int, own []string, broken []string) {
	t.Helper()
	r, err := NewReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		l, err := r.Next()
		if b := (*BrokenError)(nil); errors.As(err, &b) {
			broken = append(broken, fmt.Sprintf("%s:%d: %v", filepath.Base(b.File), b.Line, b.Err))
		} else if err != nil {
			return events, own, broken
		}
		var e event
		switch _ = json.Unmarshal(l.JSON, &e); {
		case e.N > 0:
			events = append(events, e.N)
		case l.Type != "":
			own = append(own, l.Type)
		}
	}
}

func TestAppendAndRotate(t *testing.T) {
	path := temporary(t)
	j := mustOpen(t, path)
	const n = 70
	for i := range n {
		j.must(t, event{i + 1})
	}
	events, own, broken := read(t, path)
	if len(own)+len(broken) > 0 || len(events) < 20 || events[0] == 1 || events[len(events)-1] != n || events[0] != n-len(events)+1 {
		t.Errorf("got %v, %v, %v, want the last of %d events", events, own, broken, n)
	}
	for _, p := range []string{path, path + ".1"} {
		if st, err := os.Stat(p); err != nil || st.Size() > 4096 || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v, want at most 4096 bytes and mode 0600", p, st, err)
		}
	}
	if h := j.Head(); h.Seq != n {
		t.Errorf("the head is number %d, want %d", h.Seq, n)
	}
}

// TestRestart: the chain goes on, and the last line of the run before is known.
func TestRestart(t *testing.T) {
	path := temporary(t)
	j := mustOpen(t, path)
	if j.Last() != nil || j.Head() != (Head{}) {
		t.Errorf("a new journal has a last line %q and a head %v", j.Last(), j.Head())
	}
	for i := range 3 {
		j.must(t, event{2*i + 1}, event{2*i + 2})
		head := j.Head()
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		j = mustOpen(t, path)
		if j.Head() != head || !strings.Contains(string(j.Last()), fmt.Sprintf(`"N":%d,`, 2*i+2)) {
			t.Errorf("run %d: it begins with %v after %s, want %v", i, j.Head(), j.Last(), head)
		}
	}
	if events, own, broken := read(t, path); len(events) != 6 || own != nil || broken != nil {
		t.Errorf("got %v, %v, %v, want six events", events, own, broken)
	}
}

// TestTail: what stands behind the last good line when a journal is opened.
func TestTail(t *testing.T) {
	for name, tt := range map[string]struct {
		tail   string
		own    []string
		broken int
	}{
		"half a line":      {`{"seq":3,"prev":"ab`, []string{"journal_cut"}, 0},
		"zeros":            {strings.Repeat("\x00", 300), []string{"journal_cut"}, 0},
		"one long rest":    {strings.Repeat("x", MaxLine), []string{"journal_cut"}, 0},
		"a line of others": {"{\"N\":7}\n", []string{"journal_cut"}, 0},
		"lines of others":  {"{\"N\":7}\n{\"N\":8}\n", []string{"journal_damaged"}, 2},
		"far too much":     {strings.Repeat("x", 3*MaxLine), []string{"journal_damaged"}, 4}, // and a new chain
	} {
		t.Run(name, func(t *testing.T) {
			path := temporary(t)
			j := mustOpen(t, path)
			j.must(t, event{1}, event{2})
			j.Close()
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString(tt.tail); err != nil {
				t.Fatal(err)
			}
			f.Close()
			mustOpen(t, path).must(t, event{3}, event{4})
			events, own, broken := read(t, path)
			events = slices.DeleteFunc(events, func(n int) bool { return n > 4 })
			if !slices.Equal(own, tt.own) || len(broken) != tt.broken {
				t.Errorf("own lines %v, broken %v, want %v and %d", own, broken, tt.own, tt.broken)
			}
			if want := []int{1, 2, 3, 4}; tt.broken < 3 && !slices.Equal(events, want) {
				t.Errorf("events %v, want %v", events, want)
			}
		})
	}
}

// TestCutIsShown: the line that tells of a cut has what was left.
func TestCutIsShown(t *testing.T) {
	path := temporary(t)
	j := mustOpen(t, path)
	j.must(t, event{1})
	j.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-20] ^= 1 // of the hash
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	j = mustOpen(t, path)
	j.must(t, event{2})
	line, err := j.Find(func(b []byte) bool { return strings.Contains(string(b), "journal_cut") })
	if err != nil || !strings.Contains(string(line), `"bytes":`+fmt.Sprint(len(b))) || !strings.Contains(string(line), `\"N\":1`) {
		t.Errorf("got %s, %v, want the line that was cut, of %d bytes", line, err, len(b))
	}
}

// TestWithoutChain: a file of before there was a chain is put aside.
func TestWithoutChain(t *testing.T) {
	path := temporary(t)
	if err := os.WriteFile(path, []byte(strings.Repeat("{\"N\":7}\n", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, path).must(t, event{1})
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if b, _ := os.ReadFile(path + ".1"); len(b) != 800 {
		t.Errorf("%d bytes were put aside, want 800", len(b))
	}
}

// TestReplaced: somebody changes the files while they are written.
func TestReplaced(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"removed":   os.Remove,
		"moved":     func(path string) error { return os.Rename(path, path+".0") },
		"cut":       func(path string) error { return os.Truncate(path, 200) },
		"emptied":   func(path string) error { return os.Truncate(path, 0) },
		"an old it": func(path string) error { return os.WriteFile(path, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			path := temporary(t)
			j := mustOpen(t, path)
			j.must(t, event{1}, event{2}, event{3})
			if err := change(path); err != nil {
				t.Fatal(err)
			}
			j.must(t, event{4})
			events, own, broken := read(t, path)
			if !slices.Contains(own, "journal_replaced") || events[len(events)-1] != 4 {
				t.Errorf("got %v, %v, want a word about it, and event 4", events, own)
			}
			if name == "cut" && (len(broken) != 1 || !strings.Contains(broken[0], "missing before it")) {
				t.Errorf("broken: %v, want what is missing", broken)
			}
			if j.Head().Seq != 5+uint64(len(own)-1) {
				t.Errorf("number %d", j.Head().Seq)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "j"), 10); err == nil || !strings.Contains(err.Error(), "too small") {
		t.Errorf("tiny limit: got %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none", "j"), 4096); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("missing directory: got %v", err)
	}
	if _, err := Open("/dev/null", 4096); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("a device: got %v", err)
	}
	j := mustOpen(t, filepath.Join(dir, "j"))
	if _, err := Open(filepath.Join(dir, "j"), 4096); !errors.Is(err, errInUse) {
		t.Errorf("a second journal on one file: %v", err)
	}
	for want, e := range map[string]any{
		"not an object": "text", "not an object with fields": struct{}{}, `field "hash"`: map[string]int{"hash": 1},
		"too long": map[string]string{"text": strings.Repeat("x", MaxLine)}, "unsupported type": func() {},
	} {
		if err := j.Append(e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("event %T: got %v, want %q", e, err, want)
		}
	}
	if h := j.Head(); h.Seq != 0 {
		t.Errorf("refused events were written: number %d", h.Seq)
	}
}

// TestLost: a journal whose directory went away fails, works again when it is back, and tells
// how many events are missing.
func TestLost(t *testing.T) {
	sub := filepath.Join(t.TempDir(), "sub")
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(sub, "j")
	j := mustOpen(t, path)
	j.must(t, event{1})
	if err := os.RemoveAll(sub); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := j.Append(event{9}); err == nil {
			t.Error("no error in a removed directory")
		}
	}
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	j.must(t, event{5})
	events, own, _ := read(t, path)
	if !slices.Equal(events, []int{5}) || !slices.Equal(own, []string{"journal_replaced", "journal_lost"}) {
		t.Errorf("got %v, %v", events, own)
	}
	line, err := j.Find(func(b []byte) bool { return strings.Contains(string(b), "journal_lost") })
	if err != nil || !strings.Contains(string(line), `"count":3`) {
		t.Errorf("got %s, %v, want three lost events", line, err)
	}
}

// TestLater: a journal that cannot be had at the start goes on where it ended once it can.
func TestLater(t *testing.T) {
	sub := filepath.Join(t.TempDir(), "sub")
	path := filepath.Join(sub, "j")
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	before := mustOpen(t, path)
	before.must(t, event{1}, event{2})
	if err := errors.Join(before.Close(), os.Rename(sub, sub+".away")); err != nil {
		t.Fatal(err)
	}
	j := Later(path, 1<<20)
	defer j.Close()
	if h := j.Head(); h != (Head{}) {
		t.Errorf("head %+v", h)
	}
	for range 2 {
		if err := j.Append(event{9}); err == nil {
			t.Error("no error without a file")
		}
	}
	if err := os.Rename(sub+".away", sub); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(event{3}); err != nil {
		t.Fatal(err)
	}
	if events, own, _ := read(t, path); !slices.Equal(events, []int{1, 2, 3}) || !slices.Equal(own, []string{"journal_lost"}) {
		t.Errorf("got %v, %v", events, own)
	}
	if p, err := Verify(path, ""); err != nil || p.Broken != 0 || p.Lines != 4 {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestTime: a line's fields are the event's, whatever they are.
func TestTime(t *testing.T) {
	path := temporary(t)
	j := mustOpen(t, path)
	at := time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)
	j.must(t, struct {
		Time time.Time `json:"time"`
		Type string    `json:"type"`
		Text string    `json:"text"`
	}{at, "opened", "a < b"}, map[string]any{"time": "noon", "type": 7, "text": []int{1}})
	r, err := NewReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if l, err := r.Next(); err != nil || !l.Time.Equal(at) || l.Type != "opened" || l.Text != "a < b" || l.Seq != 1 || l.Number != 1 {
		t.Errorf("got %+v, %v", l, err)
	}
	if l, err := r.Next(); err != nil || !l.Time.IsZero() || l.Type != "" || l.Text != "" || l.Seq != 2 {
		t.Errorf("got %+v, %v", l, err)
	}
}
