package v4l2

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/blackjack/webcam"
)

func TestControls(t *testing.T) {
	have := map[webcam.ControlID]webcam.Control{
		1: {Name: "Power Line Frequency", Min: 0, Max: 2}, 2: {Name: "Exposure Time, Absolute", Min: 3, Max: 2047},
		3: {Name: "Auto Exposure", Min: 0, Max: 3}, 4: {Name: "Gain", Min: 0, Max: 255},
	}
	got, err := plan(have, map[string]int{"gain": 10, "exposure_time_absolute": 500, "auto_exposure": 1, "power_line_frequency": 1})
	want := []setting{{"auto_exposure", 3, 1}, {"exposure_time_absolute", 2, 500}, {"gain", 4, 10}, {"power_line_frequency", 1, 1}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for name, tt := range map[string]struct {
		want map[string]int
		says string
	}{
		"unknown":  {map[string]int{"gian": 10}, `no control "gian"; it has auto_exposure (0 to 3), exposure_time_absolute (3 to 2047), gain`},
		"too much": {map[string]int{"gain": 256}, "256 is not within 0 and 255"},
		"too big":  {map[string]int{"gain": math.MaxInt}, "is not within"},
	} {
		if _, err := plan(have, tt.want); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q in it", name, err, tt.says)
		}
	}
	if _, err := plan(nil, map[string]int{"gain": 1}); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("a camera without controls: %v", err)
	}
}
