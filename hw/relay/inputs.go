package relay

import (
	"context"
	"time"

	"intercom/hw"
)

// line is what an input line is for.
type line struct {
	kind inputKind
	lock int
}

type inputKind uint8

const (
	exitLine inputKind = iota
	contactLine
	caseLine
)

// inputs are the lines beside a lock.
func (l *Lock) inputs() (lines []hw.Line) {
	for _, line := range []*hw.Line{l.Exit, l.Contact} {
		if line != nil {
			lines = append(lines, *line)
		}
	}
	return lines
}

// inputs are all of them, and inputLines what each is for.
func (c *Config) inputs() (lines []hw.Line) {
	for i := range c.Locks {
		lines = append(lines, c.Locks[i].inputs()...)
	}
	if c.Tamper != nil {
		lines = append(lines, c.Tamper.Line)
	}
	return lines
}

func (c *Config) inputLines() map[string]line {
	lines := map[string]line{}
	for i, l := range c.Locks {
		if l.Exit != nil {
			lines[l.Exit.Name] = line{exitLine, i}
		}
		if l.Contact != nil {
			lines[l.Contact.Name] = line{contactLine, i}
		}
	}
	if c.Tamper != nil {
		lines[c.Tamper.Line.Name] = line{caseLine, everywhere}
	}
	return lines
}

// readAgain is how long lines that cannot be read are left alone.
const readAgain = time.Second

// read takes the inputs and hands their levels and edges to the loop until ctx ends. Lines
// that fail are taken anew, again and again; meanwhile nobody knows their levels.
func (l *loop) read(ctx context.Context) {
	for ctx.Err() == nil {
		err := l.readOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		l.tellLoop(ctx, blind{err})
		select {
		case <-ctx.Done():
		case <-time.After(readAgain):
		}
	}
}

// readOnce reads until that fails, or ctx ends.
func (l *loop) readOnce(ctx context.Context) error {
	lines := l.cfg.inputs()
	in, err := l.cfg.Lines.Inputs(lines...)
	if err != nil {
		return err
	}
	defer in.Close()
	for levels := len(lines); ; {
		e, err := in.Next(ctx)
		if err != nil {
			return err
		}
		what := l.lines[e.Line]
		switch what.kind {
		case contactLine:
			l.tellLoop(ctx, contact{what.lock, e.Active})
		case caseLine:
			l.tellLoop(ctx, cased{e.Active})
		case exitLine:
			// One that is held when it is read first is stuck, or was pressed too early.
			if e.Active && levels == 0 {
				l.tellLoop(ctx, exited{what.lock})
			}
		}
		if levels > 0 {
			if levels--; levels == 0 {
				l.tellLoop(ctx, blind{})
			}
		}
	}
}

// tellLoop waits until the loop takes an input.
func (l *loop) tellLoop(ctx context.Context, in input) {
	select {
	case l.news <- in:
	case <-ctx.Done():
	}
}
