//go:build e2e

package lab

import (
	"testing"
	"time"

	"intercom/lab/browser"
)

func TestPair(t *testing.T) {
	p, err := lab.prosody()
	must(t, err)
	at := server{websocket: p.websocket}
	a := newPhone(t, at, anna, browser.ProbeConfig{Tone: 700})
	b := newPhone(t, at, ben, browser.ProbeConfig{Tone: 900})
	for n := 1; n <= 3; n++ {
		must(t, a.Eval(t.Context(), "(user) => phone.call(user)", ben.id, nil))
		call := a.event(t, 10*time.Second, "call", n)
		received := b.event(t, 10*time.Second, "call-received", n)
		must(t, b.Click(t.Context(), 5*time.Second, "#answer"))
		accept := clicked(t, b.Page, "answer")
		ff := firstFrame(t, b.Page, n)
		t.Log("call->received", received.Sub(call), "accept->frame", ff.Sub(accept), b.event(t, time.Second, "accept", n).Sub(accept))
		if n == 1 {
			t.Log(b.Video(t.Context(), 2*time.Second))
			t.Log(b.Audio(t.Context(), 2*time.Second))
			t.Log(a.Audio(t.Context(), 2*time.Second))
			r, err := b.Received(t.Context())
			t.Logf("%+v %+v %v", *r[0].Audio, *r[0].Video, err)
		}
		must(t, a.Click(t.Context(), 5*time.Second, "#hangup"))
		b.event(t, 10*time.Second, "stopped", n)
		b.event(t, 10*time.Second, "closed", n)
	}
}
