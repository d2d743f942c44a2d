// Package journal keeps what happened in a file that shows when it was changed: one JSON
// object a line, each chained to the one before by a hash. It does not know what the events
// mean, it has no goroutines, and it is no proof against who owns the disk: see below.
//
// # The line
//
//	{"seq":17,"prev":"<64 hex digits>",EVENT...,"hash":"<64 hex digits>"}
//
// seq counts from 1, without gaps. prev is the hash of line seq-1, and 64 zeros in the first.
// hash is the SHA-256 of the line's own bytes before `,"hash":`. The event's fields stand
// between, as encoding/json writes them. Lines of the journal's own have these types:
//
//	journal_cut      what a power cut left of a line was cut off; "was" has it
//	journal_lost     so many events could not be written
//	journal_damaged  the file before does not end like a journal; it was put aside as FILE.1
//	journal_replaced the file was changed or taken away while it was written
//
// # Files
//
// A file that would grow beyond its limit becomes FILE.1, in place of an older one. The chain
// goes on across files: the first line of the new one has the hash of the last of FILE.1.
//
// Each line is written by one call and is on the disk when Append returns. A power cut can hurt
// only a line that Append has not returned for; the next Append writes a journal_cut over what
// is left of it, so that even a power cut then cannot hide the first one.
//
// # What the chain shows
//
// It shows that a line was changed, removed, added or moved by somebody who left the lines after
// it as they were. But who can write the file can also write all of those anew, or cut off the
// end: nothing in the file shows that. It takes a head, the hash of the last line, kept where
// he cannot write: Verify finds the line with that hash, and everything up to it is as it was
// when the head was kept.
package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// MaxLine is the most that a line may have, in bytes.
const MaxLine = 64 << 10

// Head is the end of a chain. The zero Head is the end of an empty one.
type Head struct {
	Seq  uint64
	Hash string // 64 hex digits
}

// Journal is an open file. Its methods may be called from any goroutine.
type Journal struct {
	path  string
	limit int64
	disk  disk
	lost  atomic.Int64         // events that could not be written
	shown atomic.Pointer[Head] // head, for who must not wait for the disk

	mu    sync.Mutex // held while the disk works
	began bool       // the file was opened once
	file  file       // nil after an error: the next Append opens it again
	size  int64      // of the file
	end   int64      // behind the last good line; what stands there is to be written over
	head  Head       // of the last line that is on the disk
	last  []byte     // that line, when the file was opened first
	notes []note     // of our own, to be written before the next event
}

// note is a line of our own.
type note struct {
	Time  time.Time `json:"time"`
	Type  string    `json:"type"`
	Bytes int64     `json:"bytes,omitempty"` // that were cut
	Was   string    `json:"was,omitempty"`   // the begin of them
	Count int64     `json:"count,omitempty"` // of lost events
	Text  string    `json:"text"`
}

// Open opens the journal at path for appending, and makes it, for its owner alone, if there is
// none. limit is the size in bytes at which a new file is begun; it is at least 4096. It reads
// the end of the file only and writes nothing to it; one that does not end like a journal is put
// aside as FILE.1. A file that another process appends to is an error.
func Open(path string, limit int64) (*Journal, error) {
	if limit < 4096 {
		return nil, fmt.Errorf("journal %s: a limit of %d bytes is too small, 4096 are the least", path, limit)
	}
	return open(osDisk{}, path, limit)
}

func open(d disk, path string, limit int64) (*Journal, error) {
	j := &Journal{path: path, limit: limit, disk: d}
	if err := j.reopen(true); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return j, nil
}

// Later returns a journal whose file cannot be had now: its disk is full, say, or was mounted
// read-only. Each Append tries to open it, as Open does; the first that can takes down how many
// events are missing.
func Later(path string, limit int64) *Journal {
	j := &Journal{path: path, limit: max(limit, 4096), disk: osDisk{}}
	j.set(Head{})
	return j
}

// Append writes one event, which encoding/json makes an object of, and has it on the disk when
// it returns. An event may not have fields named seq, prev and hash. After an error of the disk
// the next call tries again, and takes down that events were lost.
func (j *Journal) Append(event any) error {
	body, err := object(event)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.append(body); err != nil {
		j.lost.Add(1)
		j.release()
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

func (j *Journal) append(body []byte) error {
	if j.file != nil && !j.undisturbed() {
		j.release()
	}
	if j.file == nil {
		if err := j.reopen(!j.began); err != nil {
			return err
		}
	}
	if n := j.lost.Swap(0); n > 0 {
		j.notes = append(j.notes, note{Type: "journal_lost", Count: n, Text: fmt.Sprintf("%d events could not be written", n)})
	}
	for len(j.notes) > 0 {
		n := j.notes[0]
		n.Time = time.Now()
		own, err := object(n)
		if err != nil {
			return err
		}
		if err := j.write(own); err != nil {
			if n.Type == "journal_lost" {
				j.lost.Add(n.Count)
				j.notes = j.notes[1:]
			}
			return err
		}
		j.notes = j.notes[1:]
	}
	return j.write(body)
}

// write puts one line behind the last good one, over what may stand there.
func (j *Journal) write(body []byte) error {
	line, head := chain(j.head, body)
	if j.end > 0 && j.end+int64(len(line)) > j.limit && j.end == j.size {
		if err := j.rotate(); err != nil {
			return err
		}
	}
	if _, err := j.file.WriteAt(line, j.end); err != nil {
		return err
	}
	if end := j.end + int64(len(line)); j.size > end {
		// The rest of a torn line goes only now: had it gone before, a power cut could have
		// taken the only sign of the first one.
		if err := j.file.Truncate(end); err != nil {
			return err
		}
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	j.end += int64(len(line))
	j.size = j.end
	j.set(head)
	return nil
}

// rotate begins a new file. Its name is on the disk before the first line is: a line that
// nobody finds was not written.
func (j *Journal) rotate() error {
	if err := j.disk.rename(j.path, j.path+".1"); err != nil {
		return err
	}
	j.release()
	f, _, err := j.disk.open(j.path)
	if err != nil {
		return err
	}
	j.file, j.size, j.end = f, 0, 0
	return j.disk.syncDir(j.path)
}

// undisturbed says that the file is where and as this journal left it.
func (j *Journal) undisturbed() bool {
	size, err := j.disk.size(j.path, j.file)
	return err == nil && size == j.size
}

func (j *Journal) release() {
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
}

// Lose has the next line tell that n more events were not written: they never came to Append.
// It does not wait for the disk.
func (j *Journal) Lose(n int) { j.lost.Add(int64(n)) }

func (j *Journal) set(h Head) {
	j.head = h
	j.shown.Store(&h)
}

// Head returns the end of the chain: what to keep elsewhere. It does not wait for the disk.
func (j *Journal) Head() Head { return *j.shown.Load() }

// Last returns the line that was the last one when the journal was opened; nil: there was none.
func (j *Journal) Last() []byte { return j.last }

// Close closes the file. An Append after it opens it again.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}

// object makes the fields of a line of an event.
func object(event any) ([]byte, error) {
	body, err := json.Marshal(event)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || len(fields) == 0 {
		return nil, fmt.Errorf("an event of type %T is not an object with fields", event)
	}
	for _, own := range []string{"seq", "prev", "hash"} {
		if _, taken := fields[own]; taken {
			return nil, fmt.Errorf("an event of type %T has a field %q, which is the journal's", event, own)
		}
	}
	if len(body) > MaxLine-lineExtra {
		return nil, fmt.Errorf("an event of %d bytes is too long, %d are the most", len(body), MaxLine-lineExtra)
	}
	return body, nil
}

var errInUse = errors.New("another process appends to it")

// notExist says that there is no such file.
func notExist(err error) bool { return errors.Is(err, os.ErrNotExist) }
