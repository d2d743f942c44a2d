package conf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type sample struct {
	Camera struct {
		Source string   `toml:"source"`
		FPS    int      `toml:"fps"`
		Wait   Duration `toml:"wait"`
	} `toml:"camera"`
	Button []struct {
		Name      string   `toml:"name"`
		Residents []string `toml:"residents"`
		Line      struct {
			Pin int `toml:"pin"`
		} `toml:"line"`
	} `toml:"button"`
	Password Secret `toml:"password"`
}

func TestParse(t *testing.T) {
	const text = `password = "x"

[camera]
fps = 15
wait = "1m30s"

[[button]]
name = "a"

[[button]]
name = "b"
residents = ["Anna"]
[button.line]
pin = 7
`
	var s sample
	s.Camera.Source = "kept"
	f, err := Parse("i.toml", []byte(text), &s)
	if err != nil {
		t.Fatal(err)
	}
	if s.Camera.Source != "kept" || s.Camera.FPS != 15 || time.Duration(s.Camera.Wait) != 90*time.Second || len(s.Button) != 2 || s.Button[1].Line.Pin != 7 {
		t.Errorf("got %+v", s)
	}
	for key, want := range map[string]string{
		"camera.fps":          "i.toml:4: camera.fps: x",
		"camera.source":       "i.toml:3: camera.source: x", // not set: its table
		"button.0.name":       "i.toml:8: button.0.name: x",
		"button.1.residents":  "i.toml:12: button.1.residents: x",
		"button.1.line.pin":   "i.toml:14: button.1.line.pin: x",
		"button.0.line":       "i.toml:7: button.0.line: x",
		"password":            "i.toml:1: password: x",
		"nowhere.to.be.found": "i.toml: nowhere.to.be.found: x",
	} {
		if got := f.Errorf(key, "x").Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestByteOrderMark reads what editors on Windows save.
func TestByteOrderMark(t *testing.T) {
	var s sample
	f, err := Parse("i.toml", []byte("\ufeff[camera]\r\nfps = 15\r\n"), &s)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.Errorf("camera.fps", "x").Error(), "i.toml:2: camera.fps: x"; s.Camera.FPS != 15 || got != want {
		t.Errorf("got %d frames a second and %q, want 15 and %q", s.Camera.FPS, got, want)
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"[camera]\nfsp = 3":                   `i.toml:2: unknown key "fsp" in [camera]; did you mean "fps"?`,
		"[camra]\nfps = 3":                    `i.toml:1: unknown key "camra"; did you mean "camera"?`,
		"zzzzzz = 3":                          `i.toml:1: unknown key "zzzzzz"`,
		"[[button]]\nname='a'\nresident=[]":   `i.toml:3: unknown key "resident" in [button]; did you mean "residents"?`,
		"\n\n[camera]\nfps = \"many\"":        "i.toml:4:",
		"[camera\n":                           "i.toml:1:",
		"[camera]\nwait = \"soon\"":           `is not a duration; write it like "5s" or "1m30s"`,
		"[camera]\nwait = \"-5s\"":            `is not a duration`,
		"[camera]\n\nwait = 5":                "i.toml:3: camera.wait: a duration is written with its unit",
		"camera = {fps = 1, wait = 5}":        "i.toml:1: camera.wait: a duration is written with its unit",
		"button = [{name = 'a', NAME = 'b'}]": `unknown key "NAME" in [button]; did you mean "name"?`,
		"[camera]\nFPS = 3":                   `i.toml:2: unknown key "FPS" in [camera]; did you mean "fps"?`,
		"[camera]\nfps = 1.5":                 "i.toml:2: camera.fps: wants a whole number, not a TOML float",
		"[camera]\nsource = 1":                `i.toml:2: camera.source: wants text in "quotes", not a TOML integer`,
		"camera = 1":                          "i.toml:1: camera: wants a table, not a TOML integer",
		"button = 1":                          "i.toml:1: button: wants a list in [brackets], not a TOML integer",
		"[camera]\nfps = 1\nfps = 2":          "i.toml:3:",
		strings.Repeat("# long\n", 1<<20/6):   "at most",
	} {
		var s sample
		_, err := Parse("i.toml", []byte(text), &s)
		if err == nil {
			t.Errorf("%.30q: no error", text)
			continue
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), ": toml: ") {
			t.Errorf("%.30q: got %q, want %q in it, on one line", text, err, want)
		}
		if e := (*Error)(nil); !errors.As(err, &e) {
			t.Errorf("%.30q: got a %T, want an *Error", text, err)
		}
	}
	_, err := Load(filepath.Join(t.TempDir(), "none.toml"), &sample{})
	if err == nil || !strings.Contains(err.Error(), "none.toml: cannot be read: no such file") {
		t.Errorf("missing file: got %v", err)
	}
}

func TestSecret(t *testing.T) {
	s := Secret("hush")
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "password", s)
	js, _ := json.Marshal(map[string]Secret{"password": s})
	for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %q", s, s, s, s), log.String(), string(js)} {
		if strings.Contains(shown, "hush") {
			t.Errorf("the secret shows in %q", shown)
		}
	}
	if s.Reveal() != "hush" {
		t.Errorf("got %q, want it revealed", s.Reveal())
	}
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pw")
	if err := os.WriteFile(path, []byte("from file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("INTERCOM_TEST_SECRET", "from env")
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	for in, want := range map[string]string{
		"plain":                    "plain",
		"with:colon":               "with:colon",
		"file:" + path:             "from file",
		"env:INTERCOM_TEST_SECRET": "from env",
		"credential:pw":            "from file",
	} {
		if got, err := Secret(in).Resolve(); err != nil || got.Reveal() != want {
			t.Errorf("%s: got %q, %v; want %q", in, got.Reveal(), err, want)
		}
	}
	for in, want := range map[string]string{
		"file:" + filepath.Join(dir, "none"): "no such file",
		"file:" + empty:                      "is empty",
		"env:INTERCOM_TEST_NONE":             "INTERCOM_TEST_NONE is not set",
		"credential:../pw":                   "not a path",
		"credential:empty":                   "the service was given none: write it into the file that LoadCredential=empty: of its unit names, such as /etc/intercom/empty",
		"credential:none":                    "the service was given none: write it into the file that LoadCredential=none: of its unit names, such as /etc/intercom/none",
	} {
		if _, err := Secret(in).Resolve(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", in, err, want)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if _, err := Secret("credential:pw").Resolve(); err == nil || !strings.Contains(err.Error(), "LoadCredential=pw") {
		t.Errorf("no credentials: got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("[camera]\nfps = 15\n[[button]]\nname = \"a\"\n[button.line]\npin = 1\n"))
	f.Add([]byte("password = 'x'\n[camera]\nwait = \"5s\"\nfsp = 1"))
	f.Add([]byte("button = [{name = 'a'}]\n\"a.b\".c = 1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s sample
		file, err := Parse("f", data, &s)
		if err != nil {
			if e := (*Error)(nil); !errors.As(err, &e) {
				t.Fatalf("got a %T", err)
			}
			return
		}
		if err := file.Errorf("camera.fps", "x"); err == nil {
			t.Fatal("no error")
		}
	})
}
