package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

func open(t *testing.T, path string) *Ring {
	t.Helper()
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestKeysSurvive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "keys.json")
	r := open(t, path)
	phone, err := r.Add(2001, "Anna's phone", now)
	if err != nil {
		t.Fatal(err)
	}
	tablet, err := r.Add(2001, "", now)
	if err != nil {
		t.Fatal(err)
	}
	if len(phone.ID) != 8 || phone.ID == tablet.ID || len(phone.Secret) != SecretSize || bytes.Equal(phone.Secret, tablet.Secret) {
		t.Fatalf("keys %+v and %+v", phone, tablet)
	}
	if got := open(t, path).Keys(); !reflect.DeepEqual(got, []Key{phone, tablet}) {
		t.Errorf("read again: %+v", got)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}

	rotated, err := r.Rotate(phone.ID, now.Add(time.Hour))
	if err != nil || rotated.ID != phone.ID || rotated.Name != phone.Name || bytes.Equal(rotated.Secret, phone.Secret) || !rotated.Paired.After(phone.Paired) {
		t.Fatalf("rotated %+v, %v", rotated, err)
	}
	gone, err := r.Revoke(tablet.ID)
	if err != nil || gone.ID != tablet.ID {
		t.Fatalf("revoked %+v, %v", gone, err)
	}
	if got := open(t, path).Keys(); !reflect.DeepEqual(got, []Key{rotated}) || !reflect.DeepEqual(got, r.Keys()) {
		t.Errorf("read again: %+v", got)
	}
	for _, f := range []func() (Key, error){
		func() (Key, error) { return r.Revoke(tablet.ID) }, func() (Key, error) { return r.Rotate("", now) },
	} {
		if _, err := f(); !errors.Is(err, ErrNoKey) {
			t.Errorf("a key that is none: %v", err)
		}
	}
}

func TestAddRefuses(t *testing.T) {
	r := open(t, "")
	for _, c := range []struct {
		user int64
		name string
	}{{0, "phone"}, {1, strings.Repeat("x", 65)}, {1, "two\nlines"}, {1, "\xff"}} {
		if _, err := r.Add(c.user, c.name, now); err == nil {
			t.Errorf("user %d, name %q was taken", c.user, c.name)
		}
	}
	for range maxUser {
		if _, err := r.Add(1, "", now); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Add(1, "", now); !errors.Is(err, ErrTooMany) {
		t.Errorf("one more: %v", err)
	}
	if _, err := r.Add(2, "", now); err != nil {
		t.Errorf("somebody else's: %v", err)
	}
}

// TestDamage changes each byte of a file, and cuts it at each: it is never taken for another.
func TestDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	if _, err := open(t, path).Add(2001, "phone", now); err != nil {
		t.Fatal(err)
	}
	want := open(t, path).Keys()
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Open(path)
		if err != nil && (!strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "backup")) {
			t.Fatalf("%s: the error does not say where, and what to do: %v", what, err)
		}
		if err == nil && !reflect.DeepEqual(r.Keys(), want) {
			t.Fatalf("%s: it was taken for other keys: %+v", what, r.Keys())
		}
	}
	for i := range good {
		for _, b := range []byte{good[i] ^ 1, good[i] ^ 0x20, '0', 0} {
			bad := bytes.Clone(good)
			bad[i] = b
			check("a byte changed", bad)
		}
		if i > 0 && i < len(good)-1 {
			if err := os.WriteFile(path, good[:i], 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(path); !errors.Is(err, ErrDamaged) {
				t.Fatalf("cut at %d: %v", i, err)
			}
		}
	}
	check("empty", nil)
	check("something behind it", append(bytes.Clone(good), good...))
	if err := os.WriteFile(path, []byte(strings.Replace(string(good), `"version":1`, `"version":2`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("of another version: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	if _, err := open(t, path).Add(2001, "phone", now); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("readable by a group: %v", err)
	}
	if _, err := Open(filepath.Dir(path)); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("a folder: %v", err)
	}
}

// TestLost: a ring of which nobody knows the keys has none, and takes none.
func TestLost(t *testing.T) {
	why := fmt.Errorf("keys.json: %w", ErrDamaged)
	r := Lost(why)
	_, errAdd := r.Add(2001, "phone", now)
	_, errRevoke := r.Revoke("abcdefgh")
	_, errRotate := r.Rotate("abcdefgh", now)
	for _, err := range []error{errAdd, errRevoke, errRotate, r.Lost()} {
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("got %v, want %v", err, why)
		}
	}
	if len(r.Keys()) != 0 || open(t, "").Lost() != nil {
		t.Errorf("keys %v; one in memory is lost: %v", r.Keys(), open(t, "").Lost())
	}
}

// TestWriteFails: a change that is not on the disk has not happened.
func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.json")
	r := open(t, path)
	if _, err := r.Add(2001, "phone", now); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(path+".new/full", 0o700); err != nil { // in the way
		t.Fatal(err)
	}
	if _, err := r.Add(2001, "tablet", now); err == nil {
		t.Fatal("a key was added that is not on the disk")
	}
	if got := r.Keys(); len(got) != 1 {
		t.Errorf("%d keys, want 1", len(got))
	}
	if err := os.RemoveAll(path + ".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte("left by a power cut, and longer than what is written over it\n"+strings.Repeat("x", 4096)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Add(2001, "tablet", now); err != nil {
		t.Fatal(err)
	}
	if got := open(t, path).Keys(); len(got) != 2 {
		t.Errorf("%d keys, want 2", len(got))
	}
}

func TestLink(t *testing.T) {
	k, err := open(t, "").Add(2001, "phone", now)
	if err != nil {
		t.Fatal(err)
	}
	l := Link{1001, k.User, k.ID, k.Secret, "front door & gate"}
	got, err := ParseLink(l.String())
	if err != nil || !reflect.DeepEqual(got, l) {
		t.Errorf("%s: got %+v, %v", l, got, err)
	}
	for _, text := range []string{"", "https://x", "intercom-pair:v2?" + l.String()[17:], strings.Replace(l.String(), "user=", "user=x", 1), l.String()[:60], "intercom-pair:v1?%"} {
		_, err := ParseLink(text)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"version":1,"sha256":"4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945","keys":[]}`))
	f.Add([]byte(`{"version":1,"sha256":"","keys":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := parse(data)
		for _, k := range keys {
			if err != nil || k.User <= 0 || len(k.Secret) != SecretSize {
				t.Fatalf("%q: %+v, %v", data, k, err)
			}
		}
		ParseLink(string(data))
	})
}
