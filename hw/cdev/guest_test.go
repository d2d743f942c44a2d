//go:build guest

package cdev_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"intercom/hw"
	"intercom/hw/cdev"
	"intercom/hw/hwtest"
)

// TestGuestContract runs in the lab's machine, on a chip that the kernel simulates (gpio-sim).
func TestGuestContract(t *testing.T) { hwtest.Run(t, rig) }

const lines = 4

// rig makes a chip of its own. See Documentation/admin-guide/gpio/gpio-sim.rst.
func rig(t *testing.T) hwtest.Rig {
	t.Helper()
	name := fmt.Sprintf("contract%d", time.Now().UnixNano())
	dir := filepath.Join("/sys/kernel/config/gpio-sim", name)
	bank := filepath.Join(dir, "bank0")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(path, text string) { t.Helper(); must(os.WriteFile(path, []byte(text), 0)) }
	read := func(path string) string {
		t.Helper()
		b, err := os.ReadFile(path)
		must(err)
		return strings.TrimSpace(string(b))
	}
	must(os.MkdirAll(bank, 0o755))
	write(bank+"/num_lines", fmt.Sprint(lines))
	write(bank+"/label", name)
	names := [3]string{}
	var made []string
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d", name, i)
		line := fmt.Sprintf("%s/line%d", bank, i)
		must(os.Mkdir(line, 0o755))
		write(line+"/name", names[i])
		made = append(made, line)
	}
	write(dir+"/live", "1")
	t.Cleanup(func() {
		write(dir+"/live", "0")
		for _, d := range append(made, bank, dir) {
			must(os.Remove(d))
		}
	})
	file := func(line, what string) string {
		chip := filepath.Join("/sys/devices/platform", read(dir+"/dev_name"), read(bank+"/chip_name")) // until it is gone
		i := slices.Index(names[:], line)
		return fmt.Sprintf("%s/sim_gpio%d/%s", chip, i, what)
	}
	return hwtest.Rig{
		Lines: cdev.Lines{}, Names: names, Unknown: name + "-none", Queue: cdev.QueueSize, Blurred: true,
		Drive: func(name string, high bool) {
			level := "pull-down"
			if high {
				level = "pull-up"
			}
			write(file(name, "pull"), level)
			// The simulated interrupt has one pending bit: edges closer than its thread are one.
			time.Sleep(2 * time.Millisecond)
		},
		High: func(name string) bool { return read(file(name, "value")) == "1" },
	}
}

// TestGuestEveryEdge counts: none of 200 is lost, doubled or out of order. The simulated chip makes
// one of two edges between which its interrupt's thread did not run: on a busy machine they need to
// be farther apart.
func TestGuestEveryEdge(t *testing.T) {
	var err error
	for _, gap := range []time.Duration{10 * time.Millisecond, 30 * time.Millisecond, 90 * time.Millisecond} {
		if err = everyEdge(t, gap); err == nil {
			return
		}
		t.Logf("edges %v apart: %v", gap, err)
	}
	t.Error(err)
}

func everyEdge(t *testing.T, gap time.Duration) error {
	r := rig(t)
	in, err := cdev.Lines{}.Inputs(hw.Line{Name: r.Names[0]})
	if err != nil {
		return err
	}
	defer in.Close()
	const edges, quiet = 200, time.Second
	next := func() (hw.Edge, error) {
		ctx, cancel := context.WithTimeout(t.Context(), gap+quiet)
		defer cancel()
		return in.Next(ctx)
	}
	last, err := next()
	if err != nil || last.Active {
		return fmt.Errorf("the first level: got %+v, %w", last, err)
	}
	pressed := make(chan struct{})
	go func() {
		defer close(pressed)
		for i := range edges {
			r.Drive(r.Names[0], i%2 == 0)
			time.Sleep(gap) // in the kernel there is nothing to wait on
		}
	}()
	defer func() { <-pressed }()
	for i := range edges {
		e, err := next()
		if err != nil || e.Active != (i%2 == 0) || e.Lost != 0 || e.At.Before(last.At) {
			return fmt.Errorf("edge %d: got %+v, %w", i, e, err)
		}
		last = e
	}
	if e, err := next(); err == nil {
		return fmt.Errorf("one more than %d: %+v", edges, e)
	}
	return nil
}

// TestGuestChipGone takes the chip away and brings it back, as one on USB: what is taken of it works
// again.
func TestGuestChipGone(t *testing.T) {
	r := rig(t)
	live := func(state string) {
		t.Helper()
		chip := strings.TrimSuffix(r.Names[0], "-0")
		if err := os.WriteFile(filepath.Join("/sys/kernel/config/gpio-sim", chip, "live"), []byte(state), 0); err != nil {
			t.Fatal(err)
		}
	}
	in, err := cdev.Lines{}.Inputs(hw.Line{Name: r.Names[0]}, hw.Line{Name: r.Names[1]})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cdev.Lines{}.Output(hw.Line{Name: r.Names[2]}, false)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	next := func() (hw.Edge, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		return in.Next(ctx)
	}
	for range 2 {
		if _, err := next(); err != nil {
			t.Fatal(err)
		}
	}

	live("0")
	for range 2 { // and it stays an error
		if e, err := next(); err == nil || !strings.Contains(err.Error(), r.Names[0]) && !strings.Contains(err.Error(), r.Names[1]) || !strings.Contains(err.Error(), "is gone") {
			t.Fatalf("without the chip: got %+v, %v", e, err)
		}
	}
	if err := out.Set(true); err == nil || !strings.Contains(err.Error(), r.Names[2]) {
		t.Errorf("set a line that is gone: %v", err)
	}

	live("1")
	for late := time.Now().Add(10 * time.Second); ; {
		r.Drive(r.Names[1], true)
		e, err := next()
		if err == nil && e.Line == r.Names[1] && e.Active {
			break
		}
		if time.Now().After(late) {
			t.Fatalf("with the chip again: got %+v, %v", e, err)
		}
	}
	for _, active := range []bool{true, false} {
		if err := out.Set(active); err != nil || r.High(r.Names[2]) != active {
			t.Errorf("set %v with the chip again: high is %v, %v", active, r.High(r.Names[2]), err)
		}
	}
}
