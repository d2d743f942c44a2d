package station

import (
	"fmt"

	"intercom/capture"
	"intercom/signaling"
)

// media is the camera and the card as calls see them.
type media struct{ s *Station }

// Codecs lists what can be sent, best first.
func (m media) Codecs() []capture.Codec {
	return append([]capture.Codec{capture.Opus}, m.s.cfg.Codecs...)
}

// Open takes a place at an encoder.
func (m media) Open(c capture.Codec) (capture.Feed, error) {
	if c == capture.Opus {
		return m.s.sound.Open()
	}
	return m.s.video.Open(c)
}

// Play takes the sound of one user.
func (m media) Play(u signaling.UserID, c capture.Codec) (capture.Player, error) {
	if c != capture.Opus {
		return nil, fmt.Errorf("play %s: only %s can be played", c, capture.Opus)
	}
	return m.s.sound.Play(playerName(u))
}
