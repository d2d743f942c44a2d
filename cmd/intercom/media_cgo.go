//go:build cgo

package main

import (
	"log/slog"
	"time"

	"intercom/capture"
	"intercom/capture/aec"
	"intercom/capture/alsa"
	"intercom/capture/soft/jpeg"
	"intercom/capture/soft/openh264"
	"intercom/capture/soft/opus"
	"intercom/capture/soft/vpx"
	"intercom/capture/video"
	"intercom/internal/control"
)

// coders sets what codes picture and sound.
func (d *devices) coders(c *config) error {
	d.newSoundEncoder, d.newSoundDecoder = opus.NewEncoder, opus.NewDecoder
	d.newPictureDecoder = func() (video.Decoder, error) { return openh264.NewDecoder() }
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
	d.card, d.findCard = card, card.Find
	d.duplex, d.echo, err = cleanEcho(c, card, d.log)
	return err
}

// cleanEcho puts what the configuration says about echo on a card. status tells how it fares;
// nil: nothing is done.
func cleanEcho(c *config, card capture.Duplex, log *slog.Logger) (clean capture.Duplex, status func() control.Echo, err error) {
	switch c.Sound.Echo {
	case echoCancel:
		d, err := aec.New(aec.Config{Device: card, Logger: log})
		return d, func() control.Echo { return echoOf(d.Stats()) }, err
	case echoHalfDuplex:
		d, err := aec.NewHalfDuplex(card)
		return d, func() control.Echo { return control.Echo{State: control.EchoHalfDuplex} }, err
	}
	return card, nil, nil
}

func echoOf(s aec.Stats) control.Echo {
	e := control.Echo{
		State: control.EchoCancelled, Delay: float64(s.Delay) / float64(time.Millisecond), ERLE: s.ERLE,
		Clock: s.Drift, Overdrive: s.Clipped, Restarts: s.Restarts,
	}
	if s.Learning {
		e.State = control.EchoLearning
	}
	return e
}
