package m2m

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"intercom/internal/uapi"
)

// driver is what an encoder needs of the kernel. Tests put another one in its place to have
// hardware that fails.
type driver interface {
	setFormat(uapi.VideoQueue, uapi.PlaneFormat) (uapi.PlaneFormat, error)
	setRate(fps int) error
	setCrop(width, height int) error
	setControl(id uint32, value int32) error
	// allocate maps about n buffers of a queue into memory; the driver decides how many.
	allocate(q uapi.VideoQueue, n int) ([][]byte, error)
	stream(q uapi.VideoQueue, on bool) error
	queue(uapi.VideoQueue, uapi.VideoBuffer) error
	dequeue(uapi.VideoQueue) (uapi.VideoBuffer, error)
	drain() error
	// wait returns when a buffer of the queue can be dequeued, after wake, or after the
	// time.
	wait(q uapi.VideoQueue, most time.Duration) error
	wake()
	close()
}

// video is a driver: an open video device.
type video struct {
	fd     int
	awake  int // an eventfd
	mapped [][]byte
}

var _ driver = (*video)(nil)

func newVideo(path string) (*video, error) {
	fd, err := open(path)
	if err != nil {
		return nil, err
	}
	awake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("make an eventfd: %w", err)
	}
	return &video{fd: fd, awake: awake}, nil
}

func (v *video) setFormat(q uapi.VideoQueue, f uapi.PlaneFormat) (uapi.PlaneFormat, error) {
	return uapi.SetFormat(v.fd, q, f)
}
func (v *video) setRate(fps int) error { return uapi.SetQueueRate(v.fd, uapi.OutputQueue, fps) }
func (v *video) setCrop(width, height int) error {
	return uapi.SetQueueCrop(v.fd, uapi.OutputQueue, width, height)
}
func (v *video) setControl(id uint32, value int32) error { return uapi.SetControl(v.fd, id, value) }
func (v *video) stream(q uapi.VideoQueue, on bool) error { return uapi.StreamQueue(v.fd, q, on) }
func (v *video) queue(q uapi.VideoQueue, b uapi.VideoBuffer) error {
	return uapi.QueueBuffer(v.fd, q, b)
}
func (v *video) dequeue(q uapi.VideoQueue) (uapi.VideoBuffer, error) {
	return uapi.DequeueBuffer(v.fd, q)
}
func (v *video) drain() error { return uapi.DrainEncoder(v.fd) }

func (v *video) allocate(q uapi.VideoQueue, n int) ([][]byte, error) {
	n, err := uapi.RequestBuffers(v.fd, q, n)
	if err != nil {
		return nil, err
	}
	first := len(v.mapped)
	for i := range n {
		offset, length, err := uapi.BufferMemory(v.fd, q, i)
		if err != nil {
			return nil, err
		}
		m, err := unix.Mmap(v.fd, offset, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			return nil, fmt.Errorf("map %d bytes: %w", length, err)
		}
		v.mapped = append(v.mapped, m)
	}
	return v.mapped[first:], nil
}

func (v *video) wait(q uapi.VideoQueue, most time.Duration) error {
	events := int16(unix.POLLIN)
	if q == uapi.OutputQueue {
		events = unix.POLLOUT
	}
	fds := [2]unix.PollFd{{Fd: int32(v.fd), Events: events}, {Fd: int32(v.awake), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds[:], int(most.Milliseconds())); err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	if fds[0].Revents&unix.POLLNVAL != 0 {
		return unix.EBADF
	}
	return nil
}

// wake ends every wait, now and later.
func (v *video) wake() { unix.Write(v.awake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

func (v *video) close() {
	for _, m := range v.mapped {
		unix.Munmap(m)
	}
	v.mapped = nil
	unix.Close(v.awake)
	unix.Close(v.fd)
}
