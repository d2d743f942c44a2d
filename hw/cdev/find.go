package cdev

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	gpiocdev "github.com/warthog618/go-gpiocdev"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/host/v3/rpi"
)

// place is where a line is.
type place struct {
	chip   string // the device's name, such as "gpiochip0"
	offset int
}

func (p place) String() string { return p.chip + ":" + strconv.Itoa(p.offset) }

// Chip is a GPIO chip of the machine.
type Chip struct {
	Name  string // of the device, such as "gpiochip0"; it may be another one after a boot
	Label string // by the driver, such as "pinctrl-bcm2711"
	Lines []Info
	Err   error // why its lines are not known; nil: they are
}

// Info is what the kernel tells of a line without taking it.
type Info struct {
	Name   string // by the device tree; often empty
	Used   bool
	By     string // who uses it
	Output bool
}

// List returns the machine's chips in the order of their numbers, none if there are none.
func List() []Chip {
	var chips []Chip
	for _, name := range gpiocdev.Chips() {
		// One chip often has a second name, for programs that want an old one.
		if target, err := os.Readlink("/dev/" + name); err == nil && slices.Contains(gpiocdev.Chips(), target) {
			continue
		}
		chips = append(chips, look(name))
	}
	return chips
}

func look(name string) Chip {
	c, err := gpiocdev.NewChip(name)
	if err != nil {
		return Chip{Name: name, Err: closed(name, err)}
	}
	defer c.Close()
	chip := Chip{Name: name, Label: c.Label}
	for offset := range c.Lines() {
		l, err := c.LineInfo(offset)
		if err != nil {
			chip.Err = fmt.Errorf("line %d: %w", offset, err)
			break
		}
		chip.Lines = append(chip.Lines, Info{Name: l.Name, Used: l.Used, By: l.Consumer, Output: l.Config.Direction == gpiocdev.LineDirectionOutput})
	}
	return chip
}

// closed adds what to do about a chip that may not be opened.
func closed(chip string, err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w; the service's user needs the group that owns /dev/%s, often gpio", err, chip)
	}
	return err
}

// user returns who uses a line.
func (p place) user() string {
	chip := look(p.chip)
	if p.offset >= len(chip.Lines) {
		return ""
	}
	return chip.Lines[p.offset].By
}

// Errors of names.
var (
	errNoChips = errors.New("this machine has no GPIO chips (/dev/gpiochip*)")
	errUnknown = errors.New(`there is no such line; it is given as "chip:offset", by its name, or as a pin of the header such as "P1_11"; intercom devices lists them`)
)

// find looks for a line on the machine's chips.
func find(name string) (place, error) { return findOn(List(), name) }

func findOn(chips []Chip, name string) (place, error) {
	if len(chips) == 0 {
		return place{}, errNoChips
	}
	found := named(chips, name)
	if len(found) == 0 {
		if i := strings.LastIndexByte(name, ':'); i >= 0 {
			p, known, err := numbered(chips, name[:i], name[i+1:])
			if err != nil || known {
				return p, err
			}
		}
		if pin, ok := header[name]; ok {
			found = onHeader(chips, pin)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		for _, c := range chips {
			if c.Err != nil { // it may be there
				return place{}, fmt.Errorf("%w; but %s could not be read: %w", errUnknown, c.Name, c.Err)
			}
		}
		return place{}, errUnknown
	}
	return place{}, fmt.Errorf("several lines have this name; give one of them as %s or %s", found[0], found[1])
}

// named returns all lines with this name.
func named(chips []Chip, name string) (found []place) {
	if name == "" {
		return nil
	}
	for _, c := range chips {
		for offset, l := range c.Lines {
			if l.Name == name {
				found = append(found, place{c.Name, offset})
			}
		}
	}
	return found
}

// numbered takes "gpiochip0:17" and "pinctrl-bcm2711:17". Known is false if there is no
// such chip.
func numbered(chips []Chip, chip, offset string) (p place, known bool, err error) {
	is := func(c Chip) bool { return c.Name == chip || c.Label == chip }
	i := slices.IndexFunc(chips, is)
	if i < 0 {
		return place{}, false, nil
	}
	if j := slices.IndexFunc(chips[i+1:], is); j >= 0 {
		return place{}, true, fmt.Errorf("%s and %s are both called %q; give the device", chips[i].Name, chips[i+1+j].Name, chip)
	}
	c := chips[i]
	n, err := strconv.Atoi(offset)
	switch {
	case c.Err != nil:
		return place{}, true, fmt.Errorf("%s: %w", c.Name, c.Err)
	case err != nil:
		return place{}, true, fmt.Errorf("%q is not the number of a line", offset)
	case n < 0 || n >= len(c.Lines):
		return place{}, true, fmt.Errorf("%s (%s) has lines 0 to %d", c.Name, c.Label, len(c.Lines)-1)
	}
	return place{c.Name, n}, true, nil
}

// headerChips are the labels of the chips behind a Raspberry Pi's header: up to Pi 3, 4, 5.
var headerChips = []string{"pinctrl-bcm2835", "pinctrl-bcm2837", "pinctrl-bcm2711", "pinctrl-rp1"}

// onHeader returns the line behind a pin of the header. Its number is the offset.
func onHeader(chips []Chip, pin gpio.PinIO) (found []place) {
	for _, c := range chips {
		if slices.Contains(headerChips, c.Label) && pin.Number() < len(c.Lines) {
			found = append(found, place{c.Name, pin.Number()})
		}
	}
	if len(found) == 0 {
		found = named(chips, pin.Name()) // another board's kernel may use the same names
	}
	return found
}

// header are the pins of the 40-pin header that are lines.
var header = map[string]gpio.PinIO{
	"P1_3": rpi.P1_3, "P1_5": rpi.P1_5, "P1_7": rpi.P1_7, "P1_8": rpi.P1_8, "P1_10": rpi.P1_10,
	"P1_11": rpi.P1_11, "P1_12": rpi.P1_12, "P1_13": rpi.P1_13, "P1_15": rpi.P1_15, "P1_16": rpi.P1_16,
	"P1_18": rpi.P1_18, "P1_19": rpi.P1_19, "P1_21": rpi.P1_21, "P1_22": rpi.P1_22, "P1_23": rpi.P1_23,
	"P1_24": rpi.P1_24, "P1_26": rpi.P1_26, "P1_27": rpi.P1_27, "P1_28": rpi.P1_28, "P1_29": rpi.P1_29,
	"P1_31": rpi.P1_31, "P1_32": rpi.P1_32, "P1_33": rpi.P1_33, "P1_35": rpi.P1_35, "P1_36": rpi.P1_36,
	"P1_37": rpi.P1_37, "P1_38": rpi.P1_38, "P1_40": rpi.P1_40,
}
