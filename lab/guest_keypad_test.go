//go:build e2e && lab

package lab

import (
	"strings"
	"testing"

	"intercom/internal/control"
	"intercom/lab/vm"
)

// keypadDoor has a flat to be dialled, and a resident with a PIN.
const keypadDoor = `
[[flat]]
name = "12"
label = "Byron"
residents = ["Anna"]

[keypad]
device = "evdev:Lab Keypad"
`

// checkKeypad types at a keypad that the kernel makes an input device of. It is plugged in
// when the door runs already, and comes and goes.
func (g *guest) checkKeypad(t *testing.T, d *door) {
	const pad = "Lab Keypad"
	typed := func(t *testing.T, text string) {
		t.Helper()
		must(t, g.Type(t.Context(), pad, text))
	}
	// missing waits until the door says that it has no keypad, or has it again.
	missing := func(t *testing.T, want bool) {
		t.Helper()
		d.until(t, soon, "word of the keypad", func(s control.Status) bool {
			for _, c := range s.Health {
				if c.Name == "input devices" {
					return want && strings.Contains(c.Text, pad)
				}
			}
			return !want
		})
	}

	t.Run("without it", func(t *testing.T) { missing(t, true) }) // the buttons work, as has been seen
	t.Run("plugged in", func(t *testing.T) {
		must(t, g.PlugKeypad(t.Context(), pad))
		missing(t, false)
	})
	t.Run("a flat is dialled", func(t *testing.T) {
		d.begin(t)
		typed(t, "12#")
		d.expect(t, soon, control.Ringing)
		typed(t, "C")
		d.expect(t, soon, control.Ended)
	})
	t.Run("no such flat", func(t *testing.T) {
		d.begin(t)
		typed(t, "21#")
		g.noPress(t, d)
	})
	t.Run("a PIN opens", func(t *testing.T) {
		d.begin(t)
		typed(t, "*739154#")
		if e := d.expect(t, soon, control.Opened); e.User != anna.id {
			t.Errorf("opened: %+v", e)
		}
		_, err := g.AwaitLine(t.Context(), soon, vm.Light, true)
		must(t, err)
		d.expect(t, soon, control.Locked)
	})
	t.Run("a wrong one does not", func(t *testing.T) {
		d.begin(t)
		typed(t, "*739155#")
		d.expect(t, soon, control.Refused)
		g.is(t, vm.Light, false)
	})
	t.Run("unplugged and back", func(t *testing.T) {
		d.begin(t)
		typed(t, "1") // and a number is half typed
		must(t, g.UnplugKeypad(t.Context(), pad))
		missing(t, true)
		g.tap(t, vm.ButtonCall2)
		d.expect(t, soon, control.Ringing)
		g.tap(t, vm.ButtonHangUp)
		d.expect(t, soon, control.Ended)
		must(t, g.PlugKeypad(t.Context(), pad))
		missing(t, false)
		typed(t, "C12#")
		d.expect(t, soon, control.Ringing)
		typed(t, "C")
		d.expect(t, soon, control.Ended)
	})
	t.Run("a storm", func(t *testing.T) {
		d.begin(t)
		typed(t, strings.Repeat("5", 30))
		stormy := complains("presses of key KEY_KP5")
		d.until(t, soon, "complaining about the storm", stormy)
		d.until(t, soon, "calm", func(s control.Status) bool { return !stormy(s) })
	})
}
