//go:build e2e && lab

package lab

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/lab/vm"
)

// hardwareWatchdog restarts the guest after watchdogTimeout. Here QEMU holds it instead.
const (
	hardwareWatchdog = `
[hang_up]
line = "panel:12"
active_low = true
pull = "up"

[watchdog]
device = "/dev/watchdog0"
timeout = "5s"
`
	watchdogTimeout = 5 * time.Second
)

// TestGuestWatchdog has the station hang while its process lives: the loop that owns the
// door's state writes to a log that nobody reads any more; and then the whole process. The hardware
// notices; while the station works, and after it has ended in good order, there is nothing to notice.
func TestGuestWatchdog(t *testing.T) {
	t.Parallel() // beside TestGuestDrivers
	s, err := guestServer()
	must(t, err)
	g := newGuest(t)
	config := g.apart(t, "watchdog", filmAccount, guestSettings(s, with(t, syntheticDevices,
		`label = "Ring"`, "line = \"panel:13\"\nactive_low = true\npull = \"up\""))+hardwareWatchdog)
	program, err := intercom()
	must(t, err)
	must(t, g.PutFile(t.Context(), g.program, program))
	_, err = g.Run(t.Context(), "mkfifo", "/run/log")
	must(t, err)
	reader := g.start(t, "log", vm.Command{Args: []string{"cat", "/run/log"}})
	d := g.startCommand(t, config, vm.Command{Args: []string{"sh", "-c", "exec " + g.program + " run --config " + g.config + " --control " + g.socket + " 2>/run/log"}})
	g.countsWatchdog(t, true)
	begun := time.Now()

	// It works: it rings, and waits.
	d.begin(t)
	g.tap(t, "#13")
	d.expect(t, soon, control.Ringing)
	g.tap(t, "#12")
	d.expect(t, soon, control.Ended)
	time.Sleep(time.Until(begun.Add(watchdogTimeout + time.Second))) // what comes meanwhile is what is asked
	g.restarts(t, 0)

	// It hangs.
	must(t, reader.signal(syscall.SIGSTOP))
	if _, err := g.Shell(t.Context(), "timeout 2 cat /dev/zero >/run/log || true"); err != nil {
		t.Fatal(err)
	}
	g.tap(t, "#12")
	g.restarted(t, time.Now(), 1)
	must(t, d.signal(syscall.SIGKILL))
	<-d.ended
	must(t, reader.signal(syscall.SIGKILL))
	<-reader.ended

	// Another one ends well.
	d = g.startDoor(t, config)
	g.countsWatchdog(t, true)
	must(t, d.stop())
	g.countsWatchdog(t, false)

	d = g.startDoor(t, config)
	g.countsWatchdog(t, true)
	must(t, d.signal(syscall.SIGSTOP))
	g.restarted(t, time.Now(), 2)
	must(t, d.signal(syscall.SIGKILL))
	<-d.ended
}

// restarted waits until the hardware wants to restart the machine for the n-th time, and lets it
// go on instead.
func (g *guest) restarted(t *testing.T, hung time.Time, n int) {
	t.Helper()
	e, err := g.AwaitEvent(t.Context(), watchdogTimeout+soon, "WATCHDOG", n)
	must(t, err)
	t.Logf("the hardware restarts the machine %v after the station hangs: %s", e.Time.Sub(hung).Round(100*time.Millisecond), e.Data)
	must(t, g.Monitor(t.Context(), "cont", nil, nil))
}

// countsWatchdog waits until the hardware watchdog counts, with the time that it was given, or
// until it does not.
func (g *guest) countsWatchdog(t *testing.T, counts bool) {
	t.Helper()
	want := "inactive"
	if counts {
		want = "active 5"
	}
	for late := time.Now().Add(soon); ; {
		got, err := g.Shell(t.Context(), "cd /sys/class/watchdog/watchdog0; echo $(cat state timeout)")
		must(t, err)
		if strings.HasPrefix(strings.TrimSpace(got), want) {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("the hardware watchdog is %q, want %q", got, want)
		}
		time.Sleep(100 * time.Millisecond) // another machine: nothing to wait on
	}
}

// restarts asserts how often the hardware has wanted to restart the machine.
func (g *guest) restarts(t *testing.T, want int) {
	t.Helper()
	got := 0
	for _, e := range g.Events() {
		if e.Name == "WATCHDOG" {
			got++
		}
	}
	if got != want {
		t.Fatalf("the hardware watchdog restarts the machine %d times, want %d", got, want)
	}
}
