//go:build e2e

package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"intercom/internal/control"
	"intercom/lab/browser"
)

// mediaPath is the one in use between a page and the door.
type mediaPath struct {
	Local, Remote struct {
		Type     string `json:"candidateType"`
		Address  string `json:"address"`
		Protocol string `json:"protocol"`
		Relay    string `json:"relayProtocol"`
	}
	// Offered are the addresses in the page's description, .local names included.
	Offered []string
}

// pathOf asks a page for the path of its one connection.
func pathOf(t *testing.T, p *browser.Page) mediaPath {
	t.Helper()
	var got mediaPath
	must(t, p.Eval(t.Context(), `async () => {
		const c = probe.connections.findLast((c) => c.connectionState === 'connected');
		const all = await c.getStats();
		const transport = [...all.values()].find((s) => s.type === 'transport');
		const pair = all.get(transport.selectedCandidatePairId);
		return {
			local: all.get(pair.localCandidateId),
			remote: all.get(pair.remoteCandidateId),
			offered: [...c.localDescription.sdp.matchAll(/^a=candidate:(?:\S+ ){4}(\S+)/gm)].map((m) => m[1]),
		};
	}`, nil, &got))
	return got
}

// TestHiddenAddresses: a browser whose pages may not use the camera or the microphone
// tells names under .local in place of its addresses (mDNS). The call comes up as fast.
func TestHiddenAddresses(t *testing.T) {
	b, err := lab.newBrowser("private", browser.Config{Private: true})
	must(t, err)
	for i := range 3 {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			d := lab.door(t)
			a := d.newResidentIn(t, b, anna, browser.ProbeConfig{Tone: annaTone})
			d.press(t)
			a.answers(t, d.door)
			noteFirstFrame(t, a.Page, fmt.Sprintf("mDNS candidates only, call %d", i+1))
			got := pathOf(t, a.Page)
			if len(got.Offered) == 0 || slices.ContainsFunc(got.Offered, func(o string) bool { return !strings.HasSuffix(o, ".local") }) {
				t.Errorf("the page offers %q, want names under .local only", got.Offered)
			}
			if i == 0 {
				checkCall(t, a.Page, d.door, annaTone)
			}
			a.click(t, "#hangup")
			d.expect(t, soon, control.Ended)
		})
	}
}

// TestUDPBlocked: a browser that may not use UDP reaches its TURN server by TCP, and so the
// door, which has both. Chromium behind such a firewall ends up with the same candidates;
// here it is told, so that the test needs no firewall of its own.
func TestUDPBlocked(t *testing.T) {
	b, err := lab.newBrowser("no-udp", browser.Config{Flags: []string{
		"--webrtc-ip-handling-policy=disable_non_proxied_udp",
		"--force-webrtc-ip-handling-policy=disable_non_proxied_udp", // until 2024
	}})
	must(t, err)
	c, err := lab.coturn()
	must(t, err)
	const more = `
[[ice.server]]
urls = ["turn:%[1]s", "turn:%[1]s?transport=tcp"]
username = "%[2]s"
credential = "%[3]s"
`
	d, err := startDemo("no-udp", fmt.Sprintf(more, c.address, turnDoor.name, turnDoor.password))
	must(t, err)
	d.begin(t)
	a := d.newResidentIn(t, b, anna, browser.ProbeConfig{Tone: annaTone})
	d.press(t)
	a.answers(t, d.door)
	noteFirstFrame(t, a.Page, "no UDP for the page, TURN over TCP")
	if got := pathOf(t, a.Page); got.Local.Type != "relay" || got.Local.Relay != "tcp" {
		t.Errorf("the page's end of the path: got %+v, want a relay by TCP", got.Local)
	}
	checkCall(t, a.Page, d.door, annaTone)
	a.click(t, "#hangup")
	d.expect(t, soon, control.Ended)
}

// TestFamilies: the door uses the addresses of one family only if it is told so.
func TestFamilies(t *testing.T) {
	// Loopback is all that some hosts have of IPv6.
	b, err := lab.newBrowser("loopback", browser.Config{Flags: []string{"--allow-loopback-in-peer-connection"}})
	must(t, err)
	for _, family := range []string{"ipv4", "ipv6"} {
		t.Run(family, func(t *testing.T) {
			d, err := startDemo("family-"+family, fmt.Sprintf("\n[ice]\nfamilies = [%q]\n", family))
			must(t, err)
			d.begin(t)
			a := d.newResidentIn(t, b, anna, browser.ProbeConfig{Tone: annaTone})
			d.press(t)
			a.answers(t, d.door)
			noteFirstFrame(t, a.Page, family+" only")
			checkCall(t, a.Page, d.door, annaTone)
			got := pathOf(t, a.Page)
			for _, end := range []string{got.Local.Address, got.Remote.Address} {
				addr, err := netip.ParseAddr(end)
				if err != nil || addr.Unmap().Is6() != (family == "ipv6") {
					t.Errorf("the path %+v is not one of %s", got, family)
				}
			}
			a.click(t, "#hangup")
			d.expect(t, soon, control.Ended)
		})
	}
}

// noteFirstFrame notes how long a page took from accept to the first frame.
func noteFirstFrame(t *testing.T, p *browser.Page, what string) {
	t.Helper()
	accepted := markTime(t, p, soon, "accept", 1)
	lab.note("%s: accept to first frame %.1f ms", what, float64(firstFrame(t, p, 0).Sub(accepted).Microseconds())/1000)
}
