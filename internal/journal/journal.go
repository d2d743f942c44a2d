// Package journal appends what happened to a file, one JSON object a line. The file is
// limited: when it is full it becomes FILE.1, in place of an older one, and a new one is
// begun. It does not know what the events mean and has no goroutines.
package journal

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Journal is an open file. Its methods may be called from any goroutine.
type Journal struct {
	path  string
	limit int64

	mu   sync.Mutex
	file *os.File
	size int64
	torn bool // the last line has no end: a write broke off
}

// Open opens the file at path for appending, and makes it, for its owner alone, if there
// is none. limit is the size in bytes at which a new one is begun; it is at least 4096.
func Open(path string, limit int64) (*Journal, error) {
	if limit < 4096 {
		return nil, fmt.Errorf("journal %s: a limit of %d bytes is too small, 4096 are the least", path, limit)
	}
	j := &Journal{path: path, limit: limit}
	if err := j.open(); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return j, nil
}

func (j *Journal) open() error {
	f, err := os.OpenFile(j.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	j.file, j.size, j.torn = f, st.Size(), false
	if j.size > 0 {
		// A power cut may have left half a line: it gets its end, so that it spoils no other.
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, j.size-1); err == nil && last[0] != '\n' {
			j.torn = true
		}
	}
	return nil
}

// Append writes one event as a line and has it on the disk when it returns. After an
// error the next call tries again with a fresh file.
func (j *Journal) Append(event any) error {
	line, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.write(append(line, '\n')); err != nil {
		if j.file != nil {
			j.file.Close()
			j.file = nil
		}
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

func (j *Journal) write(line []byte) error {
	if j.file == nil {
		if err := j.open(); err != nil {
			return err
		}
	}
	if j.size > 0 && j.size+int64(len(line)) > j.limit {
		if err := j.rotate(); err != nil {
			return err
		}
	}
	if j.torn {
		line = append([]byte{'\n'}, line...)
	}
	n, err := j.file.Write(line)
	j.size += int64(n)
	if err != nil {
		return err
	}
	j.torn = false
	return j.file.Sync()
}

// rotate begins a new file. The directory is synced too: a rename that a power cut undoes
// would bring the old file back in place of the new one.
func (j *Journal) rotate() error {
	if err := os.Rename(j.path, j.path+".1"); err != nil {
		return err
	}
	j.file.Close()
	j.file = nil
	if err := j.open(); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(j.path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// Close closes the file.
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
