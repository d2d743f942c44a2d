package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"intercom/door"
	"intercom/hw"
	"intercom/hw/guard"
	"intercom/hw/relay"
	"intercom/internal/conf"
)

// lockConfig is a [[lock]]. What is nil has a default that depends on the rest.
type lockConfig struct {
	Name string `toml:"name"`
	wire
	Kind      string         `toml:"kind"`
	Hold      bool           `toml:"hold"`
	Open      *conf.Duration `toml:"open"`
	Longest   *conf.Duration `toml:"longest"`
	Pause     *conf.Duration `toml:"pause"`
	Interlock []string       `toml:"interlock"`
	Exit      *inputWire     `toml:"exit"`
	Contact   *inputWire     `toml:"contact"`
	HeldOpen  *conf.Duration `toml:"held_open"`
	Forced    bool           `toml:"forced"`
	Relock    bool           `toml:"relock"`
}

// tamperConfig is [tamper].
type tamperConfig struct {
	inputWire
	Block *conf.Duration `toml:"block"`
	File  string         `toml:"file"`
}

// Kinds of locks: what is safe.
const (
	kindStrike = "strike" // opens under power: safe without
	kindMagnet = "magnet" // holds under power: safe with it
)

// The names of the lines beside a lock, and of the case's contact.
func exitName(lock string) string    { return lock + " exit" }
func contactName(lock string) string { return lock + " contact" }

const tamperName = "tamper"

// Limits of a lock's times. One to hold may be open for half a day.
const (
	leastOpen  = 100 * time.Millisecond
	mostOpen   = 5 * time.Minute
	mostHold   = 12 * time.Hour
	holdAnHour = time.Hour
	mostPause  = time.Hour
)

// defaultLock is the lock of a configuration that has none.
func defaultLock() lockConfig {
	l := lockConfig{Name: "door", Kind: kindStrike, Interlock: []string{}}
	for to, d := range map[**conf.Duration]time.Duration{&l.Open: relay.DefaultOnTime, &l.Longest: relay.DefaultMax, &l.Pause: relay.DefaultPause} {
		v := conf.Duration(d)
		*to = &v
	}
	return l
}

// span is a duration of the configuration, or its default.
func span(d *conf.Duration, otherwise time.Duration) time.Duration {
	if d == nil {
		return otherwise
	}
	return time.Duration(*d)
}

func (l *lockConfig) safe() bool { return l.Kind == kindMagnet }

func (l *lockConfig) open() time.Duration { return span(l.Open, relay.DefaultOnTime) }

func (l *lockConfig) longest() time.Duration {
	if l.Hold {
		return span(l.Longest, holdAnHour)
	}
	return span(l.Longest, relay.DefaultMax)
}

func (l *lockConfig) pause() time.Duration { return span(l.Pause, relay.DefaultPause) }

// checkLocks refuses locks that cannot be.
func (c *config) checkLocks() error {
	if n := len(c.Lock); n < 1 || n > door.MostLocks {
		return c.wrong("lock", "there are %d; 1 to %d are possible", n, door.MostLocks)
	}
	if c.Lock[0].Name == "" && len(c.Lock) == 1 {
		c.Lock[0].Name = "door"
	}
	for i := range c.Lock {
		l, key := &c.Lock[i], fmt.Sprintf("lock.%d.", i)
		same := func(o lockConfig) bool { return o.Name == l.Name }
		if l.Name == "" || l.Name == tamperName || slices.ContainsFunc(c.Lock[:i], same) {
			return c.wrong(key+"name", "%q is empty or the name of another one", l.Name)
		}
		if l.Kind != "" && l.Kind != kindStrike && l.Kind != kindMagnet {
			return c.wrong(key+"kind", `%q is neither "strike" (opens under power) nor "magnet" (holds under power)`, l.Kind)
		}
		if err := c.checkLockTimes(l, key); err != nil {
			return err
		}
		for _, other := range l.Interlock {
			if other == l.Name || !slices.ContainsFunc(c.Lock, func(o lockConfig) bool { return o.Name == other }) {
				return c.wrong(key+"interlock", "%q is not the name of another [[lock]]", other)
			}
		}
		for _, v := range []struct {
			key    string
			wanted bool
		}{{"held_open", l.HeldOpen != nil}, {"forced", l.Forced}, {"relock", l.Relock}} {
			if v.wanted && l.Contact == nil {
				return c.wrong(key+v.key, "needs a contact, which tells whether the door is closed")
			}
		}
	}
	return c.checkTamper()
}

func (c *config) checkLockTimes(l *lockConfig, key string) error {
	most := mostOpen
	if l.Hold {
		most = mostHold
	}
	for _, v := range []struct {
		key              string
		got, least, most time.Duration
	}{
		{"longest", l.longest(), leastOpen, most},
		{"open", l.open(), leastOpen, l.longest()},
		{"pause", l.pause(), leastOpen, mostPause},
		{"held_open", span(l.HeldOpen, time.Second), time.Second, 24 * time.Hour},
	} {
		if v.got < v.least || v.got > v.most {
			return c.wrong(key+v.key, "%v is outside %v to %v", v.got, v.least, v.most)
		}
	}
	return nil
}

func (c *config) checkTamper() error {
	t := c.Tamper
	if t == nil {
		return nil
	}
	if d := span(t.Block, relay.DefaultBlock); d < time.Second || d > 24*time.Hour {
		return c.wrong("tamper.block", "%v is outside 1s to 24h", d)
	}
	if !filepath.IsAbs(t.File) {
		return c.wrong("tamper.file", "%q is not a full path; a block outlives a restart there, as in /var/lib/intercom/tamper", t.File)
	}
	return nil
}

// beside are the input lines beside the locks, with the keys by which errors name them.
func (c *config) beside() (keys []string, lines []hw.Line, wires []inputWire) {
	add := func(key, name string, w *inputWire) {
		if w != nil {
			keys, lines, wires = append(keys, key), append(lines, w.named(name)), append(wires, *w)
		}
	}
	for i, l := range c.Lock {
		key := fmt.Sprintf("lock.%d.", i)
		add(key+"exit.", exitName(l.Name), l.Exit)
		add(key+"contact.", contactName(l.Name), l.Contact)
	}
	if c.Tamper != nil {
		add("tamper.", tamperName, &c.Tamper.inputWire)
	}
	return keys, lines, wires
}

// checkBeside refuses input lines that do not go together. The others are already checked.
func (c *config) checkBeside(input func(key string, w inputWire) error) error {
	keys, _, wires := c.beside()
	for i, key := range keys {
		if (wires[i].Line != "") != (wires[0].Line != "") {
			return c.wrong(key+"line", "exits, contacts and tamper are all real or all simulated; %sline is not as this one", keys[0])
		}
		if err := input(key, wires[i]); err != nil {
			return err
		}
	}
	return nil
}

// relay is what the guard of the locks in the station is told.
func (c *config) relay() relay.Config {
	named := func(name string, w *inputWire) *hw.Line {
		if w == nil {
			return nil
		}
		l := w.named(name)
		return &l
	}
	var r relay.Config
	for i := range c.Lock {
		l := &c.Lock[i]
		r.Locks = append(r.Locks, relay.Lock{
			Line: l.named(l.Name), Safe: l.safe(), Hold: l.Hold, OnTime: l.open(), Max: l.longest(), Pause: l.pause(),
			Interlock: l.Interlock, Exit: named(exitName(l.Name), l.Exit), Contact: l.contact(),
			HeldOpen: span(l.HeldOpen, 0), Forced: l.Forced, Relock: l.Relock,
		})
	}
	if t := c.Tamper; t != nil {
		r.Tamper = &relay.Tamper{Line: *named(tamperName, &t.inputWire), Block: span(t.Block, relay.DefaultBlock), File: t.File}
	}
	return r
}

// contact is the line of the door's contact; a simulated door is closed to begin with.
func (l *lockConfig) contact() *hw.Line {
	if l.Contact == nil {
		return nil
	}
	line := l.Contact.named(contactName(l.Name))
	if l.Contact.Line == "" {
		line.ActiveLow = true
	}
	return &line
}

// guarded are the locks whose lines are real, as the process that keeps them has them.
func (c *config) guarded() (locks []guard.Lock) {
	for i := range c.Lock {
		if l := &c.Lock[i]; l.Line != "" {
			locks = append(locks, guard.Lock{Line: l.wire.named(l.Line), Safe: l.safe(), Max: l.longest(), Pause: l.pause()})
		}
	}
	return locks
}
