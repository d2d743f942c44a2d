package station

import (
	"bytes"
	"errors"
	"image/jpeg"
	"testing"
	"testing/synctest"
	"time"

	"intercom/capture"
)

// TestSnapshotInCall: there is a picture at any time of a call, and none when the camera is
// off.
func TestSnapshotInCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		defer r.end()
		if _, err := r.Snapshot(t.Context()); !errors.Is(err, capture.ErrNotRunning) {
			t.Errorf("before the call: %v", err)
		}
		a, session := r.inCall()
		var last []byte
		for range 3 {
			time.Sleep(time.Second)
			picture, err := r.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if c, err := jpeg.DecodeConfig(bytes.NewReader(picture)); err != nil || c.Width != 160 || c.Height != 120 {
				t.Errorf("got a picture of %+v, %v", c, err)
			}
			if bytes.Equal(picture, last) {
				t.Error("the camera's clock runs, and the picture is the same")
			}
			last = picture
		}
		if err := session.HangUp(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		a.Stop()
		time.Sleep(time.Second)
		if _, err := r.Snapshot(t.Context()); !errors.Is(err, capture.ErrNotRunning) {
			t.Errorf("after the call: %v", err)
		}
	})
}
