//go:build e2e && lab

package lab

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"intercom/lab/vm"
)

// boardDoor has its lines on a Raspberry Pi's header, each named in another way. Its server is
// out of reach.
const boardDoor = `
[account]
application_id = 1
auth_key = "key"
auth_secret = "secret"
password = "password"

[server]
api = "http://127.0.0.1:1"
chat = "tcp://127.0.0.1:1"

[[resident]]
id = 7
name = "Anna"

[[button]]
name = "call"
residents = ["Anna"]
line = "GPIO27"
active_low = true
pull = "up"

[hang_up]
line = "pinctrl-bcm2835:22"

[light]
line = "P1_16"

[[lock]]
line = "P1_11"
`

// boardLine is a line as intercom devices tells.
type boardLine struct {
	Offset int
	Name   string
	Used   bool
	By     string
	Output bool
}

// TestGuestRaspberry is a Raspberry Pi 3 with Debian's kernel, its device tree and the chip's
// driver: the lines of the header are found and taken by their names, their pins and their
// numbers. QEMU puts nothing on them.
func TestGuestRaspberry(t *testing.T) {
	g := bootGuest(t, vm.Config{
		Arch: "raspi3b", Guest: filepath.Join(lab.root, "build", "lab", "arm64"),
		Files: map[string]string{guestProgram: filepath.Join(lab.root, "build", "intercom-arm64")},
	})
	lines := g.header(t)
	if len(lines) != 54 {
		t.Fatalf("got %d lines, want 54", len(lines))
	}
	for offset, name := range map[int]string{2: "SDA1", 17: "GPIO17", 27: "GPIO27"} { // as the device tree has them
		if l := lines[offset]; l.Name != name || l.Used {
			t.Errorf("line %d: got %+v, want %s, free", offset, l, name)
		}
	}

	must(t, g.Put(t.Context(), guestConfig, 0o600, []byte(boardDoor)))
	if _, err := g.Run(t.Context(), guestProgram, "config", guestConfig); err != nil {
		t.Error(err)
	}
	p := g.start(t, "door", vm.Command{Args: []string{guestProgram, "run", "--control", guestSocket}})
	want := []boardLine{
		{17, "GPIO17", true, "intercom", true}, {22, "GPIO22", true, "intercom", false},
		{23, "GPIO23", true, "intercom", true}, {27, "GPIO27", true, "intercom", false},
	}
	err := p.await(soon, func() error {
		used := slices.DeleteFunc(g.header(t), func(l boardLine) bool { return l.By != "intercom" })
		if !slices.Equal(used, want) {
			return fmt.Errorf("the door has the lines %+v, want %+v", used, want)
		}
		return nil
	})
	must(t, err)
	must(t, p.stop())
	_, err = g.Run(t.Context(), guestProgram, "lock-safe") // takes it once more
	must(t, err)
}

// header returns the lines of the chip behind the header.
func (g *guest) header(t *testing.T) []boardLine {
	t.Helper()
	text, err := g.Run(t.Context(), guestProgram, "devices", "--format", "json")
	must(t, err)
	var list struct {
		Chips []struct {
			Label string
			Lines []boardLine
		} `json:"gpio_chips"`
	}
	must(t, json.Unmarshal([]byte(text), &list))
	for _, c := range list.Chips {
		if c.Label == "pinctrl-bcm2835" {
			return c.Lines
		}
	}
	t.Fatalf("there is no chip pinctrl-bcm2835: %s", text)
	return nil
}
