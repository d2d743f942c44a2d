package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// Reader reads the lines of a journal, those of FILE.1 first, and checks each one and its place
// in the chain. The journal may be appended to meanwhile.
type Reader struct {
	path  string
	files []*os.File // the first one is read
	buf   []byte     // read, and not yet returned
	used  int        // of buf: returned, so that its lines stay valid for a while
	line  int        // number of the last line of the first file
	prev  Head       // of the line before; of none at the start
	began bool
}

// BrokenError is a line that is not what it was, or not where it was.
type BrokenError struct {
	File string
	Line int // from 1
	Err  error
}

func (e *BrokenError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }
func (e *BrokenError) Unwrap() error { return e.Err }

// NewReader opens the journal at path. Neither file there is an error that wraps os.ErrNotExist.
func NewReader(path string) (*Reader, error) {
	r := &Reader{path: path}
	// The newer one first: should it be put aside meanwhile, it is found twice, and not lost.
	now, errNow := os.Open(path)
	if errNow != nil && !notExist(errNow) {
		return nil, fmt.Errorf("journal: %w", errNow)
	}
	old, errOld := os.Open(path + ".1")
	switch {
	case errOld == nil && errNow == nil && same(old, now):
		old.Close()
		r.files = []*os.File{now}
	case errOld == nil && errNow == nil:
		r.files = []*os.File{old, now}
	case errOld == nil:
		r.files = []*os.File{old}
	case errNow == nil && notExist(errOld):
		r.files = []*os.File{now}
	case errNow == nil:
		now.Close()
		return nil, fmt.Errorf("journal: %w", errOld)
	default:
		return nil, fmt.Errorf("journal: %w", errNow)
	}
	return r, nil
}

func same(a, b *os.File) bool {
	sa, errA := a.Stat()
	sb, errB := b.Stat()
	return errA == nil && errB == nil && os.SameFile(sa, sb)
}

// Next returns the next line. A *BrokenError comes with what can be told of the line; the one
// after it can be read. io.EOF is the end for now: what is appended later comes then.
func (r *Reader) Next() (Line, error) {
	for {
		b, err := r.next()
		if err == io.EOF && r.turn() {
			continue
		}
		if err != nil {
			return Line{}, err
		}
		return r.check(b)
	}
}

// next returns the next line of the first file, without its end.
func (r *Reader) next() ([]byte, error) {
	r.buf, r.used = r.buf[r.used:], 0
	for {
		if i := bytes.IndexByte(r.buf, '\n'); i >= 0 {
			r.used = i + 1
			return r.buf[:i], nil
		}
		if len(r.buf) > MaxLine {
			r.used = len(r.buf) // far more than a line: the rest of it is told as another one
			return r.buf, nil
		}
		chunk := make([]byte, 16<<10)
		n, err := r.files[0].Read(chunk)
		r.buf = append(r.buf, chunk[:n]...)
		if n > 0 {
			continue
		}
		if err == nil || err == io.EOF {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("journal: %w", err)
	}
}

// turn goes on to the file after the one that has been read to its end, if there is one.
func (r *Reader) turn() bool {
	if len(r.files) == 1 {
		now, err := os.Open(r.path)
		if err != nil {
			return false
		}
		if same(r.files[0], now) {
			now.Close()
			return false
		}
		r.files = append(r.files, now)
		return true // what was appended before it was put aside is read first
	}
	if len(r.buf) > r.used {
		r.buf = append(r.buf, '\n') // it will never have an end
		return true
	}
	r.files[0].Close()
	r.files, r.line = r.files[1:], 0
	return true
}

// check checks a line and its place.
func (r *Reader) check(b []byte) (Line, error) {
	r.line++
	l, err := parse(b)
	l.File, l.Number = r.files[0].Name(), r.line
	if l.Seq > 0 {
		switch {
		case err != nil:
		case r.began:
			err = l.follows(r.prev)
		case l.Seq == 1:
			err = l.follows(Head{})
		} // else lines before it were put aside twice, and are gone
		r.prev, r.began = l.Head, true
	}
	if err != nil {
		return l, &BrokenError{File: l.File, Line: l.Number, Err: err}
	}
	return l, nil
}

// Unfinished returns how many bytes stand behind the last line without an end: what a power
// cut left of another one, or one that is just being written.
func (r *Reader) Unfinished() int { return len(r.buf) - r.used }

// Close closes the files.
func (r *Reader) Close() error {
	var errs []error
	for _, f := range r.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
