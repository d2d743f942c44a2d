package access

import (
	"slices"
	"time"

	"intercom/signaling"
)

// Tally is what is remembered of the wrong attempts of a resident, or at a keypad, by who
// keeps it while the station is off. There is no time of day in it: the clock of a station
// that was off may say anything. So the time for which it is off does not count.
type Tally struct {
	User   signaling.UserID // 0: Keypad's
	Keypad string
	Count  int
	Since  time.Duration // the last one
	Left   time.Duration // for which nobody is heard
}

// Tallies returns what there is to remember; what time has forgiven is not among it.
func (s State) Tallies(now time.Time) []Tally { return s.tallies(now, s.users, s.pads) }

func (s *State) tallies(now time.Time, users, pads []tally) []Tally {
	all := []Tally{}
	add := func(u signaling.UserID, keypad string, t tally) {
		k := Tally{User: u, Keypad: keypad, Count: t.count, Since: max(0, now.Sub(t.last)), Left: t.lasts(now)}
		if k.Left > 0 || k.Count > 0 && int64(k.Since/s.cfg.LongestLockOut) < int64(k.Count) {
			all = append(all, k)
		}
	}
	for i, t := range users {
		add(s.cfg.Residents[i].ID, "", t)
	}
	for i, t := range pads {
		add(0, s.cfg.Keypads[i], t)
	}
	return all
}

// Restore remembers what Tallies returned before the station was off. Of who lives here no
// longer nothing is remembered, and nobody is locked out for longer than LongestLockOut.
func (s State) Restore(now time.Time, kept []Tally) State {
	s.users, s.pads = make([]tally, len(s.users)), make([]tally, len(s.pads))
	for _, k := range kept {
		t := tally{
			count: min(max(k.Count, 0), s.cfg.mostCounted()), last: now.Add(-max(k.Since, 0)),
			until: now.Add(min(max(k.Left, 0), s.cfg.LongestLockOut)),
		}
		if i := slices.Index(s.cfg.Keypads, k.Keypad); k.User == 0 && i >= 0 {
			s.pads[i] = t
		} else if i := s.resident(k.User); k.User != 0 && i >= 0 {
			s.users[i] = t
		}
	}
	return s
}

// Doubt is for a station that does not know what was tried before it was off. It hears nobody
// for LockOut, and after that takes each wrong attempt as one too many, until time has
// forgiven what it supposes: everybody has been wrong as often as he may.
func (s State) Doubt(now time.Time) State {
	s.users, s.pads = slices.Clone(s.users), slices.Clone(s.pads)
	for _, of := range [][]tally{s.users, s.pads} {
		for i, t := range of {
			of[i] = tally{count: max(t.count, s.cfg.Attempts), last: now, until: now.Add(max(t.lasts(now), s.cfg.LockOut))}
		}
	}
	return s
}

// mostCounted is what makes the longest lock-out whatever its times are, and more need not be
// remembered.
func (c *Config) mostCounted() int { return c.Attempts + 30 }

// tally counts the wrong attempts of one user, or at one keypad.
type tally struct {
	count int
	last  time.Time // of them
	until time.Time // nobody is heard
}

// lasts returns how long nobody is heard yet.
func (t *tally) lasts(now time.Time) time.Duration { return max(0, t.until.Sub(now)) }

// wrong counts one more, and returns for how long nobody is heard after it. A right attempt
// forgives nothing: else a keypad that many people use would forgive whoever guesses between
// them. Time does.
func (t *tally) wrong(now time.Time, c *Config) time.Duration {
	if since := now.Sub(t.last); t.count > 0 && since > 0 {
		forgiven := int(min(since/c.LongestLockOut, time.Duration(t.count)))
		t.count -= forgiven
	}
	t.last = now
	t.count = min(t.count+1, c.mostCounted())
	if t.count < c.Attempts {
		return 0
	}
	d := c.LockOut
	for range t.count - c.Attempts {
		if d = 2 * d; d >= c.LongestLockOut {
			d = c.LongestLockOut
			break
		}
	}
	t.until = now.Add(d)
	return d
}
