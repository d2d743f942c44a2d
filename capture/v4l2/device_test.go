package v4l2

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"intercom/internal/uapi"
)

// TestCamerasAmongVideoDevices: what drivers say of themselves on real machines. On a Raspberry
// Pi a dozen video devices are no cameras, and some of them look like ones.
func TestCamerasAmongVideoDevices(t *testing.T) {
	const capture, output, planes, meta, stream, mc = 0x1, 0x2, 0x1000, 0x800000, 0x4000000, 0x20000000
	for _, tt := range []struct {
		name string
		v    uapi.VideoDevice
		want string // part of why it is none; "": it is one
	}{
		{"a USB camera", uapi.VideoDevice{Driver: "uvcvideo", Caps: capture | stream | 0x200000}, ""},
		{"its metadata", uapi.VideoDevice{Driver: "uvcvideo", Caps: meta | stream | 0x200000}, "no video capture"},
		{"a loopback", uapi.VideoDevice{Driver: "v4l2 loopback", Caps: capture | stream}, ""},
		{"the camera of old firmware", uapi.VideoDevice{Driver: "bm2835 mmal", Caps: capture | 0x4 | stream}, ""},
		{"Pi 4: codec", uapi.VideoDevice{Driver: "bcm2835-codec", Caps: 0x4000 | stream}, "no video capture"},
		{"Pi 4: into the image processor", uapi.VideoDevice{Driver: "bcm2835-isp", Caps: output | stream}, "no video capture"},
		{"Pi 4: out of the image processor", uapi.VideoDevice{Driver: "bcm2835-isp", Caps: capture | stream}, "image processor"},
		{"Pi 4: its statistics", uapi.VideoDevice{Driver: "bcm2835-isp", Caps: meta | stream}, "no video capture"},
		{"Pi 4: CSI receiver", uapi.VideoDevice{Driver: "unicam", Caps: capture | stream}, "camera module"},
		{"Pi 4: CSI receiver, newer", uapi.VideoDevice{Driver: "unicam", Caps: capture | stream | mc}, "camera module"},
		{"Pi 5: CSI receiver", uapi.VideoDevice{Driver: "rp1-cfe", Caps: capture | meta | stream | mc}, "camera module"},
		{"Pi 5: image processor", uapi.VideoDevice{Driver: "pispbe", Caps: planes | stream | mc}, "no video capture"},
	} {
		if got := otherwise(tt.v); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestClosedDevices: a camera that may not be opened is another matter than none.
func TestClosedDevices(t *testing.T) {
	refused := explain(&os.PathError{Op: "open", Path: "/dev/video0", Err: unix.EACCES})
	for _, tt := range []struct {
		name  string
		errs  map[string]error
		found int
		want  string // in the error; "": none
	}{
		{"all well", nil, 2, ""},
		{"no cameras", map[string]error{"a": fmt.Errorf("a: %w", ErrNoCamera), "b": ErrNoCamera}, 0, ""},
		{"unplugged meanwhile", map[string]error{"a": unix.ENODEV, "b": &os.PathError{Op: "open", Path: "b", Err: unix.ENOENT}}, 0, ""},
		{"one may not be opened", map[string]error{"a": refused}, 1, "open /dev/video0: permission denied; the service's user needs the group"},
		{"none may be opened", map[string]error{"a": refused, "b": errors.New("other")}, 0, "permission denied"},
	} {
		found, err := list([]string{"a", "b"}, func(path string) (Device, error) { return Device{Path: path}, tt.errs[path] })
		if len(found) != tt.found || (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v; want %d devices, error %q", tt.name, found, err, tt.found, tt.want)
		}
	}
}
