//go:build cgo

package main

import (
	"context"
	"sync"

	"intercom/callcore"
	"intercom/capture"
	"intercom/capture/audio"
	"intercom/capture/soft/opus"
	"intercom/capture/soft/vpx"
	"intercom/capture/synth"
	"intercom/capture/video"
	"intercom/signaling"
)

// media are a test picture and a tone, and a loudspeaker that nobody hears.
type media struct {
	picture *video.Source
	sound   *audio.Source
}

var _ callcore.Media = (*media)(nil)

func newMedia() (*media, error) {
	camera, err := synth.NewCamera(synth.CameraConfig{})
	if err != nil {
		return nil, err
	}
	card, err := synth.NewDuplex(synth.DuplexConfig{})
	if err != nil {
		return nil, err
	}
	picture, err := video.New(video.Config{
		Camera: camera, Format: camera.Format(), Encoders: map[capture.Codec]capture.NewEncoder{capture.VP8: vpx.NewEncoder},
	})
	if err != nil {
		return nil, err
	}
	sound, err := audio.New(audio.Config{Duplex: card, NewEncoder: opus.NewEncoder, NewDecoder: opus.NewDecoder})
	return &media{picture, sound}, err
}

// run shares camera and card among calls until ctx ends; they are on during calls only.
func (m *media) run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { m.picture.Run(ctx) })
	both.Go(func() { m.sound.Run(ctx) })
	both.Wait()
}

// Codecs is part of callcore.Media.
func (m *media) Codecs() []capture.Codec { return []capture.Codec{capture.VP8, capture.Opus} }

// Open is part of callcore.Media.
func (m *media) Open(c capture.Codec) (capture.Feed, error) {
	if c == capture.Opus {
		return m.sound.Open()
	}
	return m.picture.Open(c)
}

// Play is part of callcore.Media.
func (m *media) Play(u signaling.UserID, _ capture.Codec) (capture.Player, error) {
	return m.sound.Play(u.String())
}
