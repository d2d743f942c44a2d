package schedule_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the machine may have no zones

	"intercom/door/schedule"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func parse(t testing.TB, z *time.Location, windows ...string) schedule.Week {
	t.Helper()
	w, err := schedule.Parse(z, windows...)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestCovers(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for _, c := range []struct {
		windows string
		at      string // RFC 3339
		want    bool
	}{
		{"22:00-07:00", "2026-01-05T21:59:59+01:00", false},
		{"22:00-07:00", "2026-01-05T22:00:00+01:00", true},
		{"22:00-07:00", "2026-01-06T06:59:59+01:00", true},
		{"22:00-07:00", "2026-01-06T07:00:00+01:00", false},
		{"22:00-07:00", "2026-07-05T19:59:59Z", false}, // summer time: two hours ahead
		{"22:00-07:00", "2026-07-05T20:00:00Z", true},
		{"mon-fri 08:00-18:00", "2026-01-09T12:00:00+01:00", true}, // a Friday
		{"mon-fri 08:00-18:00", "2026-01-10T12:00:00+01:00", false},
		{"sat,sun 10:00-12:30", "2026-01-10T12:29:00+01:00", true},
		{"fri 22:00-07:00", "2026-01-10T06:00:00+01:00", true}, // of the day it begins on
		{"fri 22:00-07:00", "2026-01-09T06:00:00+01:00", false},
		{"sat-mon 09:00-10:00", "2026-01-11T09:30:00+01:00", true}, // round the end of the week
		{"sat-mon 09:00-10:00", "2026-01-13T09:30:00+01:00", false},
		{"00:00-24:00", "2026-01-13T23:59:59.999+01:00", true},
		{"SUN 00:00-24:00", "2026-01-11T00:00:00+01:00", true},
		{"sun 00:00-24:00", "2026-01-12T00:00:00+01:00", false},

		// 2026-03-29: from 02:00 clocks go to 03:00.
		{"02:30-03:30", "2026-03-29T01:59:59+01:00", false},
		{"02:30-03:30", "2026-03-29T03:00:00+02:00", true},
		{"02:30-03:30", "2026-03-29T03:30:00+02:00", false},
		{"02:10-02:50", "2026-03-29T03:00:00+02:00", false}, // it does not occur
		{"01:30-02:30", "2026-03-29T01:59:59+01:00", true},
		{"01:30-02:30", "2026-03-29T03:00:00+02:00", false},
		{"22:00-07:00", "2026-03-29T06:59:59+02:00", true},
		{"22:00-07:00", "2026-03-29T07:00:00+02:00", false},

		// 2026-10-25: from 03:00 clocks go back to 02:00; that hour comes twice.
		{"02:30-03:30", "2026-10-25T02:30:00+02:00", true},
		{"02:30-03:30", "2026-10-25T02:15:00+01:00", true}, // it has begun and not ended
		{"02:30-03:30", "2026-10-25T03:29:59+01:00", true},
		{"02:30-03:30", "2026-10-25T03:30:00+01:00", false},
		{"02:15-02:45", "2026-10-25T02:30:00+02:00", true},
		{"02:15-02:45", "2026-10-25T02:30:00+01:00", false}, // once
		{"22:00-07:00", "2026-10-25T06:59:59+01:00", true},
	} {
		at, err := time.Parse(time.RFC3339Nano, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := parse(t, berlin, c.windows).Covers(at); got != c.want {
			t.Errorf("%s at %s: covered %v, want %v", c.windows, c.at, got, c.want)
		}
	}
	if (schedule.Week{}).Covers(time.Now()) {
		t.Error("the zero value covers a time")
	}
}

// TestNextMeetsEveryChange walks through a year, minute by minute, in zones with changes of
// all kinds, and holds Next against Covers.
func TestNextMeetsEveryChange(t *testing.T) {
	for _, c := range []struct{ zone, begin string }{
		{"Europe/Berlin", "2026-03-27"}, {"Europe/Berlin", "2026-10-23"}, {"UTC", "2026-01-01"},
		{"Australia/Lord_Howe", "2026-04-03"}, // by half an hour
		{"America/Sao_Paulo", "2018-11-02"},   // at midnight, which does not occur
		{"Pacific/Apia", "2011-12-28"},        // a day that does not occur
		{"Asia/Kathmandu", "2026-05-01"},      // 5:45
	} {
		z := zone(t, c.zone)
		w := parse(t, z, "mon-fri 00:00-00:20", "02:15-02:45", "sat,sun 23:30-01:40", "tue 06:00-07:00", "thu 20:00-19:59")
		at, err := time.ParseInLocation("2006-01-02", c.begin, z)
		if err != nil {
			t.Fatal(err)
		}
		next, covered := w.Next(at), w.Covers(at)
		for end := at.Add(9 * 24 * time.Hour); at.Before(end); {
			at = at.Add(time.Minute)
			now := w.Covers(at)
			if changed := now != covered; changed != at.Equal(next) {
				t.Fatalf("%s: at %v covered is %v and was %v; the next change was to be at %v", c.zone, at, now, covered, next)
			}
			if now != covered {
				next, covered = w.Next(at), now
			}
		}
	}
	if got := parse(t, time.UTC, "00:00-24:00").Next(time.Now()); !got.IsZero() {
		t.Errorf("always: it changes at %v", got)
	}
	if got := (schedule.Week{}).Next(time.Now()); !got.IsZero() {
		t.Errorf("never: it changes at %v", got)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"": "not like", "22:00": "not like", "22-07": "no time", "22:00-25:00": "no time", "22:60-23:00": "no time", "24:01-25:00": "no time",
		"24:00-07:00": "00:00 on the next day", "07:00-07:00": "same time", "mo 07:00-08:00": "no day", "mon- 07:00-08:00": "no day",
		"mon 7:00-8:00": "no time", "-1:00-07:00": "no time", "mon 07:00 - 08:00": "no time", ", 07:00-08:00": "no day",
	} {
		_, err := schedule.Parse(time.UTC, text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := schedule.Parse(nil, "07:00-08:00"); err == nil {
		t.Error("no time zone was taken")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"22:00-07:00", "mon-fri 08:00-18:00", "sat,sun 10:00-24:00", "sun-sat 00:00-00:01"} {
		f.Add(s, int64(1774746000))
	}
	z := zone(f, "Europe/Berlin")
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		w, err := schedule.Parse(z, text)
		if err != nil {
			return
		}
		at := time.Unix(unix%(1<<33), 0)
		next := w.Next(at)
		if next.IsZero() {
			if w.Covers(at) != w.Covers(at.Add(100*time.Hour)) {
				t.Fatalf("%q never changes, and does after %v", text, at)
			}
			return
		}
		if !next.After(at) || w.Covers(next) == w.Covers(at) || w.Covers(next.Add(-1)) != w.Covers(at) {
			t.Fatalf("%q at %v: the next change is said to be at %v", text, at, next)
		}
	})
}
