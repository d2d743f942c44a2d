package callcore_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/signaling"
)

// TestFamilies: calls over IPv6 alone, and over nothing where the families differ.
func TestFamilies(t *testing.T) {
	six, four := []callcore.Family{callcore.IPv6}, []callcore.Family{callcore.IPv4}
	for name, c := range map[string]struct {
		world       func(testing.TB) *callcoretest.World
		door, phone []callcore.Family
		connects    bool
	}{
		"IPv6, both":            {callcoretest.NewWorldIPv6, nil, nil, true},
		"IPv6, IPv6":            {callcoretest.NewWorldIPv6, six, six, true},
		"IPv6, IPv4 at one end": {callcoretest.NewWorldIPv6, four, six, false},
		"IPv4, both":            {callcoretest.NewWorld, nil, nil, true},
		"IPv4, IPv4":            {callcoretest.NewWorld, four, four, true},
		"IPv4, IPv6 at one end": {callcoretest.NewWorld, four, six, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := c.world(t)
				a := w.Phone(callcoretest.Spec{User: 1, ICE: callcore.ICE{Families: c.door}})
				b := w.Phone(callcoretest.Spec{User: 2, ICE: callcore.ICE{Families: c.phone}})
				connecting(t, a, b)
				if c.connects {
					connected(a)
					connected(b)
					return
				}
				callcoretest.Await[callcore.Closed](a)
				for _, e := range a.Seen {
					if e, is := e.(callcore.ConnectionChanged); is && e.State == callcore.PeerConnected {
						t.Error("connected")
					}
				}
			})
		})
	}
}

// TestFamiliesOffered: the description has addresses of the families and interfaces that
// are used, and no others.
func TestFamiliesOffered(t *testing.T) {
	for name, c := range map[string]struct {
		ice  callcore.ICE
		want string // hosts, loopback aside
	}{
		"all":     {callcore.ICE{}, "2001:db8::11"},
		"IPv6":    {callcore.ICE{Families: []callcore.Family{callcore.IPv6}}, "2001:db8::11"},
		"IPv4":    {callcore.ICE{Families: []callcore.Family{callcore.IPv4}}, ""},
		"eth0":    {callcore.ICE{Interfaces: []string{"eth*"}}, "2001:db8::11"},
		"no eth0": {callcore.ICE{Interfaces: []string{"*", "!eth0"}}, ""},
		"wlan0":   {callcore.ICE{Interfaces: []string{"wlan0"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := callcoretest.NewWorldIPv6(t)
				a := w.Phone(callcoretest.Spec{User: 1, ICE: c.ice})
				phone := w.Script(2, "phone")
				a.Call(signaling.Audio, 2)
				var got []string
				for line := range strings.Lines(phone.Await(signaling.Call).SDP) {
					if f := strings.Fields(line); strings.HasPrefix(line, "a=candidate:") {
						if addr, err := netip.ParseAddr(f[4]); err != nil || !addr.IsLoopback() {
							got = append(got, f[4])
						}
					}
				}
				if got := strings.Join(slices.Compact(got), " "); got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		})
	}
}
