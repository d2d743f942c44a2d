// Package records keeps what a station writes down of visitors whom nobody answered: when,
// for whom, why, and a picture. A folder has two files for each: a small JSON object, and a
// JPEG if there is a picture. What is too old, or too many, or too large together is erased.
//
// It takes no pictures and decides nothing. It has no goroutines.
package records

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Record is one visitor.
type Record struct {
	Time   time.Time `json:"time"`
	Name   string    `json:"name"`   // of the flat or button
	Reason string    `json:"reason"` // why nobody answered
	// Picture is the name of the file in the folder; empty: there is none.
	Picture string `json:"picture,omitempty"`
	// ID names the record in the folder. It is not written.
	ID string `json:"id,omitempty"`
}

// Limits are how long records are kept; what is over any of them is erased, the oldest first.
type Limits struct {
	Age    time.Duration // 0: any
	Number int           // 0: any
	Size   int64         // bytes of all files together; 0: any
}

// Store is a folder of records. Its methods may be called from any goroutine, and from
// several processes at once.
type Store struct {
	dir    string
	limits Limits
	mu     sync.Mutex
}

// New returns the store of a folder that it does not touch: one on a disk that cannot be
// written now, for instance. Add says so each time.
func New(dir string, limits Limits) (*Store, error) {
	if dir == "" || limits.Age < 0 || limits.Number < 0 || limits.Size < 0 {
		return nil, errors.New("records: no folder, or a limit is negative")
	}
	return &Store{dir: dir, limits: limits}, nil
}

// Open makes the folder, for its owner alone, if there is none.
func Open(dir string, limits Limits) (*Store, error) {
	s, err := New(dir, limits)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("records: %w", err)
	}
	// Who can look into a folder but not write to it would find that out when it is too late.
	probe, err := os.CreateTemp(dir, temporary+"*")
	if err != nil {
		return nil, fmt.Errorf("records: %w", err)
	}
	probe.Close()
	return s, os.Remove(probe.Name())
}

// clockFrom is before this program was made: an earlier time is of a clock that was not set, as
// after a start of a board that has none, without a network.
var clockFrom = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	// temporary begins the name of a file that is being written.
	temporary = ".new-"
	// idLayout makes names that sort by time.
	idLayout = "20060102T150405.000000000Z"
)

// Add writes a record with a JPEG, which may be nil, and erases what is over the limits.
func (s *Store) Add(r Record, picture []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	files, err := s.files()
	if err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	at := r.Time.UTC()
	if n := len(files); n > 0 && at.Before(clockFrom) && !files[n-1].at.Before(at) {
		at = files[n-1].at.Add(1) // it is the newest, whatever the clock says
	}
	id := at.Format(idLayout)
	r.Picture, r.ID = "", ""
	if len(picture) > 0 {
		r.Picture = id + ".jpg"
		if err := s.write(r.Picture, picture); err != nil {
			return fmt.Errorf("write record: %w", err)
		}
	}
	data, err := json.Marshal(r)
	if err == nil {
		err = s.write(id+".json", data) // last: a picture without it is erased some day
	}
	if err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	return s.prune(r.Time)
}

// write has a whole file on the disk, or none.
func (s *Store) write(name string, data []byte) error {
	f, err := os.CreateTemp(s.dir, temporary+"*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(s.dir, name))
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// List returns the records, the oldest first. A file that is none is passed over.
func (s *Store) List() ([]Record, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list records: %w", err)
	}
	var records []Record
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".json")
		if _, err := time.Parse(idLayout, id); !ok || err != nil {
			continue
		}
		data, err := os.ReadFile(filepath.Join(s.dir, e.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue // erased meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("list records: %w", err)
		}
		var r Record
		if json.Unmarshal(data, &r) != nil {
			continue
		}
		r.ID = id
		if r.Picture != "" {
			r.Picture = id + ".jpg"
		}
		records = append(records, r)
	}
	return records, nil
}

// Path returns where a record's picture is.
func (s *Store) Path(r Record) string { return filepath.Join(s.dir, r.Picture) }

// Erase erases the records of these ids; of none, all of them, and whatever else the store
// has left in the folder. It returns how many records are gone.
func (s *Store) Erase(ids ...string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	files, err := s.files()
	if err != nil {
		return 0, err
	}
	known := map[string]bool{}
	erased := 0
	for _, f := range files {
		known[f.id] = true
		if len(ids) > 0 && !slices.Contains(ids, f.id) {
			continue
		}
		if err := os.Remove(filepath.Join(s.dir, f.name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return erased, fmt.Errorf("erase record: %w", err)
		}
		if strings.HasSuffix(f.name, ".json") {
			erased++
		}
	}
	for _, id := range ids {
		if !known[id] {
			return erased, fmt.Errorf("erase record: there is no %q", id)
		}
	}
	return erased, nil
}

// Prune erases what is over the limits at a time.
func (s *Store) Prune(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.prune(now)
}

func (s *Store) prune(now time.Time) error {
	files, err := s.files()
	if err != nil {
		return err
	}
	if files, err = s.date(files, now); err != nil {
		return err
	}
	number, size := 0, int64(0)
	kept, last := true, ""
	for _, f := range slices.Backward(files) {
		if f.id != last { // each record is judged as a whole, from the newest on
			last = f.id
			number++
			for _, o := range files {
				if o.id == f.id {
					size += o.size
				}
			}
			old := s.limits.Age > 0 && now.Sub(f.at) > s.limits.Age
			kept = kept && !old && (s.limits.Number == 0 || number <= s.limits.Number) && (s.limits.Size == 0 || size <= s.limits.Size)
		}
		if kept {
			continue
		}
		if err := os.Remove(filepath.Join(s.dir, f.name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("erase old record: %w", err)
		}
	}
	return nil
}

// date gives records of a time when the clock was not set another name once it is: their age
// counts from then. It returns the files anew if it had to.
func (s *Store) date(files []file, now time.Time) ([]file, error) {
	if now.Before(clockFrom) {
		return files, nil
	}
	ids := map[string]string{}
	at := now.UTC().Add(-time.Second) // before what happens now
	taken := func(f file) bool { return f.id == at.Format(idLayout) }
	for _, f := range files {
		if !f.at.Before(clockFrom) || strings.HasPrefix(f.name, temporary) {
			continue
		}
		if ids[f.id] == "" { // in their order
			for at = at.Add(1); slices.ContainsFunc(files, taken); {
				at = at.Add(1)
			}
			ids[f.id] = at.Format(idLayout)
		}
		err := os.Rename(filepath.Join(s.dir, f.name), filepath.Join(s.dir, ids[f.id]+filepath.Ext(f.name)))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("date record: %w", err)
		}
	}
	if len(ids) == 0 {
		return files, nil
	}
	return s.files()
}

// file is one of the store's.
type file struct {
	name, id string
	at       time.Time
	size     int64
}

// files returns the store's files, the oldest first. What was left half written an hour ago
// is among them.
func (s *Store) files() ([]file, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list records: %w", err)
	}
	var files []file
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // erased meanwhile
		}
		f := file{name: e.Name(), id: strings.TrimSuffix(e.Name(), filepath.Ext(e.Name())), size: info.Size()}
		if strings.HasPrefix(f.name, temporary) {
			if f.at = info.ModTime(); time.Since(f.at) < time.Hour {
				continue
			}
		} else if f.at, err = time.Parse(idLayout, f.id); err != nil {
			continue // not ours
		}
		files = append(files, f)
	}
	slices.SortStableFunc(files, func(a, b file) int { return a.at.Compare(b.at) })
	return files, nil
}
