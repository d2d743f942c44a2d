package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"intercom/lab/vm/wire"
)

// tick is how often Watch and Trace read a line.
const tick = time.Millisecond

// The simulated chip: its configuration, and the side of it that the world has.
const (
	config = "/sys/kernel/config/gpio-sim/panel"
	world  = "/sys/devices/platform/%s/%s/sim_gpio%s"
)

// line is a line's folder in sysfs.
type line string

// findLine finds a line by its name, or by its offset as "#5".
func findLine(name string) (line, error) {
	read := func(file string) string {
		text, _ := os.ReadFile(filepath.Join(config, file))
		return strings.TrimSpace(string(text))
	}
	offset, ok := strings.CutPrefix(name, "#")
	if !ok {
		names, _ := filepath.Glob(config + "/bank0/line*/name")
		var known []string
		for _, n := range names {
			dir := filepath.Base(filepath.Dir(n))
			is := read("bank0/" + dir + "/name")
			known = append(known, is)
			if is == name {
				offset, ok = strings.TrimPrefix(dir, "line"), true
			}
		}
		if !ok {
			return "", fmt.Errorf("no line %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	l := fmt.Sprintf(world, read("dev_name"), read("bank0/chip_name"), offset)
	if _, err := os.Stat(l); err != nil {
		return "", err
	}
	return line(l), nil
}

func (l line) state() (wire.LineState, error) {
	text, err := os.ReadFile(filepath.Join(string(l), "value"))
	if err != nil {
		return wire.LineState{}, err
	}
	return wire.LineState{High: strings.TrimSpace(string(text)) == "1", At: time.Now()}, nil
}

func (l line) pull(high bool) error {
	to := "pull-down"
	if high {
		to = "pull-up"
	}
	return os.WriteFile(filepath.Join(string(l), "pull"), []byte(to), 0o644)
}

func readLine(w http.ResponseWriter, r *http.Request) error {
	l, err := findLine(r.FormValue("name"))
	if err != nil {
		return err
	}
	s, err := l.state()
	if err != nil {
		return err
	}
	return answer(w, s)
}

func pullLine(_ http.ResponseWriter, r *http.Request) error {
	l, err := findLine(r.FormValue("name"))
	if err != nil {
		return err
	}
	return l.pull(r.FormValue("high") == "true")
}

func sequence(_ http.ResponseWriter, r *http.Request) error {
	var steps []wire.Step
	if err := json.NewDecoder(r.Body).Decode(&steps); err != nil {
		return err
	}
	l, err := findLine(r.FormValue("name"))
	if err != nil {
		return err
	}
	for _, s := range steps {
		if err := l.pull(s.High); err != nil {
			return err
		}
		select {
		case <-time.After(time.Duration(s.For)):
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
	return nil
}

func watch(w http.ResponseWriter, r *http.Request) error {
	high := r.FormValue("high") == "true"
	for s, err := range samples(r, "limit") {
		if err != nil {
			return err
		}
		if s.High == high {
			return answer(w, s)
		}
	}
	return fmt.Errorf("line %s was never high=%t within %s", r.FormValue("name"), high, r.FormValue("limit"))
}

func trace(w http.ResponseWriter, r *http.Request) error {
	changes := []wire.Change{}
	for s, err := range samples(r, "for") {
		if err != nil {
			return err
		}
		// The first is the level that the line has.
		if n := len(changes); n == 0 || changes[n-1].High != s.High {
			changes = append(changes, s)
		}
	}
	return answer(w, changes)
}

// samples reads a line again and again for the time that the parameter says.
func samples(r *http.Request, parameter string) func(func(wire.LineState, error) bool) {
	return func(yield func(wire.LineState, error) bool) {
		limit, err := time.ParseDuration(r.FormValue(parameter))
		var l line
		if err == nil {
			l, err = findLine(r.FormValue("name"))
		}
		every := time.NewTicker(tick)
		defer every.Stop()
		for end := time.Now().Add(limit); err == nil; {
			var s wire.LineState
			if s, err = l.state(); err != nil || !yield(s, nil) || time.Now().After(end) {
				break
			}
			select {
			case <-every.C:
			case <-r.Context().Done():
				err = r.Context().Err()
			}
		}
		if err != nil {
			yield(wire.LineState{}, err)
		}
	}
}
