package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"intercom/door"
	"intercom/internal/records"
	"intercom/signaling"
)

// flats is a house: it stands behind what write writes.
const flats = `
[clock]
zone = "Europe/Berlin"
[[resident]]
id = 8
name = "Ben"
[[flat]]
name = "1"
label = "Ash"
residents = ["Anna"]
quiet = ["22:00-07:00"]
fallback = [{ after = "10s", flat = "2" }, { after = "20s", residents = ["Anna", "Ben"], instead = true }]
[[flat]]
name = "2"
residents = ["Ben"]
hidden = true
[[button]]
name = "ash"
flat = "1"
[[button]]
name = "list"
label = "All"
directory = true
`

func TestDoorOfConfig(t *testing.T) {
	c := defaults()
	if err := loadConfig(write(t, flats), c); err != nil {
		t.Fatal(err)
	}
	d, err := c.door()
	if err != nil {
		t.Fatal(err)
	}
	d.Access.Seed[0] = 1 // the station's to make
	if _, err := door.New(d); err != nil {
		t.Error(err)
	}
	if len(d.Flats) != 2 || len(d.Flats[0].Steps) != 3 || !d.Flats[1].Hidden || d.Flats[0].Label != "Ash" {
		t.Fatalf("flats: %+v", d.Flats)
	}
	for i, want := range []door.Step{
		{Residents: []signaling.UserID{7}},
		{Residents: []signaling.UserID{8}, After: 10 * time.Second},
		{Residents: []signaling.UserID{7, 8}, After: 20 * time.Second, Instead: true},
	} {
		got := d.Flats[0].Steps[i]
		got.Quiet = want.Quiet
		if !reflect.DeepEqual(got, want) {
			t.Errorf("step %d: %+v, want %+v", i, got, want)
		}
	}
	// A winter's night, in Berlin.
	night := time.Date(2026, 1, 15, 5, 30, 0, 0, time.UTC)
	for i, want := range []bool{true, false, false} {
		if got := d.Flats[0].Steps[i].Quiet.Covers(night); got != want {
			t.Errorf("step %d is quiet at night: %v, want %v", i, got, want)
		}
	}
	var labels []string
	for _, b := range c.buttons() {
		labels = append(labels, b.Label)
	}
	if got := strings.Join(labels, " "); got != "call Ash All" {
		t.Errorf("labels %q", got)
	}
}

func TestDoorConfigErrors(t *testing.T) {
	// Line 14 is the first that a case adds.
	for extra, want := range map[string]string{
		"[[button]]\nname='x'\nflat='9'":                                                             `:16: button.1.flat: "9" is not the name of a [[flat]]`,
		"[[button]]\nname='x'\nresidents=['Anna']\ndirectory=true":                                   ":17: button.1.directory: the button is to call somebody as well",
		"[[flat]]\nname='1'\nresidents=['Anna']\n[[button]]\nname='x'\nflat='1'\nresidents=['Anna']": ":19: button.1.flat: the button is to call residents as well",
		"[[flat]]\nname='1'\nresidents=['Eve']":                                                      `:16: flat.0.residents: "Eve" is not the name of a [[resident]]`,
		"[[flat]]\nname='1'\n":                                                                       ":14: flat.0.residents: are missing: the flat would call nobody",
		"[[flat]]\nname=''\nresidents=['Anna']":                                                      `:15: flat.0.name: "" is empty`,
		"[[flat]]\nname='1'\nresidents=['Anna']\n[[flat]]\nname='1'\nresidents=['Anna']":             `:18: flat.1.name: "1" is empty or another flat's`,
		"[[flat]]\nname='1'\nresidents=['Anna']\nquiet=['22-7']":                                     ":17: flat.0.quiet:",
		"[[flat]]\nname='1'\nresidents=['Anna']\nfallback=[{flat='1', after='5s'}]":                  `:17: flat.0.fallback: "1" is not the name of another`,
		"[[flat]]\nname='1'\nresidents=['Anna']\nfallback=[{flat='2', after='5s'}]":                  `:17: flat.0.fallback: "2" is not the name of another`,
		"[[flat]]\nname='1'\nresidents=['Anna']\nfallback=[{after='5s'}]":                            ":17: flat.0.fallback: after 5s: it names either",
		"[[flat]]\nname='1'\nresidents=['Anna']\nfallback=[{residents=['Eve'], after='5s'}]":         `:17: flat.0.fallback: "Eve" is not`,
		"[[flat]]\nname='1'\nresidents=['Anna']\nfallback=[{residents=['Anna']}]":                    ":17: flat.0.fallback: after 0s: it is 1s at least",
		"[[flat]]\nname='1'\nresidents=['Anna']\nfallback=[{residents=['Anna'], after='2m'}]":        ":17: flat.0.fallback: after 2m0s: it is",
		"[[flat]]\nname='1'\nresidents=['Anna']\nfallback=[{residents=['Anna'], after=5}]":           "a duration is written with its unit",
		"[clock]\nzone = 'Mars/Olympus'\n[[flat]]\nname='1'\nresidents=['Anna']":                     `:15: clock.zone: "Mars/Olympus" is no time zone`,
		"[records]\nkeep = '1s'":       ":15: records.keep: 1s is outside",
		"[records]\nnumber = 0":        ":15: records.number: 0 is outside",
		"[records]\nsize = 0":          ":15: records.size: 0 MB is outside",
		"[keypad]\nforget = '0s'":      ":15: keypad.forget: 0s is outside",
		"[call]\nretry = '1h'":         ":15: call.retry: 1h0m0s is outside",
		"[call]\nafter_opening = '2h'": ":15: call.after_opening: 2h0m0s is outside",
	} {
		path := write(t, extra)
		err := loadConfig(path, defaults())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", extra, err, want)
		}
	}
	// Buttons of a house without any are the keypad.
	noButton := "[[flat]]\nname='1'\nresidents=['Anna']"
	data, err := os.ReadFile(write(t, noButton))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "intercom.toml")
	text := strings.Replace(string(data), "[[button]]\nname = \"call\"\nresidents = [\"Anna\"]\n", "", 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := loadConfig(path, defaults()); err != nil {
		t.Errorf("a keypad and no button: %v", err)
	}
}

func TestRecordsCommand(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "records")
	store, err := records.Open(folder, records.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 15, 11, 0, 0, 0, time.UTC)
	for i, name := range []string{"1", "2", "3"} {
		if err := store.Add(records.Record{Time: at.Add(time.Duration(i) * time.Hour), Name: name, Reason: "not answered"}, []byte("jpeg")); err != nil {
			t.Fatal(err)
		}
	}
	run := func(want int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if got := dispatch(t.Context(), append([]string{"records"}, args...), &out, &errs); got != want {
			t.Errorf("records %v: exit code %d, want %d: %s", args, got, want, errs.String())
		}
		return out.String()
	}
	file := write(t, "[records]\nfolder = '"+folder+"'")
	list := run(0, "--config", file)
	if strings.Count(list, "\n") != 3 || !strings.Contains(list, "not answered") || !strings.Contains(list, folder) {
		t.Errorf("list:\n%s", list)
	}
	if got := run(0, "list", "--folder", folder, "--format", "json"); strings.Count(got, `"name":"`) != 3 {
		t.Errorf("as JSON:\n%s", got)
	}
	run(exitUsage, "erase", "--folder", folder)
	run(exitUsage, "erase", "x", "--all", "--folder", folder)
	run(exitUsage, "show", "--folder", folder)
	run(exitConfig, "list", "--config", write(t, ""))
	run(exitFailed, "erase", "x", "--folder", folder)
	run(0, "erase", strings.Fields(list)[0], "--folder", folder)
	if got := run(0, "list", "--folder", folder); strings.Count(got, "\n") != 2 {
		t.Errorf("one erased:\n%s", got)
	}
	run(0, "erase", "--all", "--folder", folder)
	if got := run(0, "list", "--folder", folder); got != "" {
		t.Errorf("all erased:\n%s", got)
	}
}
