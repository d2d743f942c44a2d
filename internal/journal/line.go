package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// zeros is what stands for the hash of the line before the first.
var zeros = strings.Repeat("0", 2*sha256.Size)

const (
	hashField = `,"hash":"`
	hashTail  = len(hashField) + 2*sha256.Size + len(`"}`)
	// lineExtra is what a line has around its event, at most.
	lineExtra = len(`{"seq":18446744073709551615,"prev":"",`) + 2*sha256.Size + hashTail + len("\n")
)

// prev is what the line after h has in that field.
func (h Head) prev() string {
	if h.Hash == "" {
		return zeros
	}
	return h.Hash
}

// chain makes the line that follows a head of an event's object, with its end of line.
func chain(h Head, body []byte) ([]byte, Head) {
	next := Head{Seq: h.Seq + 1}
	line := make([]byte, 0, len(body)+lineExtra)
	line = append(line, `{"seq":`...)
	line = strconv.AppendUint(line, next.Seq, 10)
	line = append(line, `,"prev":"`...)
	line = append(line, h.prev()...)
	line = append(line, `",`...)
	line = append(line, body[1:len(body)-1]...)
	next.Hash = digest(line)
	line = append(line, hashField...)
	line = append(line, next.Hash...)
	return append(line, "\"}\n"...), next
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Line is one line of a journal.
type Line struct {
	File   string // its path
	Number int    // in that file, from 1
	Head          // of the chain that ends with it
	Prev   string // the hash that it follows
	Time   time.Time
	Type   string
	Text   string
	JSON   []byte // all of it, without the end of line; valid until the next call
}

var (
	errForm = errors.New("it is not a line of a journal")
	errHash = errors.New("it does not have its hash: it was changed")
)

// parse reads a line without its end. With errHash the rest is as it stands there.
func parse(b []byte) (Line, error) {
	if len(b) < hashTail || !bytes.HasPrefix(b, []byte(`{"seq":`)) || !bytes.HasSuffix(b, []byte(`"}`)) {
		return Line{}, errForm
	}
	hashed, end := b[:len(b)-hashTail], b[len(b)-hashTail:]
	if !bytes.HasPrefix(end, []byte(hashField)) || !json.Valid(b) {
		return Line{}, errForm
	}
	var fields struct {
		Seq  uint64          `json:"seq"`
		Prev string          `json:"prev"`
		Time json.RawMessage `json:"time"`
		Type string          `json:"type"`
		Text string          `json:"text"`
	}
	_ = json.Unmarshal(b, &fields) // an event's fields may be of other types
	if fields.Seq == 0 {
		return Line{}, errForm
	}
	l := Line{Head: Head{fields.Seq, string(end[len(hashField) : len(end)-2])}, Prev: fields.Prev, Type: fields.Type, Text: fields.Text, JSON: b}
	_ = json.Unmarshal(fields.Time, &l.Time)
	if digest(hashed) != l.Hash {
		return l, errHash
	}
	return l, nil
}

// follows says what is wrong with a line behind h.
func (l Line) follows(h Head) error {
	switch {
	case l.Seq == h.Seq+1 && l.Prev == h.prev():
		return nil
	case l.Seq == h.Seq+1:
		return fmt.Errorf("it does not follow the line before, number %d of the chain: one of them was written anew", h.Seq)
	case l.Seq == h.Seq+2:
		return fmt.Errorf("number %d of the chain is missing before it", h.Seq+1)
	case l.Seq > h.Seq:
		return fmt.Errorf("numbers %d to %d of the chain are missing before it", h.Seq+1, l.Seq-1)
	}
	return fmt.Errorf("it is number %d of the chain, behind number %d", l.Seq, h.Seq)
}
