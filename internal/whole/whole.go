// Package whole replaces small files as a whole: after a power cut there is the old one or the
// new one, and never a part. It is no database: what is to be appended has internal/journal.
// It has no goroutines.
package whole

import (
	"errors"
	"os"
	"path/filepath"
)

// Mode is what a file of this package may be used by: its owner alone.
const Mode = 0o600

// Write replaces the file at path, or makes it, and returns when it is on the disk. What it
// writes aside is called like the file with ".new" behind it; what a power cut has left there
// is written over. One file has one writer at a time.
func Write(path string, data []byte) (err error) {
	aside := path + ".new"
	if err := os.Remove(aside); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	// O_EXCL: whatever stands there now, a link for instance, is not ours.
	f, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, Mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(Mode), f.Sync(), f.Close()); err == nil {
		err = os.Rename(aside, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(aside)) // a full disk gets its room back
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
