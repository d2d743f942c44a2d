package uapi

import "unsafe"

// What a video device can (videodev2.h, V4L2_CAP_*).
const (
	VideoCapture   = 0x00000001
	VideoM2MPlanes = 0x00004000
	VideoM2M       = 0x00008000
	VideoStreaming = 0x04000000
	// VideoMediaController: programs set up by the media controller what is behind the device.
	VideoMediaController = 0x20000000

	videoDeviceCaps = 0x80000000
)

// VideoDevice is what a video device says of itself.
type VideoDevice struct {
	Driver, Card, Bus string
	Caps              uint32 // of this device, not of its siblings, where the driver tells
}

// QueryVideo asks a video device what it is (VIDIOC_QUERYCAP). What is no video device
// answers with unix.ENOTTY or unix.EINVAL.
func QueryVideo(fd int) (VideoDevice, error) {
	var c struct { // struct v4l2_capability
		driver       [16]byte
		card, bus    [32]byte
		version      uint32
		capabilities uint32
		deviceCaps   uint32
		_            [3]uint32
	}
	if err := ioctl(fd, read, 'V', 0, unsafe.Pointer(&c), unsafe.Sizeof(c)); err != nil {
		return VideoDevice{}, err
	}
	d := VideoDevice{Driver: text(c.driver[:]), Card: text(c.card[:]), Bus: text(c.bus[:]), Caps: c.capabilities}
	if c.capabilities&videoDeviceCaps != 0 {
		d.Caps = c.deviceCaps
	}
	return d, nil
}

// VideoFormat is the picture that a device with a single plane is set to.
type VideoFormat struct {
	Width, Height int
	FourCC        uint32
	Stride        int // bytes of a row, the padding included; 0: there is none, or no rows
	Size          int // bytes of a picture at most
}

// CaptureFormat asks a video device what it delivers (VIDIOC_G_FMT). Any handle of the
// device will do.
func CaptureFormat(fd int) (VideoFormat, error) {
	var f struct { // struct v4l2_format
		kind uint32
		_    [unsafe.Sizeof(uintptr(0)) - 4]byte // the union is aligned for pointers
		pix  struct{ width, height, code, field, stride, size uint32 }
		_    [200 - 24]byte
	}
	f.kind = 1 // V4L2_BUF_TYPE_VIDEO_CAPTURE
	if err := ioctl(fd, readWrite, 'V', 4, unsafe.Pointer(&f), unsafe.Sizeof(f)); err != nil {
		return VideoFormat{}, err
	}
	return VideoFormat{int(f.pix.width), int(f.pix.height), f.pix.code, int(f.pix.stride), int(f.pix.size)}, nil
}
