package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"intercom/hw"
	"intercom/hw/sim"
)

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	board, err := sim.New(sim.Config{Names: []string{"LED", "RELAY", "REED", "CASE"}})
	if err != nil {
		t.Fatal(err)
	}
	persists := filepath.Join(dir, "persists", "pinctrl_rp1", "parameters")
	if err := os.MkdirAll(persists, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(persists, "persist_gpio_outputs"), []byte("Y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const good = `[light]
line = "LED"
[[lock]]
line = "RELAY"
kind = "magnet"
contact = { line = "REED" }
[tamper]
line = "CASE"
file = "DIR/tamper"
`
	run := func(modules, text string) (int, string) {
		var out bytes.Buffer
		in := invocation{chips: board, modules: modules, stdout: &out, stderr: &out}
		return in.dispatch(t.Context(), []string{"check", "--config", write(t, strings.ReplaceAll(text, "DIR", dir)), "--socket", filepath.Join(dir, "none.sock")}), out.String()
	}
	wants := func(modules, text string, code int, want ...string) {
		t.Helper()
		got, out := run(modules, text)
		if got != code {
			t.Errorf("exit %d, want %d\n%s", got, code, out)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%q is not said:\n%s", w, out)
			}
		}
	}
	wants(dir, good, 0, "ok    line RELAY of lock.0", "ok    line REED of lock.0.contact", "ok    line CASE of tamper", "ok    folder of tamper.file", "ok    lines that are released")
	if !board.High("RELAY") {
		t.Error("a magnet's line was taken at another level than the safe one")
	}
	wants(filepath.Join(dir, "persists"), good, exitFailed, "WRONG lines that are released", "pinctrl_rp1", "strict_gpiod", "1 of these are wrong")
	wants(dir, strings.Replace(good, `"REED"`, `"REEF"`, 1), exitFailed, "intercom.toml:19: lock.0.contact.line: ", `line "REEF": does not exist`)
	wants(dir, strings.Replace(good, "DIR/", "/no/such/folder/", 1), exitFailed, "tamper.file: ")
	wants(dir, strings.Replace(good, `"REED"`, `"RELAY"`, 1), exitConfig, `"RELAY" is the line of lock.0 already`)
	busy, err := board.Output(hw.Line{Name: "RELAY"}, false)
	if err != nil {
		t.Fatal(err)
	}
	wants(dir, good, exitFailed, "WRONG line RELAY of lock.0: ", "intercom.toml:17: lock.0.line: ", "is taken")
	if err := errors.Join(busy.Set(false), busy.Close()); err != nil {
		t.Error(err)
	}
	// A start refuses what cannot be had, but for the lock's line.
	c := demoConfig(demoAccounts())
	if err := loadConfig(write(t, strings.ReplaceAll(strings.Replace(good, `"REED"`, `"REEF"`, 1), "DIR", dir)), c); err != nil {
		t.Fatal(err)
	}
	if err := c.checkStart(board); err == nil || !strings.Contains(err.Error(), "intercom.toml:19: lock.0.contact.line") {
		t.Errorf("start: %v", err)
	}
}
