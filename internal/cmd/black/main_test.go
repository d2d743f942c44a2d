//go:build cgo

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"intercom/capture"
	"intercom/capture/soft/openh264"
	"intercom/capture/soft/vpx"
)

// TestBlack decodes the pictures that are in the repository: they are black, all over.
func TestBlack(t *testing.T) {
	type decoder interface {
		Decode(data []byte, t time.Time) (*capture.Frame, error)
		Close() error
	}
	for codec, open := range map[string]func() (decoder, error){
		"vp8":  func() (decoder, error) { return vpx.NewDecoder() },
		"h264": func() (decoder, error) { return openh264.NewDecoder() },
	} {
		for _, s := range shapes {
			name := fileName(codec, s)
			data, err := os.ReadFile(filepath.Join("..", "..", "..", "callcore", "black", name))
			if err != nil {
				t.Fatal(err)
			}
			d, err := open()
			if err != nil {
				t.Fatal(err)
			}
			f, err := d.Decode(data, time.Time{})
			if err != nil || f == nil {
				t.Fatalf("%s: picture %v, error %v", name, f, err)
			}
			if err := f.CheckI420(s[0], s[1]); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for i, want := range []byte{16, 128, 128} {
				w, h := f.Width, f.Height
				if i > 0 {
					w, h = w/2, h/2
				}
				for y := range h {
					for _, got := range f.Planes[i][y*f.Stride[i]:][:w] {
						if got > want+1 || got < want-1 {
							t.Fatalf("%s: plane %d, row %d: %d, want %d", name, i, y, got, want)
						}
					}
				}
			}
			f.Release()
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestCommitted: the program still writes what is in the repository.
func TestCommitted(t *testing.T) {
	dir := t.TempDir()
	if err := run(dir); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		got, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("..", "..", "..", "callcore", "black", f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		// Other versions of an encoder write other bits of the same picture: see TestBlack.
		if !bytes.Equal(got, want) && len(got) > 1024 {
			t.Errorf("%s: %d bytes, want %d or so", f.Name(), len(got), len(want))
		}
	}
}
