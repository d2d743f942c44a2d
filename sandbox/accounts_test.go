package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"intercom/internal/conf"
)

const accountsFile = `[application]
id = 76730
auth_key = "Key-A"
auth_secret = "env:TEST_AUTH_SECRET"

[[user]]
id = 2001
login = "alice"
password = "p@ss word"
full_name = "Alice Doe"
tags = ["first"]

[[user]]
id = 2002
email = "bob@example.org"
password = "bob-password"
`

func load(t *testing.T, content string) (Accounts, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "accounts.toml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return LoadAccounts(path)
}

func TestLoadAccounts(t *testing.T) {
	t.Setenv("TEST_AUTH_SECRET", "Secret-B")
	got, err := load(t, accountsFile)
	if err != nil {
		t.Fatal(err)
	}
	want := Accounts{
		Application: Application{ID: 76730, AuthKey: "Key-A", AuthSecret: "Secret-B"},
		Users: []User{
			{ID: 2001, Login: "alice", Password: "p@ss word", FullName: "Alice Doe", Tags: []string{"first"}},
			{ID: 2002, Email: "bob@example.org", Password: "bob-password"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestLoadAccountsErrors(t *testing.T) {
	t.Setenv("TEST_AUTH_SECRET", "Secret-B")
	for _, x := range []struct {
		old, new string
		line     int
		want     string
	}{
		{"id = 76730", "id = 0", 2, "application.id"},
		{`auth_key = "Key-A"`, "", 1, "auth_key"},
		{"TEST_AUTH_SECRET", "TEST_NOT_SET", 4, "TEST_NOT_SET"},
		{"id = 2002", "id = 2001", 14, "2001"},
		{`login = "alice"`, `login = "bob@example.org"`, 15, "bob@example.org"},
		{`login = "alice"`, `logn = "alice"`, 8, "login"},
		{"bob@example.org", "bob", 15, "not an address"},
		{`password = "bob-password"`, "", 13, "password"},
		{"id = 2002", `id = "x"`, 14, ""},
		{"[[user]]", "[[user", 6, ""},
	} {
		_, err := load(t, strings.Replace(accountsFile, x.old, x.new, 1))
		var bad *conf.Error
		if !errors.As(err, &bad) || bad.Line != x.line || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: got %v, want line %d and %q", x.new, err, x.line, x.want)
		}
		if err != nil && (strings.Contains(err.Error(), "bob-password") || strings.Contains(err.Error(), "Secret-B")) {
			t.Errorf("%s: a secret is in %v", x.new, err)
		}
	}
	if _, err := LoadAccounts(filepath.Join(t.TempDir(), "none.toml")); err == nil || !strings.Contains(err.Error(), "none.toml") {
		t.Errorf("no file: got %v", err)
	}
}
