//go:build e2e && lab

package lab

import (
	"fmt"
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/lab/browser"
)

// TestGuestNetwork has the door's network fail in a call: the chat server goes away, packets
// are lost and late, the cable is pulled. The camera is vivid, the card is simulated: it
// measures what it plays.
func TestGuestNetwork(t *testing.T) {
	s, err := guestServer()
	must(t, err)
	g := newGuest(t)
	d := g.startDoor(t, guestSettings(s, with(t, realDevices,
		`microphone = "alsa:Loop"`, fmt.Sprintf("tone = %d", doorTone), `loudspeaker = "alsa:Loop"`, "")))
	d.begin(t)
	begun := d.count()
	a := newPhone(t, s.server, anna, browser.ProbeConfig{Tone: annaTone})
	g.visit(t, d, a)

	t.Run("chat server restarted", func(t *testing.T) {
		must(t, s.process.stop())
		d.expect(t, soon, control.LinkDown)
		must(t, s.start())
		back := time.Now()
		g.checkPicture(t, a)
		d.hears(t, soon, annaTone)
		up := d.expect(t, returns, control.LinkUp)
		t.Logf("the door is back at the chat server after %v", up.Time.Sub(back).Round(10*time.Millisecond))
		a.next(t, returns, "online")
		g.checkPicture(t, a)
	})
	t.Run("loss and delay", func(t *testing.T) {
		must(t, g.Impair(t.Context(), "delay 100ms 10ms loss 5%"))
		defer func() { must(t, g.Impair(t.Context(), "")) }()
		time.Sleep(time.Second) // until jitter buffers have seen it
		page := make(chan func(), 1)
		go func() {
			v, err := a.Video(t.Context(), pictureTime)
			page <- func() { t.Helper(); g.isPicture(t, v, err) }
		}()
		heard, err := a.Audio(t.Context(), 2*time.Second)
		(<-page)()
		must(t, err)
		t.Logf("the page hears %.1f Hz, %.1f dB above all else", heard.Frequency, heard.Margin)
		if heard.Frequency < doorTone-toneError || heard.Frequency > doorTone+toneError {
			t.Errorf("the door's sound at the page: %+v", heard)
		}
		d.hears(t, soon, annaTone)
		a.hangsUp(t, d)
		begun := time.Now()
		g.visit(t, d, a)
		t.Logf("a call from press to picture, with loss and delay: %v", time.Since(begun).Round(10*time.Millisecond))
	})
	t.Run("cable pulled", func(t *testing.T) {
		begun := d.count()
		must(t, g.Link(t.Context(), false))
		pulled := a.now(t)
		must(t, a.Wait(t.Context(), 20*time.Second, "() => probe.connections.at(-1).iceConnectionState !== 'connected'", nil))
		must(t, g.Link(t.Context(), true))
		back := time.Now()
		a.sees(t)
		t.Logf("the cable was out for %.1f s; the picture is back %v later", (a.now(t)-pulled)/1000, time.Since(back).Round(10*time.Millisecond))
		g.checkPicture(t, a)
		d.hears(t, soon, annaTone)
		d.never(t, begun, control.Ended)
	})
	d.until(t, returns, "at its chat server", func(s control.Status) bool { return s.Link.Up })
	a.hangsUp(t, d)
	d.settle(t)
	d.never(t, begun, control.Refused)
}
