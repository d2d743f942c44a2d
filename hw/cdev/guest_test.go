//go:build guest

package cdev_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"intercom/hw/cdev"
	"intercom/hw/hwtest"
)

// TestContract runs in the lab's machine, on a chip that the kernel simulates (gpio-sim).
func TestContract(t *testing.T) { hwtest.Run(t, rig) }

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
	chip := filepath.Join("/sys/devices/platform", read(dir+"/dev_name"), read(bank+"/chip_name"))
	file := func(line, what string) string {
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
