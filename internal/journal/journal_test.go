package journal

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type event struct{ N int }

// read returns the events of a file, and how many lines are none.
func read(t *testing.T, path string) (events []int, broken int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var e event
		if json.Unmarshal(s.Bytes(), &e) != nil {
			broken++
			continue
		}
		events = append(events, e.N)
	}
	return events, broken
}

func TestAppendAndRotate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, err := Open(path, 4096)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	const n = 700 // of about 9 bytes: one rotation
	for i := range n {
		if err := j.Append(event{i}); err != nil {
			t.Fatal(err)
		}
	}
	old, _ := read(t, path+".1")
	now, _ := read(t, path)
	all := append(old, now...)
	if len(now) == 0 || len(all) != n {
		t.Fatalf("got %d old and %d new events, want %d together", len(old), len(now), n)
	}
	for i, got := range all {
		if got != i {
			t.Fatalf("event %d is %d", i, got)
		}
	}
	for _, p := range []string{path, path + ".1"} {
		if st, err := os.Stat(p); err != nil || st.Size() > 4096 || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v, want at most 4096 bytes and mode 0600", p, st, err)
		}
	}
}

func TestTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(path, []byte("{\"N\":1}\n{\"N"), 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := Open(path, 4096)
	if err != nil {
		t.Fatal(err)
	}
	for i := 2; i < 4; i++ {
		if err := j.Append(event{i}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if events, broken := read(t, path); len(events) != 3 || broken != 1 {
		t.Errorf("got %v and %d broken lines, want 1 2 3 and one", events, broken)
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
	// A journal whose directory went away fails, and works again when it is back.
	sub := filepath.Join(dir, "sub")
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	j, err := Open(filepath.Join(sub, "j"), 4096)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Append(strings.Repeat("x", 4000)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(sub); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(strings.Repeat("x", 4000)); err == nil {
		t.Error("rotation in a removed directory: no error")
	}
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(event{9}); err != nil {
		t.Errorf("after the directory came back: %v", err)
	}
	if events, _ := read(t, filepath.Join(sub, "j")); len(events) != 1 || events[0] != 9 {
		t.Errorf("got %v, want 9", events)
	}
}
