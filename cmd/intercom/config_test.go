package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"intercom/internal/conf"
)

// TestReference holds the commented file against the defaults: what it says is what one gets.
func TestReference(t *testing.T) {
	var got config
	if _, err := conf.Parse("intercom.toml", reference, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Button) == 0 || len(got.Resident) == 0 {
		t.Error("the reference shows no button or no resident")
	}
	got.Button, got.Resident = nil, nil
	if want := defaults(); !reflect.DeepEqual(&got, want) {
		t.Errorf("the reference says\n%+v\nand the defaults are\n%+v", got, *want)
	}
	// Every key of the struct is in the file, at least in a comment.
	var missing []string
	keys(reflect.TypeFor[config](), func(key string) {
		if !bytes.Contains(reference, []byte(key+" = ")) {
			missing = append(missing, key)
		}
	})
	if len(missing) > 0 {
		t.Errorf("the reference does not mention %q", missing)
	}
}

// keys calls f with the name of each value in a configuration struct.
func keys(t reflect.Type, f func(string)) {
	for i := range t.NumField() {
		tag := t.Field(i).Tag.Get("toml")
		if t.Field(i).Anonymous {
			keys(t.Field(i).Type, f)
		}
		if tag == "" {
			continue
		}
		ft := t.Field(i).Type
		for ft.Kind() == reflect.Slice || ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		if ft.Kind() == reflect.Struct {
			keys(ft, f)
			continue
		}
		f(tag)
	}
}

// write writes a configuration file that is right but for what is appended to it.
func write(t *testing.T, extra string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "intercom.toml")
	const good = `[account]
application_id = 1
auth_key = "k"
auth_secret = "s"
password = "p"

[[button]]
name = "call"
residents = ["Anna"]

[[resident]]
id = 7
name = "Anna"
`
	if err := os.WriteFile(path, []byte(good+extra), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestAccountErrors names the first line of the account that cannot be.
func TestAccountErrors(t *testing.T) {
	t.Setenv("EMPTY_FOR_TEST", "")
	for account, want := range map[string]string{
		"application_id = 0\nauth_key = ''":                                                    ":2: account.application_id: is missing",
		"application_id = 1\nauth_key = ''":                                                    ":3: account.auth_key: is missing",
		"application_id = 1\nauth_key = 'k'\nauth_secret = ''\npassword = 'p'":                 ":4: account.auth_secret: is empty",
		"application_id = 1\nauth_key = 'k'\nauth_secret = 's'\npassword = ''":                 ":5: account.password: is empty",
		"application_id = 1\nauth_key = 'k'\nauth_secret = 's'\npassword='env:EMPTY_FOR_TEST'": ":5: account.password: is empty",
		"application_id = 1\nauth_key = 'k'\nauth_secret = 's'\npassword = 'file:/none'":       ":5: account.password: read secret: open /none: no such file",
	} {
		path := filepath.Join(t.TempDir(), "intercom.toml")
		if err := os.WriteFile(path, []byte("[account]\n"+account+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var errs bytes.Buffer
		if code := dispatch(t.Context(), []string{"config", path}, &errs, &errs); code != exitConfig || !strings.Contains(errs.String(), path+want) {
			t.Errorf("%q: exit %d, %q; want %d and %q", account, code, errs.String(), exitConfig, want)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	t.Setenv("EMPTY_FOR_TEST", "")
	// Line 14 is the first that a case adds.
	for extra, want := range map[string]string{
		"[camera]\nfsp = 3":                                                `:15: unknown key "fsp" in [camera]; did you mean "fps"?`,
		"[camera]\nwidth = 641":                                            ":15: camera.width: 641 is odd",
		"[camera]\nheight = 361":                                           ":15: camera.height: 361 is odd",
		"[sound]\ntone = 0":                                                ":15: sound.tone: 0 Hz is outside 20 to 8000",
		"[server]\napi = 'https://example.com:99999'":                      ":15: server.api: rest: https://example.com:99999: port 99999 is outside",
		"[server]\nchat = 'tls://example.com:99999'":                       ":15: server.chat: quickblox: chat address tls://example.com:99999: port 99999 is outside",
		"[[button]]\nresidents = ['Anna']":                                 ":14: button.1.name: is empty or missing",
		"[hang_up]\nname = ''":                                             ":15: hang_up.name: is empty",
		"[[ice.server]]\nurls=['turn:x']\ncredential='env:EMPTY_FOR_TEST'": ":16: ice.server.0.credential: is empty",
		"[camera]\nfps = 0":                                                ":15: camera.fps: 0 is outside 1 to 30",
		"[camera]\ncodecs = ['H265']":                                      `:15: camera.codecs: "H265" is neither`,
		"[camera]\ncodecs = ['VP8', 'VP8']":                                `:15: camera.codecs: "VP8" is listed twice`,
		"[camera]\ncodecs = []":                                            ":15: camera.codecs: is empty",
		"[hang_up]\nname = 'door'":                                         ":15: hang_up.name:",
		"[call]\nring = '1h'":                                              ":15: call.ring: 1h0m0s is outside",
		"[ice]\npolicy = 'none'":                                           `:15: ice.policy: "none" is neither "all" nor "relay"`,
		"[ice]\npolicy = ''":                                               ":15: ice.policy: is empty",
		"[ice]\nfamilies = ['ipv5']":                                       `:15: ice.families: "ipv5" is neither "ipv4" nor "ipv6"`,
		"[ice]\nfamilies = []":                                             ":15: ice.families: is empty",
		"[ice]\ninterfaces = []":                                           ":15: ice.interfaces: is empty",
		"[ice]\ninterfaces = ['eth[']":                                     `:15: ice.interfaces: "eth[" is not a pattern like "eth0"`,
		"[ice]\ninterfaces = ['!docker*']":                                 ":15: ice.interfaces: only exclusions are listed",
		"[[ice.server]]\nurls = []":                                        ":15: ice.server.0.urls: it has no URLs",
		"[server]\napi = 'somewhere'":                                      ":15: server.api:",
		"[server]\napi = ''":                                               "account.user_id: is needed",
		"[[button]]\nname = 'x'\nresidents = ['Eve']":                      `:16: button.1.residents: "Eve" is not the name`,
		"[[button]]\nname = 'x'\n":                                         ":14: button.1.residents: are missing",
		"[[button]]\nname = 'call'\nresidents=['Anna']":                    `:15: button.1.name: "call" is the name of the button`,
		"[[resident]]\nname = 'B'\nid = 7":                                 ":16: resident.1.id: 7 is the id of Anna already",
		"[[resident]]\nname = 'B'\n":                                       ":14: resident.1.id: 0 is not a user id",
		"[sound]\necho = 'on'":                                             `:15: sound.echo: "on" is none of "cancel", "half-duplex" and "off"`,
		"[sound]\nvolume = 13":                                             ":15: sound.volume: 13 dB is outside -40 to 12",
		"[cues]\nring = 'x.wav'":                                           `:15: unknown key "ring" in [cues]`,
		"[sound]\nloudspeaker = 'hw:0'":                                    ":15: sound.loudspeaker:",
		"[journal]\nsize = 0":                                              ":15: journal.size:",
		"[[ice.server]]\nurls=['x']\ncredential='env:'":                    ":16: ice.server.0.credential:",
		"[log]\nlevel = 'loud'":                                            `:15: log.level: "loud" is none of debug, info, warn and error`,
		"[account.more]\nx = 1":                                            "unknown key",
		"[server]\nchat_domain = ''":                                       ":15: server.chat_domain:",
		"[server]\nchat_domain = 'a b'":                                    ":15: server.chat_domain:",
		"[night]\nline = 'GPIO5'\n[light]\nline = 'GPIO5'":                 `:15: night.line: "GPIO5" is the line of light already`,
		"[hang_up]\nline = 'x'":                                            ":15: hang_up.line: is given and the other buttons are simulated",
		"[hang_up]\npull = 'sideways'":                                     `:15: hang_up.pull: "sideways" is none of`,
		"[hang_up]\ndebounce = '2s'":                                       ":15: hang_up.debounce: 2s is outside",
		"[hang_up]\ndebounce = 20":                                         "a duration is written with its unit",
		"[[button]]\nname='x'\nresidents=['Anna']\nline='x'":               ":17: button.1.line: is given for some buttons only",
		"[hang_up]\nlines = 'x'":                                           `unknown key "lines" in [hang_up]; did you mean "line"?`,
		"[camera]\npixels = 'rgb'":                                         `:15: camera.pixels: "rgb" is none of`,
		"[camera]\nencoder = 'gpu'":                                        `:15: camera.encoder: "gpu" is none of`,
		"[camera]\npixels = 'h264'":                                        `:15: camera.pixels: "h264" passes`,
		"[camera]\nsource = 'usb'":                                         `:15: camera.source: "usb" is none of`,
		"[camera]\nsource = 'rpicam:x'":                                    `:15: camera.source: "rpicam:x": a camera module is`,
		"[sound]\nmicrophone = 'alsa:Device'":                              `sound.loudspeaker: "synthetic" does not go with`,
		"[camera]\nwidth = 4096":                                           ":15: camera.width:",
		"[ice]\npolicy = 'relay'":                                          `:15: ice.policy: "relay" needs a TURN server`,
		"[[ice.server]]\nurls = ['http://x']":                              `:15: ice.server.0.urls: "http://x": it begins with none of stun:, stuns:, turn: and turns:`,
		"[server]\nchat = 'tcp://example.com:5222'":                        ":15: server.chat:",
		"[server]\napi = 'http://example.com'":                             ":15: server.api:",
		"[camera]\nsource = 'file:/none.y4m'":                              ":15: camera.source:",
		"[[resident]]\nname = 'B'\nid = 8\n[[button]]\nname = 'x'\nresidents = ['B','B1','B2','B3','B4','B5','B6','B7','B8']": ":19: button.1.residents: are 9: at most 8",
		"[call]\ndialing = 5":        ":15:",
		"[watchdog]\ntimeout = '1s'": ":15: watchdog.timeout: 1s is outside 5s to 5m0s",
	} {
		path := write(t, extra)
		var out, errs bytes.Buffer
		code := dispatch(t.Context(), []string{"config", path}, &out, &errs)
		if code != exitConfig || !strings.Contains(errs.String(), want) || strings.Count(errs.String(), "\n") != 1 {
			t.Errorf("%q: exit %d, %q; want %d and %q on one line", extra, code, errs.String(), exitConfig, want)
		}
	}
}

func TestExitCodes(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct {
		args []string
		code int
		want string // in stdout or stderr
	}{
		{[]string{"config", write(t, "")}, 0, ": ok"},
		{[]string{"config"}, 0, "[account]"},
		{[]string{"version"}, 0, "intercom"},
		{[]string{"help"}, 0, "usage:"},
		{[]string{"press", "--help"}, 0, "-control"},
		{[]string{"press", "--help"}, 0, "usage: intercom press NAME\n"},
		{[]string{"version", "--help"}, 0, "intercom version: print the version\n\nusage: intercom version\n"},
		{[]string{"sandbox", "-h"}, 0, "[application]"},
		{nil, exitUsage, "usage:"},
		{[]string{"dance"}, exitUsage, `unknown command "dance"`},
		{[]string{"press"}, exitUsage, "one argument"},
		{[]string{"status", "--format", "xml"}, exitUsage, "text or json"},
		{[]string{"version", "--loud"}, exitUsage, "loud"},
		{[]string{"press", "call", "--control", socket}, exitAbsent, "no station is running"},
		{[]string{"hangup", "--control", socket}, exitAbsent, socket},
		{[]string{"status", "--control", socket}, exitAbsent, "no station is running"},
		{[]string{"events", "--control", socket}, exitAbsent, "no station is running"},
		{[]string{"run", "--config", "/none.toml"}, exitConfig, "/none.toml: cannot be read: no such file or directory"},
		{[]string{"sandbox", "--accounts", "/none.toml"}, exitConfig, "/none.toml"},
		{[]string{"demo", "--listen", "256.0.0.1:1"}, exitListen, "page"},
	} {
		var out, errs bytes.Buffer
		code := dispatch(t.Context(), c.args, &out, &errs)
		if code != c.code || !strings.Contains(out.String()+errs.String(), c.want) {
			t.Errorf("%q: exit %d, %q; want %d and %q", c.args, code, out.String()+errs.String(), c.code, c.want)
		}
		if code != 0 && strings.Count(errs.String(), "\n") > 1 {
			t.Errorf("%q: %q; want one line", c.args, errs.String())
		}
	}
}

// doorText is the configuration of a door that has little.
func doorText(rest, chat, password string) string {
	return fmt.Sprintf(`[account]
application_id = 99
auth_key = "demo-key"
auth_secret = "demo-secret"
login = "door"
password = %q

[server]
api = "http://%s"
chat_domain = "chat.localhost"
chat = "tcp://%s"

[[button]]
name = "call"
residents = ["Anna"]

[[resident]]
id = 2001
name = "Anna"
may_open = true
`, password, rest, chat)
}
