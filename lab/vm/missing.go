package vm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// overhead is what QEMU itself uses beside the guest's memory, in MB: above all the
// translated code.
const overhead = 640

// Missing says what this machine lacks to run the guest, each with the cure; nothing if it
// lacks nothing. Of the configuration, Guest, Arch and Memory matter.
func Missing(c Config) []string {
	a, err := architectureOf(c.Arch)
	if err != nil {
		return []string{err.Error()}
	}
	var missing []string
	if runtime.GOARCH != "amd64" {
		missing = append(missing, "the lab's guest is built on amd64 only, and this is "+runtime.GOARCH)
	}
	if _, err := exec.LookPath(a.program); err != nil {
		missing = append(missing, a.program+" is not installed: scripts/setup.sh "+a.setup)
	}
	for _, name := range []string{a.kernel, initramfs, a.dtb} {
		if _, err := os.Stat(filepath.Join(c.Guest, name)); err != nil {
			missing = append(missing, fmt.Sprintf("%v: make lab makes it", err))
			break
		}
	}
	if free, needed := availableMemory(), c.memory(a)+overhead; free >= 0 && free < needed {
		missing = append(missing, fmt.Sprintf("%d MB of memory are available, the machine takes %d", free, needed))
	}
	return missing
}

// availableMemory is in MB; -1 if the kernel does not say.
func availableMemory() int {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return -1
	}
	for line := range strings.Lines(string(text)) {
		var kB int
		if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kB); n == 1 {
			return kB / 1024
		}
	}
	return -1
}
