package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"intercom/door/access"
	"intercom/door/schedule"
	"intercom/internal/conf"
	"intercom/internal/keyring"
	"intercom/internal/station"
	"intercom/signaling"
)

// accessConfig says how residents prove who they are.
type accessConfig struct {
	Keys            string        `toml:"keys"`
	Challenge       conf.Duration `toml:"challenge"`
	AccountInterval conf.Duration `toml:"account_interval"`
	Attempts        int           `toml:"attempts"`
	AttemptsFile    string        `toml:"attempts_file"`
	LockOut         conf.Duration `toml:"lock_out"`
	LongestLockOut  conf.Duration `toml:"longest_lock_out"`
	HangUp          bool          `toml:"hang_up"`
	Alarm           []string      `toml:"alarm"`
}

// opening is how a resident may open.
type opening struct {
	MayOpen   bool     `toml:"may_open"`
	ByAccount bool     `toml:"by_account"`
	TwoStep   bool     `toml:"two_step"`
	Hours     []string `toml:"hours"`
}

// lockRule is for one lock, in place of what holds for all.
type lockRule struct {
	Name  string `toml:"name"`
	NoPIN bool   `toml:"no_pin"`
	opening
}

func (c *config) checkAccess() error {
	a := &c.Access
	for _, v := range []struct {
		key         string
		got         conf.Duration
		least, most time.Duration
	}{
		{"access.challenge", a.Challenge, time.Second, time.Hour},
		{"access.account_interval", a.AccountInterval, time.Second, 24 * time.Hour},
		{"access.lock_out", a.LockOut, time.Second, 24 * time.Hour},
		{"access.longest_lock_out", a.LongestLockOut, time.Duration(a.LockOut), 7 * 24 * time.Hour},
	} {
		if d := time.Duration(v.got); d < v.least || d > v.most {
			return c.wrong(v.key, "%v is outside %v to %v", d, v.least, v.most)
		}
	}
	if a.Attempts < 1 || a.Attempts > 100 {
		return c.wrong("access.attempts", "%d is outside 1 to 100", a.Attempts)
	}
	if a.AttemptsFile != "" && !filepath.IsAbs(a.AttemptsFile) {
		return c.wrong("access.attempts_file", "%q is not a full path, as /var/lib/intercom/attempts is", a.AttemptsFile)
	}
	for _, name := range a.Alarm {
		if !slices.ContainsFunc(c.Resident, func(r resident) bool { return r.Name == name }) {
			return c.wrong("access.alarm", "%q is not the name of a [[resident]]", name)
		}
	}
	zone, err := c.zone()
	if err != nil {
		return err
	}
	owner := map[conf.Secret]string{}
	for i := range c.Resident {
		r := &c.Resident[i]
		key := fmt.Sprintf("resident.%d.", i)
		for _, p := range []struct {
			name string
			pin  *conf.Secret
		}{{"pin", &r.PIN}, {"duress_pin", &r.DuressPIN}} {
			if *p.pin == "" {
				continue
			}
			secret, err := p.pin.Resolve()
			if err == nil {
				err = access.CheckPIN(secret.Reveal())
			}
			if err != nil {
				return c.wrong(key+p.name, "%v", err)
			}
			if other := owner[secret]; other != "" {
				return c.wrong(key+p.name, "it is a PIN of %s already: PINs tell residents apart", other)
			}
			owner[secret], *p.pin = r.Name, secret
		}
		if err := c.checkOpening(key, zone, r); err != nil {
			return err
		}
	}
	return nil
}

func (c *config) checkOpening(key string, zone *time.Location, r *resident) error {
	check := func(key string, o opening) error {
		switch _, err := schedule.Parse(zone, o.Hours...); {
		case err != nil:
			return c.wrong(key+"hours", "%v", err)
		case (o.ByAccount || o.TwoStep || len(o.Hours) > 0) && !o.MayOpen:
			return c.wrong(key+"may_open", "is missing, and it is said how %s may open", r.Name)
		case o.TwoStep && o.ByAccount:
			return c.wrong(key+"by_account", "the account alone is not two steps")
		case o.TwoStep && r.PIN == "":
			return c.wrong(key+"two_step", "there is no pin for the second step")
		}
		return nil
	}
	if err := check(key, r.opening); err != nil {
		return err
	}
	if r.DuressPIN != "" && r.PIN == "" {
		return c.wrong(key+"duress_pin", "there is no pin that it could be taken for")
	}
	for j, l := range r.Lock {
		at := fmt.Sprintf("%slock.%d.", key, j)
		if !slices.Contains(c.locks(), l.Name) {
			return c.wrong(at+"name", "%q is not the name of a lock", l.Name)
		}
		if slices.ContainsFunc(r.Lock[:j], func(o lockRule) bool { return o.Name == l.Name }) {
			return c.wrong(at+"name", "lock %q has a rule for %s already", l.Name, r.Name)
		}
		if err := check(at, l.opening); err != nil {
			return err
		}
	}
	return nil
}

// locks are the names of the locks; the first one is meant where none is named.
func (c *config) locks() []string {
	names := make([]string, len(c.Lock))
	for i, l := range c.Lock {
		names[i] = l.Name
	}
	return names
}

// access is what the door's table is told of how residents prove who they are.
func (c *config) access() access.Config {
	a := c.Access
	return access.Config{
		Lifetime: time.Duration(a.Challenge), AccountInterval: time.Duration(a.AccountInterval), Attempts: a.Attempts,
		LockOut: time.Duration(a.LockOut), LongestLockOut: time.Duration(a.LongestLockOut), HangUp: a.HangUp, ClockFrom: clockFrom,
	}
}

// opens returns the rules of a resident, one for each lock that he may open.
func (c *config) opens(r resident) ([]access.Rule, error) {
	zone, err := c.zone()
	if err != nil {
		return nil, err
	}
	var rules []access.Rule
	for _, name := range c.locks() {
		o, pin := r.opening, r.PIN != ""
		if i := slices.IndexFunc(r.Lock, func(l lockRule) bool { return l.Name == name }); i >= 0 {
			o, pin = r.Lock[i].opening, pin && !r.Lock[i].NoPIN
		}
		if !o.MayOpen {
			continue
		}
		rule := access.Rule{Lock: name, Call: true, Account: o.ByAccount, Keypad: pin && !o.TwoStep, TwoStep: o.TwoStep}
		if len(o.Hours) > 0 {
			when, err := schedule.Parse(zone, o.Hours...)
			if err != nil {
				return nil, err
			}
			rule.When = &when
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// attemptsFile is where wrong codes outlive a restart: a file of that name in the folder that
// the service manager has for the station, if none is named. Empty: they do not.
func (c *config) attemptsFile() string {
	if c.Access.AttemptsFile != "" {
		return c.Access.AttemptsFile
	}
	dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":")
	if !filepath.IsAbs(dir) {
		return ""
	}
	return filepath.Join(dir, "attempts")
}

// alarmed are the ids of those who are told of alarms.
func (c *config) alarmed() []signaling.UserID { return c.users(c.Access.Alarm) }

// openKeys opens the file with the keys of paired phones, if one is named. One that is damaged
// opens nothing, and keeps no visitor from ringing.
func (c *config) openKeys(s *station.Config) (err error) {
	if c.Access.Keys == "" && !c.keysInMemory {
		return nil
	}
	s.Keyring, err = keyring.Open(c.Access.Keys)
	if errors.Is(err, keyring.ErrDamaged) || diskFails(err) {
		s.Keyring, err = keyring.Lost(c.wrong("access.keys", "%v", err)), nil
	}
	if err != nil {
		return exitError{exitConfig, c.wrong("access.keys", "%v", err)}
	}
	return nil
}
