package sdnotify

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTell(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	env := map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "42"}
	n, err := open(func(k string) string { return env[k] }, 42)
	if err != nil {
		t.Fatal(err)
	}
	if got := n.Watchdog(); got != 20*time.Second {
		t.Errorf("watchdog %v, want 20s", got)
	}
	if err := n.Tell(Ready, Status("idle,\nall is well ")); err != nil {
		t.Error(err)
	}
	buf := make([]byte, 100)
	k, err := manager.Read(buf)
	if got, want := string(buf[:k]), "READY=1\nSTATUS=idle, all is well"; err != nil || got != want {
		t.Errorf("the manager heard %q, %v; want %q", got, err, want)
	}
	other, err := open(func(k string) string { return env[k] }, 43)
	if err != nil || other.Watchdog() != 0 {
		t.Errorf("another process's watchdog is ours: %v, %v", other.Watchdog(), err)
	}
	manager.Close()
	if err := n.Tell(Watchdog); err == nil || !strings.Contains(err.Error(), "service manager") {
		t.Errorf("a manager that is gone: %v", err)
	}
}

func TestNoManager(t *testing.T) {
	n, err := open(func(string) string { return "" }, 1)
	if err != nil || n != nil || n.Watchdog() != 0 || n.Tell(Ready) != nil {
		t.Errorf("got %v, %v", n, err)
	}
	for _, path := range []string{"vsock:2:1", "/nonexistent/socket"} {
		if n, err := open(func(k string) string { return map[string]string{"NOTIFY_SOCKET": path}[k] }, 1); err == nil {
			t.Errorf("%s: no error, %v", path, n)
		}
	}
}
