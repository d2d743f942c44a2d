//go:build cgo

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"intercom/internal/control"
)

// TestRunWithoutGuard has a station whose guard is somebody else's, and comes late.
func TestRunWithoutGuard(t *testing.T) {
	b := newLockBench(t)
	text := doorText("127.0.0.1:1", "127.0.0.1:1", "x") + "\n[[lock]]\nname = \"door\"\nline = \"relay\"\n"
	if err := os.WriteFile(b.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := fileLines(b.dir)
	guardSocket := filepath.Join(b.dir, "guard.sock")
	// The guard outlives the station: without it that would end with an error.
	runGuard := func() (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan int, 1)
		out := &output{}
		go func() {
			ended <- invocation{chips: lines, stdout: out, stderr: out}.dispatch(ctx, []string{"guard", "--config", b.config, "--socket", guardSocket})
		}()
		return func() {
			cancel()
			if code := <-ended; code != 0 {
				t.Errorf("the guard: exit %d\n%s", code, out)
			}
		}
	}
	stop := func() {}
	t.Cleanup(func() { stop() })
	socket, _ := beginOn(t, lines, "run", "--config", b.config, "--guard", guardSocket)
	wrong := func(st control.Status, name string) string {
		i := slices.IndexFunc(st.Health, func(c control.Condition) bool { return c.Name == name })
		if i < 0 {
			return ""
		}
		return st.Health[i].Text
	}
	await(t, socket, "the missing guard", func(st control.Status) bool {
		return strings.Contains(wrong(st, "lock guard"), "no guard is running") && strings.Contains(wrong(st, "lock door"), "no guard is running")
	})
	stop = runGuard()
	await(t, socket, "the guard", func(st control.Status) bool { return wrong(st, "lock guard") == "" && wrong(st, "lock door") == "" })
	stop()
	await(t, socket, "the guard that went", func(st control.Status) bool { return wrong(st, "lock guard") != "" })
	stop = runGuard()
	await(t, socket, "the next guard", func(st control.Status) bool { return wrong(st, "lock guard") == "" })
}

// TestRunStartsAGuard has the whole program start and end a guard.
func TestRunStartsAGuard(t *testing.T) {
	b := newLockBench(t)
	control := filepath.Join(b.dir, "control.sock")
	text := doorText("127.0.0.1:1", "127.0.0.1:1", "x") + fmt.Sprintf("\n[[lock]]\nname = \"door\"\nline = \"relay\"\nactive_low = true\n[control]\nsocket = %q\n", control)
	if err := os.WriteFile(b.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out := &output{}
	cmd := b.program(out, "run", "--config", b.config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	b.await("the guard", 10*time.Second, func() bool { return strings.Contains(out.String(), "lock: in order") })
	if b.guard() == cmd.Process.Pid || b.isOpen() {
		t.Errorf("the station has the line itself, or it is open")
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the station ended with %v\n%s", err, out)
	}
	b.await("the end of the guard", 5*time.Second, func() bool {
		_, err := os.Stat(b.socket)
		return os.IsNotExist(err)
	})
}
