//go:build e2e

package lab

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/lab/browser"
)

// relaySettings are of a door that sends and receives media through TURN only.
const relaySettings = `
[ice]
policy = "relay"

[[ice.server]]
urls = ["%s"]
username = "%s"
credential = "%s"
`

// TestRelay has both ends of a call use TURN only, as behind networks that let nothing
// else through. The page has the servers of the door's configuration, and its policy.
func TestRelay(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			c, err := lab.coturn()
			must(t, err)
			begun := c.seen()
			url := "turn:" + c.address + "?transport=" + transport
			d, err := startDemo("relay-"+transport, fmt.Sprintf(relaySettings, url, turnDoor.name, turnDoor.password))
			must(t, err)
			d.begin(t)
			a := d.newResident(t, anna, browser.ProbeConfig{Tone: annaTone})
			d.press(t)
			a.answers(t, d.door)
			noteFirstFrame(t, a.Page, "TURN, "+transport+" at both ends")
			checkRelayed(t, a.Page, transport)
			checkCall(t, a.Page, d.door, annaTone)
			a.click(t, "#open")
			d.expect(t, soon, control.Opened)
			a.click(t, "#hangup")
			d.expect(t, soon, control.Ended)
			// The door's session and the page's: they are one user here.
			c.expect(t, turnDoor, begun, 2, c.address)
		})
	}
}

// TestRelayDoor has the door reach its TURN server in ways that are not the page's.
func TestRelayDoor(t *testing.T) {
	c, err := lab.coturn()
	must(t, err)
	t.Run("tls", func(t *testing.T) {
		// The door checks the server's certificate: it needs to be told whom to trust.
		relayDoor(t, c, "turns:"+c.tls+"?transport=tcp", c.tls, "SSL_CERT_FILE="+c.certificate)
	})
	t.Run("far", func(t *testing.T) {
		// Being asked for credentials and giving them takes 0.6 s: the door's offer is long
		// gone, and the candidate follows it.
		relayDoor(t, c, "turn:"+farAway(t, c.address, 150*time.Millisecond)+"?transport=tcp", c.address)
	})
}

// relayDoor makes a call between a door that has only a TURN server at that URL, which is
// coturn at the address via, and a phone that has it by UDP.
func relayDoor(t *testing.T, c *coturn, url, via string, env ...string) {
	t.Helper()
	begun := c.seen()
	name := t.Name()[len("TestRelayDoor/"):]
	d, err := startDemo("relay-"+name, fmt.Sprintf(relaySettings, url, turnDoor.name, turnDoor.password), env...)
	must(t, err)
	d.begin(t)
	at := d.server
	at.webrtc = map[string]any{"iceTransportPolicy": "relay", "iceServers": []any{map[string]any{
		"urls": []string{"turn:" + c.address}, "username": turnPhone.name, "credential": turnPhone.password,
	}}}
	a := newPhone(t, at, anna, browser.ProbeConfig{Tone: annaTone})
	d.press(t)
	a.event(t, soon, "call-received", 1)
	must(t, a.Click(t.Context(), quick, "#answer"))
	if e := d.expect(t, soon, control.Answered); e.User != anna.id {
		t.Errorf("answered: by user %d, want %d", e.User, anna.id)
	}
	firstFrame(t, a.Page, 0)
	d.expect(t, soon, control.Connected)
	noteFirstFrame(t, a.Page, "TURN, "+name+" for the door, udp for the phone")
	checkRelayed(t, a.Page, "udp")
	checkCall(t, a.Page, d.door, annaTone)
	must(t, a.Eval(t.Context(), "(user) => phone.unlock(user)", doorAccount.id, nil))
	d.expect(t, soon, control.Opened)
	must(t, a.Click(t.Context(), quick, "#hangup"))
	d.expect(t, soon, control.Ended)
	c.expect(t, turnDoor, begun, 1, via)
	c.expect(t, turnPhone, begun, 1, c.address)
}

// TestRelayRefused: a TURN server that cannot be used shows in the door's status, with the
// reason; calls that can do without it go on.
func TestRelayRefused(t *testing.T) {
	c, err := lab.coturn()
	must(t, err)
	for _, r := range []struct{ name, url, password, want string }{
		{"certificate", "turns:" + c.tls + "?transport=tcp", turnDoor.password, "SSL_CERT_FILE"},
		{"password", "turn:" + c.address, "wrong", "refuses the user name or the credential"},
	} {
		t.Run(r.name, func(t *testing.T) {
			const more = "\n[[ice.server]]\nurls = [%q]\nusername = %q\ncredential = %q\n"
			d, err := startDemo("refused-"+r.name, fmt.Sprintf(more, r.url, turnDoor.name, r.password))
			must(t, err)
			d.begin(t)
			a := d.newResident(t, anna, browser.ProbeConfig{Tone: annaTone})
			d.press(t)
			a.answers(t, d.door)
			d.until(t, soon, "with the TURN server told to fail", func(s control.Status) bool {
				return slices.ContainsFunc(s.Health, func(h control.Condition) bool { return h.Name == r.url && strings.Contains(h.Text, r.want) })
			})
			a.click(t, "#hangup")
			d.expect(t, soon, control.Ended)
		})
	}
}

// checkRelayed asserts that a page's one connection goes from relay to relay, and how the
// page reaches its own.
func checkRelayed(t *testing.T, p *browser.Page, transport string) {
	t.Helper()
	all, err := p.Received(t.Context())
	must(t, err)
	if len(all) != 1 || all[0].Local == nil || all[0].Remote == nil {
		t.Fatalf("connections: got %+v, want one, with a path", all)
	}
	if got, want := *all[0].Local, (browser.Candidate{Type: "relay", Server: transport}); got != want {
		t.Errorf("the page's end of the path: got %+v, want %+v", got, want)
	}
	if got := all[0].Remote.Type; got != "relay" {
		t.Errorf("the door's end of the path: got %s, want relay", got)
	}
}
