package main

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"intercom/web"
)

// TestDemoICE has the phone on the page take the way for media that the door takes.
func TestDemoICE(t *testing.T) {
	t.Setenv("TURN_CREDENTIAL", "quiet")
	path := filepath.Join(t.TempDir(), "demo.toml")
	const text = `[ice]
policy = "relay"
[[ice.server]]
urls = ["stun:192.0.2.1", "turn:192.0.2.1?transport=tcp"]
username = "door"
credential = "env:TURN_CREDENTIAL"
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	accounts := demoAccounts()
	for _, test := range []struct {
		name, path string
		policy     string
		servers    []web.ICEServer
	}{
		{"defaults", "", "all", nil},
		{"relay only", path, "relay", []web.ICEServer{
			{URLs: []string{"stun:192.0.2.1", "turn:192.0.2.1?transport=tcp"}, Username: "door", Credential: "quiet"},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := demoConfig(accounts)
			c.Server.API, c.Server.Chat = "http://127.0.0.1:8081", "tcp://127.0.0.1:5222"
			if err := loadConfig(test.path, c); err != nil {
				t.Fatal(err)
			}
			p := demoPhone(accounts, c, "ws://127.0.0.1:5291")
			if p.ICEPolicy != test.policy {
				t.Errorf("policy: got %q, want %q", p.ICEPolicy, test.policy)
			}
			if !reflect.DeepEqual(p.ICEServers, test.servers) {
				t.Errorf("servers: got %+v, want %+v", p.ICEServers, test.servers)
			}
		})
	}
}

// TestDemoDevices is `make demo CAMERA=/dev/video0 SOUND=default`.
func TestDemoDevices(t *testing.T) {
	c := demoConfig(demoAccounts())
	c.Server.API, c.Server.Chat = "http://127.0.0.1:8081", "tcp://127.0.0.1:5222"
	demoFlags{camera: "/dev/video0", sound: "default"}.useDevices(c)
	if err := loadConfig("", c); err != nil {
		t.Fatal(err)
	}
	if c.Camera.Source != "v4l2:/dev/video0" || c.Sound.Microphone != "alsa:default" || c.Sound.Loudspeaker != "alsa:default" {
		t.Errorf("camera %q, microphone %q, loudspeaker %q", c.Camera.Source, c.Sound.Microphone, c.Sound.Loudspeaker)
	}
	d, err := openDevices(c, slog.New(slog.DiscardHandler))
	if d == nil && err != nil && !errors.As(err, &exitError{}) { // a program without coders has none
		t.Errorf("devices that are not there are found out when they are used: %v", err)
	}
}

// TestDemoTells has people told what they need to know.
func TestDemoTells(t *testing.T) {
	there := t.TempDir()
	if err := os.WriteFile(filepath.Join(there, "quickblox.min.js"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const missing, forwarded = "quickblox.min.js: no such file", "answers only who opens it as localhost"
	for _, tt := range []struct {
		flags              demoFlags
		missing, forwarded bool
	}{
		{demoFlags{sdk: there, page: "127.0.0.1:8080"}, false, false},
		{demoFlags{sdk: there, page: "localhost:8080"}, false, false},
		{demoFlags{sdk: there, page: "[::1]:8080"}, false, false},
		{demoFlags{sdk: "/none", page: "127.0.0.1:8080"}, true, false},
		{demoFlags{sdk: there, page: ":8080"}, false, true},
		{demoFlags{sdk: there, page: "192.0.2.1:8080"}, false, true},
	} {
		var w strings.Builder
		tt.flags.tell(&w)
		if got := w.String(); strings.Contains(got, missing) != tt.missing || strings.Contains(got, forwarded) != tt.forwarded {
			t.Errorf("%+v: got %q", tt.flags, got)
		}
	}
	for address, want := range map[string]string{"0.0.0.0:80": "localhost:80", "[::]:80": "localhost:80", "127.0.0.1:80": "127.0.0.1:80"} {
		a, err := net.ResolveTCPAddr("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if got := openAt(a); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}
