package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestDevices runs on whatever this machine has, most often nothing.
func TestDevices(t *testing.T) {
	var out, errs bytes.Buffer
	if code := dispatch(t.Context(), []string{"devices"}, &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	for _, want := range []string{"Cameras (camera.source)\n  ", "Sound cards (sound.microphone, sound.loudspeaker)\n  ", "GPIO chips (", "Input devices (keypad.device, button.line with a key)\n  ", "Encoders\n  "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	out.Reset()
	if code := dispatch(t.Context(), []string{"devices", "--format", "json"}, &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"cameras", "sound", "gpio_chips", "encoders", "problems"} {
		if _, ok := got[key].([]any); !ok {
			t.Errorf("%s is %v, want a list, empty if there is none", key, got[key])
		}
	}
	// A program without coders says that it is one.
	if e, p := got["encoders"].([]any), got["problems"].([]any); len(e) != 3 && len(p) == 0 || len(e) == 3 && len(p) > 0 {
		t.Errorf("encoders %v, problems %v", e, p)
	}
	for _, args := range [][]string{{"devices", "--format", "xml"}, {"devices", "now"}} {
		if code := dispatch(t.Context(), args, &out, &errs); code != exitUsage {
			t.Errorf("%q: exit %d, want %d", args, code, exitUsage)
		}
	}
}

// TestDevicesPrinted is what a person sees of a machine that has something.
func TestDevicesPrinted(t *testing.T) {
	f := &found{
		Cameras: []foundCamera{
			{Path: "/dev/video0", Card: "Webcam", Bus: "usb-1", Driver: "uvcvideo", Links: []string{"/dev/v4l/by-id/usb-Webcam"},
				Modes: []foundMode{{"YUYV", 640, 480, 30}, {"YUYV", 1280, 720, 10}, {"MJPEG", 1280, 720, 0}}, Chosen: "YUYV 640x480 at 30/s", Why: "the cheapest to convert"},
			{Path: "/dev/video2", Card: "Other", Bus: "usb-2", Driver: "uvcvideo", Problem: "another program uses it"},
		},
		Module: "/usr/bin/rpicam-vid",
		Sound:  []foundCard{{"Device", "USB Audio", "USB Audio at usb-3", true, false}},
		Chips: []foundChip{{Name: "gpiochip0", Label: "pinctrl-bcm2711", Lines: []foundLine{
			{0, "", false, "", false}, {1, "GPIO1", false, "", false}, {2, "", true, "led", true}, {3, "BTN", true, "intercom", false}}}},
		Inputs: []foundInput{
			{Path: "/dev/input/event3", Name: "Pad", Phys: "usb-1.2/input0", Links: []string{"usb-Acme_Pad-event-kbd"}, Keys: []string{"KEY_1", "KEY_2"}},
			{Path: "/dev/input/event4", Problem: "permission denied"},
		},
		Encoders: []string{"video/H264", "audio/opus"},
		Problems: []string{"something else"},
	}
	var out bytes.Buffer
	if err := f.print(&out); err != nil {
		t.Fatal(err)
	}
	const want = `Cameras (camera.source)
  "v4l2:usb-1"  Webcam, /dev/video0 (uvcvideo)
      also "v4l2:/dev/v4l/by-id/usb-Webcam"
      has YUYV 640x480@30 1280x720@10
      has MJPEG 1280x720
      would use YUYV 640x480 at 30/s: the cheapest to convert
  "v4l2:usb-2"  Other, /dev/video2 (uvcvideo)
      another program uses it
  "rpicam"  a camera module by /usr/bin/rpicam-vid; it lists them with --list-cameras

Sound cards (sound.microphone, sound.loudspeaker)
  "alsa:Device"  USB Audio at usb-3; microphone yes, loudspeaker no

GPIO chips (button.line, lock.line, light.line)
  gpiochip0 (pinctrl-bcm2711), 4 lines
      gpiochip0:1   GPIO1
      gpiochip0:2   output in use by "led"
      gpiochip0:3   BTN, input in use by "intercom"

Input devices (keypad.device, button.line with a key)
  "evdev:Pad"  /dev/input/event3
      also "evdev:usb-Acme_Pad-event-kbd"
      also "evdev:usb-1.2/input0"
      has KEY_1 KEY_2
  "evdev:/dev/input/event4"  /dev/input/event4
      permission denied

Encoders
  video/H264, audio/opus

something else
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
