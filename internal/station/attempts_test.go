package station

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/door/access"
	"intercom/internal/control"
)

// counted is a house with PINs that keeps wrong codes in a file.
func counted(t *testing.T, file string) func(*Config) {
	return func(c *Config) {
		paired(t)(c)
		c.Attempts = file
	}
}

func (r *rig) code(pin string) {
	r.t.Helper()
	if err := r.Type(r.t.Context(), "*"+pin+"#"); err != nil {
		r.t.Fatal(err)
	}
}

// TestAttemptsOutliveARestart: in the next run it is an hour earlier, and who was locked
// out is so for the rest of his time.
func TestAttemptsOutliveARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "attempts")
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, counted(t, file))
		time.Sleep(time.Hour)
		for range 5 {
			r.code("000000")
			r.expect(control.Refused)
		}
		time.Sleep(20 * time.Second)
		r.end()
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, counted(t, file))
		defer r.end()
		r.code("135790")
		if e := r.expect(control.Refused); e.Reason != string(access.ReasonLockedOut) {
			t.Errorf("a right code after the restart: %+v", e)
		}
		time.Sleep(40 * time.Second)
		r.code("135790")
		r.expect(control.Opened)
		time.Sleep(10 * time.Second)
		r.code("000000")
		if e := r.expect(control.Alarm); !strings.Contains(e.Text, "2m0s") {
			t.Errorf("one more wrong code: %+v", e)
		}
	})
}

// TestAttemptsDamaged: a file that says nothing sensible, and one that cannot be written, open
// nothing and keep nobody out for longer than a minute.
func TestAttemptsDamaged(t *testing.T) {
	good := formatAttempts([]access.Tally{{Keypad: "keypad", Count: 5, Left: time.Hour}})
	for name, text := range map[string]string{
		"empty": "", "cut": string(good[:len(good)-3]), "zeros": strings.Repeat("\x00", 512), "changed": strings.Replace(string(good), ":5,", ":0,", 1),
		"longer": string(good) + "\n", "other": "intercom-attempts/2 [] 00000000\n", "no folder": "",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "attempts")
			if name == "no folder" {
				file = filepath.Join(file, "attempts")
			} else if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, counted(t, file))
				defer r.end()
				if n := len(r.events); n < 2 || r.events[1].Type != control.Forgotten {
					t.Errorf("it is not told: %v", r.events)
				}
				r.code("135790")
				if e := r.expect(control.Refused); e.Reason != string(access.ReasonLockedOut) {
					t.Errorf("a right code at once: %+v", e)
				}
				time.Sleep(time.Minute)
				wrong := false
				for _, c := range r.Status().Health {
					wrong = wrong || c.Name == attemptsCondition && strings.Contains(c.Text, "no such file")
				}
				if wrong != (name == "no folder") {
					t.Errorf("health: %+v", r.Status().Health)
				}
				r.code("135790")
				r.expect(control.Opened)
			})
			if name == "no folder" {
				return
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if tallies, err := parseAttempts(data); err != nil || len(tallies) == 0 || tallies[0].Count != access.DefaultAttempts {
				t.Errorf("afterwards the file has %q: %v", data, err)
			}
		})
	}
}

// TestAttemptsFirst: nothing opens before the disk has it that the code may be a wrong one;
// a disk that hangs holds it up for a moment, and is reported.
func TestAttemptsFirst(t *testing.T) {
	file := filepath.Join(t.TempDir(), "attempts")
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, counted(t, file))
		defer r.end()
		var counts []int
		takes := 500 * time.Millisecond
		r.attempts.write = func(_ string, data []byte) error {
			tallies, err := parseAttempts(data)
			if err != nil {
				t.Error(err)
			}
			if len(counts) == 0 && r.board.Active("door") {
				t.Error("the lock is open, and the disk knows nothing of it")
			}
			counts = append(counts, len(tallies))
			time.Sleep(takes)
			return nil
		}
		began := time.Now()
		r.code("135790")
		r.expect(control.Opened)
		if d := time.Since(began); d != takes {
			t.Errorf("it opened after %v; the disk takes %v", d, takes)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if !reflect.DeepEqual(counts, []int{1, 0}) {
			t.Errorf("written: %v; want one that counts, and that it is taken back", counts)
		}
		takes = 10 * time.Second
		began = time.Now()
		r.code("135790")
		r.expect(control.Opened)
		if d := time.Since(began); d != keepLimit {
			t.Errorf("it opened after %v; the disk hangs, and the limit is %v", d, keepLimit)
		}
		for {
			if e := r.expect(control.HealthChanged); e.Name == attemptsCondition && strings.Contains(e.Reason, "too slow") {
				break
			}
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if h := r.Status().Health; len(h) != 0 {
			t.Errorf("when the disk has done it: %+v", h)
		}
	})
}

func TestAttemptsFile(t *testing.T) {
	for _, tallies := range [][]access.Tally{{}, {{User: anna, Count: 3, Since: time.Hour, Left: time.Second}, {Keypad: `k "1"`, Count: 1}}} {
		data := formatAttempts(tallies)
		if got, err := parseAttempts(data); err != nil || !reflect.DeepEqual(got, tallies) {
			t.Errorf("%q: %+v, %v", data, got, err)
		}
		for i := range data {
			data[i] ^= 1
			if _, err := parseAttempts(data); err == nil {
				t.Errorf("a changed bit went unnoticed: %q", data)
			}
			data[i] ^= 1
		}
	}
	a := newAttempts(filepath.Join(t.TempDir(), "folder"), func(error) {})
	if tallies, err := a.load(); tallies != nil || err != nil {
		t.Errorf("no file: %v, %v", tallies, err)
	}
	if err := os.Mkdir(a.path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := a.load(); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder: %v", err)
	}
}

// FuzzAttempts: what is read is what would be written, and locks nobody out for longer than
// the configuration says.
func FuzzAttempts(f *testing.F) {
	for _, tallies := range [][]access.Tally{nil, {}, {{User: anna, Count: 3, Since: time.Hour, Left: time.Second}, {Keypad: "keypad", Count: 1 << 40, Since: -1, Left: 1 << 62}}} {
		f.Add(formatAttempts(tallies))
	}
	f.Add([]byte("intercom-attempts/1 [] 00000000\n"))
	house, err := access.New(access.Config{Keypads: []string{"keypad"}, Residents: []access.Resident{{ID: anna}}, Seed: [32]byte{1}})
	if err != nil {
		f.Fatal(err)
	}
	now := time.Unix(0, 0)
	f.Fuzz(func(t *testing.T, data []byte) {
		tallies, err := parseAttempts(data)
		if err != nil {
			return
		}
		if got := formatAttempts(tallies); string(got) != string(data) {
			t.Errorf("%q was read, and would be written as %q", data, got)
		}
		for _, k := range house.Restore(now, tallies).Tallies(now) {
			if k.Left > access.DefaultLongestLockOut || k.Count < 0 || k.Count > access.DefaultAttempts+30 || k.Since < 0 {
				t.Errorf("%q: restored as %+v", data, k)
			}
		}
	})
}
