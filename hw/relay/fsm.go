package relay

import (
	"fmt"
	"time"
)

// phase is what the guard knows about its line.
type phase uint8

const (
	unsure  phase = iota // not known to be safe: not taken yet, or a write failed
	safe                 // at its safe level
	opening              // being opened: the write has not ended
	open                 // open until a time
)

var phaseNames = [...]string{unsure: "unsure", safe: "safe", opening: "opening", open: "open"}

func (p phase) String() string { return phaseNames[p] }

// limits are the durations of one lock, all checked by New.
type limits struct {
	onTime time.Duration // of an opening that asks for nothing else
	most   time.Duration // of any opening, from its first moment
	pause  time.Duration // between the end of one opening and the next
}

// retry is how long after a failed write the line is driven safe again. The door may be
// open meanwhile.
const retry = 200 * time.Millisecond

// pulse is the state of the guard; its zero value is that before the line is taken.
type pulse struct {
	phase  phase
	opened time.Time // since when it is open, or being opened
	until  time.Time // open until then, never beyond opened+most
	ready  time.Time // no opening before
	again  time.Time // when it is unsure: drive it safe again then
	cause  string    // and why
}

// What happens to a guard.
type (
	input interface{ input() }
	asked struct{ length time.Duration } // somebody wants it open; 0: for the usual time
	wrote struct{ err error }            // the last drive, as it ended
	wake  struct{}                       // the time that next asked for, or another
)

func (asked) input() {}
func (wrote) input() {}
func (wake) input()  {}

// What a guard does about it.
type (
	effect interface{ effect() }
	drive  struct{ open bool }  // write the level, before all else; a wrote follows
	grant  struct{}             // whoever asked is told that it is open
	refuse struct{ err error }  // or why not
	notify struct{ open bool }  // the world is told
	report struct{ err string } // what is wrong with the line; "": nothing
)

func (drive) effect()  {}
func (grant) effect()  {}
func (refuse) effect() {}
func (notify) effect() {}
func (report) effect() {}

// next is the whole guard. The time is when wake is due; zero if never.
func (p pulse) next(l limits, now time.Time, in input) (pulse, []effect, time.Time) {
	var do []effect
	switch in := in.(type) {
	case asked:
		p, do = p.asked(l, now, in.length)
	case wrote:
		p, do = p.wrote(l, now, in.err)
	case wake:
		if p.phase == unsure && !now.Before(p.again) || p.phase == open && !now.Before(p.until) {
			do = []effect{drive{open: false}}
		}
	}
	switch p.phase {
	case open:
		return p, do, p.until
	case unsure:
		return p, do, p.again
	}
	return p, do, time.Time{}
}

func (p pulse) asked(l limits, now time.Time, length time.Duration) (pulse, []effect) {
	if length <= 0 {
		length = l.onTime
	}
	length = min(length, l.most)
	switch {
	case p.phase == unsure:
		return p, []effect{refuse{fmt.Errorf("the line is not in order: %s", p.cause)}}
	case p.phase == opening:
		return p, []effect{refuse{errBusy}}
	case p.phase == safe && now.Before(p.ready):
		return p, []effect{refuse{fmt.Errorf("%w; again in %v", ErrTooSoon, p.ready.Sub(now).Round(100*time.Millisecond))}}
	case p.phase == open && !now.Before(p.opened.Add(l.most)):
		return p, []effect{refuse{fmt.Errorf("%w; it has been open for %v", ErrTooSoon, l.most)}}
	case p.phase == open:
		// A longer opening, but the first moment counts.
		end := now.Add(length)
		if last := p.opened.Add(l.most); end.After(last) {
			end = last
		}
		if end.After(p.until) {
			p.until = end
		}
		return p, []effect{grant{}}
	}
	p.phase, p.opened, p.until = opening, now, now.Add(length)
	return p, []effect{drive{open: true}}
}

func (p pulse) wrote(l limits, now time.Time, err error) (pulse, []effect) {
	switch p.phase {
	case opening:
		if err == nil {
			p.phase = open
			return p, []effect{notify{open: true}, grant{}}
		}
		// Nobody knows what a failed write did.
		p.phase, p.cause, p.again = unsure, err.Error(), now
		return p, []effect{drive{open: false}, refuse{err}, report{p.cause}}
	case open, unsure:
		was := p
		if err != nil {
			p.phase, p.cause, p.again = unsure, err.Error(), now.Add(retry)
			if was.cause == p.cause {
				return p, nil // known already
			}
			return p, []effect{report{p.cause}}
		}
		p = pulse{phase: safe}
		if was.opened.IsZero() {
			return p, []effect{report{}} // it was not opened, it was taken
		}
		p.ready = now.Add(l.pause)
		if was.phase == unsure {
			return p, []effect{report{}, notify{open: false}}
		}
		return p, []effect{notify{open: false}}
	}
	return p, nil
}
