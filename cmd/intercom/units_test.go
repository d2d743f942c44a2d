package main

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const unitsDir = "../../systemd"

var unitNames = []string{"intercom.service", "intercom-guard@.service"}

// unit returns the settings of a unit of ours, by name, each with all its values.
func unit(t *testing.T, name string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(unitsDir, name))
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			settings[key] = append(settings[key], value)
		}
	}
	return settings
}

// TestUnitCommands has our own commands read the command lines of the units.
func TestUnitCommands(t *testing.T) {
	n := 0
	for _, name := range unitNames {
		u := unit(t, name)
		for _, line := range slices.Concat(u["ExecStart"], u["ExecStopPost"]) {
			n++
			args := strings.Fields(strings.TrimPrefix(line, "-"))
			if args[0] != "/usr/bin/intercom" {
				t.Errorf("%s: starts %s", name, args[0])
			}
			var out bytes.Buffer
			if code := dispatch(t.Context(), append(args[1:], "--help"), &out, &out); code != 0 {
				t.Errorf("%s: %s: exit %d: %s", name, line, code, &out)
			}
		}
	}
	if n != 4 {
		t.Errorf("%d command lines, want 4", n)
	}
}

// TestUnitsPermit: what the program needs is not shut away with the rest.
func TestUnitsPermit(t *testing.T) {
	station, guard := unit(t, "intercom.service"), unit(t, "intercom-guard@.service")
	has := func(u map[string][]string, key, word string) {
		t.Helper()
		if !slices.Contains(strings.Fields(strings.Join(u[key], " ")), word) {
			t.Errorf("%s has no %s: %q", key, word, u[key])
		}
	}
	for _, class := range []string{"char-video4linux", "char-media", "char-alsa", "char-gpiochip", "char-input", "char-dma_heap"} {
		has(station, "DeviceAllow", class)
	}
	for _, group := range []string{"video", "audio", "gpio", "input"} {
		has(station, "SupplementaryGroups", group)
	}
	for _, family := range []string{"AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"} { // netlink: netwatch, ICE
		has(station, "RestrictAddressFamilies", family)
	}
	has(station, "SystemCallFilter", "sched_setscheduler") // each thread of sound
	has(guard, "DeviceAllow", "char-gpiochip")
	has(guard, "SupplementaryGroups", "gpio")
	has(guard, "RestrictAddressFamilies", "AF_UNIX")
	for _, u := range []map[string][]string{station, guard} {
		if u["PrivateDevices"] != nil {
			t.Error("PrivateDevices hides the devices")
		}
		if !slices.Equal(u["User"], []string{"intercom"}) {
			t.Errorf("user %q: the guard's socket is for its owner alone", u["User"])
		}
	}
	// Classes are allowed that the kernel knows when the service starts: it has to know them
	// before the first camera, or card, is plugged in.
	for _, module := range []string{"modprobe@videodev.service", "modprobe@snd.service"} {
		has(station, "Wants", module)
		has(station, "After", module)
	}
	for name, u := range map[string]map[string][]string{"station": station, "guard": guard} {
		if !slices.Equal(u["StartLimitIntervalSec"], []string{"0"}) || !slices.Equal(u["Restart"], []string{"always"}) {
			t.Errorf("the %s is given up after some failures", name)
		}
	}
	// A missing secret is the station's to tell.
	for _, secret := range station["LoadCredential"] {
		name, _, _ := strings.Cut(secret, ":")
		has(station, "SetCredential", name+`:\n`)
	}
	// Two guards, of which one waits, in a folder that outlives either.
	for _, name := range []string{"intercom-guard@1.service", "intercom-guard@2.service"} {
		has(station, "Wants", name)
		has(station, "After", name)
	}
	if !slices.Equal(guard["RuntimeDirectoryPreserve"], []string{"yes"}) || !strings.Contains(guard["ExecStart"][0], "--standby") {
		t.Error("two guards on one socket: one has to wait, and their folder to stay")
	}
	if station["ProcSubset"] != nil {
		t.Error("ProcSubset hides /proc/asound, where sound cards are listed")
	}
	// Nothing makes it wait for a network, and nothing ends the attempts to start it.
	for _, target := range []string{"network-online.target", "time-sync.target"} {
		if waits := strings.Fields(strings.Join(slices.Concat(station["After"], station["Wants"], station["Requires"]), " ")); slices.Contains(waits, target) {
			t.Errorf("the station waits for %s", target)
		}
	}
	for _, u := range []map[string][]string{station, guard} {
		if !slices.Equal(u["StartLimitIntervalSec"], []string{"0"}) || !slices.Equal(u["Restart"], []string{"always"}) {
			t.Errorf("it is started for as long as it takes? limit %q, restart %q", u["StartLimitIntervalSec"], u["Restart"])
		}
	}
	// The service manager ends the station's processes; the guard's are another unit's.
	socket := regexp.MustCompile(`%t/\S+guard\.sock`)
	for _, line := range slices.Concat(station["ExecStart"], station["ExecStopPost"], guard["ExecStart"], guard["ExecStopPost"]) {
		if got := socket.FindString(line); got != "%t/"+guard["RuntimeDirectory"][0]+"/guard.sock" {
			t.Errorf("%s: socket %q", line, got)
		}
	}
}

// TestUnitsVerified has systemd read the units, and judge how much they shut away.
func TestUnitsVerified(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	root := t.TempDir()
	put := func(path, text string, mode os.FileMode) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	put("usr/bin/intercom", "#!/bin/sh\n", 0o755)
	for _, target := range []string{"sysinit", "basic", "shutdown", "network", "sound", "time-sync", "multi-user"} {
		put("usr/lib/systemd/system/"+target+".target", "[Unit]\nDescription="+target+"\n", 0o644)
	}
	for _, name := range unitNames {
		text, err := os.ReadFile(filepath.Join(unitsDir, name))
		if err != nil {
			t.Fatal(err)
		}
		put("etc/systemd/system/"+name, string(text), 0o644)
	}
	// It ends well although it ignores a key that it does not know, but says so.
	out, err := exec.Command("systemd-analyze", "verify", "--root="+root, "intercom.service", "intercom-guard@1.service").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	for name, limit := range map[string]string{"intercom.service": "15", "intercom-guard@.service": "5"} { // tenths, of 10
		out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold="+limit, filepath.Join(unitsDir, name)).CombinedOutput()
		if err != nil {
			t.Errorf("%s is exposed: %v\n%s", name, err, out)
		}
	}
}

// TestInstalled has `make install` put each file of systemd/ to where the file itself says, and
// the sentences to where the configuration looks for them.
func TestInstalled(t *testing.T) {
	root, said := t.TempDir(), t.TempDir()
	program := filepath.Join(said, "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(said, "en"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(said, "en", "busy.wav"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("make", "install", "PROGRAM="+program, "PROMPTS="+said, "DESTDIR="+root)
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make install: %v\n%s", err, out)
	}
	want := map[string]fs.FileMode{"/usr/bin/intercom": 0o755, defaults().Prompts.Folder + "/en/busy.wav": 0o644}
	files, err := os.ReadDir(unitsDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		path := "/usr/lib/systemd/system/" + f.Name()
		if !slices.Contains(unitNames, f.Name()) {
			text, err := os.ReadFile(filepath.Join(unitsDir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			path, _, _ = strings.Cut(strings.TrimPrefix(string(text), "# "), ":")
		}
		want[path] = 0o644
	}
	got := map[string]fs.FileMode{}
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			got[strings.TrimPrefix(path, root)] = info.Mode().Perm()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got, want) {
		t.Errorf("installed: got %v, want %v", got, want)
	}
}

// TestImageReleasesLines: on the Raspberry Pi a released line falls back to its pull.
func TestImageReleasesLines(t *testing.T) {
	line, err := os.ReadFile("../../buildroot/board/rpi4/cmdline.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(strings.Fields(string(line)), "pinctrl_bcm2835.persist_gpio_outputs=n") {
		t.Errorf("the kernel of the image keeps the levels of released lines: %s", line)
	}
}
