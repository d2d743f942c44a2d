package main

import (
	"fmt"
	"strings"

	"intercom/capture"
	"intercom/capture/synth"
)

// devices are the camera and the sound card that a configuration names, with what codes
// them.
type devices struct {
	camera   capture.Camera
	format   capture.Format
	encoders map[capture.Codec]capture.NewEncoder

	duplex          capture.Duplex
	newSoundEncoder func() (capture.SoundEncoder, error)
	newSoundDecoder func() (capture.SoundDecoder, error)
	speaker         func() (on bool, dbfs, hz float64)
}

// openDevices picks the backends. It reads files but starts nothing.
func openDevices(c *config) (*devices, error) {
	d := &devices{}
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
		return nil, c.wrong("camera.source", `%q is neither "synthetic" nor "file:clip.y4m"`, c.Camera.Source)
	}
	cfg := synth.DuplexConfig{Tone: c.Sound.Tone}
	if c.Sound.Microphone != "synthetic" {
		path, ok := strings.CutPrefix(c.Sound.Microphone, "file:")
		if !ok || path == "" {
			return nil, c.wrong("sound.microphone", `%q is neither "synthetic" nor "file:speech.wav"`, c.Sound.Microphone)
		}
		cfg = synth.DuplexConfig{Sound: path}
	}
	card, err := synth.NewDuplex(cfg)
	if err != nil {
		return nil, c.wrong("sound.microphone", "%v", err)
	}
	d.duplex, d.speaker = card, card.Speaker().Level
	return d, d.coders(c) // last: a program without coders checks the rest
}

// picture sets the video coders that the configuration lists.
func (d *devices) picture(c *config, known map[capture.Codec]capture.NewEncoder) error {
	d.encoders = map[capture.Codec]capture.NewEncoder{}
	for _, codec := range c.Camera.Codecs {
		if known[codec] == nil {
			return fmt.Errorf("there is no encoder for %s", codec)
		}
		d.encoders[codec] = known[codec]
	}
	return nil
}
