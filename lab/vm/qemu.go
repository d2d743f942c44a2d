package vm

import (
	"fmt"
	"path/filepath"
	"strings"
)

// architecture is what differs between the machines.
type architecture struct {
	program string // of QEMU
	setup   string // what scripts/setup.sh installs it for
	kernel  string // file in the guest's folder
	console string
	machine []string // QEMU's options
	dtb     string   // another file in the guest's folder; empty: the machine describes itself
	memory  int      // in MB, if there is no choice
	// The agent's network card, and what else is plugged in beyond what the machine has.
	card    string
	devices []string
	// silent serial ports come before the console's.
	silent int
}

// pci are the devices of the machines that have slots for them. The door's own network comes
// first: eth0. The agent's is apart from it, and a dead end.
var pci = []string{
	"-device", "i6300esb", "-device", "virtio-rng-pci",
	"-netdev", "user,id=lan", "-device", "virtio-net-pci,id=lan0,netdev=lan,romfile=",
}

// initramfs is the other file in the guest's folder.
const initramfs = "initramfs.cpio.gz"

// architectureOf returns that of Config.Arch.
func architectureOf(arch string) (architecture, error) {
	switch arch {
	case "", "amd64":
		return architecture{
			program: "qemu-system-x86_64", setup: "lab", kernel: "vmlinux", console: "ttyS0",
			// The libopus that is linked into the program needs AVX; more of it boots slower.
			machine: []string{"-cpu", "SandyBridge,-x2apic,-tsc-deadline", "-smp", "2", "-device", "bochs-display"},
			card:    "virtio-net-pci,romfile=", devices: pci,
		}, nil
	case "arm64":
		return architecture{
			program: "qemu-system-aarch64", setup: "lab-arm64", kernel: "vmlinuz", console: "ttyAMA0",
			machine: []string{"-machine", "virt", "-cpu", "cortex-a53", "-smp", "2"},
			card:    "virtio-net-pci,romfile=", devices: pci,
		}, nil
	case "raspi3b":
		return architecture{
			program: "qemu-system-aarch64", setup: "lab-arm64", kernel: "vmlinuz", console: "ttyS1,115200",
			machine: []string{"-machine", "raspi3b"}, dtb: "bcm2837-rpi-3-b.dtb", memory: 1024,
			card: "usb-net", silent: 1,
		}, nil
	}
	return architecture{}, fmt.Errorf("no machine %q: amd64, arm64 and raspi3b are known", arch)
}

// arguments are QEMU's.
func arguments(c Config, a architecture, root string) []string {
	options := append([]string{
		"console=" + a.console, "quiet", "panic=-1", "nokaslr", "mitigations=off", "vt.global_cursor_default=0",
	}, c.Options...)
	serial := "file:" + filepath.Join(c.Out, "serial.log")
	if c.Console {
		serial = "mon:stdio" // Ctrl-A X ends it
		options = append(options, "lab.console")
	}
	all := []string{
		// Where /dev/kvm exists it is often no help: see docs/lab.md.
		"-accel", "tcg,thread=multi,tb-size=512", "-m", fmt.Sprint(c.memory(a)),
		"-nodefaults", "-no-reboot", "-display", "none", "-action", "watchdog=" + c.Watchdog,
		"-chardev", "socket,id=monitor,fd=3", "-mon", "chardev=monitor,mode=control",
		"-kernel", filepath.Join(c.Guest, a.kernel), "-initrd", root,
		"-append", strings.Join(options, " "),
	}
	if a.dtb != "" {
		all = append(all, "-dtb", filepath.Join(c.Guest, a.dtb))
	}
	for range a.silent {
		all = append(all, "-serial", "null")
	}
	all = append(all, "-serial", serial)
	all = append(append(all, a.machine...), a.devices...)
	return append(all, "-netdev", "user,id=mgmt,net=10.0.3.0/24,restrict=on,hostfwd=tcp:127.0.0.1:0-"+agentAddress,
		"-device", a.card+",netdev=mgmt")
}

// memory is the guest's, in MB.
func (c Config) memory(a architecture) int {
	switch {
	case a.memory != 0:
		return a.memory
	case c.Memory != 0:
		return c.Memory
	}
	return defaultMemory
}
