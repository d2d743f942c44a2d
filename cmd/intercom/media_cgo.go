//go:build cgo

package main

import (
	"intercom/capture"
	"intercom/capture/soft/openh264"
	"intercom/capture/soft/opus"
	"intercom/capture/soft/vpx"
)

// coders sets what codes picture and sound.
func (d *devices) coders(c *config) error {
	d.newSoundEncoder, d.newSoundDecoder = opus.NewEncoder, opus.NewDecoder
	return d.picture(c, map[capture.Codec]capture.NewEncoder{capture.H264: openh264.NewEncoder, capture.VP8: vpx.NewEncoder})
}
