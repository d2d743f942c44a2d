package main

import (
	"bytes"
	"strings"
	"testing"

	"rsc.io/qr"

	"intercom/door/access"
)

// TestQR reads a printed code back, module by module, with its margin.
func TestQR(t *testing.T) {
	const text = "intercom-pair:v1?door=1001&key=k3x7q2ab&lock=door&secret=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8&user=2001"
	var b bytes.Buffer
	if err := printQR(&b, text); err != nil {
		t.Fatal(err)
	}
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "\x1b[38;5;16;48;5;231m", "\x1b[0m"
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for i, line := range lines {
		cells := []rune(strings.TrimSuffix(strings.TrimPrefix(line, begin), end))
		if len(cells) != code.Size+2*quietZone || !strings.HasPrefix(line, begin) || !strings.HasSuffix(line, end) {
			t.Fatalf("line %d has %d cells, want %d: %q", i, len(cells), code.Size+2*quietZone, line)
		}
		for j, c := range cells {
			x, y := j-quietZone, 2*i-quietZone
			if upper, lower := c == '█' || c == '▀', c == '█' || c == '▄'; upper != code.Black(x, y) || lower != code.Black(x, y+1) {
				t.Fatalf("at %d,%d: %q, want %v over %v", x, y, c, code.Black(x, y), code.Black(x, y+1))
			}
		}
	}
	if got, want := len(lines), (code.Size+2*quietZone+1)/2; got != want {
		t.Errorf("%d lines, want %d", got, want)
	}
}

const accessHead = flats + `
[access]
hang_up = true
alarm = ["Ann"]
`

func TestAccessOfConfig(t *testing.T) {
	c := defaults()
	text := strings.Replace(accessHead, "[access]", `
[[resident]]
id = 70
name = "Cleaner"
may_open = true
pin = "246810"
hours = ["mon 08:00-12:00"]
[[resident]]
id = 71
name = "Careful"
may_open = true
two_step = true
pin = "13579"
duress_pin = "13578"
[[resident]]
id = 72
name = "Except"
may_open = true
by_account = true
[[resident.lock]]
name = "door"
may_open = false
[access]`, 1)
	text = strings.Replace(text, `"Ann"`, `"Cleaner"`, 1)
	if err := loadConfig(write(t, text), c); err != nil {
		t.Fatal(err)
	}
	d, err := c.door()
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string][]access.Rule{}
	for _, r := range d.Residents {
		rules[r.Name] = r.Opens
	}
	if r := rules["Cleaner"]; len(r) != 1 || !r[0].Keypad || !r[0].Call || r[0].Account || r[0].When == nil || r[0].When.String() != "mon 08:00-12:00" {
		t.Errorf("cleaner: %+v", r)
	}
	if r := rules["Careful"]; len(r) != 1 || r[0].Keypad || !r[0].TwoStep {
		t.Errorf("careful: %+v", r)
	}
	if r := rules["Except"]; len(r) != 0 {
		t.Errorf("except: %+v", r)
	}
	if !d.Access.HangUp || len(d.Alarm) != 1 || d.Alarm[0] != 70 || d.Access.ClockFrom.IsZero() {
		t.Errorf("access: %+v, alarm %v", d.Access, d.Alarm)
	}
}

func TestAccessOfConfigRefuses(t *testing.T) {
	resident := func(text string) string {
		return flats + "\n[[resident]]\nid = 70\nname = \"Zoe\"\n" + text
	}
	for _, c := range []struct{ text, want string }{
		{"[access]\nattempts = 0", "access.attempts"},
		{"[access]\nattempts_file = \"attempts\"", `access.attempts_file: "attempts" is not a full path`},
		{"[access]\nchallenge = \"0s\"", "access.challenge"},
		{"[access]\nlock_out = \"2h\"", "longest_lock_out"},
		{"[access]\nalarm = [\"Nobody\"]", "access.alarm"},
		{resident("may_open = true\npin = \"12\""), "4 to 12 digits"},
		{resident("may_open = true\npin = \"env:INTERCOM_TEST_NO_SUCH\""), "is not set"},
		{resident("may_open = true\nduress_pin = \"1234\""), "no pin that it could be"},
		{resident("may_open = true\npin = \"1234\"\nduress_pin = \"1234\""), "PIN of Zoe already"},
		{resident("may_open = true\ntwo_step = true"), "no pin for the second step"},
		{resident("may_open = true\ntwo_step = true\nby_account = true\npin = \"1234\""), "not two steps"},
		{resident("by_account = true"), "may_open"},
		{resident("may_open = true\nhours = [\"always\"]"), "hours"},
		{resident("[[resident.lock]]\nname = \"attic\""), "not the name of a lock"},
		{resident("[[resident.lock]]\nname = \"door\"\n[[resident.lock]]\nname = \"door\""), "already"},
	} {
		text := c.text
		if !strings.HasPrefix(text, flats) {
			text = flats + "\n" + text
		}
		err := loadConfig(write(t, text), defaults())
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\"12\"") {
			t.Errorf("%q: got %v, want %q", c.text, err, c.want)
		}
	}
}

// TestAttemptsFile: wrong codes are kept where the configuration says, or else in the folder
// that a service manager has for the station.
func TestAttemptsFile(t *testing.T) {
	for _, tt := range []struct{ set, state, want string }{
		{"", "", ""},
		{"/srv/attempts", "/var/lib/intercom", "/srv/attempts"},
		{"", "/var/lib/intercom", "/var/lib/intercom/attempts"},
		{"", "/var/lib/intercom:/var/lib/other", "/var/lib/intercom/attempts"},
		{"", "intercom", ""},
	} {
		t.Setenv("STATE_DIRECTORY", tt.state)
		c := defaults()
		c.Access.AttemptsFile = tt.set
		if got := c.attemptsFile(); got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}
