package vm

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMissing has this machine lack one thing after the other: each is named, with the cure, and
// nothing is started.
func TestMissing(t *testing.T) {
	guest, programs := t.TempDir(), t.TempDir()
	for _, name := range []string{"vmlinux", "vmlinuz", initramfs, "bcm2837-rpi-3-b.dtb"} {
		write(t, filepath.Join(guest, name), 0o644)
	}
	for _, name := range []string{"qemu-system-x86_64", "qemu-system-aarch64"} {
		write(t, filepath.Join(programs, name), 0o755)
	}
	for _, tt := range []struct {
		name, path string
		config     Config
		want       string // nothing is missing if it is empty
	}{
		{"nothing", programs, Config{Guest: guest, Memory: 1}, ""},
		{"nothing of arm64", programs, Config{Guest: guest, Arch: "arm64", Memory: 1}, ""},
		{"QEMU", t.TempDir(), Config{Guest: guest}, "qemu-system-x86_64 is not installed: scripts/setup.sh lab"},
		{"QEMU for arm64", t.TempDir(), Config{Guest: guest, Arch: "arm64"}, "qemu-system-aarch64 is not installed: scripts/setup.sh lab-arm64"},
		{"kernel", programs, Config{Guest: t.TempDir()}, "vmlinux: no such file or directory: make lab makes it"},
		{"device tree", programs, Config{Guest: without(t, guest, "bcm2837-rpi-3-b.dtb"), Arch: "raspi3b"}, "bcm2837-rpi-3-b.dtb: no such file or directory: make lab makes it"},
		{"memory", programs, Config{Guest: guest, Memory: 1 << 30}, "MB of memory are available, the machine takes"},
		{"architecture", programs, Config{Guest: guest, Arch: "z80"}, `no machine "z80"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("PATH", tt.path)
			got := strings.Join(Missing(tt.config), "; ")
			if !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if tt.want == "" {
				return
			}
			m, err := Start(context.Background(), tt.config)
			if err == nil {
				m.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("start: got %v, want %q", err, tt.want)
			}
		})
	}
}

func write(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, nil, mode); err != nil {
		t.Fatal(err)
	}
}

// without is a copy of a folder that lacks a file.
func without(t *testing.T, dir, name string) string {
	t.Helper()
	to := t.TempDir()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() != name {
			write(t, filepath.Join(to, f.Name()), 0o644)
		}
	}
	return to
}
