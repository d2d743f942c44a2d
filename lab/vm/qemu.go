package vm

import (
	"fmt"
	"path/filepath"
	"strings"
)

// architecture is what differs between the machines.
type architecture struct {
	program string // of QEMU
	kernel  string // file in the guest's folder
	console string
	machine []string // QEMU's options
}

// initramfs is the other file in the guest's folder.
const initramfs = "initramfs.cpio.gz"

// architectureOf returns that of Config.Arch.
func architectureOf(arch string) (architecture, error) {
	switch arch {
	case "", "amd64":
		return architecture{
			program: "qemu-system-x86_64", kernel: "vmlinux", console: "ttyS0",
			// The libopus that is linked into the program needs AVX; more of it boots slower.
			machine: []string{"-cpu", "SandyBridge,-x2apic,-tsc-deadline", "-device", "bochs-display"},
		}, nil
	case "arm64":
		return architecture{
			program: "qemu-system-aarch64", kernel: "vmlinuz", console: "ttyAMA0",
			machine: []string{"-machine", "virt", "-cpu", "cortex-a53"},
		}, nil
	}
	return architecture{}, fmt.Errorf("no machine of architecture %q: amd64 and arm64 are known", arch)
}

// arguments are QEMU's.
func arguments(c Config, a architecture) []string {
	options := append([]string{
		"console=" + a.console, "quiet", "panic=-1", "nokaslr", "mitigations=off", "vt.global_cursor_default=0",
	}, c.Options...)
	serial := "file:" + filepath.Join(c.Out, "serial.log")
	if c.Console {
		serial = "mon:stdio" // Ctrl-A X ends it
		options = append(options, "lab.console")
	}
	return append([]string{
		// Where /dev/kvm exists it is often no help: see docs/lab.md.
		"-accel", "tcg,thread=multi,tb-size=512", "-smp", "2", "-m", fmt.Sprint(c.Memory),
		"-nodefaults", "-no-reboot", "-display", "none", "-serial", serial,
		"-chardev", "socket,id=monitor,fd=3", "-mon", "chardev=monitor,mode=control",
		"-device", "i6300esb", "-action", "watchdog=" + c.Watchdog, "-device", "virtio-rng-pci",
		// The door's own network first: eth0. The agent's is apart from it, and a dead end.
		"-netdev", "user,id=lan", "-device", "virtio-net-pci,id=lan0,netdev=lan,romfile=",
		"-netdev", "user,id=mgmt,net=10.0.3.0/24,restrict=on,hostfwd=tcp:127.0.0.1:0-" + agentAddress, "-device", "virtio-net-pci,netdev=mgmt,romfile=",
		"-kernel", filepath.Join(c.Guest, a.kernel), "-initrd", filepath.Join(c.Guest, initramfs),
		"-append", strings.Join(options, " "),
	}, a.machine...)
}
