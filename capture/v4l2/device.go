package v4l2

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Device is a camera of the machine.
type Device struct {
	Path   string   // such as "/dev/video0"; it may be another one after a boot
	Card   string   // the driver's name for it, such as "HD Pro Webcam C920"
	Bus    string   // where it is plugged in, such as "usb-0000:01:00.0-1.2"
	Driver string   // of the kernel, such as "uvcvideo"
	Links  []string // its stable names in /dev/v4l/by-id and by-path
}

// List returns the machine's cameras in the order of their numbers. Video devices that are
// none (codecs, scalers, metadata, outputs) are left out, and those that cannot be opened.
func List() []Device {
	paths, _ := filepath.Glob("/dev/video*") // the pattern is right
	slices.SortFunc(paths, func(a, b string) int { return cmp.Compare(number(a), number(b)) })
	var devices []Device
	for _, p := range paths {
		if d, err := inspect(p); err == nil {
			devices = append(devices, d)
		}
	}
	return devices
}

func number(path string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(path, "/dev/video"))
	if err != nil {
		return 1 << 20
	}
	return n
}

// ErrNoCamera is in the error of a device that is something else.
var ErrNoCamera = errors.New("it is no camera")

// inspect asks a video device what it is.
func inspect(path string) (Device, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return Device{}, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	c, err := queryCap(fd)
	if err != nil {
		return Device{}, fmt.Errorf("%s: %w (%w)", path, ErrNoCamera, err)
	}
	// What the device itself can: "capabilities" has those of its siblings, too.
	caps := c.capabilities
	if caps&capDeviceCaps != 0 {
		caps = c.deviceCaps
	}
	if caps&capVideoCapture == 0 || caps&capStreaming == 0 || caps&(capM2M|capM2MPlanes) != 0 {
		return Device{}, fmt.Errorf("%s (%s): %w: the driver says it has no video capture by memory map", path, text(c.card[:]), ErrNoCamera)
	}
	return Device{Path: path, Card: text(c.card[:]), Bus: text(c.bus[:]), Driver: text(c.driver[:]), Links: links(path)}, nil
}

// links returns the names that udev gives a device.
func links(path string) []string {
	var found []string
	for _, dir := range []string{"/dev/v4l/by-id", "/dev/v4l/by-path"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // a small system has no udev
		}
		for _, e := range entries {
			link := filepath.Join(dir, e.Name())
			if target, err := filepath.EvalSymlinks(link); err == nil && target == path {
				found = append(found, link)
			}
		}
	}
	return found
}

// find looks for the camera with this name: a path, a stable link, what it is plugged into,
// or what its driver calls it. Empty: the only one that there is.
func find(name string) (Device, error) {
	if strings.HasPrefix(name, "/") {
		path, err := filepath.EvalSymlinks(name)
		if err != nil {
			return Device{}, fmt.Errorf("%w; intercom devices lists the cameras", err)
		}
		return inspect(path)
	}
	return pick(List(), name)
}

func pick(devices []Device, name string) (Device, error) {
	var found []Device
	for _, d := range devices {
		if name == "" || name == d.Bus || name == d.Card || slices.ContainsFunc(d.Links, func(l string) bool { return filepath.Base(l) == name }) {
			found = append(found, d)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return Device{}, fmt.Errorf("%d cameras fit (%s at %s, %s at %s); name one by its bus or its link in /dev/v4l/by-id",
			len(found), found[0].Path, found[0].Bus, found[1].Path, found[1].Bus)
	case len(devices) == 0:
		return Device{}, errors.New("this machine shows no camera (/dev/video*); is it plugged in?")
	}
	return Device{}, errors.New("no camera has this name; intercom devices lists them")
}

// The parts of the kernel's videodev2.h that blackjack/webcam leaves out.
const (
	capVideoCapture = 0x00000001
	capM2MPlanes    = 0x00004000
	capM2M          = 0x00008000
	capStreaming    = 0x04000000
	capDeviceCaps   = 0x80000000

	bufTypeCapture = 1
)

// capability is struct v4l2_capability.
type capability struct {
	driver       [16]byte
	card, bus    [32]byte
	version      uint32
	capabilities uint32
	deviceCaps   uint32
	_            [3]uint32
}

// format is struct v4l2_format for a single plane.
type format struct {
	kind uint32
	_    [unsafe.Sizeof(uintptr(0)) - 4]byte
	pix  struct{ width, height, code, field, stride, size uint32 }
	_    [200 - 24]byte
}

func queryCap(fd int) (c capability, err error) {
	return c, ioctl(fd, 2, 0, unsafe.Pointer(&c), unsafe.Sizeof(c))
}

// granted returns what the driver has made of a request for a format: the library tells
// what was asked for. Any handle of the device will do.
func granted(path string) (f format, err error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return f, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	f.kind = bufTypeCapture
	return f, ioctl(fd, 3, 4, unsafe.Pointer(&f), unsafe.Sizeof(f))
}

// ioctl makes a request of type 'V': direction 2 reads, 3 writes and reads.
func ioctl(fd int, direction, number uintptr, arg unsafe.Pointer, size uintptr) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), direction<<30|size<<16|'V'<<8|number, uintptr(arg))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

// text is what stands before the first zero.
func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return strings.ToValidUTF8(s, "?")
}
