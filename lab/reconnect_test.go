//go:build e2e

package lab

import (
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/lab/browser"
)

// TestPageReconnects has the SDK believe that its connection was lost. After five seconds
// it makes another one, and offers it: the page's user id is higher than the door's.
func TestPageReconnects(t *testing.T) {
	d := lab.door(t)
	begun := d.count()
	a := d.newResident(t, anna, browser.ProbeConfig{Tone: annaTone})
	d.press(t)
	a.answers(t, d.door)
	for n := 2; n <= 3; n++ {
		must(t, a.Eval(t.Context(), `() => {
			const c = probe.connections.at(-1);
			Object.defineProperty(c, 'iceConnectionState', { get: () => 'disconnected' });
			c.dispatchEvent(new Event('iceconnectionstatechange'));
		}`, nil, nil))
		must(t, a.Wait(t.Context(), 20*time.Second, "(n) => probe.connections.length === n && probe.connections.at(-1).connectionState === 'connected'", n))
		must(t, a.Wait(t.Context(), soon, "() => probe.connections.slice(0, -1).every((c) => c.connectionState === 'closed')", nil))
		settles(t, a.Page, "#video")
		checkCall(t, a.Page, d.door, annaTone)
	}
	a.is(t, quick, "talking")
	d.never(t, begun, control.Ended)
	a.click(t, "#open")
	d.expect(t, soon, control.Opened)
	d.expect(t, soon, control.Locked)
	a.click(t, "#hangup")
	d.expect(t, soon, control.Ended)
	a.is(t, soon, "ready")
}

// settles waits until a <video> has shown ten more frames. It is empty for a moment, between
// an old stream and the new one's first frames: what is measured is what comes after.
func settles(t *testing.T, p *browser.Page, selector string) {
	t.Helper()
	must(t, p.Eval(t.Context(), `(selector) => new Promise((shown) => {
		const video = document.querySelector(selector);
		let frames = 0;
		const next = () => (++frames === 10 ? shown() : video.requestVideoFrameCallback(next));
		video.requestVideoFrameCallback(next);
	})`, selector, nil))
}
