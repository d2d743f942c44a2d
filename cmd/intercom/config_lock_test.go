package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestLockConfigErrors(t *testing.T) {
	// Line 14 is the first that a case adds.
	for extra, want := range map[string]string{
		"[[lock]]\nname='d'\nopen = '20s'":                            ":16: lock.0.open: 20s is outside 100ms to 10s",
		"[[lock]]\nname = 'status'":                                   `:15: lock.0.name: "status" is the name of the light`,
		"[lock]\nname = 'd'":                                          ":14: lock: there may be several: write [[lock]]",
		"[[lock]]\n[[lock]]\nname = 'd'":                              `:14: lock.0.name: "" is empty`,
		"[[lock]]\nname = 'd'\n[[lock]]\nname = 'd'":                  `:17: lock.1.name: "d" is empty or the name of another`,
		"[[lock]]\nkind = 'bolt'":                                     `:15: lock.0.kind: "bolt" is neither "strike"`,
		"[[lock]]\nlongest = '1h'":                                    ":15: lock.0.longest: 1h0m0s is outside 100ms to 5m0s",
		"[[lock]]\nhold = true\nlongest = '24h'":                      ":16: lock.0.longest: 24h0m0s is outside 100ms to 12h0m0s",
		"[[lock]]\nname = 'd'\ninterlock = ['d']":                     `:16: lock.0.interlock: "d" is not the name of another [[lock]]`,
		"[[lock]]\nforced = true":                                     ":15: lock.0.forced: needs a contact",
		"[[lock]]\nheld_open = '1s'":                                  ":15: lock.0.held_open: needs a contact",
		"[[lock]]\nexit = { line = 'A' }\ncontact = { line = '' }":    ":16: lock.0.contact.line: exits, contacts and tamper are all real",
		"[[lock]]\nline = 'A'\nexit = { line = 'A' }":                 `:16: lock.0.exit.line: "A" is the line of lock.0 already`,
		"[[lock]]\nexit = { line = 'A', pull = 'x' }":                 `:15: lock.0.exit.pull: "x" is none of`,
		"[[lock]]\nexit = { lien = 'A' }":                             `:15: unknown key "lien" in [lock]; did you mean "line"?`,
		"[[lock]]\nname = 'call'":                                     `:8: button.0.name: "call" is the name of the lock, or`,
		"[[lock]]\nname = 'night light'":                              `:15: lock.0.name: "night light" is the name of the night light's line`,
		"[[lock]]\nname = 'key KEY_1'\n[keypad]\ndevice = 'evdev:k'":  `:15: lock.0.name: "key KEY_1" is the name of the key of the keypad`,
		"[tamper]\nline = 'A'":                                        ":14: tamper.file: ",
		"[tamper]\nfile = 'x'":                                        `:15: tamper.file: "x" is not a full path`,
		"[tamper]\nfile = '/x'\nblock = '0s'":                         ":16: tamper.block: 0s is outside",
		"[[lock]]\nname='d'\nline = 'P1_11'\n[light]\nline = 'P1_11'": `:16: lock.0.line: "P1_11" is the line of light already`,
	} {
		path := write(t, extra)
		var out, errs bytes.Buffer
		code := dispatch(t.Context(), []string{"config", path}, &out, &errs)
		if code != exitConfig || !strings.Contains(errs.String(), want) || strings.Count(errs.String(), "\n") != 1 {
			t.Errorf("%q: exit %d, %q; want %d and %q on one line", extra, code, errs.String(), exitConfig, want)
		}
	}
}
