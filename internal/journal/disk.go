package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// disk is the file system; the tests have one whose power can be cut.
type disk interface {
	// open opens a file for reading and writing, for one process, and makes it if there is none.
	open(path string) (file, int64, error)
	read(path string) (file, int64, error)
	rename(from, to string) error
	// syncDir has the names in the folder of path on the disk.
	syncDir(path string) error
	// size returns the size of f; it is an error if path is not its name any more.
	size(path string, f file) (int64, error)
}

// file is an open file.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(int64) error
	Sync() error
}

// osDisk is the machine's.
type osDisk struct{}

func (osDisk) open(path string) (file, int64, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, 0, err
	}
	size, err := own(f)
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, size, nil
}

// own keeps others off a file: they may neither read nor append.
func own(f *os.File) (int64, error) {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return 0, fmt.Errorf("%s: %w", f.Name(), errInUse)
	} else if err != nil {
		return 0, fmt.Errorf("%s: lock: %w", f.Name(), err)
	}
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !st.Mode().IsRegular() {
		return 0, fmt.Errorf("%s: it is not a file", f.Name())
	}
	if st.Mode().Perm()&0o077 != 0 {
		if err := f.Chmod(0o600); err != nil {
			return 0, err
		}
	}
	return st.Size(), nil
}

func (osDisk) read(path string) (file, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, st.Size(), nil
}

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }

func (osDisk) syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

func (osDisk) size(path string, f file) (int64, error) {
	mine, err := f.(*os.File).Stat()
	if err != nil {
		return 0, err
	}
	named, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if !os.SameFile(mine, named) {
		return 0, fmt.Errorf("%s: it is another file now", path)
	}
	return mine.Size(), nil
}
