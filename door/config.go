package door

import (
	"fmt"
	"slices"
	"time"

	"intercom/door/access"
	"intercom/door/schedule"
	"intercom/signaling"
)

// Defaults of a Config.
const (
	DefaultRing = time.Minute      // as long as the SDKs let a phone ring
	DefaultDial = 10 * time.Second // to look up the next digit
)

// Config is how one door is set up. It is not changed once New has it.
type Config struct {
	Buttons   []Button
	Flats     []Flat
	Residents []Resident
	Locks     []Lock // who names none in a request means the first; at most MostLocks
	// KeypadLock is the lock that codes at the keypad open; empty: the first.
	KeypadLock string
	// Access has limits and a seed; whom and what it is about is taken from the above.
	Access access.Config
	Alarm  []signaling.UserID // residents who are told of alarms

	Ring    time.Duration // phones ring for this long in all; 0: DefaultRing
	Longest time.Duration // a call is ended after this; 0: never
	Retry   time.Duration // how long a visitor waits for a lost link to come back
	Dial    time.Duration // what was typed is forgotten so long after the last key; 0: DefaultDial
	// AfterOpening is how long after an opening the call that asked for it is ended; 0:
	// it goes on.
	AfterOpening time.Duration

	targets []*Flat // whom the buttons call; nil: nobody
}

// Button is one that visitors can press. It does one thing: it calls Residents, or Flat,
// or asks for the number of a flat, or hangs up.
type Button struct {
	Name      string
	Residents []signaling.UserID
	Flat      string // the name of one of Config.Flats
	Directory bool
	HangUp    bool
}

// Flat is where some residents live. One whose name is a number can be dialled.
type Flat struct {
	Name   string
	Label  string // for people
	Hidden bool   // in no directory; who knows its number can dial it
	Steps  []Step // who is called; at least one
}

// Step is a group of residents who are called when nobody has answered before.
type Step struct {
	After     time.Duration // since the flat was rung; the first one's is 0, and none is less than the one before
	Residents []signaling.UserID
	Instead   bool          // those who were called before are called no longer
	Quiet     schedule.Week // hours in which the step is left out
}

// MostLocks is how many locks a door can have.
const MostLocks = 8

// Lock is one that can be opened. Whether its guard lets it is another matter: see hw/relay.
type Lock struct {
	Name  string
	Pause time.Duration // at least this long between two openings
}

// Resident is somebody who lives here. Nobody else can open or call.
type Resident struct {
	ID      signaling.UserID
	Name    string
	MayCall bool
	// Opens says which locks he may open, and how; PIN and DuressPIN are for that.
	Opens          []access.Rule
	PIN, DuressPIN string
}

// check refuses a setup that contradicts itself.
func (c *Config) check() error {
	if min(c.Ring, c.Longest, c.Retry, c.Dial, c.AfterOpening) < 0 {
		return fmt.Errorf("door: a duration is negative")
	}
	known := map[signaling.UserID]bool{}
	for _, r := range c.Residents {
		switch {
		case r.ID <= 0:
			return fmt.Errorf("door: resident %q: user id %d is not positive", r.Name, r.ID)
		case known[r.ID]:
			return fmt.Errorf("door: resident %q: user id %d is another resident's", r.Name, r.ID)
		}
		known[r.ID] = true
	}
	for _, f := range []func(map[signaling.UserID]bool) error{c.checkFlats, c.checkButtons} {
		if err := f(known); err != nil {
			return err
		}
	}
	return c.checkLocks()
}

func (c *Config) checkButtons(known map[signaling.UserID]bool) error {
	for i, b := range c.Buttons {
		tasks := 0
		for _, does := range []bool{len(b.Residents) > 0, b.Flat != "", b.Directory, b.HangUp} {
			if does {
				tasks++
			}
		}
		switch {
		case b.Name == "":
			return fmt.Errorf("door: a button has no name")
		case slices.ContainsFunc(c.Buttons[:i], func(o Button) bool { return o.Name == b.Name }):
			return fmt.Errorf("door: two buttons are called %q", b.Name)
		case tasks == 0:
			return fmt.Errorf("door: button %q calls nobody", b.Name)
		case tasks > 1:
			return fmt.Errorf("door: button %q is to do more than one thing", b.Name)
		case b.Flat != "" && c.flat(b.Flat) == nil:
			return fmt.Errorf("door: button %q calls flat %q, which does not exist", b.Name, b.Flat)
		}
		if err := checkGroup(fmt.Sprintf("button %q", b.Name), b.Residents, known); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) checkFlats(known map[signaling.UserID]bool) error {
	for i, f := range c.Flats {
		switch {
		case f.Name == "":
			return fmt.Errorf("door: a flat has no name")
		case slices.ContainsFunc(c.Flats[:i], func(o Flat) bool { return o.Name == f.Name }):
			return fmt.Errorf("door: two flats are called %q", f.Name)
		case len(f.Steps) == 0:
			return fmt.Errorf("door: flat %q has nobody to be called", f.Name)
		}
		last := time.Duration(0)
		for j, s := range f.Steps {
			switch {
			case len(s.Residents) == 0:
				return fmt.Errorf("door: flat %q: step %d calls nobody", f.Name, j+1)
			case j == 0 && s.After != 0:
				return fmt.Errorf("door: flat %q: the first step is late", f.Name)
			case s.After < last:
				return fmt.Errorf("door: flat %q: step %d is before the one before it", f.Name, j+1)
			}
			last = s.After
			if err := checkGroup(fmt.Sprintf("flat %q", f.Name), s.Residents, known); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkGroup refuses residents who are none, and those who are named twice.
func checkGroup(what string, users []signaling.UserID, known map[signaling.UserID]bool) error {
	for i, u := range users {
		if !known[u] {
			return fmt.Errorf("door: %s calls user %d, who is not a resident", what, u)
		}
		if slices.Contains(users[:i], u) {
			return fmt.Errorf("door: %s calls user %d twice", what, u)
		}
	}
	return nil
}

func (c *Config) checkLocks() error {
	if len(c.Locks) > MostLocks {
		return fmt.Errorf("door: there are %d locks, at most %d are allowed", len(c.Locks), MostLocks)
	}
	for i, l := range c.Locks {
		switch {
		case l.Name == "":
			return fmt.Errorf("door: a lock has no name")
		case l.Pause < 0:
			return fmt.Errorf("door: lock %q: a duration is negative", l.Name)
		case slices.ContainsFunc(c.Locks[:i], func(o Lock) bool { return o.Name == l.Name }):
			return fmt.Errorf("door: two locks are called %q", l.Name)
		}
	}
	if k := c.KeypadLock; k != "" && !slices.ContainsFunc(c.Locks, func(l Lock) bool { return l.Name == k }) {
		return fmt.Errorf("door: codes at the keypad open lock %q, which does not exist", k)
	}
	return nil
}

// prepare fills in defaults and makes a flat of each button that calls residents, so that
// there is one way of being called.
func (c *Config) prepare() {
	if c.Ring == 0 {
		c.Ring = DefaultRing
	}
	if c.Dial == 0 {
		c.Dial = DefaultDial
	}
	c.targets = make([]*Flat, len(c.Buttons))
	for i, b := range c.Buttons {
		if c.targets[i] = c.flat(b.Flat); len(b.Residents) > 0 {
			c.targets[i] = &Flat{Name: b.Name, Steps: []Step{{Residents: b.Residents}}}
		}
	}
}

// flat returns the flat of a name, or nil.
func (c *Config) flat(name string) *Flat {
	if i := slices.IndexFunc(c.Flats, func(f Flat) bool { return f.Name == name }); i >= 0 {
		return &c.Flats[i]
	}
	return nil
}

// button returns the button of a name and whom it calls, if anybody.
func (c *Config) button(name string) (b Button, target *Flat, ok bool) {
	i := slices.IndexFunc(c.Buttons, func(b Button) bool { return b.Name == name })
	if i < 0 {
		return Button{}, nil, false
	}
	return c.Buttons[i], c.targets[i], true
}
