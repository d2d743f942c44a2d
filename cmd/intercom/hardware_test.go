package main

import (
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"intercom/capture"
)

// coder is an encoder that says which it is.
type coder struct {
	capture.Encoder
	err error
}

func (c *coder) Encode(*capture.Frame) error { return c.err }

func TestHardwareRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var openErr error
		hard, soft := &coder{}, &coder{}
		e := &encoders{
			log:      slog.New(slog.DiscardHandler),
			hardware: func(capture.Format, func(*capture.Packet)) (capture.Encoder, error) { return hard, openErr },
			software: func(capture.Format, func(*capture.Packet)) (capture.Encoder, error) { return soft, nil },
		}
		open := func() (capture.Encoder, bool) {
			got, err := e.open(capture.Format{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			w, ok := got.(*watched)
			return got, ok && w.Encoder == hard
		}
		now, isHard := open()
		if !isHard || now.Encode(nil) != nil {
			t.Fatal("the hardware is well and is not used")
		}
		hard.err = errors.New("stuck")
		if err := now.Encode(nil); !errors.Is(err, hard.err) {
			t.Errorf("encode: %v, want %v", err, hard.err)
		}
		if _, isHard = open(); isHard {
			t.Error("the hardware has failed and is used again at once")
		}
		time.Sleep(hardwareRest)
		if _, isHard = open(); !isHard {
			t.Error("the hardware has rested and is not tried again")
		}
		openErr = errors.New("no memory")
		if got, _ := open(); got != soft {
			t.Error("the hardware cannot be opened and software is not used")
		}
	})
}
