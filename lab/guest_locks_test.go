//go:build e2e && lab

package lab

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/lab/vm"
)

// tamperBlock is how long nothing opens after the case has been opened. It counts from the start
// again after a restart, so that it need not be longer than what is done within it.
const tamperBlock = 10 * time.Second

// lockDevices are two doors of which one is open at a time: a strike on a relay and a magnet,
// each with a button inside and a contact, and the contact of the case.
var lockDevices = fmt.Sprintf(`
[camera]
width = 160
height = 120
fps = 5

[cues]
play = false

[[button]]
name = "call"
residents = ["Anna", "Ben"]

[[lock]]
name = "door"
line = "RELAY_DOOR"
open = "3s"
longest = "4s"
pause = "100ms"
interlock = ["gate"]
exit = { line = "EXIT_DOOR", active_low = true, pull = "up" }
contact = { line = "DOOR_SENSE", active_low = true }
held_open = "2s"
forced = true
relock = true

[[lock]]
name = "gate"
line = "RELAY_GATE"
kind = "magnet"
open = "1s"
longest = "2s"
pause = "100ms"
exit = { line = "EXIT_GATE", active_low = true, pull = "up" }
contact = { line = "GATE_SENSE", active_low = true }

[tamper]
line = "CASE"
block = "%v"
file = "/tmp/tamper"
`, tamperBlock)

// TestGuestLocks has two doors, their buttons inside and contacts, and the station's case, on
// lines of a GPIO chip. Nobody calls.
func TestGuestLocks(t *testing.T) {
	t.Parallel() // beside TestGuestDrivers
	s, err := guestServer()
	must(t, err)
	g := newGuest(t)
	for _, line := range []string{vm.DoorSense, vm.GateSense, vm.Case} { // both doors are closed, and so is the case
		must(t, g.Pull(t.Context(), line, false))
	}
	d := g.startDoor(t, guestSettings(s, lockDevices))
	d.begin(t)
	g.is(t, vm.RelayDoor, false)
	g.is(t, vm.RelayGate, true) // it holds under power
	door := func(open bool) {
		t.Helper()
		must(t, g.Pull(t.Context(), vm.DoorSense, open))
	}
	t.Run("exit", func(t *testing.T) {
		g.tap(t, vm.ExitDoor)
		d.expect(t, soon, control.Opened)
		g.await(t, soon, vm.RelayDoor, true)
		g.tap(t, vm.ExitGate)
		if e := d.expect(t, soon, control.Refused); e.Name != "gate" || !strings.Contains(e.Reason, "another door comes first") {
			t.Errorf("the gate, while the door is open: %+v", e)
		}
		g.is(t, vm.RelayGate, true)
		d.expect(t, soon, control.Locked)
		g.is(t, vm.RelayDoor, false)
		g.tap(t, vm.ExitGate)
		if e := d.expect(t, soon, control.Opened); e.Name != "gate" {
			t.Errorf("opened: %+v", e)
		}
		d.expect(t, soon, control.Locked)
		g.is(t, vm.RelayGate, true)
	})
	t.Run("contact", func(t *testing.T) {
		g.tap(t, vm.ExitDoor)
		opened := d.expect(t, soon, control.Opened)
		door(true)
		d.expect(t, soon, control.DoorOpened)
		door(false)
		d.expect(t, soon, control.DoorClosed)
		if locked := d.expect(t, soon, control.Locked); locked.Time.Sub(opened.Time) > 2900*time.Millisecond {
			t.Errorf("locked %v after it was opened; want that it is when the door is closed again", locked.Time.Sub(opened.Time))
		}
		time.Sleep(2500 * time.Millisecond) // until nobody can have pulled a moment too late
		door(true)
		if e := d.expect(t, soon, control.Forced); e.Name != "door" {
			t.Errorf("forced: %+v", e)
		}
		g.tap(t, vm.ExitGate)
		if e := d.expect(t, soon, control.Refused); !strings.Contains(e.Reason, "not known to be closed") {
			t.Errorf("the gate, while the other door is open: %+v", e)
		}
		d.expect(t, soon, control.HeldOpen)
		door(false)
		d.expect(t, soon, control.Shut)
	})
	t.Run("tamper", func(t *testing.T) {
		g.tap(t, vm.ExitDoor)
		d.expect(t, soon, control.Opened)
		must(t, g.Pull(t.Context(), vm.Case, true))
		g.await(t, soon, vm.RelayDoor, false)
		d.expect(t, soon, control.Tampered)
		time.Sleep(time.Second) // until a press is another one
		g.tap(t, vm.ExitDoor)
		d.expect(t, soon, control.Refused)
		must(t, d.signal(syscall.SIGKILL))
		<-d.ended
		must(t, g.Pull(t.Context(), vm.Case, false))
		d := g.startDoor(t, guestSettings(s, lockDevices)) // which says that it is closed again
		begun := time.Now()
		d.until(t, soon, "tampered with", func(s control.Status) bool {
			return len(s.Health) > 0 && strings.Contains(fmt.Sprint(s.Health), "before the restart")
		})
		g.tap(t, vm.ExitGate)
		if e := d.expect(t, soon, control.Refused); !strings.Contains(e.Reason, "opened the case") {
			t.Errorf("after the restart: %+v", e)
		}
		d.expect(t, tamperBlock+soon, control.TamperOver)
		t.Logf("the block was over %v after the restart", time.Since(begun))
		g.tap(t, vm.ExitDoor)
		d.expect(t, soon, control.Opened)
		d.expect(t, soon, control.Locked)
		d.begin(t)
	})
}

// killGuard kills the guard that has the lines, not one that waits, and says when, and when the
// lock's line was low again, in hundredths of a second, by the machine's own clock: asking it
// from outside takes longer than what is measured.
const killGuard = `v=$(ls /sys/devices/platform/gpio-sim.0/gpiochip*/sim_gpio4/value)
for p in $(pidof intercom); do
	if tr '\0' ' ' </proc/$p/cmdline | grep -q ' guard ' && ls -l /proc/$p/fd | grep -q gpio-line; then
		read x <$v
		read a rest </proc/uptime
		kill -9 $p
		while read y <$v && [ "$y" = 1 ]; do :; done
		read b rest </proc/uptime
		echo $x $((${b%.*}${b#*.} - ${a%.*}${a#*.}))
		exit
	fi
done`

// startsGuard is how long a lock may stay open until another guard has been started: a program of
// this size, in an emulated machine of which the script below keeps one of two processors busy. One
// that waits has a second.
const startsGuard = 3 * time.Second

// TestGuestGuardKilled kills the process that has the lines while a lock is open, on a line
// that stays safe when it is let go and on one that does not: by the station, which starts
// another guard, and by a second guard that waits.
func TestGuestGuardKilled(t *testing.T) {
	s, err := guestServer()
	must(t, err)
	g := newGuest(t)
	for _, line := range []string{vm.DoorSense, vm.GateSense, vm.Case} {
		must(t, g.Pull(t.Context(), line, false))
	}
	program, err := intercom()
	must(t, err)
	must(t, g.PutFile(t.Context(), guestProgram, program))
	config := guestSettings(s, with(t, lockDevices, `open = "3s"`, `open = "30s"`, `longest = "4s"`, `longest = "30s"`))
	must(t, g.Put(t.Context(), guestConfig, 0o600, []byte(config)))
	const socket = "/run/guard.sock"
	for _, unsafe := range []bool{false, true} {
		for _, waits := range []bool{false, true} {
			t.Run(fmt.Sprintf("unsafe pull %v, another waits %v", unsafe, waits), func(t *testing.T) {
				must(t, g.Pull(t.Context(), vm.RelayDoor, unsafe))
				args := []string{guestProgram, "run", "--control", guestSocket}
				if waits {
					args = append(args, "--guard", socket)
					for i := range 2 {
						g.start(t, fmt.Sprint("guard-", i), vm.Command{Args: []string{guestProgram, "guard", "--standby", "--socket", socket}})
						g.await(t, soon, vm.RelayGate, true)
					}
				}
				d := g.startCommand(t, config, vm.Command{Args: args})
				d.begin(t)
				g.tap(t, vm.ExitDoor)
				d.expect(t, soon, control.Opened)
				g.await(t, soon, vm.RelayDoor, true)
				said, err := g.Shell(t.Context(), killGuard)
				must(t, err)
				var level, took int
				if _, err := fmt.Sscan(said, &level, &took); err != nil || level != 1 {
					t.Fatalf("killing the guard: %q: %v", said, err)
				}
				limit := startsGuard
				if waits {
					limit = time.Second
				}
				safe := time.Duration(took) * 10 * time.Millisecond
				t.Logf("safe after %v", safe)
				if safe > limit {
					t.Errorf("safe after %v, want %v at most", safe, limit)
				}
				// The next guard has the line: it is the safe level that the pull cannot change.
				d.until(t, soon, "in order", func(s control.Status) bool { return len(s.Health) == 0 })
				g.is(t, vm.RelayDoor, false)
			})
		}
	}
}
