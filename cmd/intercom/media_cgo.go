//go:build cgo

package main

import (
	"intercom/capture"
	"intercom/capture/aec"
	"intercom/capture/alsa"
	"intercom/capture/soft/jpeg"
	"intercom/capture/soft/openh264"
	"intercom/capture/soft/opus"
	"intercom/capture/soft/vpx"
)

// coders sets what codes picture and sound.
func (d *devices) coders(c *config) error {
	d.newSoundEncoder, d.newSoundDecoder = opus.NewEncoder, opus.NewDecoder
	return d.picture(c, map[capture.Codec]capture.NewEncoder{capture.H264: openh264.NewEncoder, capture.VP8: vpx.NewEncoder})
}

// decodeJPEG returns what decodes an MJPEG camera's pictures. It lives as long as the program.
func decodeJPEG() (func([]byte, *capture.Frame) error, error) {
	d, err := jpeg.NewDecoder()
	if err != nil {
		return nil, err
	}
	return d.Decode, nil
}

// openCard picks the sound cards.
func (d *devices) openCard(c *config, mic, speaker string) error {
	card, err := alsa.New(alsa.Config{Microphone: mic, Loudspeaker: speaker, Logger: d.log})
	if err != nil {
		return c.wrong("sound.microphone", "%v", err)
	}
	switch c.Sound.Echo {
	case echoCancel:
		d.duplex, err = aec.New(aec.Config{Device: card, Logger: d.log})
	case echoHalfDuplex:
		d.duplex, err = aec.NewHalfDuplex(card)
	default:
		d.duplex = card
	}
	return err
}
