// Package uapi makes requests of the Linux kernel for which no library of ours has words. It
// is the one package, beside those in C, that may use unsafe: structures are laid out here
// as the kernel's headers have them, and nothing of them leaves but plain values.
//
// It is Linux only, holds no descriptor and starts no goroutine.
package uapi

import (
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Directions of an ioctl request.
const (
	write     = 1
	read      = 2
	readWrite = 3
)

// ioctl makes a request; interrupted ones are made again.
func ioctl(fd int, direction, kind, number uintptr, arg unsafe.Pointer, size uintptr) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), direction<<30|size<<16|kind<<8|number, uintptr(arg))
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
