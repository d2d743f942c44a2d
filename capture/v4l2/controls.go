package v4l2

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/blackjack/webcam"
)

// setting is a control of the camera, and what it is to be.
type setting struct {
	name  string
	id    webcam.ControlID
	value int32
}

// setControls sets what the configuration asks of the camera's controls.
func (c *Camera) setControls(cam *webcam.Webcam) error {
	if len(c.cfg.Controls) == 0 {
		return nil
	}
	settings, err := plan(cam.GetControls(), c.cfg.Controls)
	if err != nil {
		return err
	}
	for _, s := range settings {
		if err := cam.SetControl(s.id, s.value); err != nil {
			return fmt.Errorf("set control %s to %d: %w", s.name, s.value, err)
		}
	}
	return nil
}

// plan finds the controls that are wanted among those of the camera. Automatics come first:
// while they work, a camera refuses what they decide.
func plan(have map[webcam.ControlID]webcam.Control, want map[string]int) ([]setting, error) {
	ids := make(map[string]webcam.ControlID, len(have))
	for id, control := range have {
		ids[controlName(control.Name)] = id
	}
	var settings []setting
	for _, name := range slices.Sorted(maps.Keys(want)) {
		id, ok := ids[name]
		if !ok {
			return nil, fmt.Errorf("it has no control %q; it has %s", name, offer(have, ids))
		}
		control, value := have[id], want[name]
		if value < int(control.Min) || value > int(control.Max) {
			return nil, fmt.Errorf("control %s: %d is not within %d and %d", name, value, control.Min, control.Max)
		}
		settings = append(settings, setting{name, id, int32(value)})
	}
	slices.SortStableFunc(settings, func(a, b setting) int {
		return cmp.Compare(rank(a.name), rank(b.name))
	})
	return settings, nil
}

func rank(name string) int {
	if strings.Contains(name, "auto") {
		return 0
	}
	return 1
}

// offer lists controls with their ranges.
func offer(have map[webcam.ControlID]webcam.Control, ids map[string]webcam.ControlID) string {
	if len(ids) == 0 {
		return "none"
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(ids)) {
		c := have[ids[name]]
		list = append(list, fmt.Sprintf("%s (%d to %d)", name, c.Min, c.Max))
	}
	return strings.Join(list, ", ")
}

// controlName is the name of a control as v4l2-ctl has it: "Power Line Frequency" is
// power_line_frequency, and "White Balance, Automatic" white_balance_automatic.
func controlName(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	return strings.Join(words, "_")
}
