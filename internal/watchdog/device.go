package watchdog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"intercom/internal/uapi"
)

// file is a device of the Linux kernel's watchdog API (Documentation/watchdog/watchdog-api).
type file struct{ *os.File }

// openDevice opens a watchdog. That starts it with its driver's timeout.
func openDevice(path string) (device, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	switch {
	case errors.Is(err, unix.EBUSY):
		return nil, fmt.Errorf("%w; another program feeds it, systemd (RuntimeWatchdogSec) or watchdogd, and one is enough", err)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("%w; the station's user needs to write to it", err)
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%w; is its driver loaded?", err)
	case err != nil:
		return nil, err
	}
	// Anything else would take the food and count nothing.
	if _, err := unix.IoctlGetWatchdogInfo(int(f.Fd())); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s is no watchdog: %w", path, err)
	}
	return file{f}, nil
}

func (f file) setTimeout(d time.Duration) (time.Duration, error) {
	s, err := uapi.SetWatchdogTimeout(int(f.Fd()), int(d/time.Second))
	if err == nil && s < 1 {
		err = fmt.Errorf("the driver grants %d s", s)
	}
	return time.Duration(s) * time.Second, err
}

func (f file) feed() error { return unix.IoctlWatchdogKeepalive(int(f.Fd())) }

func (f file) disarm() (stopped bool, err error) {
	// "V" before the end says that it is meant: without it drivers count on.
	if _, err := f.Write([]byte("V")); err != nil {
		f.abandon()
		return false, err
	}
	if err := f.Close(); err != nil {
		return false, err
	}
	// Of a kernel that does not tell, the best is assumed.
	state, _ := os.ReadFile(filepath.Join("/sys/class/watchdog", filepath.Base(f.Name()), "state"))
	return strings.TrimSpace(string(state)) != "active", nil
}

func (f file) abandon() { f.Close() }
