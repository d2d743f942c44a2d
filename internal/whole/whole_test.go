package whole

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, text := range []string{"one", "another one", ""} {
		if err := Write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("got %q, %v; want %q", got, err, text)
		}
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != Mode {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("left: %v", files)
	}
}

// TestLeftovers: what stands where it writes aside is replaced, and what a link there leads to
// is not touched.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "file"), filepath.Join(dir, "other")
	if err := os.WriteFile(other, []byte("other's"), 0o644); err != nil {
		t.Fatal(err)
	}
	for what, leave := range map[string]func() error{
		"half a file": func() error { return os.WriteFile(path+".new", bytes.Repeat([]byte("x"), 99), 0o644) },
		"a link":      func() error { return os.Symlink(other, path+".new") },
		"a pipe":      func() error { return syscall.Mkfifo(path+".new", 0o600) },
	} {
		if err := leave(); err != nil {
			t.Fatal(err)
		}
		if err := Write(path, []byte(what)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if got, _ := os.ReadFile(path); string(got) != what {
			t.Errorf("%s: got %q", what, got)
		}
		if got, _ := os.ReadFile(other); string(got) != "other's" {
			t.Errorf("%s: the other file has %q", what, got)
		}
	}
}

// TestFails: the old file stays, and nothing is left beside it.
func TestFails(t *testing.T) {
	if err := Write(filepath.Join(t.TempDir(), "gone", "file"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "folder")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("x")); err == nil {
		t.Error("a folder was replaced")
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("left: %v", files)
	}
}

// TestWholeForReaders: who reads meanwhile sees one or the other.
func TestWholeForReaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	texts := [][]byte{bytes.Repeat([]byte("a"), 5000), bytes.Repeat([]byte("b"), 3000)}
	if err := Write(path, texts[0]); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			got, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(got, texts[0]) && !bytes.Equal(got, texts[1]) {
				t.Errorf("read %d bytes, %v", len(got), err)
				return
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for i := range 50 {
		if err := Write(path, texts[i%2]); err != nil {
			t.Error(err)
		}
	}
	close(done)
	reader.Wait()
}
