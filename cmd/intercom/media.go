package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"intercom/capture"
	"intercom/capture/cue"
	"intercom/capture/rpicam"
	"intercom/capture/synth"
	"intercom/capture/v4l2"
	"intercom/capture/video"
	"intercom/internal/control"
)

// devices are the camera and the sound card that a configuration names, with what codes
// them.
type devices struct {
	log      *slog.Logger
	camera   capture.Camera
	format   capture.Format
	encoders map[capture.Codec]capture.NewEncoder
	hardware string // encoder that is used, in words; empty: none
	// For a camera that codes by itself.
	codeSign          capture.NewEncoder
	newPictureDecoder func() (video.Decoder, error)

	duplex          capture.Duplex
	card            capture.Duplex      // of this machine, below what is done about echo; nil: simulated
	echo            func() control.Echo // how that fares; nil: nothing is done
	newSoundEncoder func() (capture.SoundEncoder, error)
	newSoundDecoder func() (capture.SoundDecoder, error)
	speaker         func() (on bool, dbfs, hz float64)
	cues            map[cue.Name][]int16

	findCamera, findCard func() error // why they are not there; nil: they always are
}

// openDevices picks the backends. It reads files but starts nothing.
func openDevices(c *config, log *slog.Logger) (*devices, error) {
	d := &devices{log: log}
	switch kind, path, _ := strings.Cut(c.Camera.Source, ":"); {
	case c.Camera.Source == "synthetic":
		cam, err := synth.NewCamera(synth.CameraConfig{Width: c.Camera.Width, Height: c.Camera.Height, FPS: c.Camera.FPS})
		if err != nil {
			return nil, c.wrong("camera.source", "%v", err)
		}
		d.camera, d.format = cam, cam.Format()
	case kind == "file" && path != "":
		cam, err := synth.NewFileCamera(path)
		if err != nil {
			return nil, c.wrong("camera.source", "%v", err)
		}
		d.camera, d.format = cam, cam.Format()
	default:
		if err := d.openCamera(c); err != nil {
			return nil, err
		}
	}
	if err := d.openSound(c); err != nil {
		return nil, err
	}
	var err error
	if d.cues, err = c.cues(); err != nil {
		return nil, err
	}
	return d, d.coders(c) // last: a program without coders checks the rest
}

// openCamera picks a camera of the machine.
func (d *devices) openCamera(c *config) error {
	m := c.Camera
	kind, name, _ := strings.Cut(m.Source, ":")
	pixel := pixelNames[m.Pixels]
	switch kind {
	case "v4l2":
		decode, err := decodeJPEG()
		if err != nil {
			return err
		}
		cam, err := v4l2.New(v4l2.Config{Device: name, Width: m.Width, Height: m.Height, FPS: m.FPS, Pixel: pixel, DecodeJPEG: decode, Controls: m.Controls, Logger: d.log})
		if err != nil {
			return c.wrong("camera.source", "%v", err)
		}
		d.camera, d.format, d.findCamera = cam, cam.Format(), cam.Find
	case "rpicam":
		number, err := strconv.Atoi(cmp.Or(name, "0"))
		if err != nil || pixel != 0 && pixel != capture.I420 && pixel != capture.AVC {
			return c.wrong("camera.source", `%q: a camera module is "rpicam" or "rpicam:NUMBER", with camera.pixels "i420" or "h264"`, m.Source)
		}
		cam, err := rpicam.New(rpicam.Config{Camera: number, Width: m.Width, Height: m.Height, FPS: m.FPS, BitRate: m.BitRate, Coded: pixel == capture.AVC, Logger: d.log})
		if err != nil {
			return c.wrong("camera.source", "%v", err)
		}
		d.camera, d.format, d.findCamera = cam, cam.Format(), cam.Find
	default:
		return c.wrong("camera.source", `%q is none of "synthetic", "file:clip.y4m", "v4l2", "v4l2:NAME" and "rpicam"`, m.Source)
	}
	return nil
}

// alsaPrefix begins the name of a real sound card.
const alsaPrefix = "alsa:"

// openSound picks the sound card.
func (d *devices) openSound(c *config) error {
	if mic, ok := strings.CutPrefix(c.Sound.Microphone, alsaPrefix); ok {
		return d.openCard(c, mic, strings.TrimPrefix(c.Sound.Loudspeaker, alsaPrefix))
	}
	// A tone and a meter have no echo, and would not survive what removes noise.
	cfg := synth.DuplexConfig{Tone: c.Sound.Tone}
	if c.Sound.Microphone != "synthetic" {
		path, ok := strings.CutPrefix(c.Sound.Microphone, "file:")
		if !ok || path == "" {
			return c.wrong("sound.microphone", `%q is none of "synthetic", "file:speech.wav" and "alsa:CARD"`, c.Sound.Microphone)
		}
		cfg = synth.DuplexConfig{Sound: path}
	}
	card, err := synth.NewDuplex(cfg)
	if err != nil {
		return c.wrong("sound.microphone", "%v", err)
	}
	d.duplex, d.speaker = card, card.Speaker().Level
	return nil
}

// pixelNames are what camera.pixels may be; 0: what costs least.
var pixelNames = map[string]capture.Pixel{"auto": 0, "i420": capture.I420, "nv12": capture.NV12, "yuyv": capture.YUYV, "mjpeg": capture.MJPEG, "h264": capture.AVC}

// picture sets the video coders that the configuration lists.
func (d *devices) picture(c *config, known map[capture.Codec]capture.NewEncoder) error {
	d.encoders = map[capture.Codec]capture.NewEncoder{}
	if d.format.Pixel == capture.AVC {
		d.codeSign = known[capture.H264]
		known = map[capture.Codec]capture.NewEncoder{capture.H264: video.Passthrough}
	} else if err := d.openHardware(c, known); err != nil {
		return err
	}
	for _, codec := range c.Camera.Codecs {
		if known[codec] == nil {
			return fmt.Errorf("there is no encoder for %s", codec)
		}
		d.encoders[codec] = known[codec]
	}
	return nil
}
