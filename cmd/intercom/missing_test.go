//go:build cgo

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"intercom/internal/control"
	"intercom/sandbox"
)

// TestRunWithoutDevices has a camera and a card that are not there: the station works, and
// says so before anybody comes.
func TestRunWithoutDevices(t *testing.T) {
	addrs, _ := runServer(t, sandbox.Config{REST: "127.0.0.1:0", XMPP: "127.0.0.1:0"})
	config := filepath.Join(t.TempDir(), "intercom.toml")
	text := doorText(addrs.REST, addrs.XMPP, "door-demo") + `
[camera]
source = "v4l2:No such camera"

[sound]
microphone = "alsa:NoSuchCard"
loudspeaker = "alsa:NoSuchCard"
`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	socket, _ := begin(t, "run", "--config", config)
	st := await(t, socket, "what is missing", func(st control.Status) bool { return st.Link.Up && len(st.Health) >= 2 })
	for part, device := range map[string]string{"camera": "No such camera", "sound": "NoSuchCard"} {
		if !slices.ContainsFunc(st.Health, func(c control.Condition) bool { return c.Name == part && strings.Contains(c.Text, device) }) {
			t.Errorf("%s: got %+v, want a complaint about %q", part, st.Health, device)
		}
	}
	if st.Camera {
		t.Error("the camera is on")
	}
}
