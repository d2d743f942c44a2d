package journal

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// tail is how a file ends.
type tail struct {
	head    Head
	line    []byte // the last good one; nil: there is none
	end     int64  // behind it
	rest    []byte // what stands there: of a line that a power cut broke off
	damaged bool   // the rest is more than one such line
}

// look reads the end of a file.
func look(f io.ReaderAt, size int64) (tail, error) {
	// The last good line, and what is left of one more.
	b := make([]byte, min(size, 2*MaxLine+1))
	start := size - int64(len(b))
	if _, err := f.ReadAt(b, start); err != nil && err != io.EOF {
		return tail{}, err
	}
	for stop := len(b); ; {
		i := bytes.LastIndexByte(b[:stop], '\n')
		if i < 0 {
			break
		}
		from := bytes.LastIndexByte(b[:i], '\n') + 1
		if l, err := parse(b[from:i]); err == nil {
			t := tail{head: l.Head, line: bytes.Clone(l.JSON), end: start + int64(i) + 1, rest: b[i+1:]}
			t.damaged = !torn(t.rest)
			return t, nil
		}
		stop = i
	}
	return tail{rest: b, damaged: start > 0 || !torn(b)}, nil
}

// torn says that b can be what is left of one line.
func torn(b []byte) bool {
	i := bytes.IndexByte(b, '\n')
	return len(b) <= MaxLine && (i < 0 || i == len(b)-1)
}

// reopen opens the file and finds the end of the chain. At first that is what the files say;
// later it is what this journal has written, whatever the files say.
func (j *Journal) reopen(first bool) error {
	f, size, err := j.disk.open(j.path)
	if err != nil {
		return err
	}
	j.file = f
	t, err := look(f, size)
	if err == nil && size == 0 {
		err = j.disk.syncDir(j.path) // it may be new
	}
	var old tail
	if err == nil && t.line == nil {
		old, err = j.older()
	}
	if err != nil {
		j.release()
		return err
	}
	j.size, j.end = size, t.end
	ends := t.head
	if t.line == nil {
		ends = old.head
	}
	switch {
	case first:
		j.began = true
		j.set(ends)
		j.last = t.line
		if t.line == nil {
			j.last = old.line
		}
	case ends == j.head:
	case ends.Seq == j.head.Seq+1 && follows(t.line, j.head):
		j.set(ends) // the write that failed did not
		if j.lost.Add(-1) < 0 {
			j.lost.Store(0)
		}
	default:
		j.notes = append(j.notes, note{Type: "journal_replaced", Text: fmt.Sprintf("the file did not end with number %d, which was written last: it was changed or taken away", j.head.Seq)})
	}
	if t.damaged {
		if err := j.rotate(); err != nil {
			j.release()
			return err
		}
		j.notes = append(j.notes, note{Type: "journal_damaged", Text: "the file did not end like a journal; it was put aside as " + j.path + ".1"})
	} else if len(t.rest) > 0 {
		j.notes = append(j.notes, note{Type: "journal_cut", Bytes: int64(len(t.rest)), Was: printable(t.rest),
			Text: fmt.Sprintf("the last %d bytes were not a whole line and were cut off: the power was cut, or they were changed", len(t.rest))})
	}
	return nil
}

func follows(line []byte, h Head) bool {
	l, err := parse(line)
	return err == nil && l.follows(h) == nil
}

// older returns how the file before ends.
func (j *Journal) older() (tail, error) {
	f, size, err := j.disk.read(j.path + ".1")
	if notExist(err) {
		return tail{}, nil
	}
	if err != nil {
		return tail{}, err
	}
	defer f.Close()
	return look(f, size)
}

// printable is the begin of what was cut, for a person.
func printable(b []byte) string {
	const most = 1000
	b = bytes.Trim(b, "\x00\n")
	if len(b) > most {
		b = b[:most]
	}
	return strings.ToValidUTF8(string(b), "?")
}
