package uapi

import "unsafe"

// SetWatchdogTimeout is WDIOC_SETTIMEOUT of a hardware watchdog. It returns the seconds that
// the driver grants, which may be others.
func SetWatchdogTimeout(fd int, seconds int) (int, error) {
	value := int32(seconds)
	err := ioctl(fd, readWrite, 'W', 6, unsafe.Pointer(&value), unsafe.Sizeof(value))
	return int(value), err
}
