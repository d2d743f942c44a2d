package callcore_test

import (
	"errors"
	"testing"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// TestHangUpOnNewDevice: the page got a new resource while media flow on, and hangs up. Its
// hangUp counts if the bound device may be gone with our own link, or has closed the
// connection at about the same time, whichever is seen first.
func TestHangUpOnNewDevice(t *testing.T) {
	for _, c := range []struct {
		name   string
		leave  func(t *testing.T, door *callcoretest.Phone, tab, next *page)
		reason callcore.Reason
		within time.Duration
	}{
		{"our link was down", func(t *testing.T, door *callcoretest.Phone, tab, next *page) {
			door.Link.SetLink(false)
			time.Sleep(time.Second)
			must(t, tab.Client.Close())
			door.Link.SetLink(true)
			time.Sleep(time.Second / 2)
			next.hangUp()
		}, callcore.ReasonPeerHungUp, 2 * time.Second},
		{"our link was down, the device is there", func(t *testing.T, door *callcoretest.Phone, tab, next *page) {
			door.Link.SetLink(false)
			door.Link.SetLink(true)
			time.Sleep(time.Second / 2)
			next.hangUp()
			refusedOther(t, door)
			tab.hangUp()
		}, callcore.ReasonPeerHungUp, 2 * time.Second},
		{"connection closed first", func(t *testing.T, door *callcoretest.Phone, tab, next *page) {
			must(t, tab.PeerConnection().Close())
			time.Sleep(time.Second)
			next.hangUp()
		}, callcore.ReasonPeerHungUp, 2 * time.Second},
		{"hangUp first", func(t *testing.T, door *callcoretest.Phone, tab, next *page) {
			next.hangUp()
			refusedOther(t, door)
			must(t, tab.PeerConnection().Close())
		}, callcore.ReasonPeerHungUp, time.Second},
		{"hangUp long before", func(t *testing.T, door *callcoretest.Phone, tab, next *page) {
			next.hangUp()
			refusedOther(t, door)
			time.Sleep(5 * time.Second)
			must(t, tab.PeerConnection().Close())
		}, callcore.ReasonLost, 16 * time.Second},
		{"the old device is heard of again", func(t *testing.T, door *callcoretest.Phone, tab, next *page) {
			door.Link.SetLink(false)
			door.Link.SetLink(true)
			tab.Reply(tab.call, signaling.Signal{Kind: signaling.Update})
			callcoretest.Await[callcore.Updated](door)
			next.hangUp()
			refusedOther(t, door)
			tab.hangUp()
		}, callcore.ReasonPeerHungUp, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *callcoretest.World, door *callcoretest.Phone) {
				s, tab := talk(t, w, door, 2)
				next := &page{Script: w.Script(2, "next"), call: tab.call}
				start := time.Now()
				c.leave(t, door, tab, next)
				closed(t, door, c.reason)
				if took := time.Since(start); took > c.within {
					t.Errorf("closed after %v, want %v", took, c.within)
				}
				if got := s.State(); got != callcore.StateClosed {
					t.Errorf("state %s, want closed", got)
				}
			})
		})
	}
}

func (p *page) hangUp() { p.Reply(p.call, signaling.Signal{Kind: signaling.HangUp}) }

// refusedOther waits until a signal from another device was ignored.
func refusedOther(t *testing.T, door *callcoretest.Phone) {
	t.Helper()
	if e := callcoretest.Await[callcore.Invalid](door); !errors.Is(e.Err, callcore.ErrOtherDevice) {
		t.Errorf("invalid %+v, want %v", e, callcore.ErrOtherDevice)
	}
}
