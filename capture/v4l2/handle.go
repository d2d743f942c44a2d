package v4l2

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"
)

// What the library keeps to itself of an open camera, by the names of its fields.
const (
	handleField  = "fd"
	buffersField = "buffers"
)

func field(cam *webcam.Webcam, name string) reflect.Value {
	return reflect.ValueOf(cam).Elem().FieldByName(name)
}

// openDevice opens a device by the library, which would leave the handle to every program that
// is started: one that inherits it, such as the guard of the locks, keeps the camera on and in
// use for as long as it runs. There is no lock against a start in between: a camera that takes
// seconds to open must not hold up a guard.
func openDevice(path string) (*webcam.Webcam, error) {
	cam, err := webcam.Open(path)
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(int(field(cam, handleField).Uint()))
	return cam, nil
}

// begin has an open camera deliver pictures. The library forgets the pictures' memory if that
// fails, and never gives it back: a camera that is tried for days would take all there is.
func begin(cam *webcam.Webcam) error {
	if err := cam.SetBufferCount(buffers); err != nil {
		return err
	}
	err := cam.StartStreaming()
	if err == nil {
		return nil
	}
	errs := []error{withCause(err)}
	for list, i := field(cam, buffersField), 0; i < list.Len(); i++ {
		if b := list.Index(i).Bytes(); b != nil {
			errs = append(errs, unix.Munmap(b))
		}
	}
	return errors.Join(errs...)
}

// withCause gives an error back its cause, of which the library keeps the text.
func withCause(err error) error {
	for _, cause := range []unix.Errno{unix.EBUSY, unix.EACCES, unix.EPERM, unix.ENODEV, unix.ENXIO, unix.ENOSPC, unix.EPIPE, unix.EPROTO, unix.EIO} {
		if rest, ok := strings.CutSuffix(err.Error(), ": "+cause.Error()); ok {
			return fmt.Errorf("%s: %w", rest, cause)
		}
	}
	return err
}
