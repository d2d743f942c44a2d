package callcore

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/pion/transport/v4"
	"github.com/pion/webrtc/v4"
)

func TestParseICEURL(t *testing.T) {
	for _, c := range []struct {
		text string
		want iceURL // without its text
		err  string
	}{
		{"stun:stun.example.org", iceURL{scheme: "stun", host: "stun.example.org", port: 3478, transport: "udp"}, ""},
		{"stuns:stun.example.org", iceURL{scheme: "stuns", host: "stun.example.org", port: 5349, transport: "tcp"}, ""},
		{"turn:192.0.2.1:443?transport=tcp", iceURL{scheme: "turn", host: "192.0.2.1", port: 443, transport: "tcp"}, ""},
		{"turn:[2001:db8::1]", iceURL{scheme: "turn", host: "2001:db8::1", port: 3478, transport: "udp"}, ""},
		{"turns:[2001:db8::1]:443?transport=udp", iceURL{scheme: "turns", host: "2001:db8::1", port: 443, transport: "udp"}, ""},
		{"http://x", iceURL{}, "begins with none of"},
		{"example.org", iceURL{}, "begins with none of"},
		{"", iceURL{}, "begins with none of"},
		{"stun:", iceURL{}, "names no host"},
		{"stun://example.org", iceURL{}, "names no host"},
		{"turn:user@example.org", iceURL{}, "names no host"},
		{"turn:example.org:", iceURL{}, "port is not"},
		{"turn:example.org:65536", iceURL{}, "port is not"},
		{"turn:example.org:0", iceURL{}, "port is not"},
		{"turn:2001:db8::1", iceURL{}, "in brackets"},
		{"turn:[192.0.2.1]:3478", iceURL{}, "in brackets"},
		{"turn:[2001:db8::1", iceURL{}, "in brackets"},
		{"turn:[2001:db8::1]3478", iceURL{}, "something else than a port"},
		{"turn:[fe80::1%eth0]", iceURL{}, "in brackets"},
		{"turn:x?transport=sctp", iceURL{}, "transport=udp or transport=tcp"},
		{"turn:x?proto=udp", iceURL{}, "transport=udp or transport=tcp"},
		{"stun:x?transport=udp", iceURL{}, "transport=udp or transport=tcp"},
	} {
		got, err := parseICEURL(c.text)
		if c.want.host == "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: got %+v, error %v; want one with %q", c.text, got, err, c.err)
			}
			continue
		}
		c.want.text = c.text
		if err != nil || got != c.want {
			t.Errorf("%q: got %+v, error %v; want %+v", c.text, got, err, c.want)
		}
	}
}

// FuzzICEURL: what we let through, pion takes too: it would fail every call otherwise.
func FuzzICEURL(f *testing.F) {
	for _, s := range []string{"stun:x", "turn:[::1]:1?transport=tcp", "turns:a:5349", "turn:a%b", "turn:[::", "stun:[fe80::1%eth0]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := parseICEURL(text); err != nil {
			return
		}
		pc, err := webrtc.NewPeerConnection(webrtc.Configuration{ICEServers: []webrtc.ICEServer{{URLs: []string{text}, Username: "u", Credential: "c"}}})
		if err != nil {
			t.Fatalf("pion does not take %q: %v", text, err)
		}
		pc.Close()
	})
}

func TestICECheck(t *testing.T) {
	turn := ICEServer{URLs: []string{"turn:x"}, Username: "u", Credential: "c"}
	for name, c := range map[string]struct {
		ice   ICE
		field string // of the error; empty: there is none
		want  string
	}{
		"nothing set":     {ICE{}, "", ""},
		"all set":         {ICE{Policy: PolicyRelay, Families: []Family{IPv6}, Interfaces: []string{"*", "!wl*"}, Servers: []ICEServer{turn}}, "", ""},
		"policy":          {ICE{Policy: "none"}, "Policy", `neither "all" nor "relay"`},
		"relay by STUN":   {ICE{Policy: PolicyRelay, Servers: []ICEServer{{URLs: []string{"stun:x"}}}}, "Policy", "needs a TURN server"},
		"family":          {ICE{Families: []Family{"ip6"}}, "Families", `"ip6" is neither`},
		"family twice":    {ICE{Families: []Family{IPv4, IPv4}}, "Families", "twice"},
		"pattern":         {ICE{Interfaces: []string{"[a"}}, "Interfaces", "not a pattern"},
		"empty pattern":   {ICE{Interfaces: []string{"!"}}, "Interfaces", "not a pattern"},
		"only exclusions": {ICE{Interfaces: []string{"!wl*"}}, "Interfaces", `begin with "*"`},
		"no URLs":         {ICE{Servers: []ICEServer{turn, {}}}, "Servers", "no URLs"},
		"TLS or not":      {ICE{Servers: []ICEServer{{URLs: []string{"turn:x:443?transport=tcp", "turns:x:443"}, Username: "u", Credential: "c"}}}, "Servers", "both with TLS and without"},
		"no credential":   {ICE{Servers: []ICEServer{{URLs: []string{"turns:x"}, Username: "u"}}}, "Servers", "credential"},
	} {
		err := c.ice.Check()
		var e *ICEError
		switch {
		case c.field == "":
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case !errors.As(err, &e) || e.Field != c.field || !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: got %v, want one about %s with %q", name, err, c.field, c.want)
		}
	}
}

// hostOf is a host with interfaces that are up.
type hostOf struct {
	transport.Net
	names []string
}

func (h hostOf) Interfaces() ([]*transport.Interface, error) {
	var list []*transport.Interface
	for i, name := range h.names {
		flags := net.FlagUp
		if name == "lo" {
			flags |= net.FlagLoopback
		}
		list = append(list, transport.NewInterface(net.Interface{Index: i + 1, Name: name, Flags: flags}))
	}
	return list, nil
}

func TestInterfaces(t *testing.T) {
	all := []string{"lo", "eth0", "docker0", "wlan0", "br-12ab", "veth7", "tun0"}
	for _, c := range []struct {
		patterns []string
		want     string
	}{
		{nil, "eth0 wlan0 tun0 lo"},
		{[]string{"*"}, "eth0 docker0 wlan0 br-12ab veth7 tun0 lo"},
		{[]string{"eth0"}, "eth0"},
		{[]string{"*", "!wl*", "!lo"}, "eth0 docker0 br-12ab veth7 tun0"},
		{[]string{"!eth*", "e*", "lo"}, "lo"},
		{[]string{"enp3s0"}, ""},
	} {
		var log bytes.Buffer
		n, err := newNetwork(Config{Net: hostOf{names: all}, ICE: ICE{Interfaces: c.patterns}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for range 2 {
			list, err := n.Interfaces()
			if err != nil {
				t.Fatal(err)
			}
			names = nil
			for _, i := range list {
				names = append(names, i.Name)
			}
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%q: got %q, want %q", c.patterns, got, c.want)
		}
		// Told once, with what there is to choose from.
		want := 0
		if c.want == "" {
			want = 1
		}
		if got := strings.Count(log.String(), "no network interface"); got != want || want > 0 && !strings.Contains(log.String(), "wlan0") {
			t.Errorf("%q: log %q, want %d lines that name the interfaces", c.patterns, log.String(), want)
		}
	}
}
