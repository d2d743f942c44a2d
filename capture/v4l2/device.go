package v4l2

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"intercom/internal/uapi"
)

// Device is a camera of the machine.
type Device struct {
	Path   string   // such as "/dev/video0"; it may be another one after a boot
	Card   string   // the driver's name for it, such as "HD Pro Webcam C920"
	Bus    string   // where it is plugged in, such as "usb-0000:01:00.0-1.2"
	Driver string   // of the kernel, such as "uvcvideo"
	Links  []string // its stable names in /dev/v4l/by-id and by-path
}

// List returns the machine's cameras in the order of their numbers. Video devices that are
// none (codecs, scalers, metadata, outputs, parts of a camera module) are left out. The error
// says which could not be asked, and what to do; the others are there all the same.
func List() ([]Device, error) {
	return list(uapi.Nodes("/dev/video"), inspect)
}

func list(paths []string, inspect func(string) (Device, error)) ([]Device, error) {
	var devices []Device
	var closed error // the first one: the others are most often closed for the same reason
	for _, p := range paths {
		switch d, err := inspect(p); {
		case err == nil:
			devices = append(devices, d)
		case closed == nil && !errors.Is(err, ErrNoCamera) && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ENODEV):
			closed = err
		}
	}
	return devices, closed
}

// ErrNoCamera is in the error of a device that is something else.
var ErrNoCamera = errors.New("it is no camera")

// inspect asks a video device what it is.
func inspect(path string) (Device, error) {
	fd, err := open(path)
	if err != nil {
		return Device{}, explain(err)
	}
	defer unix.Close(fd)
	v, err := uapi.QueryVideo(fd)
	if err != nil {
		return Device{}, fmt.Errorf("%s: %w (%w)", path, ErrNoCamera, err)
	}
	if why := otherwise(v); why != "" {
		return Device{}, fmt.Errorf("%s (%s): %w: %s", path, v.Card, ErrNoCamera, why)
	}
	return Device{Path: path, Card: v.Card, Bus: v.Bus, Driver: v.Driver, Links: links(path)}, nil
}

// otherwise says what a video device is if it is no camera; "": it is one.
func otherwise(v uapi.VideoDevice) string {
	switch {
	case v.Caps&uapi.VideoCapture == 0 || v.Caps&uapi.VideoStreaming == 0 || v.Caps&(uapi.VideoM2M|uapi.VideoM2MPlanes) != 0:
		return "the driver says it has no video capture by memory map"
	case v.Caps&uapi.VideoMediaController != 0 || v.Driver == "unicam":
		return "it is the receiver of a camera module (CSI), which rpicam is for"
	case v.Driver == "bcm2835-isp":
		return "it is a Raspberry Pi's image processor" // its outputs look like cameras
	}
	return ""
}

// links returns the names that udev gives a device.
func links(path string) []string {
	var found []string
	for _, dir := range []string{"/dev/v4l/by-id", "/dev/v4l/by-path"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // a small system has no udev
		}
		for _, e := range entries {
			link := filepath.Join(dir, e.Name())
			if target, err := filepath.EvalSymlinks(link); err == nil && target == path {
				found = append(found, link)
			}
		}
	}
	return found
}

// find looks for the camera with this name: a path, a stable link, what it is plugged into,
// or what its driver calls it. Empty: the only one that there is.
func find(name string) (Device, error) {
	if strings.HasPrefix(name, "/") {
		path, err := filepath.EvalSymlinks(name)
		if errors.Is(err, os.ErrNotExist) {
			return Device{}, errors.New("there is no such device; is it plugged in? intercom devices lists the cameras")
		}
		if err != nil {
			return Device{}, fmt.Errorf("%w; intercom devices lists the cameras", err)
		}
		return inspect(path)
	}
	devices, closed := List()
	d, err := pick(devices, name)
	if err != nil && closed != nil { // it may be the one
		err = fmt.Errorf("%w; a video device could not be asked: %w", err, closed)
	}
	return d, err
}

func pick(devices []Device, name string) (Device, error) {
	var found []Device
	for _, d := range devices {
		if name == "" || name == d.Bus || name == d.Card || slices.ContainsFunc(d.Links, func(l string) bool { return filepath.Base(l) == name }) {
			found = append(found, d)
		}
	}
	other := func(d Device) bool { return d.Bus != found[0].Bus }
	switch {
	case len(found) == 1, len(found) > 1 && !slices.ContainsFunc(found, other):
		return found[0], nil // the first of the nodes that one camera has
	case len(found) > 1:
		return Device{}, fmt.Errorf("%d cameras fit (%s at %s, %s at %s); name one by its bus or its link in /dev/v4l/by-id",
			len(found), found[0].Path, found[0].Bus, found[1].Path, found[1].Bus)
	case len(devices) == 0:
		return Device{}, errors.New("this machine shows no camera (/dev/video*); is it plugged in?")
	}
	return Device{}, errors.New("no camera has this name; intercom devices lists them")
}

// granted returns what the driver has made of a request for a format: the library tells
// what was asked for.
func granted(path string) (uapi.VideoFormat, error) {
	fd, err := open(path)
	if err != nil {
		return uapi.VideoFormat{}, err
	}
	defer unix.Close(fd)
	return uapi.CaptureFormat(fd)
}

func open(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}
