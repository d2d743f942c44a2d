package uapi

import (
	"encoding/binary"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Types and codes of input events (input-event-codes.h).
const (
	EventSync = 0x00 // EV_SYN
	EventKey  = 0x01 // EV_KEY

	SyncReport  = 0 // SYN_REPORT: what came before belongs together
	SyncDropped = 3 // SYN_DROPPED: events were lost
)

// keyCount is KEY_CNT.
const keyCount = 0x300

// KeySet has a bit for each key.
type KeySet [keyCount / 8]byte

// Has says whether a key is in the set.
func (s *KeySet) Has(code uint16) bool { return code < keyCount && s[code/8]&(1<<(code%8)) != 0 }

// Codes returns the keys in the set, in the order of their numbers.
func (s *KeySet) Codes() []uint16 {
	var codes []uint16
	for c := range uint16(keyCount) {
		if s.Has(c) {
			codes = append(codes, c)
		}
	}
	return codes
}

// InputDevice is what an input device says of itself.
type InputDevice struct {
	Name, Phys, Unique string // Phys is where it is plugged in, Unique a serial number; often empty
	Keys               KeySet // that it has
}

// QueryInput asks an input device what it is. What is none answers with unix.ENOTTY or
// unix.EINVAL.
func QueryInput(fd int) (InputDevice, error) {
	var d InputDevice
	if err := ioctl(fd, read, 'E', 0x20+EventKey, unsafe.Pointer(&d.Keys), unsafe.Sizeof(d.Keys)); err != nil { // EVIOCGBIT
		return InputDevice{}, err
	}
	for number, to := range map[uintptr]*string{6: &d.Name, 7: &d.Phys, 8: &d.Unique} { // EVIOCGNAME, EVIOCGPHYS, EVIOCGUNIQ
		var b [256]byte
		switch err := ioctl(fd, read, 'E', number, unsafe.Pointer(&b), unsafe.Sizeof(b)); err {
		case nil:
			*to = text(b[:])
		case unix.ENOENT: // it has none
		default:
			return InputDevice{}, err
		}
	}
	return d, nil
}

// PressedKeys returns the keys that are down, and takes what it tells out of the handle's queue
// (EVIOCGKEY).
func PressedKeys(fd int) (KeySet, error) {
	var s KeySet
	err := ioctl(fd, read, 'E', 0x18, unsafe.Pointer(&s), unsafe.Sizeof(s))
	return s, err
}

// GrabInput has nobody else get a device's events until the handle is closed: a code that is
// typed is not typed into a console, too (EVIOCGRAB). unix.EBUSY: somebody else has done it.
func GrabInput(fd int) error {
	return unix.IoctlSetInt(fd, write<<30|uint(unsafe.Sizeof(int32(0)))<<16|'E'<<8|0x90, 1)
}

// SetInputClock has the handle's events carry CLOCK_MONOTONIC (EVIOCSCLOCKID).
func SetInputClock(fd int) error {
	clock := int32(unix.CLOCK_MONOTONIC)
	return ioctl(fd, write, 'E', 0xa0, unsafe.Pointer(&clock), unsafe.Sizeof(clock))
}

// InputEvent is struct input_event.
type InputEvent struct {
	At         time.Duration // of the handle's clock
	Type, Code uint16
	Value      int32 // of a key: 0 released, 1 pressed, 2 repeated by the kernel
}

// InputEventSize is the size of one in bytes, on this architecture.
const InputEventSize = int(unsafe.Sizeof(unix.Timeval{})) + 8

// ParseInputEvent reads one from InputEventSize bytes.
func ParseInputEvent(b []byte) InputEvent {
	const half = InputEventSize/2 - 4 // of the time: seconds, and microseconds
	number := func(b []byte) time.Duration {
		if half == 4 {
			return time.Duration(binary.NativeEndian.Uint32(b)) // seconds since the start fit for 136 years
		}
		return time.Duration(binary.NativeEndian.Uint64(b))
	}
	rest := b[2*half:]
	return InputEvent{
		At:    number(b)*time.Second + number(b[half:])*time.Microsecond,
		Type:  binary.NativeEndian.Uint16(rest),
		Code:  binary.NativeEndian.Uint16(rest[2:]),
		Value: int32(binary.NativeEndian.Uint32(rest[4:])),
	}
}
