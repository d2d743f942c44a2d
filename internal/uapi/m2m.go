package uapi

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// VideoQueue is one of the two queues of a video device that turns pictures into others
// (videodev2.h, V4L2_BUF_TYPE_*_MPLANE).
type VideoQueue uint32

// The queues, as the kernel names them: from the driver, and to it.
const (
	CaptureQueue VideoQueue = 9
	OutputQueue  VideoQueue = 10
)

// Flags of a VideoBuffer (V4L2_BUF_FLAG_*).
const (
	VideoKeyFrame = 0x00000008
	VideoDamaged  = 0x00000040
	VideoLast     = 0x00100000
)

const (
	memoryMap = 1 // V4L2_MEMORY_MMAP
	fieldNone = 1 // V4L2_FIELD_NONE
	videoStop = 1 // V4L2_ENC_CMD_STOP
)

// PlaneFormat is the picture of a queue that has one plane in memory.
type PlaneFormat struct {
	Width, Height int
	FourCC        uint32
	Stride        int // bytes of a row of luma; of a request: 0 leaves it to the driver
	Size          int // bytes of a buffer
}

// FourCC is the kernel's number of a pixel format, such as "YU12".
func FourCC(s string) uint32 {
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// planesFormat is struct v4l2_format with struct v4l2_pix_format_mplane.
type planesFormat struct {
	kind                                    uint32
	_                                       [unsafe.Sizeof(uintptr(0)) - 4]byte // the union is aligned for pointers
	width, height, code, field, colours     uint32
	plane                                   [8]struct{ size, stride, _, _, _ uint32 } // 6 reserved uint16 at the end
	planes                                  uint8
	flags, encoding, quantization, transfer uint8
	_                                       [7]byte
	_                                       [200 - 192]byte
}

// SetFormat asks for a format of a queue and returns what the driver made of it
// (VIDIOC_S_FMT). One with several planes is refused with unix.EINVAL.
func SetFormat(fd int, q VideoQueue, want PlaneFormat) (PlaneFormat, error) {
	f := planesFormat{kind: uint32(q), width: uint32(want.Width), height: uint32(want.Height), code: want.FourCC, field: fieldNone, planes: 1}
	f.colours = 1 // V4L2_COLORSPACE_SMPTE170M, what cameras deliver
	f.plane[0].size, f.plane[0].stride = uint32(want.Size), uint32(want.Stride)
	if err := ioctl(fd, readWrite, 'V', 5, unsafe.Pointer(&f), unsafe.Sizeof(f)); err != nil {
		return PlaneFormat{}, err
	}
	if f.planes != 1 {
		return PlaneFormat{}, unix.EINVAL
	}
	return PlaneFormat{int(f.width), int(f.height), f.code, int(f.plane[0].stride), int(f.plane[0].size)}, nil
}

// QueueFormats lists the pixel formats that a queue may have (VIDIOC_ENUM_FMT).
func QueueFormats(fd int, q VideoQueue) []uint32 {
	var list []uint32
	for i := range uint32(256) {
		f := struct { // struct v4l2_fmtdesc
			index, kind, flags uint32
			description        [32]byte
			code               uint32
			_                  [4]uint32
		}{index: i, kind: uint32(q)}
		if ioctl(fd, readWrite, 'V', 2, unsafe.Pointer(&f), unsafe.Sizeof(f)) != nil {
			break
		}
		list = append(list, f.code)
	}
	return list
}

// SetQueueRate says how many frames a second will be queued (VIDIOC_S_PARM).
func SetQueueRate(fd int, q VideoQueue, fps int) error {
	p := struct { // struct v4l2_streamparm with struct v4l2_outputparm
		kind                   uint32
		capability, mode       uint32
		numerator, denominator uint32
		_                      [200 - 16]byte
	}{kind: uint32(q), numerator: 1, denominator: uint32(fps)}
	return ioctl(fd, readWrite, 'V', 22, unsafe.Pointer(&p), unsafe.Sizeof(p))
}

// SetQueueCrop says which part of the buffers, from the upper left, is the picture
// (VIDIOC_S_SELECTION). unix.ERANGE: the driver made it another one.
func SetQueueCrop(fd int, q VideoQueue, width, height int) error {
	kind := uint32(q) // the queue's name of old: V4L2_BUF_TYPE_VIDEO_OUTPUT, _CAPTURE
	switch q {
	case OutputQueue:
		kind = 2
	case CaptureQueue:
		kind = 1
	}
	s := struct { // struct v4l2_selection; the target is V4L2_SEL_TGT_CROP
		kind, target, flags      uint32
		left, top, width, height int32
		_                        [9]uint32
	}{kind: kind, width: int32(width), height: int32(height)}
	if err := ioctl(fd, readWrite, 'V', 95, unsafe.Pointer(&s), unsafe.Sizeof(s)); err != nil {
		return err
	}
	if s.left != 0 || s.top != 0 || int(s.width) != width || int(s.height) != height {
		return unix.ERANGE
	}
	return nil
}

// SetControl sets a control (VIDIOC_S_CTRL). A driver rounds to its steps; what it does not
// have is unix.EINVAL, what is out of range unix.ERANGE.
func SetControl(fd int, id uint32, value int32) error {
	c := struct { // struct v4l2_control
		id    uint32
		value int32
	}{id, value}
	return ioctl(fd, readWrite, 'V', 28, unsafe.Pointer(&c), unsafe.Sizeof(c))
}

// RequestBuffers has a queue allocate n buffers for memory maps and returns how many it did;
// 0 frees them (VIDIOC_REQBUFS).
func RequestBuffers(fd int, q VideoQueue, n int) (int, error) {
	r := struct { // struct v4l2_requestbuffers
		count, kind, memory, capabilities uint32
		_                                 uint32
	}{count: uint32(n), kind: uint32(q), memory: memoryMap}
	err := ioctl(fd, readWrite, 'V', 8, unsafe.Pointer(&r), unsafe.Sizeof(r))
	return int(r.count), err
}

// VideoBuffer is a buffer of a queue.
type VideoBuffer struct {
	Index  int
	Used   int           // bytes of it that hold something
	Offset int           // of those
	Stamp  time.Duration // a codec hands it through, in microseconds
	Flags  uint32        // of a dequeued one: VideoKeyFrame and the others
}

// plane is struct v4l2_plane.
type plane struct {
	used, length uint32
	memory       uintptr // the offset to map is a uint32 in the same place
	offset       uint32
	_            [11]uint32
}

// buffer is struct v4l2_buffer with the size of time_t that the architecture was born with.
type buffer struct {
	index, kind, used, flags, field uint32
	at                              unix.Timeval
	_                               [16]byte // struct v4l2_timecode
	sequence, memory                uint32
	planes                          *plane
	length                          uint32
	_                               [2]uint32
}

// BufferMemory tells where a buffer can be mapped, and its length (VIDIOC_QUERYBUF).
func BufferMemory(fd int, q VideoQueue, index int) (offset int64, length int, err error) {
	var p plane
	b := buffer{index: uint32(index), kind: uint32(q), memory: memoryMap, planes: &p, length: 1}
	err = ioctl(fd, readWrite, 'V', 9, unsafe.Pointer(&b), unsafe.Sizeof(b))
	return int64(*(*uint32)(unsafe.Pointer(&p.memory))), int(p.length), err
}

// QueueBuffer gives a buffer to the driver (VIDIOC_QBUF).
func QueueBuffer(fd int, q VideoQueue, v VideoBuffer) error {
	p := plane{used: uint32(v.Used), offset: uint32(v.Offset)}
	b := buffer{index: uint32(v.Index), kind: uint32(q), field: fieldNone, memory: memoryMap, planes: &p, length: 1}
	b.at = unix.NsecToTimeval(int64(v.Stamp))
	return ioctl(fd, readWrite, 'V', 15, unsafe.Pointer(&b), unsafe.Sizeof(b))
}

// DequeueBuffer takes a buffer that the driver is done with (VIDIOC_DQBUF). unix.EAGAIN: there
// is none on a handle that does not block; unix.EPIPE: the last one has been taken.
func DequeueBuffer(fd int, q VideoQueue) (VideoBuffer, error) {
	var p plane
	b := buffer{kind: uint32(q), memory: memoryMap, planes: &p, length: 1}
	if err := ioctl(fd, readWrite, 'V', 17, unsafe.Pointer(&b), unsafe.Sizeof(b)); err != nil {
		return VideoBuffer{}, err
	}
	return VideoBuffer{
		Index: int(b.index), Used: int(p.used), Offset: int(p.offset),
		Stamp: time.Duration(b.at.Nano()), Flags: b.flags,
	}, nil
}

// StreamQueue starts or stops a queue; a stopped one gives all its buffers back
// (VIDIOC_STREAMON, VIDIOC_STREAMOFF).
func StreamQueue(fd int, q VideoQueue, on bool) error {
	kind, number := uint32(q), uintptr(19)
	if on {
		number = 18
	}
	return ioctl(fd, write, 'V', number, unsafe.Pointer(&kind), unsafe.Sizeof(kind))
}

// DrainEncoder has an encoder finish what is queued; the last buffer is flagged VideoLast
// (VIDIOC_ENCODER_CMD, V4L2_ENC_CMD_STOP).
func DrainEncoder(fd int) error {
	c := struct { // struct v4l2_encoder_cmd
		command, flags uint32
		_              [8]uint32
	}{command: videoStop}
	return ioctl(fd, readWrite, 'V', 77, unsafe.Pointer(&c), unsafe.Sizeof(c))
}
