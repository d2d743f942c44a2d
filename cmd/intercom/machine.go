package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"intercom/hw"
	"intercom/hw/cdev"
	"intercom/hw/evdev"
)

// machine has all lines of this machine: those of GPIO chips, and keys of input devices, whose
// names begin with "evdev:".
type machine struct {
	chips hw.Lines
	keys  *evdev.Lines
}

func newMachine() *machine { return &machine{cdev.Lines{}, evdev.New(evdev.Config{Await: true})} }

func isKey(l hw.Line) bool { return strings.HasPrefix(l.Name, evdev.Prefix) }

// Inputs is part of hw.Lines.
func (m *machine) Inputs(lines ...hw.Line) (hw.Inputs, error) {
	return takeBoth(lines, isKey, m.keys, m.chips)
}

// Output is part of hw.Lines.
func (m *machine) Output(l hw.Line, active bool) (hw.Output, error) {
	if isKey(l) {
		return m.keys.Output(l, active)
	}
	return m.chips.Output(l, active)
}

// Watch tells which input devices are not there; see evdev.Lines.
func (m *machine) Watch(ctx context.Context, report func(error)) error {
	return m.keys.Watch(ctx, report)
}

// takeBoth takes lines of two kinds: those for which first says so from a, the others from b.
func takeBoth(lines []hw.Line, first func(hw.Line) bool, a, b hw.Lines) (hw.Inputs, error) {
	var ofA, ofB []hw.Line
	for _, l := range lines {
		if first(l) {
			ofA = append(ofA, l)
		} else {
			ofB = append(ofB, l)
		}
	}
	switch {
	case len(ofA) == 0:
		return b.Inputs(lines...)
	case len(ofB) == 0:
		return a.Inputs(lines...)
	}
	inA, err := a.Inputs(ofA...)
	if err != nil {
		return nil, err
	}
	inB, err := b.Inputs(ofB...)
	if err != nil {
		return nil, errors.Join(err, inA.Close())
	}
	in, err := join(lines, inA, len(ofA), inB, len(ofB))
	if err != nil {
		return nil, errors.Join(err, inA.Close(), inB.Close())
	}
	return in, nil
}

// joined reads inputs of two kinds, a goroutine for each: neither waits for the other, and each
// keeps its edges until they are asked for. Its goroutines end with Close.
type joined struct {
	parts  []hw.Inputs
	levels []hw.Edge // not yet read
	news   chan news
	cancel context.CancelFunc
	done   <-chan struct{}
	wg     sync.WaitGroup
	once   sync.Once
	err    error // of Close
}

type news struct {
	edge hw.Edge
	err  error
}

// levelsLimit is how long two backends may take to tell the levels that they have read.
const levelsLimit = 5 * time.Second

// join reads the levels, which come in the order of lines.
func join(lines []hw.Line, a hw.Inputs, ofA int, b hw.Inputs, ofB int) (*joined, error) {
	ctx, cancel := context.WithTimeout(context.Background(), levelsLimit)
	defer cancel()
	j := &joined{parts: []hw.Inputs{a, b}, news: make(chan news)}
	for i, n := range []int{ofA, ofB} {
		for range n {
			e, err := j.parts[i].Next(ctx)
			if err != nil {
				return nil, err
			}
			j.levels = append(j.levels, e)
		}
	}
	place := func(e hw.Edge) int { return slices.IndexFunc(lines, func(l hw.Line) bool { return l.Name == e.Line }) }
	slices.SortFunc(j.levels, func(x, y hw.Edge) int { return place(x) - place(y) })
	at := time.Now() // they are told in this order, and so are their times
	for i := range j.levels {
		j.levels[i].At = at
	}
	run, stop := context.WithCancel(context.Background())
	j.cancel, j.done = stop, run.Done()
	for _, in := range j.parts {
		j.wg.Go(func() { j.read(run, in) })
	}
	return j, nil
}

// failPause is how long a part that fails is left alone.
const failPause = time.Second

func (j *joined) read(ctx context.Context, in hw.Inputs) {
	for ctx.Err() == nil {
		e, err := in.Next(ctx)
		if ctx.Err() != nil {
			return
		}
		select {
		case j.news <- news{e, err}:
		case <-ctx.Done():
		}
		if err == nil {
			continue
		}
		select {
		case <-time.After(failPause):
		case <-ctx.Done():
		}
	}
}

// Next is part of hw.Inputs.
func (j *joined) Next(ctx context.Context) (hw.Edge, error) {
	if err := ctx.Err(); err != nil {
		return hw.Edge{}, err
	}
	if len(j.levels) > 0 {
		e := j.levels[0]
		j.levels = j.levels[1:]
		return e, nil
	}
	select {
	case n := <-j.news:
		return n.edge, n.err
	case <-j.done:
		return hw.Edge{}, errors.New("inputs: closed")
	case <-ctx.Done():
		return hw.Edge{}, ctx.Err()
	}
}

// Close is part of hw.Inputs. A Next that waits returns.
func (j *joined) Close() error {
	j.once.Do(func() {
		j.cancel()
		j.wg.Wait()
		j.err = errors.Join(j.parts[0].Close(), j.parts[1].Close())
	})
	return j.err
}
