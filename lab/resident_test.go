//go:build e2e

package lab

import (
	"errors"
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/lab/browser"
)

// Limits of waits for what takes a moment. They are generous: they are for what does not
// come at all. What must be fast is measured in TestTimes, by ratios.
const (
	soon  = 10 * time.Second
	quick = 5 * time.Second
)

// resident is the demo's page as a resident has it open.
type resident struct {
	*browser.Page
	account account
}

// newResident opens the page and waits until its phone is ready.
func (m *demo) newResident(t *testing.T, who account, c browser.ProbeConfig) *resident {
	t.Helper()
	return m.newResidentIn(t, lab.browser, who, c)
}

// newResidentIn is newResident in a browser that is not the suite's.
func (m *demo) newResidentIn(t *testing.T, b *browser.Browser, who account, c browser.ProbeConfig) *resident {
	t.Helper()
	r := &resident{newPageIn(t, b, who.login, c), who}
	t.Cleanup(func() {
		for _, e := range r.Errors() {
			t.Errorf("page %s: %s", who.login, e)
		}
	})
	must(t, r.Goto(t.Context(), m.page+"?as="+who.login))
	r.is(t, 20*time.Second, "ready")
	return r
}

// is waits until the phone is in the state.
func (r *resident) is(t *testing.T, limit time.Duration, state string) {
	t.Helper()
	err := r.Wait(t.Context(), limit, "(s) => document.querySelector('#phone').dataset.state === s", state)
	if err != nil {
		var says string
		must(t, r.Eval(t.Context(), "() => { const p = document.querySelector('#phone'); return p.dataset.state + ': ' + p.innerText; }", nil, &says))
		t.Fatalf("%v; the phone is %q", err, says)
	}
}

// click clicks a button of the phone or of the panel.
func (r *resident) click(t *testing.T, selector string) {
	t.Helper()
	must(t, r.Click(t.Context(), quick, selector))
}

// shows waits until the element shows some text, and returns it.
func (r *resident) shows(t *testing.T, limit time.Duration, selector string) string {
	t.Helper()
	must(t, r.Wait(t.Context(), limit, "(s) => document.querySelector(s).textContent.trim() !== '' && document.querySelector(s).checkVisibility()", selector))
	var text string
	must(t, r.Eval(t.Context(), "(s) => document.querySelector(s).textContent.trim()", selector, &text))
	return text
}

// answered has the resident answer a ringing phone and waits for the visitor's picture.
func (r *resident) answers(t *testing.T, d *door) {
	t.Helper()
	r.is(t, soon, "ringing")
	r.click(t, "#answer")
	r.is(t, soon, "talking")
	if e := d.expect(t, soon, control.Answered); e.User != r.account.id {
		t.Errorf("answered: by user %d, want %d", e.User, r.account.id)
	}
	firstFrame(t, r.Page, 0)
	d.expect(t, soon, control.Connected)
}

// checkCall asserts that picture and sound go through: what the page decodes, and what
// the door's loudspeaker plays.
func checkCall(t *testing.T, p *browser.Page, d *door, tone float64) {
	t.Helper()
	v, a := measure(t, p)
	if faults := checkVideo(v); faults != nil {
		var stats any
		must(t, p.Eval(t.Context(), "probe.stats", nil, &stats))
		t.Errorf("the door's picture at the page: %q: %+v; statistics %v", faults, v, stats)
	}
	if faults := checkAudio(a, doorTone); faults != nil {
		t.Errorf("the door's sound at the page, %d Hz: %q: %+v", doorTone, faults, a)
	}
	d.hears(t, soon, tone)
	t.Logf("%s %dx%d, %.1f frames/s, %.1f%% of the picture changes; sound %.1f Hz",
		codec(t, p), v.Width, v.Height, v.DecodedPerSecond, 100*v.Change, a.Frequency)
}

// measure looks and listens at once, for two seconds.
func measure(t *testing.T, p *browser.Page) (browser.Video, browser.Audio) {
	t.Helper()
	var a browser.Audio
	heard := make(chan error, 1)
	go func() {
		var err error
		a, err = p.Audio(t.Context(), 2*time.Second)
		heard <- err
	}()
	v, err := p.Video(t.Context(), 2*time.Second)
	if err := errors.Join(err, <-heard); err != nil {
		t.Fatal(err)
	}
	return v, a
}
