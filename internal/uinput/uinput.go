// Package uinput makes input devices with keys that a program presses, by the kernel's
// /dev/uinput: keypads for tests on a real kernel. It reads none, and it is no part of a
// station. It has no goroutines.
package uinput

import (
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"intercom/internal/uapi"
)

// Requests of uinput.h.
const (
	create  = 'U'<<8 | 1                   // UI_DEV_CREATE
	destroy = 'U'<<8 | 2                   // UI_DEV_DESTROY
	setType = 1<<30 | 4<<16 | 'U'<<8 | 100 // UI_SET_EVBIT
	setKey  = 1<<30 | 4<<16 | 'U'<<8 | 101 // UI_SET_KEYBIT
)

// Sizes in struct uinput_user_dev: the name, and all of it.
const (
	nameSize = 80
	userSize = nameSize + 8 + 4 + 4*64*4
)

// Device is an input device that this process makes. It is gone when the process is.
type Device struct{ f *os.File }

// New makes a device with keys of these numbers; see uapi.KeySet. Its event device is there when
// New returns.
func New(name string, keys ...uint16) (*Device, error) {
	if len(name) >= nameSize {
		return nil, fmt.Errorf("uinput: the name %q is too long", name)
	}
	f, err := os.OpenFile("/dev/uinput", os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("uinput: %w", err)
	}
	d := &Device{f}
	err = unix.IoctlSetInt(int(f.Fd()), setType, uapi.EventKey)
	for _, k := range keys {
		if err == nil {
			err = unix.IoctlSetInt(int(f.Fd()), setKey, int(k))
		}
	}
	if err == nil {
		about := make([]byte, userSize)
		copy(about, name)
		binary.NativeEndian.PutUint16(about[nameSize:], 3) // BUS_USB
		_, err = f.Write(about)
	}
	if err == nil {
		err = unix.IoctlSetInt(int(f.Fd()), create, 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("uinput: make device %q: %w", name, err)
	}
	return d, nil
}

// Set presses or releases a key. The kernel passes on what changes.
func (d *Device) Set(key uint16, down bool) error {
	var value uint32
	if down {
		value = 1
	}
	events := append(event(uapi.EventKey, key, value), event(uapi.EventSync, uapi.SyncReport, 0)...)
	if _, err := d.f.Write(events); err != nil {
		return fmt.Errorf("uinput: %w", err)
	}
	return nil
}

// event makes a struct input_event; the kernel sets its time.
func event(kind, code uint16, value uint32) []byte {
	b := make([]byte, uapi.InputEventSize-8, uapi.InputEventSize)
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, code)
	return binary.NativeEndian.AppendUint32(b, value)
}

// Close unplugs the device.
func (d *Device) Close() error {
	if err := unix.IoctlSetInt(int(d.f.Fd()), destroy, 0); err != nil {
		d.f.Close()
		return fmt.Errorf("uinput: remove device: %w", err)
	}
	return d.f.Close()
}
