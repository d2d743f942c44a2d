// Package schedule says when something holds in the course of a week: quiet hours, or the
// hours in which somebody may open. Windows are times of day in one time zone, summer time
// included. It is arithmetic only: it reads no clock and starts no goroutine.
package schedule

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Week is a set of windows that recur each week. The zero value has none and covers no
// time. It is not changed once Parse has made it, and may be copied.
type Week struct {
	zone    *time.Location
	windows []window
	text    string
}

// window is one stretch of time on each of some days.
type window struct {
	days       [7]bool // on which it begins
	begin, end int     // minutes from midnight; an end that is not after begin is on the next day
}

const day = 24 * 60 // minutes

// Parse reads windows, each as "22:00-07:00" for every day, or with the days on which it
// begins before it: "mon-fri 08:00-18:00", "sat,sun 10:00-12:30". Days are mon, tue, wed,
// thu, fri, sat and sun; a range may go round the end of the week. The end is not part of a
// window; 24:00 is the end of the day. A window that ends earlier in the day than it begins
// ends on the next day.
//
// On the two days a year when clocks are changed a window still begins once and ends once:
// at the first moment at which the clock shows that time or a later one.
func Parse(zone *time.Location, windows ...string) (Week, error) {
	if zone == nil {
		return Week{}, fmt.Errorf("schedule: the time zone is missing")
	}
	w := Week{zone: zone, text: strings.Join(windows, ", ")}
	for _, text := range windows {
		one, err := parseWindow(text)
		if err != nil {
			return Week{}, fmt.Errorf("schedule: %q: %w", text, err)
		}
		w.windows = append(w.windows, one)
	}
	return w, nil
}

// empty tells whether there is no window: the zero Week has no zone either.
func (w Week) empty() bool { return len(w.windows) == 0 }

// String returns the windows as they were given.
func (w Week) String() string { return w.text }

// Covers tells whether t is in one of the windows.
func (w Week) Covers(t time.Time) bool {
	if w.empty() {
		return false
	}
	// A window of the day before may reach into today; with two changes of the clock in
	// between, a date line for instance, one of the day after may have begun.
	for d := -2; d <= 1; d++ {
		for _, s := range w.on(t, d) {
			if !t.Before(s.begin) && t.Before(s.end) {
				return true
			}
		}
	}
	return false
}

// Next returns the first time after t at which Covers changes. It is the zero time if it
// never does.
func (w Week) Next(t time.Time) time.Time {
	if w.empty() {
		return time.Time{}
	}
	var edges []time.Time
	for d := -2; d <= 9; d++ {
		for _, s := range w.on(t, d) {
			edges = append(edges, s.begin, s.end)
		}
	}
	slices.SortFunc(edges, time.Time.Compare)
	now := w.Covers(t)
	for _, e := range edges {
		if e.After(t) && w.Covers(e) != now {
			return e
		}
	}
	return time.Time{}
}

// span is a window on one day.
type span struct{ begin, end time.Time }

// on returns the windows that begin on the day that is so many days after that of t.
func (w Week) on(t time.Time, days int) []span {
	y, m, d := t.In(w.zone).Date()
	date := time.Date(y, m, d+days, 0, 0, 0, 0, time.UTC)
	var spans []span
	for _, one := range w.windows {
		if !one.days[date.Weekday()] {
			continue
		}
		end := one.end
		if end <= one.begin {
			end += day
		}
		if s := (span{w.shows(date, one.begin), w.shows(date, end)}); s.begin.Before(s.end) {
			spans = append(spans, s)
		}
	}
	return spans
}

// shows returns the first moment at which clocks show that many minutes since the midnight
// of a date, or more. time.Date does not say which of two moments it returns when there are
// two, nor what it does when there is none.
func (w Week) shows(date time.Time, minutes int) time.Time {
	wall := date.Add(time.Duration(minutes) * time.Minute) // as if it were UTC
	at := wall.Add(-48 * time.Hour).In(w.zone)             // before it, whatever the offset
	for {
		_, offset := at.Zone()
		t := wall.Add(-time.Duration(offset) * time.Second)
		_, change := at.ZoneBounds()
		switch {
		case t.Before(at): // clocks were put forward over it
			return at
		case change.IsZero() || t.Before(change):
			return t.In(w.zone)
		}
		at = change.In(w.zone)
	}
}

var dayNames = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} // as time.Weekday counts

func parseWindow(text string) (window, error) {
	var w window
	days, hours, found := strings.Cut(strings.TrimSpace(text), " ")
	if !found {
		days, hours = "mon-sun", days
	}
	if err := parseDays(days, &w.days); err != nil {
		return w, err
	}
	from, to, found := strings.Cut(strings.TrimSpace(hours), "-")
	if !found {
		return w, fmt.Errorf("is not like 22:00-07:00 or mon-fri 08:00-18:00")
	}
	var err error
	if w.begin, err = parseTime(from); err != nil {
		return w, err
	}
	if w.end, err = parseTime(to); err != nil {
		return w, err
	}
	switch {
	case w.begin == day:
		return w, fmt.Errorf("begins at 24:00; write 00:00 on the next day")
	case w.begin == w.end:
		return w, fmt.Errorf("begins and ends at the same time; all day is 00:00-24:00")
	}
	return w, nil
}

func parseDays(text string, days *[7]bool) error {
	for _, part := range strings.Split(strings.ToLower(text), ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		i, j := slices.Index(dayNames[:], from), slices.Index(dayNames[:], to)
		if i < 0 || j < 0 {
			return fmt.Errorf("%q is no day; days are mon, tue, wed, thu, fri, sat and sun", part)
		}
		for ; i != j; i = (i + 1) % 7 {
			days[i] = true
		}
		days[j] = true
	}
	return nil
}

// parseTime reads a time of day as minutes since midnight, from 00:00 to 24:00.
func parseTime(text string) (int, error) {
	wrong := fmt.Errorf("%q is no time of day between 00:00 and 24:00", text)
	if len(text) != 5 || text[2] != ':' {
		return 0, wrong
	}
	n := 0
	for i, place := range [...]int{600, 60, 0, 10, 1} {
		if i == 2 {
			continue
		}
		if text[i] < '0' || text[i] > '9' {
			return 0, wrong
		}
		n += int(text[i]-'0') * place
	}
	if text[3] > '5' || n > day {
		return 0, wrong
	}
	return n, nil
}
