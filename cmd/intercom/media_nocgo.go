//go:build !cgo

package main

import (
	"errors"
	"log/slog"

	"intercom/capture"
	"intercom/internal/control"
)

// coders refuses: all coders of picture and sound are C libraries.
func (d *devices) coders(*config) error {
	return exitError{exitFailed, errors.New("this program was built without cgo and cannot code picture and sound; build it with CGO_ENABLED=1 (make build)")}
}

// decodeJPEG returns nil: MJPEG cameras are not read.
func decodeJPEG() (func([]byte, *capture.Frame) error, error) { return nil, nil }

// openCard leaves the card out: coders refuses.
func (d *devices) openCard(*config, string, string) error { return nil }

// cleanEcho leaves the echo: there is no card.
func cleanEcho(_ *config, card capture.Duplex, _ *slog.Logger) (capture.Duplex, func() control.Echo, error) {
	return card, nil, nil
}
