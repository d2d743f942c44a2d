package uapi

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestKeySet(t *testing.T) {
	var s KeySet
	s[0], s[len(s)-1] = 1<<2|1<<7, 1<<7
	if got, want := s.Codes(), []uint16{2, 7, keyCount - 1}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if s.Has(keyCount) || s.Has(0xffff) {
		t.Error("a number that is no key's is in the set")
	}
}

func TestParseInputEvent(t *testing.T) {
	if want := map[uintptr]int{8: 24, 4: 16}[unsafe.Sizeof(uintptr(0))]; InputEventSize != want {
		t.Errorf("an event has %d bytes, want %d", InputEventSize, want)
	}
	var b []byte
	for _, n := range []uint32{3_000_000_000, 4} { // seconds, microseconds
		if InputEventSize == 16 {
			b = binary.NativeEndian.AppendUint32(b, n)
		} else {
			b = binary.NativeEndian.AppendUint64(b, uint64(n))
		}
	}
	b = binary.NativeEndian.AppendUint16(b, EventKey)
	b = binary.NativeEndian.AppendUint16(b, 96)
	b = binary.NativeEndian.AppendUint32(b, 0xffffffff)
	want := InputEvent{At: 3_000_000_000*time.Second + 4*time.Microsecond, Type: EventKey, Code: 96, Value: -1}
	if got := ParseInputEvent(b); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestNoInputDevice(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd := int(f.Fd())
	_, query := QueryInput(fd)
	_, pressed := PressedKeys(fd)
	for i, err := range []error{query, pressed, GrabInput(fd), SetInputClock(fd)} {
		if !errors.Is(err, unix.ENOTTY) {
			t.Errorf("request %d: %v, want %v", i, err, unix.ENOTTY)
		}
	}
}
