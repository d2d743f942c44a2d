package uapi

import (
	"errors"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel's numbers of the requests hold the sizes of the structures; a device that has no
// such requests sees whether they are right only in the lab's machine.
func TestNoVideoDevice(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := QueryVideo(int(f.Fd())); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("query: %v, want %v", err, unix.ENOTTY)
	}
	if _, err := CaptureFormat(int(f.Fd())); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("format: %v, want %v", err, unix.ENOTTY)
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{"vivid\x00\x00x": "vivid", "full": "full", "\x00": "", "a\xffb\x00": "a?b"} {
		if got := text([]byte(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestSizes: the kernel knows a structure by its size, which is in the request's number.
func TestSizes(t *testing.T) {
	type sizes struct{ format, buffer, plane uintptr }
	want := map[uintptr]sizes{8: {208, 88, 64}, 4: {204, 68, 60}}[unsafe.Sizeof(uintptr(0))]
	if got := (sizes{unsafe.Sizeof(planesFormat{}), unsafe.Sizeof(buffer{}), unsafe.Sizeof(plane{})}); got != want {
		t.Errorf("sizes %+v, want %+v", got, want)
	}
	if got, want := unsafe.Offsetof(buffer{}.planes), want.buffer-unsafe.Sizeof(uintptr(0))*3; got != want && got != 52 {
		t.Errorf("planes at %d, want %d", got, want)
	}
}
