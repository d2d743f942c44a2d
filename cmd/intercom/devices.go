package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"intercom/capture"
	"intercom/capture/alsa"
	"intercom/capture/rpicam"
	"intercom/capture/v4l2"
	"intercom/hw/cdev"
	"intercom/hw/evdev"
)

// found is what the machine has, as `intercom devices` tells it. The JSON is for programs:
// fields are added, not changed.
type found struct {
	Cameras  []foundCamera `json:"cameras"`
	Module   string        `json:"module_program"` // for camera modules; empty: there is none
	Sound    []foundCard   `json:"sound"`
	Chips    []foundChip   `json:"gpio_chips"`
	Inputs   []foundInput  `json:"input_devices"`
	Encoders []string      `json:"encoders"`
	Hardware string        `json:"hardware_encoder"` // of H.264; empty: software
	Problems []string      `json:"problems"`
}

type foundCamera struct {
	Path    string      `json:"path"`
	Card    string      `json:"card"`
	Bus     string      `json:"bus"`
	Driver  string      `json:"driver"`
	Links   []string    `json:"links"`
	Modes   []foundMode `json:"modes"`
	Chosen  string      `json:"chosen"` // of the configured size and rate
	Why     string      `json:"why"`
	Problem string      `json:"problem,omitempty"`
}

type foundMode struct {
	Pixels string  `json:"pixels"`
	Width  int     `json:"width"`
	Height int     `json:"height"`
	FPS    float64 `json:"fps"` // 0: the driver does not tell
}

type foundCard struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Long        string `json:"long_name"`
	Microphone  bool   `json:"microphone"`
	Loudspeaker bool   `json:"loudspeaker"`
}

type foundChip struct {
	Name    string      `json:"name"`
	Label   string      `json:"label"`
	Lines   []foundLine `json:"lines"`
	Problem string      `json:"problem,omitempty"`
}

type foundLine struct {
	Offset int    `json:"offset"`
	Name   string `json:"name"`
	Used   bool   `json:"used"`
	By     string `json:"by,omitempty"`
	Output bool   `json:"output"`
}

func runDevices(_ context.Context, in invocation) error {
	var path, format string
	if _, err := in.parse("devices", 0, 0, func(fs *flag.FlagSet) {
		fs.StringVar(&path, "config", "", "`FILE` whose camera settings say what would be chosen")
		fs.StringVar(&format, "format", "text", "`FORMAT` of the output, text or json")
	}); err != nil {
		return err
	}
	if format != "text" && format != "json" {
		return exitError{exitUsage, fmt.Errorf("--format: %q is neither text nor json", format)}
	}
	c := demoConfig(demoAccounts()) // only its camera counts
	if err := loadConfig(path, c); err != nil {
		return err
	}
	f := look(c)
	if format == "json" {
		e := json.NewEncoder(in.stdout)
		e.SetIndent("", "  ")
		return e.Encode(f)
	}
	return f.print(in.stdout)
}

// look lists the machine's devices. Cameras are opened for a moment.
func look(c *config) *found {
	f := &found{Cameras: []foundCamera{}, Sound: []foundCard{}, Chips: []foundChip{}, Inputs: []foundInput{}, Encoders: []string{}, Problems: []string{}}
	decode, err := decodeJPEG()
	if err != nil {
		f.Problems = append(f.Problems, err.Error())
	}
	cam, err := v4l2.New(v4l2.Config{Width: c.Camera.Width, Height: c.Camera.Height, FPS: c.Camera.FPS, Pixel: pixelNames[c.Camera.Pixels], DecodeJPEG: decode})
	if err != nil {
		f.Problems = append(f.Problems, err.Error())
	} else {
		devices, err := v4l2.List()
		if err != nil {
			f.Problems = append(f.Problems, "cameras: "+err.Error())
		}
		for _, d := range devices {
			f.Cameras = append(f.Cameras, lookCamera(cam, d))
		}
	}
	f.Module, _ = rpicam.Program()
	cards, err := alsa.List()
	if err != nil {
		f.Problems = append(f.Problems, err.Error())
	}
	for _, card := range cards {
		f.Sound = append(f.Sound, foundCard{card.ID, card.Name, card.Long, card.Captures, card.Plays})
	}
	for _, chip := range cdev.List() {
		f.Chips = append(f.Chips, lookChip(chip))
	}
	for _, d := range evdev.List() {
		f.Inputs = append(f.Inputs, lookInput(d))
	}
	d := &devices{log: slog.New(slog.DiscardHandler)}
	if err := d.coders(c); err != nil {
		f.Problems = append(f.Problems, err.Error())
	}
	f.Hardware = d.hardware
	for _, codec := range []capture.Codec{capture.H264, capture.VP8} {
		if d.encoders[codec] != nil {
			f.Encoders = append(f.Encoders, string(codec))
		}
	}
	if d.newSoundEncoder != nil {
		f.Encoders = append(f.Encoders, string(capture.Opus))
	}
	return f
}

func lookCamera(cam *v4l2.Camera, d v4l2.Device) foundCamera {
	out := foundCamera{Path: d.Path, Card: d.Card, Bus: d.Bus, Driver: d.Driver, Links: append([]string{}, d.Links...), Modes: []foundMode{}}
	modes, best, why, err := cam.Offer(d)
	for _, m := range modes {
		out.Modes = append(out.Modes, foundMode{m.Pixel.String(), m.Width, m.Height, m.FPS})
	}
	if err != nil {
		out.Problem = err.Error()
		return out
	}
	out.Chosen, out.Why = best.String(), why
	return out
}

func lookChip(c cdev.Chip) foundChip {
	out := foundChip{Name: c.Name, Label: c.Label, Lines: []foundLine{}}
	for i, l := range c.Lines {
		out.Lines = append(out.Lines, foundLine{i, l.Name, l.Used, l.By, l.Output})
	}
	if c.Err != nil {
		out.Problem = c.Err.Error()
	}
	return out
}

// print writes the list for a person, who wants to know what to write into the configuration.
func (f *found) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Cameras (camera.source)\n")
	if len(f.Cameras) == 0 {
		fmt.Fprintf(&b, "  none on /dev/video*\n")
	}
	for _, c := range f.Cameras {
		fmt.Fprintf(&b, "  \"v4l2:%s\"  %s, %s (%s)\n", c.Bus, c.Card, c.Path, c.Driver)
		for _, l := range c.Links {
			fmt.Fprintf(&b, "      also \"v4l2:%s\"\n", l)
		}
		for _, line := range modeLines(c.Modes) {
			fmt.Fprintf(&b, "      has %s\n", line)
		}
		if c.Problem != "" {
			fmt.Fprintf(&b, "      %s\n", c.Problem)
		} else {
			fmt.Fprintf(&b, "      would use %s: %s\n", c.Chosen, c.Why)
		}
	}
	if f.Module != "" {
		fmt.Fprintf(&b, "  \"rpicam\"  a camera module by %s; it lists them with --list-cameras\n", f.Module)
	}
	fmt.Fprintf(&b, "\nSound cards (sound.microphone, sound.loudspeaker)\n")
	if len(f.Sound) == 0 {
		fmt.Fprintf(&b, "  none in /proc/asound/cards\n")
	}
	for _, c := range f.Sound {
		fmt.Fprintf(&b, "  \"alsa:%s\"  %s; microphone %s, loudspeaker %s\n", c.ID, c.Long, yes(c.Microphone), yes(c.Loudspeaker))
	}
	fmt.Fprintf(&b, "\nGPIO chips (button.line, lock.line, light.line)\n")
	if len(f.Chips) == 0 {
		fmt.Fprintf(&b, "  none at /dev/gpiochip*\n")
	}
	for _, c := range f.Chips {
		fmt.Fprintf(&b, "  %s (%s), %d lines\n", c.Name, c.Label, len(c.Lines))
		if c.Problem != "" {
			fmt.Fprintf(&b, "      %s\n", c.Problem)
		}
		for _, l := range c.Lines {
			if l.Name == "" && !l.Used {
				continue
			}
			fmt.Fprintf(&b, "      %s:%-3d %s\n", c.Name, l.Offset, l)
		}
	}
	f.printInputs(&b)
	fmt.Fprintf(&b, "\nEncoders\n  %s\n", strings.Join(append(f.Encoders, f.none()...), ", "))
	if f.Hardware != "" {
		fmt.Fprintf(&b, "  H264 in hardware: %s\n", f.Hardware)
	}
	for _, p := range f.Problems {
		fmt.Fprintf(&b, "\n%s\n", p)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (f *found) none() []string {
	if len(f.Encoders) == 0 {
		return []string{"none"}
	}
	return nil
}

// modeLines has a line for each pixel format.
func modeLines(modes []foundMode) []string {
	var lines []string
	last := ""
	for _, m := range modes {
		size := fmt.Sprintf("%dx%d", m.Width, m.Height)
		if m.FPS > 0 {
			size += fmt.Sprintf("@%.4g", m.FPS)
		}
		if m.Pixels == last {
			lines[len(lines)-1] += " " + size
		} else {
			lines = append(lines, m.Pixels+" "+size)
		}
		last = m.Pixels
	}
	return lines
}

// String is the line's name and who uses it.
func (l foundLine) String() string {
	if !l.Used {
		return l.Name
	}
	direction := "input"
	if l.Output {
		direction = "output"
	}
	use := fmt.Sprintf("%s in use by %q", direction, l.By)
	if l.Name == "" {
		return use
	}
	return l.Name + ", " + use
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
