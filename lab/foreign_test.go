//go:build e2e

package lab

import (
	"fmt"
	"testing"

	"intercom/internal/control"
	"intercom/lab/browser"
)

// runSettings configure `intercom run` for any XMPP server, without REST.
const runSettings = `
[account]
application_id = %d
login = "%s"
user_id = %d
password = "%s"
chat_password = "password"

[server]
api = ""
chat_domain = "%s"
chat = "%s"

[control]
socket = "%s"

[[button]]
name = "call"
label = "Ring"
residents = ["Anna"]

[[resident]]
id = %d
name = "Anna"
may_open = true
by_account = true
may_call = true
` + settings

// TestProsody is the answered call through a server that is not ours, with a phone that
// is nothing but the SDK.
func TestProsody(t *testing.T) {
	p, err := lab.prosody()
	must(t, err)
	socket, err := newSocket()
	must(t, err)
	config := fmt.Sprintf(runSettings, app, doorAccount.login, doorAccount.id, doorAccount.password,
		domain, p.chat, socket, anna.id, doorTone, ringTime)
	d, err := startDoor("run", config, nil, nil, "run")
	must(t, err)
	must(t, d.connect(socket))
	// A second door with the same account would answer for it.
	t.Cleanup(func() { must(t, d.stop()) })
	d.begin(t)

	a := newPhone(t, server{websocket: p.websocket}, anna, browser.ProbeConfig{Tone: annaTone})
	d.press(t)
	a.event(t, soon, "call-received", 1)
	must(t, a.Click(t.Context(), quick, "#answer"))
	if e := d.expect(t, soon, control.Answered); e.User != anna.id {
		t.Errorf("answered: by user %d, want %d", e.User, anna.id)
	}
	firstFrame(t, a.Page, 0)
	checkCall(t, a.Page, d, annaTone)
	must(t, a.Eval(t.Context(), "(user) => phone.unlock(user)", doorAccount.id, nil))
	d.expect(t, soon, control.Opened)
	a.event(t, soon, "updated", 1)
	must(t, a.Click(t.Context(), quick, "#hangup"))
	d.expect(t, quick, control.Ended)
}
