package callcore_test

import (
	"testing"
	"time"

	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// TestLossIsReported: the encoder of sound hears what share of its packets a peer misses.
func TestLossIsReported(t *testing.T) {
	bubble(t, func(t *testing.T, w *callcoretest.World, _ *callcoretest.Phone) {
		door := w.Phone(callcoretest.Spec{User: 5})
		phone := w.Phone(callcoretest.Spec{User: 6})
		connect(t, door, phone, signaling.Audio)
		mean := func(d time.Duration) float64 {
			before := len(door.Media.Losses())
			time.Sleep(d)
			losses, sum := door.Media.Losses()[before:], 0.0
			for _, l := range losses {
				sum += l
			}
			if n := len(losses); n < int(d/time.Second)/2 {
				t.Errorf("%d reports in %v, want one a second or two", n, d)
			}
			return sum / float64(max(len(losses), 1))
		}
		if got := mean(10 * time.Second); got > 0.01 {
			t.Errorf("%.3f of the packets are lost at first, want none", got)
		}
		w.Lose(0.2, w.Address(phone.Net), 1)
		time.Sleep(2 * time.Second)
		got := mean(60 * time.Second)
		t.Logf("reported loss of sound: %.3f of 0.2", got)
		if got < 0.15 || got > 0.25 {
			t.Errorf("%.3f of the packets are reported as lost, want 0.2", got)
		}
	})
}
