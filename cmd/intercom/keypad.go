package main

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"intercom/door"
	"intercom/hw"
	"intercom/hw/evdev"
	"intercom/internal/conf"
	"intercom/internal/station"
)

// keypadConfig is the keypad: an input device, and what its keys mean.
type keypadConfig struct {
	Device string            `toml:"device"`
	Keys   map[string]string `toml:"keys"`
	Forget conf.Duration     `toml:"forget"`
	Lock   string            `toml:"lock"`
}

// symbols are what a keypad has: see door.Key.
const symbols = "0123456789" + string(door.KeyConfirm) + string(door.KeyCode) + string(door.KeyClear)

// usualKeys are what the keys of usual keypads mean.
func usualKeys() map[string]rune {
	keys := map[string]rune{
		"KEY_ENTER": door.KeyConfirm, "KEY_KPENTER": door.KeyConfirm, "KEY_NUMERIC_POUND": door.KeyConfirm, "KEY_OK": door.KeyConfirm,
		"KEY_KPASTERISK": door.KeyCode, "KEY_NUMERIC_STAR": door.KeyCode,
		"KEY_BACKSPACE": door.KeyClear, "KEY_ESC": door.KeyClear, "KEY_DELETE": door.KeyClear, "KEY_KPDOT": door.KeyClear, "KEY_CLEAR": door.KeyClear,
	}
	for digit := '0'; digit <= '9'; digit++ {
		for _, name := range []string{"KEY_", "KEY_KP", "KEY_NUMERIC_"} {
			keys[name+string(digit)] = digit
		}
	}
	return keys
}

// keys are the usual ones and those that the configuration has, in order; one that means ""
// is left out.
func (k *keypadConfig) keys() (names []string, mean map[string]rune) {
	mean = usualKeys()
	for name, symbol := range k.Keys {
		delete(mean, name)
		if symbol != "" {
			mean[name], _ = utf8.DecodeRuneInString(symbol)
		}
	}
	return slices.Sorted(maps.Keys(mean)), mean
}

func (c *config) checkKeypad() error {
	k := &c.Keypad
	if k.Lock != "" && !slices.Contains(c.locks(), k.Lock) {
		return c.wrong("keypad.lock", "%q is not the name of a [[lock]]; there are: %s", k.Lock, strings.Join(c.locks(), ", "))
	}
	if k.Device == "" {
		if len(k.Keys) > 0 {
			return c.wrong("keypad.keys", "there is no keypad.device")
		}
		return nil
	}
	if name, ok := strings.CutPrefix(k.Device, evdev.Prefix); !ok || name == "" {
		return c.wrong("keypad.device", `%q is not "%sNAME"; intercom devices lists them`, k.Device, evdev.Prefix)
	}
	for _, name := range slices.Sorted(maps.Keys(k.Keys)) {
		if _, err := evdev.KeyCode(name); err != nil {
			return c.wrong("keypad.keys", "%v", err)
		}
		if s := k.Keys[name]; s != "" && (utf8.RuneCountInString(s) != 1 || !strings.Contains(symbols, s)) {
			return c.wrong("keypad.keys", "%s = %q: a key means one of %s, or nothing", name, s, symbols)
		}
		if line := k.Device + "/" + name; k.Keys[name] != "" && c.isButton(line) {
			return c.wrong("keypad.keys", "%q is the line of a button already", line)
		}
	}
	return nil
}

// isButton says whether a line is a button's.
func (c *config) isButton(line string) bool {
	return c.HangUp.Line == line || slices.ContainsFunc(c.Button, func(b button) bool { return b.Line == line })
}

// keyLine is what the line of a key is for.
func keyLine(name string) string { return "key " + name }

// keypad has the keypad's keys, by what they are for, and their lines. A device lacks most of
// them; one that is in the configuration it has to have.
func (c *config) keypad() (keys []station.Key, lines map[string]string) {
	lines = map[string]string{}
	if c.Keypad.Device == "" {
		return nil, lines
	}
	names, mean := c.Keypad.keys()
	for _, name := range names {
		line := c.Keypad.Device + "/" + name
		if c.Keypad.Keys[name] == "" {
			if c.isButton(line) {
				continue
			}
			line += "?"
		}
		keys = append(keys, station.Key{Line: hw.Line{Name: keyLine(name)}, Symbol: mean[name]})
		lines[keyLine(name)] = line
	}
	return keys, lines
}
