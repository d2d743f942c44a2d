package main

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"intercom/hw/guard"
)

// standby starts a guard that waits if another one is running, and waits until it says what it
// does: "a station" or "another guard is running".
func (b *lockBench) standby() {
	b.Helper()
	log, err := os.CreateTemp(b.dir, "log")
	if err != nil {
		b.Fatal(err)
	}
	cmd := b.program(log, "guard", "--standby", "--config", b.config)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	said := func() string {
		text, err := os.ReadFile(log.Name())
		if err != nil {
			b.Error(err)
		}
		return string(text)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if b.Failed() {
			b.Logf("%s", said())
		}
		log.Close()
	})
	b.await("a guard that waits, or has the line", 10*time.Second, func() bool {
		return b.guard() == cmd.Process.Pid || strings.Contains(said(), "another guard is running")
	})
}

// TestKilledGuardWithAnother: the one that waits makes the line safe at once.
func TestKilledGuardWithAnother(t *testing.T) {
	b := newLockBench(t)
	b.standby()
	b.standby()
	station := b.opener()
	for round := 1; round <= 2; round++ {
		first := b.guard()
		begin := time.Now()
		if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if round == 1 {
			t.Logf("killed while open: safe after %v", b.awaitOpen(false, time.Second))
			if took := time.Since(begin); took > 150*time.Millisecond {
				t.Errorf("safe after %v, and another guard was waiting", took)
			}
		}
		b.await("the next guard", 5*time.Second, func() bool { return b.guard() != first })
		if b.guard() == station.Process.Pid {
			t.Error("the station has taken the line itself")
		}
		b.standby()
	}
	pids := slices.Clone(b.takers())
	if slices.Sort(pids); len(slices.Compact(pids)) != 3 {
		t.Errorf("the line was taken by %v, want three guards", pids)
	}
	// Ended in good order, too, the next one takes it.
	last := b.guard()
	if err := syscall.Kill(last, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	b.await("the next guard", 5*time.Second, func() bool { return b.guard() != last })
	if b.isOpen() {
		t.Error("the lock is open")
	}
}

// TestPanickingStation: a panic in any goroutine of the station is the end of its process, and
// the guard makes the line safe.
func TestPanickingStation(t *testing.T) {
	for _, where := range []string{"watch", "elsewhere"} {
		t.Run(where, func(t *testing.T) {
			b := newLockBench(t)
			t.Setenv(panicEnv, where)
			station := b.opener()
			if err := station.Wait(); err == nil {
				t.Error("the station ended in good order")
			}
			t.Logf("panicked: safe after %v", b.awaitOpen(false, time.Second))
		})
	}
}

// TestSeveralLocks: a strike and a magnet, both safe by one command, with a guard and without.
func TestSeveralLocks(t *testing.T) {
	b := newLockBench(t)
	text, err := os.ReadFile(b.config)
	if err != nil {
		t.Fatal(err)
	}
	text = append([]byte("[[lock]]\nname = \"gate\"\nline = \"gate\"\nkind = \"magnet\"\n[[lock]]\nname = \"shed\"\n"), text...)
	if err := os.WriteFile(b.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	level := func(line string) string {
		text, err := os.ReadFile(b.dir + "/" + line)
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
	run := func(want ...string) {
		t.Helper()
		var out bytes.Buffer
		if err := b.program(&out, "lock-safe", "--config", b.config).Run(); err != nil {
			t.Errorf("lock-safe: %v, %s", err, out.String())
		}
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("lock-safe says %s; want %q", out.String(), w)
			}
		}
		if level("relay") != "1" || level("gate") != "1" { // active low and off; on
			t.Errorf("relay %s, gate %s", level("relay"), level("gate"))
		}
	}
	run("lock gate: no guard is running; line gate was", "lock door: no guard is running; line relay was")
	b.standby()
	b.await("a guard", 10*time.Second, func() bool { return guard.NewClient(guard.ClientConfig{Path: b.socket}).Well() == nil })
	run("lock gate: its guard drives line gate", "lock door: its guard drives line relay")
	takes, err := os.ReadFile(b.dir + "/gate.takes")
	if err != nil || len(strings.Fields(string(takes))) != 2 || !strings.Contains(string(takes), strconv.Itoa(b.guard())) {
		t.Errorf("the gate's line was taken by %q (%v), want lock-safe and the guard", takes, err)
	}
}
