//go:build e2e

package lab

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/lab/browser"
)

// newPage opens a page with the probe in it. When the test has failed, a picture of the
// page and its console are kept.
func newPage(t *testing.T, name string, c browser.ProbeConfig) *browser.Page {
	t.Helper()
	return newPageIn(t, lab.browser, name, c)
}

// newPageIn is newPage in a browser that is not the suite's.
func newPageIn(t *testing.T, b *browser.Browser, name string, c browser.ProbeConfig) *browser.Page {
	t.Helper()
	p, err := b.NewPage(t.Context(), name, browser.ProbeScripts(c)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background() // the test's is over
		if t.Failed() {
			file := filepath.Join(lab.out, strings.ReplaceAll(t.Name(), "/", "-")+"-"+name)
			if err := p.Screenshot(ctx, file+".png"); err != nil {
				t.Log(err)
			}
			console := p.Console()
			if err := os.WriteFile(file+".console", []byte(strings.Join(console, "\n")), 0o644); err != nil {
				t.Log(err)
			}
			t.Logf("the console of page %s ends:\n%s", name, strings.Join(console[max(0, len(console)-25):], "\n"))
		}
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return p
}

// phone is a page on the SDK that does the least an app does: lab/browser/phone.html.
type phone struct {
	*browser.Page
	account account
	past    map[string]int // call-backs that next has waited for, by name
}

// server says where phones connect to.
type server struct {
	rest      string // empty: none
	websocket string
	webrtc    any // more of the SDK's "webrtc" settings; nil: none
}

// newPhone opens a phone and has it connect.
func newPhone(t *testing.T, at server, who account, c browser.ProbeConfig) *phone {
	t.Helper()
	return newPhoneIn(t, lab.browser, at, who, c)
}

// newPhoneIn is newPhone in a browser that is not the suite's.
func newPhoneIn(t *testing.T, b *browser.Browser, at server, who account, c browser.ProbeConfig) *phone {
	t.Helper()
	p := &phone{newPageIn(t, b, who.login, c), who, map[string]int{}}
	must(t, p.Goto(t.Context(), lab.pages.URL+"/phone.html"))
	config := map[string]any{
		"app": app, "key": "demo-key", "secret": "demo-secret", "domain": domain, "websocket": at.websocket,
		"rest": at.rest, "webrtc": at.webrtc, "login": who.login, "user": who.id, "password": who.password,
	}
	must(t, p.Eval(t.Context(), "phone.connect", config, nil))
	return p
}

// event waits until the phone's SDK has called back for the n-th time, from 1, in the
// way named, and returns when that was, by the wall clock.
func (p *phone) event(t *testing.T, limit time.Duration, name string, n int) time.Time {
	t.Helper()
	return markTime(t, p.Page, limit, name, n)
}

// next waits for the next call-back of that name, and returns when it was.
func (p *phone) next(t *testing.T, limit time.Duration, name string) time.Time {
	t.Helper()
	p.past[name]++
	return p.event(t, limit, name, p.past[name])
}

// none asserts that no call-back of that name has come but those that next waited for.
func (p *phone) none(t *testing.T, name string) {
	t.Helper()
	var n int
	must(t, p.Eval(t.Context(), "(name) => performance.getEntriesByName(name).length", name, &n))
	if n != p.past[name] {
		t.Errorf("phone %s: got %d %q in all, want %d", p.account.login, n, name, p.past[name])
	}
}

// fresh has next and none begin with what comes from now on.
func (p *phone) fresh(t *testing.T) {
	t.Helper()
	clear(p.past)
	must(t, p.Eval(t.Context(), `() => {
		const all = {};
		for (const { name } of performance.getEntriesByType('mark')) all[name] = (all[name] ?? 0) + 1;
		return all;
	}`, nil, &p.past))
}

// now returns the page's time.
func (p *phone) now(t *testing.T) (ms float64) {
	t.Helper()
	must(t, p.Eval(t.Context(), "() => performance.now()", nil, &ms))
	return ms
}

// answers has a ringing phone answer, and waits for the visitor's picture.
func (p *phone) answers(t *testing.T, d *door) {
	t.Helper()
	before := p.now(t)
	must(t, p.Click(t.Context(), quick, "#answer"))
	p.talks(t, d, before)
}

// talks waits until the door is in a call with the phone and the phone shows a picture
// later than the page's time given.
func (p *phone) talks(t *testing.T, d *door, after float64) {
	t.Helper()
	if e := d.expect(t, soon, control.Answered); e.User != p.account.id {
		t.Errorf("answered: by user %d, want %d", e.User, p.account.id)
	}
	firstFrame(t, p.Page, after)
	d.expect(t, soon, control.Connected)
}

// hangsUp has a phone in a call end it, and returns how long the door took to know.
func (p *phone) hangsUp(t *testing.T, d *door) time.Duration {
	t.Helper()
	must(t, p.Click(t.Context(), quick, "#hangup"))
	sent := p.next(t, quick, "sent hangUp")
	return d.expect(t, quick, control.Ended).Time.Sub(sent)
}

// markTime waits for the n-th performance mark of that name and returns its time.
func markTime(t *testing.T, p *browser.Page, limit time.Duration, name string, n int) time.Time {
	t.Helper()
	must(t, p.Wait(t.Context(), limit, "([name, n]) => performance.getEntriesByName(name).length >= n", []any{name, n}))
	return pageTime(t, p, "([name, n]) => performance.getEntriesByName(name)[n - 1].startTime", []any{name, n})
}

// pageTime evaluates a function that returns a time of the page's and returns it as one
// of the wall clock, which both sides share: they are on one machine.
func pageTime(t *testing.T, p *browser.Page, function string, arg any) time.Time {
	t.Helper()
	var ms float64
	must(t, p.Eval(t.Context(), "(arg) => performance.timeOrigin + ("+function+")(arg)", arg, &ms))
	return time.UnixMicro(int64(ms * 1000))
}

// firstFrame waits until the page has shown a frame of a remote video later than the
// given time of performance.now(), and returns when it showed the first.
func firstFrame(t *testing.T, p *browser.Page, after float64) time.Time {
	t.Helper()
	must(t, p.Wait(t.Context(), 20*time.Second, "(after) => probe.firstFrames.some((f) => f.at > after)", after))
	return pageTime(t, p, "(after) => probe.firstFrames.find((f) => f.at > after).at", after)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
