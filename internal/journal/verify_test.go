package journal

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// twoFiles makes a journal of 30 events, the first ones in FILE.1.
func twoFiles(t *testing.T) (path string, head Head) {
	t.Helper()
	path = temporary(t)
	j := mustOpen(t, path)
	for i := range 30 {
		j.must(t, event{i + 1})
	}
	j.Close()
	return path, j.Head()
}

// TestVerify changes a journal in each way; what is wrong is found, in its line.
func TestVerify(t *testing.T) {
	edit := func(f func(lines [][]byte) [][]byte) func(b []byte) []byte {
		return func(b []byte) []byte {
			lines := bytes.SplitAfter(b, []byte("\n"))
			return bytes.Join(f(lines[:len(lines)-1]), nil)
		}
	}
	for _, tt := range []struct {
		name   string
		change func([]byte) []byte
		want   string // of FILE.1, or nothing
		broken int
	}{
		{"nothing", func(b []byte) []byte { return b }, "", 0},
		{"a letter", func(b []byte) []byte { return bytes.Replace(b, []byte(`"N":5,`), []byte(`"N":6,`), 1) }, ".1:5: it does not have its hash", 1},
		{"a hash", edit(func(l [][]byte) [][]byte {
			l[4] = bytes.Replace(l[4], l[4][len(l[4])-9:], []byte("123456\"}\n"), 1)
			return l
		}), ".1:5: it does not have its hash", 2},
		{"a line out", edit(func(l [][]byte) [][]byte { return append(l[:4:4], l[5:]...) }), ".1:5: number 5 of the chain is missing", 1},
		{"two lines out", edit(func(l [][]byte) [][]byte { return append(l[:4:4], l[6:]...) }), ".1:5: numbers 5 to 6 of the chain are missing", 1},
		{"swapped", edit(func(l [][]byte) [][]byte { l[4], l[5] = l[5], l[4]; return l }), ".1:5: number 5 of the chain is missing", 3},
		{"twice", edit(func(l [][]byte) [][]byte { l[5] = l[4]; return l }), ".1:6: it is number 5 of the chain, behind number 5", 2},
		{"written anew", edit(func(l [][]byte) [][]byte {
			prev, err := parse(bytes.TrimSpace(l[3]))
			if err != nil {
				t.Fatal(err)
			}
			l[4], _ = chain(prev.Head, []byte(`{"N":6}`))
			return l
		}), ".1:6: it does not follow the line before", 1},
		{"another chain", edit(func(l [][]byte) [][]byte {
			l[0], _ = chain(Head{0, strings.Repeat("a", 64)}, []byte(`{"N":1}`))
			return l
		}), ".1:1: it does not follow", 2},
		{"something else", edit(func(l [][]byte) [][]byte { l[4] = []byte("hello\n"); return l }), ".1:5: it is not a line of a journal", 2},
		{"not JSON", edit(func(l [][]byte) [][]byte {
			l[4], _ = chain(Head{4, ""}, []byte(`{"N":}`))
			return l
		}), ".1:5: it is not a line of a journal", 2},
		{"empty line", edit(func(l [][]byte) [][]byte { l[4] = append(l[4], '\n'); return l }), ".1:6: it is not a line of a journal", 1},
		{"end cut", func(b []byte) []byte { return b[:len(b)-10] }, "it is not a line", 2},
		{"end of lines gone", edit(func(l [][]byte) [][]byte { return l[:len(l)-1] }), ":1: number", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path, _ := twoFiles(t)
			old, err := os.ReadFile(path + ".1")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path+".1", tt.change(old), 0o600); err != nil {
				t.Fatal(err)
			}
			p, err := Verify(path, "")
			if err != nil {
				t.Fatal(err)
			}
			if p.Broken != tt.broken || len(p.Breaks) != tt.broken {
				t.Errorf("%d lines are broken, want %d: %v", p.Broken, tt.broken, p.Breaks)
			}
			if tt.broken > 0 && !strings.Contains(p.Breaks[0].Error(), tt.want) {
				t.Errorf("got %v, want %q", p.Breaks[0], tt.want)
			}
		})
	}
}

// TestHead: a head that was kept finds what the chain alone does not show.
func TestHead(t *testing.T) {
	path, kept := twoFiles(t)
	j := mustOpen(t, path)
	j.must(t, event{31})
	j.Close()
	p, err := Verify(path, kept.Hash)
	if err != nil || p.At != 30 || p.Broken > 0 || p.Last != j.Head() || p.First.Seq != 1 || p.Lines != 31 {
		t.Errorf("got %+v, %v", p, err)
	}
	// All of it is written anew, with another event.
	forged := temporary(t)
	j = mustOpen(t, forged)
	for i := range 31 {
		j.must(t, event{i + 2})
	}
	if p, err := Verify(forged, kept.Hash); err != nil || p.Broken > 0 || p.At != 0 {
		t.Errorf("got %+v, %v: the chain is whole, and the head must not be found", p, err)
	}
	// The line that it was of has been put aside twice; the one behind it is there.
	if err := os.Remove(path + ".1"); err != nil {
		t.Fatal(err)
	}
	p, err = Verify(path, "")
	if err != nil || p.First.Seq < 2 {
		t.Fatalf("got %+v, %v", p, err)
	}
	r, err := NewReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	l, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if p, err := Verify(path, l.Prev); err != nil || p.At != p.First.Seq-1 {
		t.Errorf("got %+v, %v", p, err)
	}
}

// TestFollow reads while it is written, over several files and through half a line.
func TestFollow(t *testing.T) {
	path := temporary(t)
	if _, err := NewReader(path); !notExist(err) {
		t.Errorf("no journal: %v", err)
	}
	j := mustOpen(t, path)
	r, err := NewReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range 100 {
		if _, err := r.Next(); err != io.EOF {
			t.Fatalf("before event %d: %v, want the end", i+1, err)
		}
		j.must(t, event{i + 1})
		if l, err := r.Next(); err != nil || l.Seq != uint64(i+1) {
			t.Fatalf("event %d: got %+v, %v", i+1, l, err)
		}
	}
	j.Close()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	line, _ := chain(j.Head(), []byte(`{"N":101}`))
	for i := range line {
		if _, err := r.Next(); err != io.EOF || r.Unfinished() != i {
			t.Fatalf("after %d bytes of a line: %v, %d unfinished", i, err, r.Unfinished())
		}
		if _, err := f.Write(line[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if l, err := r.Next(); err != nil || l.Seq != 101 {
		t.Errorf("got %+v, %v", l, err)
	}
}

// TestFind finds every line, wherever the blocks that are read end.
func TestFind(t *testing.T) {
	path := temporary(t)
	j := &Journal{path: path}
	if line, err := j.Find(func([]byte) bool { return true }); line != nil || err != nil {
		t.Errorf("no journal: %q, %v", line, err)
	}
	var old, now []byte
	const n = 900
	for i := range n {
		line := fmt.Appendf(nil, "%d %s\n", i, strings.Repeat("x", i))
		if i < n/2 {
			old = append(old, line...)
		} else {
			now = append(now, line...)
		}
	}
	for p, b := range map[string][]byte{path: now, path + ".1": old} {
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range []int{0, 1, 300, n/2 - 1, n / 2, n/2 + 1, 700, n - 1} {
		want := fmt.Sprintf("%d %s", i, strings.Repeat("x", i))
		seen := 0
		line, err := j.Find(func(b []byte) bool { seen++; return string(b) == want })
		if err != nil || string(line) != want || seen != n-i {
			t.Errorf("line %d: got %.20q, %v after %d lines, want %d", i, line, err, seen, n-i)
		}
	}
}

// FuzzParse: whatever stands in a file, a line that is taken for good is one that chain makes.
func FuzzParse(f *testing.F) {
	line, _ := chain(Head{16, strings.Repeat("ab", 32)}, []byte(`{"time":"2026-01-02T03:04:05Z","type":"opened"}`))
	f.Add(bytes.TrimSpace(line))
	f.Add([]byte(`{"seq":1,"prev":"","hash":""}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parse(b)
		if err != nil {
			return
		}
		end := bytes.LastIndex(b, []byte(hashField))
		if l.Seq == 0 || digest(b[:end]) != l.Hash || string(b[end:]) != hashField+l.Hash+`"}` {
			t.Errorf("%q is taken for a line: %+v", b, l)
		}
	})
}
