package main

import (
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // boards with a small image have no zones

	"intercom/callcore"
	"intercom/door"
	"intercom/door/schedule"
	"intercom/internal/conf"
	"intercom/internal/records"
	"intercom/internal/station"
	"intercom/signaling"
)

type button struct {
	Name      string   `toml:"name"`
	Label     string   `toml:"label"`
	Residents []string `toml:"residents"`
	Flat      string   `toml:"flat"`
	Directory bool     `toml:"directory"`
	inputWire
}

type flat struct {
	Name      string     `toml:"name"`
	Label     string     `toml:"label"`
	Residents []string   `toml:"residents"`
	Quiet     []string   `toml:"quiet"`
	Hidden    bool       `toml:"hidden"`
	Fallback  []fallback `toml:"fallback"`
}

// fallback is who else is called: residents, or those of another flat.
type fallback struct {
	After     conf.Duration `toml:"after"`
	Residents []string      `toml:"residents"`
	Flat      string        `toml:"flat"`
	Instead   bool          `toml:"instead"`
}

type resident struct {
	ID      int64  `toml:"id"`
	Name    string `toml:"name"`
	MayCall bool   `toml:"may_call"`
	opening
	PIN       conf.Secret `toml:"pin"`
	DuressPIN conf.Secret `toml:"duress_pin"`
	Lock      []lockRule  `toml:"lock"`
}

// recordsConfig says what is kept of visitors whom nobody answered.
type recordsConfig struct {
	Folder string        `toml:"folder"`
	Keep   conf.Duration `toml:"keep"`
	Number int           `toml:"number"`
	Size   int64         `toml:"size"` // MB
}

func (r *recordsConfig) limits() records.Limits {
	return records.Limits{Age: time.Duration(r.Keep), Number: r.Number, Size: r.Size << 20}
}

// clockFrom is before this program was made: a clock that shows less has not been set.
var clockFrom = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// clockSet tells whether the time is known.
func clockSet() bool { return time.Now().After(clockFrom) }

// zone is the door's time zone.
func (c *config) zone() (*time.Location, error) {
	if c.Clock.Zone == "" {
		return time.Local, nil
	}
	z, err := time.LoadLocation(c.Clock.Zone)
	if err != nil {
		return nil, c.wrong("clock.zone", `%q is no time zone; one is called like "Europe/Berlin"`, c.Clock.Zone)
	}
	return z, nil
}

func (c *config) checkDoor() error {
	if len(c.Button) == 0 && len(c.Flat) == 0 {
		return c.wrong("button", "there is none: add a [[button]] with a name and residents")
	}
	for _, f := range []func() error{c.checkResidents, c.checkFlats, c.checkButtons, c.checkKeypad, c.checkRecords} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func (c *config) checkResidents() error {
	names := map[string]bool{}
	for i, r := range c.Resident {
		key := fmt.Sprintf("resident.%d.", i)
		if r.Name == "" || names[r.Name] {
			return c.wrong(key+"name", "%q is empty or another resident's", r.Name)
		}
		names[r.Name] = true
		if r.ID <= 0 {
			return c.wrong(key+"id", "%d is not a user id; QuickBlox shows it beside the user", r.ID)
		}
		if r.ID == c.Account.UserID {
			return c.wrong(key+"id", "%d is the door's own user id: a resident has an account of his own", r.ID)
		}
		if j := slices.IndexFunc(c.Resident[:i], func(o resident) bool { return o.ID == r.ID }); j >= 0 {
			return c.wrong(key+"id", "%d is the id of %s already", r.ID, c.Resident[j].Name)
		}
	}
	return nil
}

func (c *config) checkButtons() error {
	lines := map[string]string{tamperName: "case's contact", nightLine: "night light's line"}
	keys, _ := c.keypad()
	for _, k := range keys {
		lines[k.Line.Name] = "key of the keypad"
	}
	if _, taken := lines[c.Light.Name]; taken || c.Light.Name == "" {
		return c.wrong("light.name", "the light needs a name of its own")
	}
	lines[c.Light.Name] = "light"
	for i, l := range c.Lock {
		for _, name := range []string{l.Name, exitName(l.Name), contactName(l.Name)} {
			if other, taken := lines[name]; taken {
				return c.wrong(fmt.Sprintf("lock.%d.name", i), "%q is the name of the %s", name, other)
			}
			lines[name] = "lock, or of a line beside it"
		}
	}
	if c.HangUp.Name == "" {
		return c.wrong("hang_up.name", "is empty; every line has a name of its own")
	}
	if other, taken := lines[c.HangUp.Name]; taken {
		return c.wrong("hang_up.name", "%q is the name of the %s", c.HangUp.Name, other)
	}
	lines[c.HangUp.Name] = "hang-up button"
	for i, b := range c.Button {
		key := fmt.Sprintf("button.%d.", i)
		if b.Name == "" {
			return c.wrong(key+"name", "is empty or missing; `intercom press` needs it")
		}
		if other, taken := lines[b.Name]; taken {
			return c.wrong(key+"name", "%q is the name of the %s", b.Name, other)
		}
		lines[b.Name] = "button"
		switch {
		case b.Directory && (b.Flat != "" || len(b.Residents) > 0):
			return c.wrong(key+"directory", "the button is to call somebody as well; it does one of them")
		case b.Directory:
			continue
		case b.Flat != "" && len(b.Residents) > 0:
			return c.wrong(key+"flat", "the button is to call residents as well; name them in the flat")
		case b.Flat != "" && c.flat(b.Flat) < 0:
			return c.wrong(key+"flat", "%q is not the name of a [[flat]]", b.Flat)
		case b.Flat != "":
			continue
		}
		if err := c.checkGroup(key+"residents", "the button", b.Residents); err != nil {
			return err
		}
	}
	return nil
}

// checkGroup refuses those who cannot be called together.
func (c *config) checkGroup(key, who string, names []string) error {
	if len(names) == 0 {
		return c.wrong(key, "are missing: %s would call nobody", who)
	}
	if n := len(names); n > callcore.DefaultMaxRing {
		return c.wrong(key, "are %d: at most %d phones can ring at once", n, callcore.DefaultMaxRing)
	}
	for j, name := range names {
		if !slices.ContainsFunc(c.Resident, func(r resident) bool { return r.Name == name }) {
			return c.wrong(key, "%q is not the name of a [[resident]]", name)
		}
		if slices.Contains(names[:j], name) {
			return c.wrong(key, "%q is listed twice", name)
		}
	}
	return nil
}

// flat returns the place of a flat in the file; -1: there is none.
func (c *config) flat(name string) int {
	return slices.IndexFunc(c.Flat, func(f flat) bool { return f.Name == name })
}

func (c *config) checkFlats() error {
	zone, err := c.zone()
	if err != nil {
		return err
	}
	for i, f := range c.Flat {
		key := fmt.Sprintf("flat.%d.", i)
		if f.Name == "" || c.flat(f.Name) < i {
			return c.wrong(key+"name", "%q is empty or another flat's", f.Name)
		}
		if err := c.checkGroup(key+"residents", "the flat", f.Residents); err != nil {
			return err
		}
		if _, err := schedule.Parse(zone, f.Quiet...); err != nil {
			return c.wrong(key+"quiet", "%v", err)
		}
		last := time.Duration(0)
		for _, o := range f.Fallback {
			after := time.Duration(o.After)
			switch {
			case after < time.Second || after < last || after >= time.Duration(c.Call.Ring):
				return c.wrong(key+"fallback", "after %v: it is 1s at least, not less than the one before, and less than call.ring, %v", after, time.Duration(c.Call.Ring))
			case (o.Flat == "") == (len(o.Residents) == 0):
				return c.wrong(key+"fallback", "after %v: it names either residents or a flat", after)
			case o.Flat == f.Name || o.Flat != "" && c.flat(o.Flat) < 0:
				return c.wrong(key+"fallback", "%q is not the name of another [[flat]]", o.Flat)
			}
			last = after
			if o.Flat == "" {
				if err := c.checkGroup(key+"fallback", "it", o.Residents); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (c *config) checkRecords() error {
	r := &c.Records
	switch keep := time.Duration(r.Keep); {
	case keep < time.Minute || keep > 10*365*24*time.Hour:
		return c.wrong("records.keep", "%v is outside 1m to 10 years", keep)
	case r.Number < 1 || r.Number > 100_000:
		return c.wrong("records.number", "%d is outside 1 to 100000", r.Number)
	case r.Size < 1 || r.Size > 100_000:
		return c.wrong("records.size", "%d MB is outside 1 to 100000", r.Size)
	}
	return nil
}

// door is what the door's table is told of the configuration, which was checked.
func (c *config) door() (door.Config, error) {
	d := door.Config{
		Ring: time.Duration(c.Call.Ring), Longest: time.Duration(c.Call.Longest), Retry: time.Duration(c.Call.Retry),
		Dial: time.Duration(c.Keypad.Forget), AfterOpening: time.Duration(c.Call.AfterOpening),
		KeypadLock: c.Keypad.Lock, Access: c.access(), Alarm: c.alarmed(),
	}
	for i := range c.Lock {
		d.Locks = append(d.Locks, door.Lock{Name: c.Lock[i].Name, Pause: c.Lock[i].pause()})
	}
	for _, r := range c.Resident {
		opens, err := c.opens(r)
		if err != nil {
			return d, err
		}
		d.Residents = append(d.Residents, door.Resident{
			ID: signaling.UserID(r.ID), Name: r.Name, MayCall: r.MayCall, Opens: opens, PIN: r.PIN.Reveal(), DuressPIN: r.DuressPIN.Reveal(),
		})
	}
	for _, b := range c.Button {
		d.Buttons = append(d.Buttons, door.Button{Name: b.Name, Residents: c.users(b.Residents), Flat: b.Flat, Directory: b.Directory})
	}
	zone, err := c.zone()
	if err != nil {
		return d, err
	}
	weeks := make([]schedule.Week, len(c.Flat))
	for i, f := range c.Flat {
		if weeks[i], err = schedule.Parse(zone, f.Quiet...); err != nil {
			return d, err
		}
	}
	for i, f := range c.Flat {
		steps := []door.Step{{Residents: c.users(f.Residents), Quiet: weeks[i]}}
		for _, o := range f.Fallback {
			s := door.Step{After: time.Duration(o.After), Residents: c.users(o.Residents), Instead: o.Instead}
			if j := c.flat(o.Flat); j >= 0 {
				s.Residents, s.Quiet = c.users(c.Flat[j].Residents), weeks[j]
			}
			steps = append(steps, s)
		}
		d.Flats = append(d.Flats, door.Flat{Name: f.Name, Label: f.Label, Hidden: f.Hidden, Steps: steps})
	}
	return d, nil
}

// users are the ids of residents.
func (c *config) users(names []string) []signaling.UserID {
	var users []signaling.UserID
	for _, r := range c.Resident {
		if slices.Contains(names, r.Name) {
			users = append(users, signaling.UserID(r.ID))
		}
	}
	return users
}

// buttons are the panel's, but for the one that hangs up.
func (c *config) buttons() []station.Button {
	var buttons []station.Button
	for _, b := range c.Button {
		label := b.Label
		if i := c.flat(b.Flat); label == "" && i >= 0 {
			label = c.Flat[i].Label
		}
		if label == "" {
			label = b.Name
		}
		buttons = append(buttons, station.Button{Label: label, Line: b.named(b.Name)})
	}
	return buttons
}
