package main

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"intercom/capture"
	"intercom/capture/m2m"
)

// hardwareRest is how long software codes after the encoder in hardware has failed. A wedged
// one costs a second of standing picture each time it is tried, and often stays so until the
// machine is restarted.
const hardwareRest = 10 * time.Minute

// openHardware replaces the encoder of H.264 in software by the machine's one, if there is
// one and the configuration lets it.
func (d *devices) openHardware(c *config, known map[capture.Codec]capture.NewEncoder) error {
	if c.Camera.Encoder == "software" {
		return nil
	}
	found, err := m2m.Find()
	switch {
	case err == nil:
		d.hardware = fmt.Sprintf("%s, %s (%s)", found.Card, found.Path, found.Driver)
	case c.Camera.Encoder == "hardware":
		return c.wrong("camera.encoder", "%v", err)
	case errors.Is(err, m2m.ErrNone):
		return nil
	default:
		return err
	}
	if c.Camera.Encoder == "hardware" {
		known[capture.H264] = found.NewEncoder
		return nil
	}
	e := &encoders{log: d.log, hardware: found.NewEncoder, software: known[capture.H264]}
	known[capture.H264] = e.open
	return nil
}

// encoders prefers one encoder, and takes the other while that rests.
type encoders struct {
	log                *slog.Logger
	hardware, software capture.NewEncoder

	mu     sync.Mutex
	failed time.Time
}

// open is a capture.NewEncoder.
func (e *encoders) open(f capture.Format, out func(*capture.Packet)) (capture.Encoder, error) {
	e.mu.Lock()
	rests := !e.failed.IsZero() && time.Since(e.failed) < hardwareRest
	e.mu.Unlock()
	if rests {
		return e.software(f, out)
	}
	h, err := e.hardware(f, out)
	if err != nil {
		e.fail(err)
		return e.software(f, out)
	}
	return &watched{h, e}, nil
}

func (e *encoders) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failed = time.Now()
	e.log.Warn("software codes the picture for a while", "cause", err, "while", hardwareRest)
}

// watched notes that an encoder fails; whoever uses it opens another one then.
type watched struct {
	capture.Encoder
	encoders *encoders
}

// Encode is part of capture.Encoder.
func (w *watched) Encode(f *capture.Frame) error {
	err := w.Encoder.Encode(f)
	if err != nil {
		w.encoders.fail(err)
	}
	return err
}
