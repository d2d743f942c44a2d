//go:build e2e && lab

package lab

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"intercom/hw/guard"
	"intercom/internal/control"
	"intercom/internal/prompts"
	"intercom/lab/vm"
)

// The services, and where the units of systemd/ have the station's socket and state.
const (
	stationUnit   = "intercom.service"
	stationSocket = "/run/intercom/control.sock"
	stationState  = "/var/lib/intercom"
)

// unitsRing is how long phones ring that nobody answers.
const unitsRing = 4 * time.Second

// unitsDoor is a door whose secrets are credentials, and which keeps what a station can keep.
// Behind its sounds it says something: it does not start without the files.
const unitsDoor = `
[account]
application_id = %d
auth_key = "demo-key"
login = "%s"

[server]
api = "%s"
chat_domain = "%s"
chat = "%s"
allow_plaintext = true

[[resident]]
id = %d
name = "Anna"
may_open = true

[access]
keys = "` + stationState + `/keys.json"

[journal]
file = "` + stationState + `/journal.jsonl"

[records]
folder = "` + stationState + `/records"

[prompts]
language = "en"

[call]
ring = "%v"
dialing = "1s"

[camera]
source = "v4l2:vivid"
width = 320
height = 180
fps = 15

[sound]
microphone = "alsa:Loop"
loudspeaker = "alsa:Loop"
echo = "off"

[[button]]
name = "call"
residents = ["Anna"]
line = "BTN_CALL"
active_low = true
pull = "up"

[hang_up]
line = "BTN_HANGUP"
active_low = true
pull = "up"

[light]
line = "LED_STATUS"

[[lock]]
name = "door"
line = "RELAY_DOOR"
open = "20s"
longest = "20s"
pause = "100ms"
exit = { line = "EXIT_DOOR", active_low = true, pull = "up" }
`

// shorterTimes replace those of the unit, once it was seen that it has them: nobody waits for
// twenty seconds here.
const shorterTimes = `[Service]
WatchdogSec=6
RestartSec=200ms
`

// units is the machine whose process 1 is systemd, with the program installed.
type units struct{ *guest }

// TestUnits boots a machine with systemd that was installed as the README says: the
// services start by themselves, under their own user and in their sandbox, without a network
// and before camera and card are there; they are killed, stopped, hang, and lack a secret.
func TestUnits(t *testing.T) {
	s, err := guestServer()
	must(t, err)
	u := units{bootGuest(t, vm.Config{Guest: filepath.Join(lab.root, "build", "lab", "units"), Files: installed(t, s)})}
	for _, step := range []struct {
		name string
		does func(*testing.T)
	}{
		{"boot", u.boots}, {"sandbox", u.works}, {"killed", u.killed}, {"stopped", u.stopped},
		{"hangs", u.hangs}, {"secret missing", u.lacksSecret}, {"guard killed", u.guardKilled},
	} {
		if !t.Run(step.name, step.does) {
			break // the next ones begin with what this one leaves
		}
	}
	if t.Failed() {
		u.keepJournal(t)
	}
}

// installed has `make install` install the program, with sounds for its sentences, and adds what
// a person writes. It returns the files by their paths in the guest.
func installed(t *testing.T, s *sandboxServer) map[string]string {
	t.Helper()
	program, err := intercom()
	must(t, err)
	root, said := t.TempDir(), t.TempDir()
	put := func(path, text string, mode fs.FileMode) {
		t.Helper()
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), mode))
	}
	for name := range prompts.Texts("en") {
		put(filepath.Join(said, "en", name+".wav"), string(vm.Tone(doorTone, 0.3, 500*time.Millisecond)), 0o644)
	}
	cmd := exec.CommandContext(t.Context(), "make", "install", "PROGRAM="+program, "PROMPTS="+said, "DESTDIR="+root)
	cmd.Dir = lab.root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make install: %v\n%s", err, out)
	}
	put(filepath.Join(root, "etc/intercom/intercom.toml"), fmt.Sprintf(unitsDoor, app, doorAccount.login,
		inGuest(s.rest), domain, inGuest(s.chat), anna.id, unitsRing), 0o644)
	put(filepath.Join(root, "etc/intercom/auth_secret"), "demo-secret\n", 0o644)
	put(filepath.Join(root, "etc/intercom/password"), doorAccount.password+"\n", 0o644)
	files := map[string]string{}
	must(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			files[strings.TrimPrefix(path, root)] = path
		}
		return err
	}))
	return files
}

// boots: the services are there, and as they are meant to be, without network and devices.
func (u units) boots(t *testing.T) {
	took, err := u.Shell(t.Context(), "systemctl is-system-running --wait; systemd-analyze time")
	must(t, err)
	t.Log(took)
	u.isActive(t)
	s := u.show(t, stationUnit)
	for key, want := range map[string]string{
		"Type": "notify", "UnitFileState": "enabled", "NRestarts": "0", "WatchdogUSec": "20s", "StartLimitIntervalUSec": "0", "User": "intercom",
	} {
		if s[key] != want {
			t.Errorf("the station's %s: got %q, want %q", key, s[key], want)
		}
	}
	if !strings.Contains(s["StatusText"], "the chat server is not reached") {
		t.Errorf("the station's status, without a network: %q", s["StatusText"])
	}
	// Type=notify: it counts as started when it said so, not when its process began.
	if began, active := number(t, s["ExecMainStartTimestampMonotonic"]), number(t, s["ActiveEnterTimestampMonotonic"]); active <= began {
		t.Errorf("the station is active %d us after boot, and its process began at %d us", active, began)
	}
	for _, name := range []string{stationUnit, "intercom-guard@1.service", "intercom-guard@2.service"} {
		u.confined(t, name)
	}
	if state, err := u.Shell(t.Context(), "cd /sys/class/watchdog/watchdog0; echo $(cat state timeout)"); err != nil || strings.TrimSpace(state) != "active 15" {
		t.Errorf("the hardware watchdog is %q, %v, want that systemd feeds it", state, err)
	}
	files, err := u.Shell(t.Context(), "stat -c '%A %U %G %n' /etc/intercom /etc/intercom/* /run/intercom /run/intercom-guard "+stationState)
	must(t, err)
	const want = `drwxr-x--- root intercom /etc/intercom
-rw------- root root /etc/intercom/auth_secret
-rw-r----- root intercom /etc/intercom/intercom.toml
-rw------- root root /etc/intercom/password
drwx------ intercom intercom /run/intercom
drwx------ intercom intercom /run/intercom-guard
drwx------ intercom intercom ` + stationState + "\n"
	if files != want {
		t.Errorf("files: got\n%s, want\n%s", files, want)
	}
	d := u.door(t)
	d.until(t, soon, "without camera, card and server, and all else well", func(s control.Status) bool {
		var ill []string
		for _, c := range s.Health {
			ill = append(ill, c.Name)
		}
		slices.Sort(ill)
		return slices.Equal(ill, []string{"camera", "chat", "sound"})
	})
}

// confined asserts of a service's process that it has its user's rights alone.
func (u units) confined(t *testing.T, name string) {
	t.Helper()
	s := u.show(t, name)
	status, err := u.Shell(t.Context(), "cat /proc/"+s["MainPID"]+"/status")
	must(t, err)
	got := map[string]string{}
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(line, ":")
		got[key] = strings.TrimSpace(value)
	}
	if uid := strings.Fields(got["Uid"]); len(uid) != 4 || slices.Contains(uid, "0") {
		t.Errorf("%s runs as %q", name, got["Uid"])
	}
	for key, want := range map[string]string{"CapEff": strings.Repeat("0", 16), "CapBnd": strings.Repeat("0", 16), "NoNewPrivs": "1", "Seccomp": "2"} {
		if got[key] != want {
			t.Errorf("%s: %s is %q, want %q", name, key, got[key], want)
		}
	}
}

// works: camera and card are plugged in, then the network comes; somebody rings, nobody answers,
// and the station's folder has all that is kept of it.
func (u units) works(t *testing.T) {
	_, err := u.Shell(t.Context(), `modprobe vivid node_types=0x1 num_inputs=1 input_types=0x0 vid_cap_nr=0 no_error_inj=0
modprobe snd-aloop index=0 id=Loop pcm_substreams=1
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2`)
	must(t, err)
	d := u.door(t)
	must(t, d.connect(d.socket))
	d.begin(t)
	d.until(t, 2*soon, "well", func(s control.Status) bool { return len(s.Health) == 0 })

	u.tap(t, vm.ButtonCall)
	d.expect(t, soon, control.Pressed)
	d.expect(t, soon, control.Ringing)
	d.until(t, soon, "seeing and sounding", func(s control.Status) bool { return s.Media.Camera.Frames > 3 && s.Media.Sound.State == "on" })
	if _, err := u.Shell(t.Context(), "cd /proc/asound/Loop; grep -q RUNNING pcm0p/sub0/status; grep -q RUNNING pcm0c/sub0/status"); err != nil {
		t.Errorf("the card does not play and record while phones ring: %v", err)
	}
	u.judged(t)
	d.expect(t, unitsRing+soon, control.NotAnswered)
	d.drive(t, "pair a phone", func(ctx context.Context, c *control.Client) error {
		_, err := c.Pair(ctx, "Anna", "phone")
		return err
	})
	_, err = u.Shell(t.Context(), "cd "+stationState+`
n=0; until ls records/*.jpg >/dev/null 2>&1; do [ $((n += 1)) -lt 50 ]; sleep 0.1; done
[ -s keys.json ] && grep -q not_answered journal.jsonl
[ -z "$(find . ! -user intercom)" ]`)
	if err != nil {
		all, _ := u.Shell(t.Context(), "ls -lR "+stationState)
		t.Errorf("journal, picture of the visitor, keys: %v\n%s", err, all)
	}
}

// judged has the machine's systemd read its units, and say how exposed they are.
func (u units) judged(t *testing.T) {
	t.Helper()
	said, err := u.Shell(t.Context(), "systemd-analyze verify "+stationUnit+" intercom-guard@1.service 2>&1")
	if err != nil || said != "" {
		t.Errorf("systemd-analyze verify: %v\n%s", err, said)
	}
	for name, limit := range map[string]string{stationUnit: "15", "intercom-guard@1.service": "5"} { // tenths, of 10
		said, err := u.Shell(t.Context(), "systemd-analyze security --threshold="+limit+" "+name+" | tail -n 1")
		if err != nil {
			t.Error(err)
		}
		t.Log(strings.TrimSpace(said))
	}
}

// killed: kill -9 of the station while the lock is open.
func (u units) killed(t *testing.T) {
	must(t, u.Put(t.Context(), "/etc/systemd/system/"+stationUnit+".d/lab.conf", 0o644, []byte(shorterTimes)))
	_, err := u.Shell(t.Context(), "systemctl daemon-reload")
	must(t, err)
	u.opens(t)
	took := u.shutsAfter(t, "p=$(systemctl show -P MainPID "+stationUnit+")", "kill -9 $p")
	t.Logf("kill -9: safe after %v", took)
	if took > time.Second {
		t.Errorf("kill -9: safe after %v, want a second at most", took)
	}
	u.restarted(t, "1")
}

// stopped: systemctl stop while the lock is open.
func (u units) stopped(t *testing.T) {
	u.opens(t)
	took := u.shutsAfter(t, "", "systemctl stop "+stationUnit)
	t.Logf("stop: over and safe after %v", took)
	s := u.show(t, stationUnit)
	if s["ActiveState"] != "inactive" || s["Result"] != "success" {
		t.Errorf("after systemctl stop: %s, %s", s["ActiveState"], s["Result"])
	}
	if g := u.show(t, "intercom-guard@1.service"); g["ActiveState"] != "active" {
		t.Errorf("the guard, after systemctl stop of the station: %s", g["ActiveState"])
	}
	u.is(t, vm.RelayDoor, false)
	_, err := u.Shell(t.Context(), "systemctl start "+stationUnit)
	must(t, err)
	u.isWell(t)
}

// hangs: the station lives, and does nothing any more, while the lock is open.
func (u units) hangs(t *testing.T) {
	u.opens(t)
	hung := time.Now()
	took := u.shutsAfter(t, "p=$(systemctl show -P MainPID "+stationUnit+")", "kill -STOP $p")
	t.Logf("SIGSTOP: safe after %v", took)
	if took > guard.Silence+time.Second {
		t.Errorf("SIGSTOP: safe after %v, want %v and a second at most", took, guard.Silence)
	}
	u.restarted(t, "1")
	t.Logf("SIGSTOP: another station is ready after %v", time.Since(hung).Round(100*time.Millisecond))
	u.logged(t, "Watchdog timeout")
}

// lacksSecret: without a secret the station says which one, and starts by itself when it is
// there.
func (u units) lacksSecret(t *testing.T) {
	_, err := u.Shell(t.Context(), "mv /etc/intercom/auth_secret /tmp; systemctl restart --no-block "+stationUnit)
	must(t, err)
	u.logged(t, "account.auth_secret: credential auth_secret: the service was given none: write it into the file that LoadCredential=auth_secret: of its unit names")
	_, err = u.Shell(t.Context(), "mv /tmp/auth_secret /etc/intercom")
	must(t, err)
	u.isActive(t)
	u.isWell(t)
}

// guardKilled: kill -9 of the guard that has the line, while the lock is open.
func (u units) guardKilled(t *testing.T) {
	u.opens(t)
	took := u.shutsAfter(t, `for n in 1 2; do
	g=$(systemctl show -P MainPID intercom-guard@$n)
	if ls -l /proc/$g/fd | grep -q gpio-line; then p=$g; fi
done`, "kill -9 $p")
	t.Logf("kill -9 of the guard: safe after %v", took)
	if took > time.Second {
		t.Errorf("kill -9 of the guard: safe after %v, want a second at most", took)
	}
	u.isActive(t)
	u.isWell(t) // with the other guard
}

// door is the station that runs now.
func (u units) door(t *testing.T) *door {
	t.Helper()
	p := &process{name: "the station", log: filepath.Join(u.out, "serial.log"), ended: make(chan struct{})}
	return &door{process: p, socket: u.forward(t, stationSocket), more: make(chan struct{})}
}

// opens opens the lock from inside.
func (u units) opens(t *testing.T) {
	t.Helper()
	u.tap(t, vm.ExitDoor)
	u.await(t, soon, vm.RelayDoor, true)
}

// shutsAfter prepares a command, runs it and returns how long after its begin the lock's line was
// low, by the machine's own clock: asking it from outside takes longer than what is measured.
func (u units) shutsAfter(t *testing.T, prepare, command string) time.Duration {
	t.Helper()
	said, err := u.Shell(t.Context(), prepare+`
v=$(ls /sys/devices/platform/gpio-sim.0/gpiochip*/sim_gpio4/value)
read x <$v
read a rest </proc/uptime
`+command+`
while read y <$v && [ "$y" = 1 ]; do :; done
read b rest </proc/uptime
echo $x $((${b%.*}${b#*.} - ${a%.*}${a#*.}))`)
	must(t, err)
	var level, took int
	if _, err := fmt.Sscan(said, &level, &took); err != nil || level != 1 {
		t.Fatalf("%s: the lock was not open: %q: %v", command, said, err)
	}
	return time.Duration(took) * 10 * time.Millisecond
}

// restarted waits until the station has been started anew that often.
func (u units) restarted(t *testing.T, times string) {
	t.Helper()
	_, err := u.Shell(t.Context(), "until [ $(systemctl show -P NRestarts "+stationUnit+") = "+times+" ]; do sleep 0.5; done")
	must(t, err)
	u.isActive(t)
	u.isWell(t)
}

// isWell waits until the station has all that it needs.
func (u units) isWell(t *testing.T) {
	t.Helper()
	u.door(t).until(t, 2*soon, "well", func(s control.Status) bool { return len(s.Health) == 0 })
}

// isActive waits until all services are: by itself, systemctl is content with one. It does not ask
// often: each question takes time from what it asks about.
func (u units) isActive(t *testing.T) {
	t.Helper()
	if _, err := u.Shell(t.Context(), `until [ "$(systemctl is-active `+stationUnit+` intercom-guard@1 intercom-guard@2 | sort -u)" = active ]; do sleep 0.5; done`); err != nil {
		t.Fatalf("the services are not active: %v", err)
	}
}

// logged waits until the journal has a text of the station's unit.
func (u units) logged(t *testing.T, text string) {
	t.Helper()
	if _, err := u.Shell(t.Context(), "until journalctl -b -u "+stationUnit+" | grep -qF '"+text+"'; do sleep 0.5; done"); err != nil {
		t.Errorf("the journal has no %q: %v", text, err)
	}
}

// show returns the properties of a unit.
func (u units) show(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := u.Run(t.Context(), "systemctl", "show", name)
	must(t, err)
	all := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		all[key] = value
	}
	return all
}

// keepJournal keeps the machine's journal of a scenario that has failed.
func (u units) keepJournal(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	text, err := u.Shell(ctx, "journalctl -b --no-pager")
	if err == nil {
		err = os.WriteFile(filepath.Join(u.out, "journal.txt"), []byte(text), 0o644)
	}
	if err != nil {
		t.Log(err)
	}
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}
