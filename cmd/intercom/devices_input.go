package main

import (
	"cmp"
	"fmt"
	"strings"

	"intercom/hw/evdev"
)

// foundInput is an input device with keys.
type foundInput struct {
	Path    string   `json:"path"`
	Name    string   `json:"name"`
	Phys    string   `json:"phys,omitempty"`
	Unique  string   `json:"unique,omitempty"`
	Links   []string `json:"links"`
	Keys    []string `json:"keys"`
	Problem string   `json:"problem,omitempty"`
}

func lookInput(d evdev.Device) foundInput {
	out := foundInput{Path: d.Path, Name: d.Name, Phys: d.Phys, Unique: d.Unique, Links: append([]string{}, d.Links...), Keys: append([]string{}, d.Keys...)}
	if d.Err != nil {
		out.Problem = d.Err.Error()
	}
	return out
}

// keysShown is how many keys of a device are listed for a person: a keyboard has a hundred.
const keysShown = 40

func (f *found) printInputs(b *strings.Builder) {
	fmt.Fprintf(b, "\nInput devices (keypad.device, button.line with a key)\n")
	if len(f.Inputs) == 0 {
		fmt.Fprintf(b, "  none at /dev/input/event*\n")
	}
	for _, d := range f.Inputs {
		fmt.Fprintf(b, "  \"%s%s\"  %s\n", evdev.Prefix, cmp.Or(d.Name, d.Path), d.Path)
		for _, also := range append(d.Links, d.Phys, d.Unique) {
			if also != "" {
				fmt.Fprintf(b, "      also \"%s%s\"\n", evdev.Prefix, also)
			}
		}
		keys := strings.Join(d.Keys[:min(len(d.Keys), keysShown)], " ")
		if n := len(d.Keys) - keysShown; n > 0 {
			keys += fmt.Sprintf(" and %d more", n)
		}
		switch {
		case d.Problem != "":
			fmt.Fprintf(b, "      %s\n", d.Problem)
		default:
			fmt.Fprintf(b, "      has %s\n", keys)
		}
	}
}
