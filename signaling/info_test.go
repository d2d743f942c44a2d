package signaling_test

import (
	"strings"
	"testing"

	"intercom/signaling"
)

func TestCheckInfo(t *testing.T) {
	many := map[string]string{}
	for i := range 256 {
		many["k"+strings.Repeat("x", i%100)+string(rune('a'+i/100))] = ""
	}
	for name, c := range map[string]struct {
		info map[string]string
		want string // empty: it can be carried
	}{
		"nothing":        {nil, ""},
		"what apps send": {map[string]string{"room": "lobby", "a.b-c_1": "1 < 2 & \n ü", "empty": ""}, ""},
		"the most":       {map[string]string{"k": strings.Repeat("x", 16<<10)}, ""},
		"too many":       {many, "256 entries"},
		"too long":       {map[string]string{"k": strings.Repeat("x", 16<<10+1)}, "too long"},
		"not UTF-8":      {map[string]string{"k": "\xff"}, "not text"},
		"control":        {map[string]string{"k": "\x00"}, "not text"},
		"no key":         {map[string]string{"": "x"}, "not an XML name"},
		"space in a key": {map[string]string{"two words": "x"}, "not an XML name"},
		"digit first":    {map[string]string{"1st": "x"}, "not an XML name"},
		"reserved":       {map[string]string{"XmlThing": "x"}, "not an XML name"},
		"deafening":      {map[string]string{"delay": "x"}, "drop the whole signal"},
	} {
		switch err := signaling.CheckInfo(c.info); {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
