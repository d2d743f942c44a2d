//go:build cgo

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"intercom/internal/control"
	"intercom/sandbox"
)

// TestRunWithoutWatchdog has a device that is no watchdog: the station works, and says so.
func TestRunWithoutWatchdog(t *testing.T) {
	device := filepath.Join(t.TempDir(), "watchdog0")
	if err := os.WriteFile(device, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	addrs, _ := runServer(t, sandbox.Config{REST: "127.0.0.1:0", XMPP: "127.0.0.1:0"})
	config := filepath.Join(t.TempDir(), "intercom.toml")
	text := doorText(addrs.REST, addrs.XMPP, "door-demo") + "\n[watchdog]\ndevice = \"" + device + "\"\ntimeout = \"5s\"\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	socket, _ := begin(t, "run", "--config", config)
	st := await(t, socket, "what is wrong", func(st control.Status) bool { return st.Link.Up && len(st.Health) > 0 })
	if h := st.Health[0]; h.Name != "watchdog" || !strings.Contains(h.Text, device) || !strings.Contains(h.Text, "is no watchdog") {
		t.Errorf("got %+v", st.Health)
	}
}
