package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"intercom/internal/conf"
	"intercom/internal/control"
	"intercom/internal/journal"
)

// journalBench is a configuration whose journal has three events.
func journalBench(t *testing.T) (config, file string) {
	t.Helper()
	dir := t.TempDir()
	config, file = filepath.Join(dir, "intercom.toml"), filepath.Join(dir, "journal")
	// Without an account or residents: all that counts is where the journal is.
	if err := os.WriteFile(config, []byte("[journal]\nfile = \""+file+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(file, 4096)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for _, typ := range []string{control.Pressed, control.Ringing, control.Answered} {
		if err := j.Append(control.Event{Time: time.Now(), Type: typ, Text: "it was " + typ + "\x1b[2J"}); err != nil {
			t.Fatal(err)
		}
	}
	return config, file
}

func journalCommand(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = dispatch(context.Background(), append([]string{"journal"}, args...), &out, &err)
	return code, out.String(), err.String()
}

func TestJournalShows(t *testing.T) {
	config, _ := journalBench(t)
	code, out, _ := journalCommand("--config", config)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 0 || len(lines) != 3 || !strings.Contains(lines[2], "answered") || strings.Contains(out, "\x1b") {
		t.Errorf("exit %d, %q", code, out)
	}
	code, out, _ = journalCommand("--config", config, "--format", "json")
	var e control.Event
	if err := json.Unmarshal([]byte(strings.Split(out, "\n")[1]), &e); err != nil || code != 0 || e.Type != control.Ringing {
		t.Errorf("exit %d, %+v, %v", code, e, err)
	}
}

func TestJournalVerify(t *testing.T) {
	config, file := journalBench(t)
	p, err := journal.Verify(file, "")
	if err != nil {
		t.Fatal(err)
	}
	if code, out, _ := journalCommand("--config", config, "--verify", "--head", p.Last.Hash); code != 0 ||
		!strings.Contains(out, "the chain is whole") || !strings.Contains(out, "up to number 3") {
		t.Errorf("whole: exit %d, %s", code, out)
	}
	if code, _, stderr := journalCommand("--config", config, "--verify", "--head", strings.Repeat("0a", 32)); code != exitFailed || !strings.Contains(stderr, "no line has the hash") {
		t.Errorf("a head of another journal: exit %d, %s", code, stderr)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.Replace(b, []byte("it was ringing"), []byte("it was nothing"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, stderr := journalCommand("--config", config, "--verify")
	if code != exitFailed || !strings.Contains(stderr, file+":2: it does not have its hash") || strings.Contains(out, "whole") {
		t.Errorf("changed: exit %d, %s, %s", code, out, stderr)
	}
	code, out, _ = journalCommand("--config", config, "--verify", "--format", "json")
	var v verified
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != exitFailed || v.Whole || len(v.Broken) != 1 || v.Last != 3 {
		t.Errorf("changed: exit %d, %+v, %v", code, v, err)
	}
	if code, out, _ := journalCommand("--file", file); code != exitFailed || strings.Count(out, "\n") != 3 {
		t.Errorf("a broken journal is not shown: exit %d, %q", code, out)
	}
}

func TestJournalRefuses(t *testing.T) {
	config, _ := journalBench(t)
	none := filepath.Join(t.TempDir(), "none")
	empty := filepath.Join(t.TempDir(), "intercom.toml")
	if err := os.WriteFile(empty, []byte("[journal]\nfile = \"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--config", none}, exitConfig, "cannot be read"},
		{[]string{"--config", empty}, exitConfig, empty + ":2: journal.file: is empty"},
		{[]string{"--file", none}, exitFailed, "no such file"},
		{[]string{"--file", none, "--verify"}, exitFailed, "no such file"},
		{[]string{"--config", config, "--format", "xml"}, exitUsage, "text or json"},
		{[]string{"--config", config, "--follow", "--verify"}, exitUsage, "has an end"},
		{[]string{"--config", config, "--head", strings.Repeat("0", 64)}, exitUsage, "--verify"},
		{[]string{"--config", config, "--verify", "--head", "12"}, exitUsage, "64 hex digits"},
	} {
		if code, _, stderr := journalCommand(tt.args...); code != tt.code || !strings.Contains(stderr, tt.want) {
			t.Errorf("%v: exit %d, %q, want %d and %q", tt.args, code, stderr, tt.code, tt.want)
		}
	}
}

// TestJournalFollow begins before there is a journal, and goes on in the next file.
func TestJournalFollow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal")
	ctx, cancel := context.WithCancel(t.Context())
	shown, stdout := io.Pipe()
	ended := make(chan int, 1)
	go func() { ended <- dispatch(ctx, []string{"journal", "--file", file, "--follow"}, stdout, io.Discard) }()
	j, err := journal.Open(file, 4096)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	lines := bufio.NewScanner(shown)
	const group = 10 // a file has more lines
	for i := range 4 {
		for n := range group {
			if err := j.Append(control.Event{Time: time.Now(), Type: control.Pressed, Text: fmt.Sprintf("event %d", group*i+n)}); err != nil {
				t.Fatal(err)
			}
		}
		for n := range group {
			if want := fmt.Sprintf(" event %d", group*i+n); !lines.Scan() || !strings.HasSuffix(lines.Text(), want) {
				t.Fatalf("got %q, want%s", lines.Text(), want)
			}
		}
	}
	if _, err := os.Stat(file + ".1"); err != nil {
		t.Errorf("there is one file only: %v", err)
	}
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("exit %d", code)
	}
}

// TestParts: every part counts, and no secret does.
func TestParts(t *testing.T) {
	parts := func(change func(*config)) map[string]string {
		c := defaults()
		c.Resident = []resident{{ID: 1, Name: "Anna"}}
		change(c)
		p, err := c.parts()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	before := parts(func(*config) {})
	for _, name := range []string{"account", "lock", "resident", "button", "journal", "cues"} {
		if len(before[name]) != 16 {
			t.Errorf("part %s: %q", name, before[name])
		}
	}
	differ := func(change func(*config)) (names []string) {
		for name, hash := range parts(change) {
			if before[name] != hash {
				names = append(names, name)
			}
		}
		return names
	}
	if got := differ(func(c *config) { c.Resident[0].MayOpen = true }); len(got) != 1 || got[0] != "resident" {
		t.Errorf("a resident may open: %v differ", got)
	}
	if got := differ(func(c *config) { c.Journal.Size++ }); len(got) != 1 || got[0] != "journal" {
		t.Errorf("a larger journal: %v differ", got)
	}
	if got := differ(func(c *config) { c.Account.Password = conf.Secret("another") }); len(got) != 0 {
		t.Errorf("another password: %v differ", got)
	}
}
