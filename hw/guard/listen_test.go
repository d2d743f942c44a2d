package guard_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"intercom/hw/guard"
)

func TestListen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "guard.sock")
	c := guard.NewClient(guard.ClientConfig{Path: path})
	if err := c.Running(); !errors.Is(err, guard.ErrNotRunning) {
		t.Errorf("no socket: %v", err)
	}
	l, err := guard.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("socket has mode %v, %v; want 0600", fi.Mode().Perm(), err)
	}
	if _, err := guard.Listen(path); err == nil || !strings.Contains(err.Error(), "another guard is running") {
		t.Errorf("second Listen: %v", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as after a kill
	l.Close()
	if err := c.MakeSafe(); !errors.Is(err, guard.ErrNotRunning) {
		t.Errorf("stale socket: %v", err)
	}
	if l, err = guard.Listen(path); err != nil {
		t.Fatalf("over a stale socket: %v", err)
	}
	l.Close()
}
