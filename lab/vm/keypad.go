package vm

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"intercom/lab/vm/wire"
)

// keypadKeys are the kernel's numbers of a keypad's keys, by what is printed on them; C is
// that for clearing.
var keypadKeys = map[rune]uint16{
	'1': 79, '2': 80, '3': 81, '4': 75, '5': 76, '6': 77, '7': 71, '8': 72, '9': 73, '0': 82, // KEY_KP1 and so on
	'#': 96, '*': 55, 'C': 14, // KEY_KPENTER, KEY_KPASTERISK, KEY_BACKSPACE
}

// keyTime is how long a finger stays on a key.
const keyTime = 60 * time.Millisecond

// PlugKeypad plugs in a keypad of this name: digits, "#", "*" and "C".
func (m *Machine) PlugKeypad(ctx context.Context, name string) error {
	body, err := json.Marshal(slices.Sorted(maps.Values(keypadKeys)))
	if err != nil {
		return err
	}
	return m.ask(ctx, stepLimit, "plug in keypad "+name, http.MethodPut, wire.Keypad, url.Values{"name": {name}}, body, nil)
}

// UnplugKeypad takes a keypad away.
func (m *Machine) UnplugKeypad(ctx context.Context, name string) error {
	return m.ask(ctx, stepLimit, "unplug keypad "+name, http.MethodDelete, wire.Keypad, url.Values{"name": {name}}, nil, nil)
}

// Type presses keys of a keypad one after the other, as fast as people do.
func (m *Machine) Type(ctx context.Context, name, text string) error {
	var keys []wire.Key
	for _, c := range text {
		code, ok := keypadKeys[c]
		if !ok {
			return fmt.Errorf("the keypad has no key %q", c)
		}
		keys = append(keys, wire.Key{Code: code, For: keyTime.Nanoseconds()})
	}
	body, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	return m.ask(ctx, stepLimit+time.Duration(len(keys))*time.Second, "type at keypad "+name, http.MethodPost, wire.Keys, url.Values{"name": {name}}, body, nil)
}
