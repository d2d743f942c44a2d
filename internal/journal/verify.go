package journal

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// Report is what Verify found.
type Report struct {
	Lines       int
	First, Last Head // of the lines that are there
	Cuts, Lost  int  // lines in which the journal tells of a power cut, and of events not written
	Unfinished  int  // bytes without an end behind the last line
	Broken      int  // lines
	Breaks      []*BrokenError
	// At is the line whose hash is the head that Verify was given; 0: none is.
	At uint64
}

// maxBreaks bounds what is told of a file that is no journal.
const maxBreaks = 20

// Verify reads all of a journal. head is the hash of a line that was kept elsewhere; with an
// empty one the report has no At.
func Verify(path, head string) (*Report, error) {
	r, err := NewReader(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	p := &Report{}
	for {
		l, err := r.Next()
		var broken *BrokenError
		switch {
		case err == io.EOF:
			p.Unfinished = r.Unfinished()
			return p, nil
		case errors.As(err, &broken):
			p.Broken++
			if len(p.Breaks) < maxBreaks {
				p.Breaks = append(p.Breaks, broken)
			}
		case err != nil:
			return nil, err
		}
		p.take(l, head)
	}
}

func (p *Report) take(l Line, head string) {
	p.Lines++
	if l.Seq == 0 {
		return
	}
	if p.First.Seq == 0 {
		p.First = l.Head
		if head != "" && l.Prev == head {
			p.At = l.Seq - 1 // its line is gone, and what follows it is here
		}
	}
	p.Last = l.Head
	switch l.Type {
	case "journal_cut":
		p.Cuts++
	case "journal_lost":
		p.Lost++
	}
	// A line that was changed may still show the hash that it had.
	if head != "" && l.Hash == head && p.Broken == 0 {
		p.At = l.Seq
	}
}

// Find returns the newest line for which match says so, nil if there is none. Lines are not
// checked: it reads backwards, and only as far as it has to.
func (j *Journal) Find(match func(line []byte) bool) ([]byte, error) {
	for _, p := range []string{j.path, j.path + ".1"} {
		line, err := findIn(p, match)
		if err != nil && !notExist(err) || line != nil {
			return line, err
		}
	}
	return nil, nil
}

func findIn(path string, match func([]byte) bool) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var rest []byte // the begin of it is the end of a line
	for at := st.Size(); at > 0; {
		n := min(at, MaxLine)
		at -= n
		b := make([]byte, n, int(n)+len(rest))
		if _, err := f.ReadAt(b, at); err != nil {
			return nil, err
		}
		b = append(b, rest...)
		for {
			i := bytes.LastIndexByte(b, '\n')
			if i < 0 && at > 0 {
				break
			}
			if line := b[i+1:]; len(line) > 0 && match(line) {
				return line, nil
			}
			if i < 0 {
				return nil, nil
			}
			b = b[:i]
		}
		if len(b) > MaxLine {
			b = nil // that is no line
		}
		rest = b
	}
	return nil, nil
}
