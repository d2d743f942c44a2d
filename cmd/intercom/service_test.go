//go:build cgo

package main

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"intercom/internal/control"
)

// TestRunTellsTheServiceManager is a station without any network, and whole for all that.
func TestRunTellsTheServiceManager(t *testing.T) {
	b := newLockBench(t)
	if err := os.WriteFile(b.config, []byte(doorText("127.0.0.1:1", "127.0.0.1:1", "x")), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(b.dir, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	out := &output{}
	cmd := b.program(out, "run", "--config", b.config, "--control", filepath.Join(b.dir, "control.sock"))
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=400000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	hear := func() []string {
		t.Helper()
		if err := manager.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 1000)
		n, err := manager.Read(buf)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.Split(string(buf[:n]), "\n")
	}
	if got := hear(); got[0] != "READY=1" || got[1] != "WATCHDOG=1" || !strings.Contains(got[2], "STATUS=idle") {
		t.Errorf("first %q", got)
	}
	for range 3 {
		if got := hear(); got[0] != "WATCHDOG=1" || !strings.Contains(got[1], "not reached") {
			t.Errorf("then %q", got)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for !slices.Contains(hear(), "STOPPING=1") {
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the station ended with %v\n%s", err, out)
	}
}

func TestSummary(t *testing.T) {
	st := control.Status{State: "talking", Link: control.Link{Up: true}}
	if got, want := summary(st), "talking; the chat server is reached"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	st.Link.Up, st.Health = false, []control.Condition{{Name: "camera", Text: "unplugged"}}
	if got, want := summary(st), "talking; the chat server is not reached; camera: unplugged"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
