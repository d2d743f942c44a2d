package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func keypadOf(t *testing.T, text string) (*config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "intercom.toml")
	if err := os.WriteFile(path, []byte(doorText("127.0.0.1:1", "127.0.0.1:1", "x")+text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := defaults()
	return c, loadConfig(path, c)
}

func TestKeypad(t *testing.T) {
	c, err := keypadOf(t, "\n[keypad]\ndevice = \"evdev:Pad\"\nkeys = { KEY_A = \"#\", KEY_ESC = \"\", KEY_KP5 = \"*\" }\n")
	if err != nil {
		t.Fatal(err)
	}
	keys, lines := c.keypad()
	mean := map[string]rune{}
	for _, k := range keys {
		mean[lines[k.Line.Name]] = k.Symbol
	}
	for line, symbol := range map[string]rune{
		"evdev:Pad/KEY_0?": '0', "evdev:Pad/KEY_KP9?": '9', "evdev:Pad/KEY_NUMERIC_3?": '3', "evdev:Pad/KEY_KPENTER?": '#', "evdev:Pad/KEY_KPASTERISK?": '*',
		"evdev:Pad/KEY_BACKSPACE?": 'C', "evdev:Pad/KEY_A": '#', "evdev:Pad/KEY_KP5": '*',
		"evdev:Pad/KEY_ESC?": 0, "evdev:Pad/KEY_KP5?": 0, "evdev:Pad/KEY_B?": 0,
	} {
		if mean[line] != symbol {
			t.Errorf("%s means %q, want %q", line, mean[line], symbol)
		}
	}
	if len(keys) != len(lines) || len(keys) < 35 {
		t.Errorf("%d keys, %d lines", len(keys), len(lines))
	}
	// A key that is a button is no key of the keypad.
	c.HangUp.Line = "evdev:Pad/KEY_BACKSPACE"
	if _, lines := c.keypad(); lines[keyLine("KEY_BACKSPACE")] != "" || lines[keyLine("KEY_0")] == "" {
		t.Error("the hang-up button is a key, too")
	}
	if c, err := keypadOf(t, ""); err != nil || len(c.Keypad.Keys) > 0 {
		t.Errorf("no keypad: %v", err)
	} else if keys, _ := c.keypad(); keys != nil {
		t.Errorf("no keypad has keys: %v", keys)
	}
}

func TestKeypadRefused(t *testing.T) {
	for text, want := range map[string]string{
		"device = \"Pad\"":                                        `keypad.device: "Pad" is not "evdev:NAME"`,
		"device = \"evdev:\"":                                     "keypad.device",
		"keys = { KEY_A = \"#\" }":                                "there is no keypad.device",
		"device = \"evdev:Pad\"\nkeys = { KEY_Q1 = \"#\" }":       `"KEY_Q1" is not the name of a key`,
		"device = \"evdev:Pad\"\nkeys = { KEY_A = \"x\" }":        `KEY_A = "x": a key means one of 0123456789#*C`,
		"device = \"evdev:Pad\"\nkeys = { KEY_A = \"12\" }":       `KEY_A = "12"`,
		"device = \"evdev:Pad\"\nkeys = { KEY_A = 1 }":            "keypad.keys",
		"device = \"evdev:Pad\"\ndevices = \"evdev:Other Pad\"\n": "devices",
	} {
		if _, err := keypadOf(t, "\n[keypad]\n"+text+"\n"); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "intercom.toml:") {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	gate := "[[lock]]\nname = \"door\"\n[[lock]]\nname = \"gate\"\n[keypad]\nlock = "
	if c, err := keypadOf(t, gate+`"gate"`); err != nil {
		t.Error(err)
	} else if d, err := c.door(); err != nil || d.KeypadLock != "gate" {
		t.Errorf("keypad.lock: the door has %q, %v", d.KeypadLock, err)
	}
	if _, err := keypadOf(t, gate+`"gaet"`); err == nil || !strings.Contains(err.Error(), `:26: keypad.lock: "gaet" is not the name of a [[lock]]; there are: door, gate`) {
		t.Errorf("keypad.lock: %v", err)
	}
	button := "\n[hang_up]\nline = \"evdev:Pad/KEY_A\"\n[keypad]\ndevice = \"evdev:Pad\"\nkeys = { KEY_A = \"#\" }\n"
	if _, err := keypadOf(t, button); err == nil {
		t.Error("a key that is a button, too")
	}
}
