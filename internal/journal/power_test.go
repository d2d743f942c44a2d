package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"testing"
)

var errPower = errors.New("the power was cut")

// inode is a file of the model: what is on the disk for sure, and what was done to it since.
type inode struct {
	safe    []byte
	pending []change
}

// change is a write at a place, or (data nil) a new size.
type change struct {
	at   int64
	data []byte
}

func (c change) apply(b []byte) []byte {
	if c.data == nil {
		return append(bytes.Clone(b[:min(int64(len(b)), c.at)]), make([]byte, max(0, c.at-int64(len(b))))...)
	}
	b = append(bytes.Clone(b), make([]byte, max(0, c.at+int64(len(c.data))-int64(len(b))))...)
	copy(b[c.at:], c.data)
	return b
}

func (n *inode) now() []byte {
	b := n.safe
	for _, c := range n.pending {
		b = c.apply(b)
	}
	return b
}

// states are all that a power cut may leave of the file: the changes reach the disk in their
// order, the last one in part, as far as any byte: nothing behind it, zeros behind it, or zeros
// before it; or a new size came before what was written.
func (n *inode) states() [][]byte {
	list := [][]byte{n.safe}
	b := n.safe
	for _, c := range n.pending {
		for i := range c.data {
			list = append(list, change{c.at, c.data[:i]}.apply(b))
			zeroed := make([]byte, len(c.data))
			copy(zeroed, c.data[:i])
			list = append(list, change{c.at, zeroed}.apply(b))
			zeroed = make([]byte, len(c.data))
			copy(zeroed[i:], c.data[i:])
			list = append(list, change{c.at, zeroed}.apply(b))
		}
		b = c.apply(b)
		list = append(list, b)
		if c.data == nil {
			list = append(list, c.apply(n.safe))
		}
	}
	return list
}

// model is a file system whose power goes with a certain step.
type model struct {
	names, safe map[string]*inode
	pending     []func(map[string]*inode) // changes of names
	steps, cut  int                       // cut 0: never
}

func newModel() *model { return &model{names: map[string]*inode{}, safe: map[string]*inode{}} }

// step counts a change; it is an error when the power goes with it, and ever after.
func (m *model) step() error {
	m.steps++
	if m.cut > 0 && m.steps >= m.cut {
		return errPower
	}
	return nil
}

// dead says that nothing more can be done.
func (m *model) dead() bool { return m.cut > 0 && m.steps >= m.cut }

func (m *model) named(f func(map[string]*inode)) error {
	if m.dead() {
		return errPower
	}
	f(m.names)
	m.pending = append(m.pending, f)
	return m.step()
}

func (m *model) open(path string) (file, int64, error) {
	if m.names[path] == nil {
		n := &inode{}
		if err := m.named(func(names map[string]*inode) { names[path] = n }); err != nil {
			return nil, 0, err
		}
	}
	return m.read(path)
}

func (m *model) read(path string) (file, int64, error) {
	n := m.names[path]
	if n == nil {
		return nil, 0, os.ErrNotExist
	}
	return &handle{m, n}, int64(len(n.now())), nil
}

func (m *model) rename(from, to string) error {
	return m.named(func(names map[string]*inode) {
		names[to] = names[from]
		delete(names, from)
	})
}

func (m *model) syncDir(string) error {
	if err := m.step(); err != nil {
		return err
	}
	m.safe, m.pending = maps.Clone(m.names), nil
	return nil
}

func (m *model) size(path string, f file) (int64, error) {
	if m.names[path] != f.(*handle).inode {
		return 0, errors.New("another file")
	}
	return int64(len(m.names[path].now())), nil
}

// after returns every disk that may be there after the power cut.
func (m *model) after() []*model {
	var list []*model
	names := maps.Clone(m.safe)
	for i := 0; ; i++ {
		list = append(list, spread(names)...)
		if i == len(m.pending) {
			return list
		}
		names = maps.Clone(names)
		m.pending[i](names)
	}
}

// spread returns a disk for each combination of states of the files.
func spread(names map[string]*inode) []*model {
	list := []*model{newModel()}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		var more []*model
		for _, d := range list {
			for _, b := range names[name].states() {
				x := newModel()
				x.safe = maps.Clone(d.safe)
				x.safe[name] = &inode{safe: b}
				x.names = maps.Clone(x.safe)
				more = append(more, x)
			}
		}
		list = more
	}
	return list
}

// clone returns a disk with the same files, that were all synced.
func (m *model) clone() *model {
	x := newModel()
	for name, n := range m.names {
		x.safe[name] = &inode{safe: bytes.Clone(n.now())}
	}
	x.names = maps.Clone(x.safe)
	return x
}

// handle is an open file.
type handle struct {
	m *model
	*inode
}

func (h *handle) ReadAt(b []byte, at int64) (int, error) {
	n := copy(b, h.now()[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) change(c change) error {
	if h.m.dead() {
		return errPower
	}
	h.pending = append(h.pending, c)
	return h.m.step()
}

func (h *handle) WriteAt(b []byte, at int64) (int, error) {
	return len(b), h.change(change{at, bytes.Clone(b)})
}
func (h *handle) Truncate(size int64) error { return h.change(change{at: size}) }

func (h *handle) Sync() error {
	if err := h.m.step(); err != nil {
		return err
	}
	h.safe, h.pending = h.now(), nil
	return nil
}

func (h *handle) Close() error { return nil }

const (
	powerFile  = "j"
	powerLimit = 900 // five lines
)

// first returns the number of the first event in a file, and how its end is torn.
func (m *model) first(name string) (number int, end tail) {
	n := m.names[name]
	if n == nil {
		return 0, tail{}
	}
	b := n.now()
	end, err := look(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		panic(err)
	}
	for line := range bytes.Lines(b) {
		var e struct{ N int }
		if json.Unmarshal(line, &e) == nil && e.N > 0 {
			return e.N, end
		}
	}
	return 0, end
}

// chainOf checks all lines and returns the numbers of events in order, and the types of others.
func (m *model) chainOf() (events []int, own []string, err error) {
	var last Head
	for _, name := range []string{powerFile + ".1", powerFile} {
		n := m.names[name]
		if n == nil {
			continue
		}
		for line := range bytes.Lines(n.now()) {
			l, err := parse(bytes.TrimSuffix(line, []byte("\n")))
			if err == nil && (last.Seq > 0 || l.Seq == 1) {
				err = l.follows(last)
			}
			if err != nil || line[len(line)-1] != '\n' {
				return nil, nil, fmt.Errorf("%s: line %q: %v", name, line, err)
			}
			last = l.Head
			var e struct{ N int }
			if json.Unmarshal(l.JSON, &e); e.N > 0 {
				events = append(events, e.N)
			} else {
				own = append(own, l.Type)
			}
		}
	}
	return events, own, nil
}

// restart opens the journal that a power cut left and appends one more event. acked is the
// last event that was on the disk for sure.
func (m *model) restart(acked int) error {
	first, end := m.first(powerFile)
	if first == 0 {
		first, _ = m.first(powerFile + ".1")
	}
	j, err := open(m, powerFile, powerLimit)
	if err == nil {
		err = j.Append(event{1000})
	}
	if err != nil {
		return err
	}
	events, own, err := m.chainOf()
	if err != nil {
		return err
	}
	if len(end.rest) > 0 && !slices.Contains(own, "journal_cut") {
		return fmt.Errorf("%d torn bytes were cut and nothing tells of it: %v", len(end.rest), own)
	}
	n := len(events) - 1
	if n < 0 || events[n] != 1000 {
		return fmt.Errorf("events %v, the last is missing; own lines %v", events, own)
	}
	if events = events[:n]; acked == 0 && n == 0 {
		return nil
	}
	last := events[n-1]
	if events[0] > first || last < acked || last > acked+1 || last-events[0] != n-1 {
		return fmt.Errorf("events %v, want those of %d to %d", events, first, acked)
	}
	return nil
}

// TestPowerCuts cuts the power with each step of twelve events in three files, in each way that
// it may leave the disk; and then once more with each step of what follows.
func TestPowerCuts(t *testing.T) {
	const events = 12
	states, again := 0, 0
	for cut := 1; ; cut++ {
		m, acked := newModel(), 0
		m.cut = cut
		if j, err := open(m, powerFile, powerLimit); err == nil {
			for acked < events && j.Append(event{acked + 1}) == nil {
				acked++
			}
		}
		disks := m.after()
		for i, d := range disks {
			states++
			if err := d.clone().restart(acked); err != nil {
				t.Fatalf("power cut with step %d, state %d: %v", cut, i, err)
			}
			if i%173 != 1 && i != len(disks)-1 {
				continue
			}
			for second := 1; ; second++ {
				x, sure := d.clone(), acked
				x.cut = second
				err := x.restart(acked)
				if err == nil {
					break
				}
				if !errors.Is(err, errPower) {
					t.Fatalf("power cut with step %d, state %d, and again with step %d: %v", cut, i, second, err)
				}
				_, end := d.first(powerFile)
				for k, y := range x.after() {
					if k%37 != second%37 {
						continue // there are many, and much alike
					}
					again++
					if err := y.restartAgain(sure, len(end.rest) > 0); err != nil {
						t.Fatalf("power cut with step %d, state %d, and again with step %d, state %d: %v", cut, i, second, k, err)
					}
				}
			}
		}
		if acked == events {
			break
		}
	}
	t.Logf("%d disks after one power cut, %d after two", states, again)
	if states < 10_000 || again < 5_000 {
		t.Error("that is too few to mean anything")
	}
}

// restartAgain is restart after two power cuts: an event that was being appended as the
// second one came may be there. A cut must be told of, even if it was the first one's.
func (m *model) restartAgain(acked int, cut bool) error {
	j, err := open(m, powerFile, 10*powerLimit) // what was put aside stays
	if err == nil {
		err = j.Append(event{1001})
	}
	if err != nil {
		return err
	}
	events, own, err := m.chainOf()
	if err != nil {
		return err
	}
	// The begin of one line may have made the zeroed begin of the other good: both are alike.
	if cut && !slices.Contains(own, "journal_cut") && !slices.Contains(events, acked+1) {
		return fmt.Errorf("the first cut is forgotten: %v", own)
	}
	events = slices.DeleteFunc(events, func(n int) bool { return n >= 1000 })
	if acked > 0 && (len(events) == 0 || events[len(events)-1] < acked || events[len(events)-1]-events[0] != len(events)-1) {
		return fmt.Errorf("events %v, want them up to %d", events, acked)
	}
	return nil
}
