package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// streamOn is VIDIOC_STREAMON, and videoOutput V4L2_BUF_TYPE_VIDEO_OUTPUT.
const (
	streamOn    = 0x40045612
	videoOutput = 2
)

// feed gives v4l2loopback's device pictures: a write is a frame. It does not return
// without an error.
func feed(args []string) error {
	if len(args) != 4 {
		return errors.New("usage: agent feed DEVICE FORMAT INTERVAL FOLDER")
	}
	interval, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(args[3], "*"))
	if err != nil {
		return err
	}
	var frames [][]byte
	for _, name := range files { // in order of their names
		frame, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		frames = append(frames, frame)
	}
	if len(frames) == 0 {
		return errors.New("no pictures in " + args[3])
	}
	device, err := os.OpenFile(args[0], os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	// The format stays while somebody has the device open.
	if out, err := exec.Command("v4l2-ctl", "-d", args[0], "--set-fmt-video-out", args[1]).CombinedOutput(); err != nil {
		return fmt.Errorf("set format %s: %w: %s", args[1], err, out)
	}
	// This makes us the writer, without whom it is no camera.
	if err := unix.IoctlSetPointerInt(int(device.Fd()), streamOn, videoOutput); err != nil {
		return fmt.Errorf("start %s: %w", args[0], err)
	}
	for n, tick := 0, time.Tick(interval); ; n++ {
		if _, err := device.Write(frames[n%len(frames)]); err != nil {
			return err
		}
		<-tick
	}
}
