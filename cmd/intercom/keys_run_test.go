//go:build cgo

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"intercom/internal/control"
	"intercom/internal/keyring"
)

// TestPairCommands pairs, lists, rotates and revokes at a running demo.
func TestPairCommands(t *testing.T) {
	socket, _ := begin(t, "demo", "--listen", "127.0.0.1:0")
	await(t, socket, "started", func(st control.Status) bool { return st.Link.Up })
	ask := func(want int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := dispatch(t.Context(), append(args, "--control", socket), &out, &errs); code != want {
			t.Fatalf("%q: exit %d, want %d: %s", args, code, want, &errs)
		}
		return out.String() + errs.String()
	}
	if got := ask(0, "keys"); !strings.Contains(got, "no phone is paired") {
		t.Errorf("keys: %s", got)
	}
	text := ask(0, "pair", "Anna", "--name", "Anna's phone")
	_, after, found := strings.Cut(text, "intercom-pair:")
	if !found || !strings.Contains(text, "\u2580") {
		t.Fatalf("pair shows neither code nor link:\n%s", text)
	}
	link, err := keyring.ParseLink("intercom-pair:" + strings.Fields(after)[0])
	if err != nil || link.User != 2001 || link.Door != 1001 {
		t.Fatalf("the link: %+v, %v", link, err)
	}
	list := ask(0, "keys", "list")
	if !strings.Contains(list, link.ID) || !strings.Contains(list, "Anna's phone") || strings.Contains(list, "secret") {
		t.Errorf("keys: %s", list)
	}
	var p control.Pairing
	if err := json.Unmarshal([]byte(ask(0, "keys", "rotate", link.ID, "--format", "json")), &p); err != nil {
		t.Fatal(err)
	}
	fresh, err := keyring.ParseLink(p.Link)
	if err != nil || fresh.ID != link.ID || bytes.Equal(fresh.Secret, link.Secret) {
		t.Errorf("rotated: %+v, %v", fresh, err)
	}
	if got := ask(0, "keys", "revoke", link.ID); !strings.Contains(got, "opens nothing any more") {
		t.Errorf("revoke: %s", got)
	}
	for want, args := range map[int][]string{exitRefused: {"keys", "revoke", link.ID}, exitUsage: {"keys", "lose"}} {
		ask(want, args...)
	}
	if got := ask(exitRefused, "pair", "Zoe"); !strings.Contains(got, "Anna, Ben") {
		t.Errorf("pair: %s", got)
	}
	if got := ask(0, "keys", "--format", "json"); strings.TrimSpace(got) != "[]" {
		t.Errorf("keys: %s", got)
	}
}

// TestDamagedKeys: a door whose keys cannot be trusted rings, opens by none, pairs none and says
// what to do. Keys that others can read are no damage: it does not start.
func TestDamagedKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(path, []byte(`{"version":1,"sha256":"","keys":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	config := write(t, flats+"[access]\nkeys = \""+path+"\"\n")
	socket, _ := begin(t, "run", "--config", config)
	await(t, socket, "what is wrong with the keys", func(st control.Status) bool {
		return slices.ContainsFunc(st.Health, func(c control.Condition) bool {
			return strings.Contains(c.Name, "keys") && strings.Contains(c.Text, path) && strings.Contains(c.Text, "backup") && strings.Contains(c.Text, "access.keys")
		})
	})
	var out, errs bytes.Buffer
	if code := dispatch(t.Context(), []string{"keys", "revoke", "abcdefgh", "--control", socket}, &out, &errs); code == 0 || !strings.Contains(errs.String(), "damaged") {
		t.Errorf("revoke: exit %d: %s", code, &errs)
	}
	if data, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(data), `{"version":1`) {
		t.Errorf("the damaged file was changed: %s, %v", data, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	errs.Reset()
	code := dispatch(t.Context(), []string{"run", "--config", config, "--control", filepath.Join(t.TempDir(), "s")}, &out, &errs)
	if got := errs.String(); code != exitConfig || !strings.Contains(got, path) || !strings.Contains(got, "chmod 600") || !strings.Contains(got, "access.keys") {
		t.Errorf("exit %d: %s", code, got)
	}
}
