package evdev

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"intercom/internal/uapi"
)

// folder has the event devices.
const folder = "/dev/input"

// Device is an input device of the machine.
type Device struct {
	Path   string   // of its node, such as /dev/input/event3; it may be another one after a boot
	Name   string   // what it calls itself
	Phys   string   // where it is plugged in; often empty
	Unique string   // a serial number; often empty
	Links  []string // in /dev/input/by-id and by-path, without their folders
	Keys   []string // by the kernel's names
	Err    error    // why nothing is known of it

	keys uapi.KeySet
}

// List returns the machine's input devices that have keys, and those that could not be asked,
// in the order of their numbers.
func List() []Device {
	var devices []Device
	for _, p := range uapi.Nodes(folder + "/event") {
		d := look(p)
		if d.Err == nil && len(d.Keys) == 0 {
			continue
		}
		devices = append(devices, d)
	}
	for _, by := range []string{"by-id", "by-path"} {
		links, _ := filepath.Glob(filepath.Join(folder, by, "*"))
		for _, link := range links {
			target, err := filepath.EvalSymlinks(link)
			if i := slices.IndexFunc(devices, func(d Device) bool { return err == nil && d.Path == target }); i >= 0 {
				devices[i].Links = append(devices[i].Links, filepath.Base(link))
			}
		}
	}
	return devices
}

// kernel is what is asked of the machine; the tests have another one.
type kernel struct {
	list    func() []Device
	open    func(path string) (fd int, err error) // for reading without waiting, by us alone
	pressed func(fd int) (uapi.KeySet, error)
}

func machine() kernel { return kernel{List, open, uapi.PressedKeys} }

func open(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err = uapi.GrabInput(fd); err == nil {
		err = uapi.SetInputClock(fd)
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

func look(path string) Device {
	d := Device{Path: path}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		d.Err = explain(err)
		return d
	}
	defer unix.Close(fd)
	q, err := uapi.QueryInput(fd)
	if err != nil {
		d.Err = explain(err)
		return d
	}
	d.Name, d.Phys, d.Unique, d.keys = q.Name, q.Phys, q.Unique, q.Keys
	for _, code := range q.Keys.Codes() {
		d.Keys = append(d.Keys, keyName(code))
	}
	return d
}

// explain says in plain words what the kernel's refusal of a device means.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w; the service's user needs the group that owns %s/event*, often input", err, folder)
	case errors.Is(err, unix.EBUSY):
		return errors.New("another program, or another set of lines, has it for itself")
	case errors.Is(err, unix.ENODEV), errors.Is(err, os.ErrNotExist):
		return errUnplugged
	}
	return err
}

var errUnplugged = errors.New("it was unplugged")

// awayError is a device that is not there, and may come.
type awayError struct{ text string }

func (e *awayError) Error() string { return e.text }

// called says whether a device is meant by a name.
func (d *Device) called(name string) bool {
	return name == d.Path || name == filepath.Base(d.Path) || name == d.Name || name == d.Phys || name == d.Unique || slices.Contains(d.Links, name)
}

// wanted is a key that a device is to have, or may have.
type wanted struct {
	code  uint16
	maybe bool
}

// find returns the device of a name that has all keys, and most of those that it may have: one
// keypad often is two devices of one name.
func find(devices []Device, name string, keys []wanted) (Device, error) {
	var fits []Device
	var lacks error
	var others, closed []string
	most := 1
	for _, d := range devices {
		has := 0
		for _, k := range keys {
			if d.keys.Has(k.code) {
				has++
			}
		}
		switch i := slices.IndexFunc(keys, func(k wanted) bool { return !k.maybe && !d.keys.Has(k.code) }); {
		case d.Err != nil && !d.called(name):
			closed = append(closed, d.Path+": "+d.Err.Error())
		case !d.called(name):
			others = append(others, strconv.Quote(d.Name))
		case d.Err != nil:
			return Device{}, fmt.Errorf("%s: %w", d.Path, d.Err)
		case i >= 0:
			lacks = fmt.Errorf("input device %q (%s) has no %s", name, d.Path, keyName(keys[i].code))
		case has == 0:
			lacks = fmt.Errorf("input device %q (%s) has none of the keys", name, d.Path)
		case has > most:
			fits, most = []Device{d}, has
		case has == most:
			fits = append(fits, d)
		}
	}
	switch {
	case len(fits) == 1:
		return fits[0], nil
	case len(fits) > 1:
		return Device{}, fmt.Errorf("several input devices are called %q: give one as %q or %q", name, fits[0].own(), fits[1].own())
	case lacks != nil:
		return Device{}, lacks
	}
	text := fmt.Sprintf("there is no input device %q", name)
	if len(others) > 0 {
		text += "; there are " + strings.Join(others, ", ")
	}
	if len(closed) > 0 {
		text += "; " + strings.Join(closed, "; ")
	}
	return Device{}, &awayError{text}
}

// own is the most lasting name that another device of the same name has not.
func (d *Device) own() string {
	if len(d.Links) > 0 {
		return d.Links[0]
	}
	return cmp.Or(d.Unique, d.Phys, filepath.Base(d.Path))
}
