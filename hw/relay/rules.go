package relay

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// rules are a configuration as the table needs it: all checked by New.
type rules struct {
	locks []rule
	block time.Duration // after tampering; 0: nothing watches the case
}

// rule is one lock's.
type rule struct {
	name   string
	onTime time.Duration // of an opening that asks for nothing else
	most   time.Duration // of any opening, from its first moment
	pause  time.Duration // between the end of one opening and the next
	hold   bool          // onTime is that of the button inside alone

	others  []int // never open together with it
	contact bool
	held    time.Duration
	forced  bool
	relock  bool
}

// check completes a configuration, and refuses one that contradicts itself.
func (c *Config) check() error {
	switch {
	case c.Lines == nil:
		return errors.New("relay: no lines")
	case len(c.Locks) == 0:
		return errors.New("relay: no locks")
	}
	names := map[string]bool{}
	taken := func(name string) error {
		if name == "" || names[name] {
			return fmt.Errorf("relay: line %q has no name, or that of another", name)
		}
		names[name] = true
		return nil
	}
	for i := range c.Locks {
		l := &c.Locks[i]
		if err := taken(l.Line.Name); err != nil {
			return err
		}
		for _, line := range l.inputs() {
			if err := taken(line.Name); err != nil {
				return err
			}
		}
		if err := l.check(c.Locks); err != nil {
			return fmt.Errorf("relay: lock %q: %w", l.Line.Name, err)
		}
	}
	if t := c.Tamper; t != nil {
		orDefault(&t.Block, DefaultBlock)
		switch {
		case t.Block < 0:
			return errors.New("relay: tamper: a time is negative")
		case t.File == "":
			return errors.New("relay: tamper: a block that does not outlive the process is none: it has no file")
		}
		return taken(t.Line.Name)
	}
	return nil
}

func orDefault(d *time.Duration, v time.Duration) {
	if *d == 0 {
		*d = v
	}
}

func (l *Lock) check(all []Lock) error {
	orDefault(&l.OnTime, DefaultOnTime)
	orDefault(&l.Max, max(DefaultMax, l.OnTime))
	orDefault(&l.Pause, DefaultPause)
	switch {
	case l.OnTime < 0 || l.Pause < 0 || l.Max < 0 || l.HeldOpen < 0:
		return errors.New("a time is negative")
	case l.OnTime > l.Max:
		return fmt.Errorf("one opening lasts %v, longer than the longest, %v", l.OnTime, l.Max)
	case l.Contact == nil && (l.HeldOpen > 0 || l.Forced || l.Relock):
		return errors.New("nothing tells whether its door is closed: it has no contact")
	}
	for _, other := range l.Interlock {
		if other == l.Line.Name || !slices.ContainsFunc(all, func(o Lock) bool { return o.Line.Name == other }) {
			return fmt.Errorf("it cannot interlock with %q: there is no other lock of that name", other)
		}
	}
	return nil
}

// rules are those of a checked configuration.
func (c *Config) rules() rules {
	var r rules
	for i, l := range c.Locks {
		locks := rule{
			name: l.Line.Name, onTime: l.OnTime, most: l.Max, pause: l.Pause, hold: l.Hold,
			contact: l.Contact != nil, held: l.HeldOpen, forced: l.Forced, relock: l.Relock,
		}
		for j, other := range c.Locks {
			if i != j && (slices.Contains(l.Interlock, other.Line.Name) || slices.Contains(other.Interlock, l.Line.Name)) {
				locks.others = append(locks.others, j)
			}
		}
		r.locks = append(r.locks, locks)
	}
	if c.Tamper != nil {
		r.block = c.Tamper.Block
	}
	return r
}
