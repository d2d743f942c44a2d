package records

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func open(t *testing.T, limits Limits) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "records"), limits)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// names lists what is kept, by name.
func names(t *testing.T, s *Store) string {
	t.Helper()
	records, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, r := range records {
		text = append(text, r.Name)
	}
	return strings.Join(text, " ")
}

var start = time.Date(2026, 1, 15, 11, 0, 0, 5000, time.UTC)

func TestAddAndList(t *testing.T) {
	s := open(t, Limits{})
	for i, r := range []Record{{Time: start.Add(time.Hour), Name: "2", Reason: "quiet hours"}, {Time: start, Name: "1", Reason: "not answered"}} {
		if err := s.Add(r, []byte("jpeg")[:4*i]); err != nil {
			t.Fatal(err)
		}
	}
	records, err := s.List()
	if err != nil || len(records) != 2 {
		t.Fatalf("%v, %v", records, err)
	}
	want := Record{Time: start, Name: "1", Reason: "not answered", Picture: "20260115T110000.000005000Z.jpg", ID: "20260115T110000.000005000Z"}
	if records[0] != want || records[1].Picture != "" {
		t.Errorf("got %+v, want %+v and one without a picture", records, want)
	}
	if data, err := os.ReadFile(s.Path(records[0])); string(data) != "jpeg" {
		t.Errorf("the picture: %q, %v", data, err)
	}
	for _, f := range []string{"", records[0].Picture, records[0].ID + ".json"} {
		info, err := os.Stat(filepath.Join(s.dir, f))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%q is for others, too: %v, %v", f, info.Mode(), err)
		}
	}
	again, err := Open(s.dir, Limits{})
	if err != nil || names(t, again) != "1 2" {
		t.Errorf("opened again: %v", err)
	}
}

func TestLimits(t *testing.T) {
	for name, limits := range map[string]Limits{
		"age": {Age: 2*time.Hour + time.Minute}, "number": {Number: 3}, "size": {Size: 3500},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, limits)
			stranger := filepath.Join(s.dir, "notes.txt")
			if err := os.WriteFile(stranger, make([]byte, 10_000), 0o600); err != nil {
				t.Fatal(err)
			}
			for i := range 6 {
				if err := s.Add(Record{Time: start.Add(time.Duration(i) * time.Hour), Name: string(rune('a' + i))}, make([]byte, 1000)); err != nil {
					t.Fatal(err)
				}
			}
			if got := names(t, s); got != "d e f" {
				t.Errorf("kept %q, want the last three", got)
			}
			if entries, _ := os.ReadDir(s.dir); len(entries) != 7 {
				t.Errorf("the folder has %v", entries)
			}
			if err := s.Prune(start.Add(24 * time.Hour)); err != nil || name == "age" != (names(t, s) == "") {
				t.Errorf("a day later: %q, %v", names(t, s), err)
			}
			if _, err := os.Stat(stranger); err != nil {
				t.Errorf("a file that is not ours: %v", err)
			}
		})
	}
}

// TestNew: a folder that cannot be had now is used as soon as it can.
func TestNew(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "records")
	s, err := New(dir, Limits{Number: 5})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Add(Record{Time: start, Name: "a"}, nil); err == nil {
		t.Error("no error without a folder")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Add(Record{Time: start, Name: "b"}, nil); err != nil || names(t, s) != "b" {
		t.Errorf("kept %q, %v", names(t, s), err)
	}
}

// TestClockNotSet: who came while nobody knew the time is kept as long as others, and is not
// the first to be erased.
func TestClockNotSet(t *testing.T) {
	s := open(t, Limits{Number: 4, Age: 24 * time.Hour})
	boot := time.Unix(10, 0)
	add := func(at time.Time, name string) {
		t.Helper()
		if err := s.Add(Record{Time: at, Name: name}, []byte("jpeg")); err != nil {
			t.Fatal(err)
		}
	}
	add(boot, "a") // the first visitors of all, before there was a network
	add(boot.Add(time.Minute), "b")
	if got := names(t, s); got != "a b" {
		t.Errorf("kept %q", got)
	}
	add(start, "c")
	add(start.Add(time.Hour), "d")
	if got := names(t, s); got != "a b c d" { // a and b are of the moment in which the clock was set
		t.Errorf("kept %q once the clock is set", got)
	}
	add(boot, "e") // after a power cut
	add(boot, "f")
	if got := names(t, s); got != "c d e f" {
		t.Errorf("kept %q after a start without a clock; want the four that came last", got)
	}
	for _, r := range must(s.List()) {
		if data, err := os.ReadFile(s.Path(r)); string(data) != "jpeg" {
			t.Errorf("picture of %s: %q, %v", r.Name, data, err)
		}
	}
	if err := s.Prune(start.Add(25*time.Hour - time.Minute)); err != nil || names(t, s) != "d e f" {
		t.Errorf("a day later: %q, %v", names(t, s), err)
	}
	if err := s.Prune(start.Add(26 * time.Hour)); err != nil || names(t, s) != "" {
		t.Errorf("more than a day later: %q, %v", names(t, s), err)
	}
}

func must(records []Record, err error) []Record {
	if err != nil {
		panic(err)
	}
	return records
}

func TestErase(t *testing.T) {
	s := open(t, Limits{})
	for i := range 4 {
		if err := s.Add(Record{Time: start.Add(time.Duration(i)), Name: string(rune('a' + i))}, []byte("jpeg")); err != nil {
			t.Fatal(err)
		}
	}
	records, _ := s.List()
	if n, err := s.Erase(records[1].ID); n != 1 || err != nil || names(t, s) != "a c d" {
		t.Errorf("one: %d, %v, left %q", n, err, names(t, s))
	}
	if _, err := s.Erase("../x"); err == nil || names(t, s) != "a c d" {
		t.Errorf("one that is not there: %v", err)
	}
	if n, err := s.Erase(); n != 3 || err != nil {
		t.Errorf("all: %d, %v", n, err)
	}
	if entries, _ := os.ReadDir(s.dir); len(entries) != 0 {
		t.Errorf("left: %v", entries)
	}
}

// TestLeftovers: what a power cut left is passed over, and erased some day.
func TestLeftovers(t *testing.T) {
	s := open(t, Limits{Number: 10})
	if err := os.WriteFile(filepath.Join(s.dir, temporary+"1"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, start.Format(idLayout)+".json"), []byte(`{"time`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := names(t, s); got != "" {
		t.Errorf("listed %q", got)
	}
	if err := os.Chtimes(filepath.Join(s.dir, temporary+"1"), start, start); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Erase(); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(s.dir); len(entries) != 0 {
		t.Errorf("left: %v", entries)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", file, filepath.Join(file, "below")} {
		if _, err := Open(dir, Limits{}); err == nil {
			t.Errorf("%q was opened", dir)
		}
	}
	if _, err := Open(t.TempDir(), Limits{Age: -1}); err == nil {
		t.Error("a negative limit was taken")
	}
}
