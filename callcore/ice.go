package callcore

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
)

// ICE is how peers find a path to each other (RFC 8445).
type ICE struct {
	Servers []ICEServer
	Policy  Policy
	// Families are those whose addresses are offered and taken; none: both. TURN servers
	// are reached by both in any case.
	Families []Family
	// Interfaces are the network interfaces whose addresses are offered: patterns as of
	// path.Match; one with a "!" before it excludes. None: DefaultInterfaces. STUN and
	// TURN servers are reached on the way that the system takes.
	Interfaces []string
}

// ICEServer is a STUN or TURN server, with fields as in RTCIceServer (WebRTC 1.0, 4.2.2).
type ICEServer struct {
	URLs       []string // "stun:host:port", "turn:host:port?transport=udp", "turns:..."
	Username   string
	Credential string
}

// Policy says which candidates are used ("iceTransportPolicy").
type Policy string

// The policies; the zero value is PolicyAll.
const (
	PolicyAll   Policy = "all"
	PolicyRelay Policy = "relay" // only by way of a TURN server
)

// Family is a version of the Internet protocol.
type Family string

// The families.
const (
	IPv4 Family = "ipv4"
	IPv6 Family = "ipv6"
)

// DefaultInterfaces are all interfaces but those that containers and virtual machines of
// this host are behind. Nobody but they is reached by these, and each address more is one
// more that every peer has to try.
func DefaultInterfaces() []string {
	return []string{"*", "!docker*", "!veth*", "!br-*", "!virbr*", "!lxc*", "!cni*", "!podman*"}
}

// ICEError is what is wrong with one field of an ICE.
type ICEError struct {
	Field  string // "Servers", "Policy", "Families" or "Interfaces"
	Server int    // the index, if the field is Servers
	Err    error
}

// Error tells the field, for one of a server also which.
func (e *ICEError) Error() string {
	if e.Field == "Servers" {
		return fmt.Sprintf("ICE server %d: %v", e.Server, e.Err)
	}
	return fmt.Sprintf("ICE %s: %v", strings.ToLower(e.Field), e.Err)
}

// Unwrap returns Err.
func (e *ICEError) Unwrap() error { return e.Err }

// Check refuses what would make every PeerConnection fail, with an *ICEError.
func (i ICE) Check() error {
	wrong := func(field string, err error) error { return &ICEError{Field: field, Err: err} }
	if i.Policy != "" && i.Policy != PolicyAll && i.Policy != PolicyRelay {
		return wrong("Policy", fmt.Errorf("%q is neither %q nor %q", i.Policy, PolicyAll, PolicyRelay))
	}
	for n, f := range i.Families {
		if f != IPv4 && f != IPv6 {
			return wrong("Families", fmt.Errorf("%q is neither %q nor %q", f, IPv4, IPv6))
		}
		if slices.Contains(i.Families[:n], f) {
			return wrong("Families", fmt.Errorf("%q is listed twice", f))
		}
	}
	some := len(i.Interfaces) == 0
	for _, p := range i.Interfaces {
		name, excluded := strings.CutPrefix(p, "!")
		some = some || !excluded
		if _, err := path.Match(name, ""); err != nil || name == "" {
			return wrong("Interfaces", fmt.Errorf(`%q is not a pattern like "eth0", "wl*" or "!docker*"`, p))
		}
	}
	if !some {
		return wrong("Interfaces", errors.New(`only exclusions are listed; begin with "*" for all others`))
	}
	turn := false
	tls := map[string]bool{}
	for n, s := range i.Servers {
		list, err := s.parse()
		for _, u := range list {
			if t, known := tls[u.address()]; u.transport == "tcp" && known && t != u.secure() {
				err = fmt.Errorf("%s: the same address cannot be both with TLS and without", u.text)
			} else if u.transport == "tcp" {
				tls[u.address()] = u.secure()
			}
		}
		if err != nil {
			return &ICEError{Field: "Servers", Server: n, Err: err}
		}
		turn = turn || slices.ContainsFunc(list, iceURL.turn)
	}
	if i.Policy == PolicyRelay && !turn {
		return wrong("Policy", fmt.Errorf("%q needs a TURN server, and there is none", PolicyRelay))
	}
	return nil
}

// parse checks a server and returns its addresses.
func (s ICEServer) parse() ([]iceURL, error) {
	if len(s.URLs) == 0 {
		return nil, errors.New("it has no URLs")
	}
	var list []iceURL
	for _, text := range s.URLs {
		u, err := parseICEURL(text)
		if err != nil {
			return nil, err
		}
		if u.turn() && (s.Username == "" || s.Credential == "") {
			return nil, fmt.Errorf("%s: TURN needs a user name and a credential", text)
		}
		list = append(list, u)
	}
	return list, nil
}

// iceURL is the address of a STUN or TURN server (RFC 7064, RFC 7065).
type iceURL struct {
	text      string
	scheme    string // "stun", "stuns", "turn" or "turns"
	host      string // a name or an address, without brackets
	port      int
	transport string // "udp" or "tcp"
}

func (u iceURL) turn() bool   { return u.scheme == "turn" || u.scheme == "turns" }
func (u iceURL) secure() bool { return strings.HasSuffix(u.scheme, "s") }

// address is where it is dialed.
func (u iceURL) address() string { return net.JoinHostPort(u.host, strconv.Itoa(u.port)) }

// hostCharacters are those of names and IPv4 addresses.
const hostCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"

// parseICEURL reads what RTCIceServer's urls hold. pion reads it again.
func parseICEURL(text string) (iceURL, error) {
	wrong := func(why string) (iceURL, error) {
		return iceURL{}, fmt.Errorf("%q: %s; write it like stun:stun.example.org, turn:192.0.2.1:3478?transport=tcp or turns:turn.example.org:5349", text, why)
	}
	u := iceURL{text: text, port: 3478, transport: "udp"}
	rest, found := "", false
	if u.scheme, rest, found = strings.Cut(text, ":"); !found || !slices.Contains([]string{"stun", "stuns", "turn", "turns"}, u.scheme) {
		return wrong("it begins with none of stun:, stuns:, turn: and turns:")
	}
	if u.secure() {
		u.port, u.transport = 5349, "tcp"
	}
	rest, query, asked := strings.Cut(rest, "?")
	if asked {
		value, ok := strings.CutPrefix(query, "transport=")
		if !ok || !u.turn() || value != "udp" && value != "tcp" {
			return wrong(`what follows the "?" is not transport=udp or transport=tcp of a TURN server`)
		}
		u.transport = value
	}
	port, given := "", false
	if inner, bracketed := strings.CutPrefix(rest, "["); bracketed {
		u.host, port, found = strings.Cut(inner, "]")
		if a, err := netip.ParseAddr(u.host); !found || err != nil || !a.Is6() || a.Zone() != "" {
			return wrong("its host is not an IPv6 address in brackets")
		}
		if port, given = strings.CutPrefix(port, ":"); !given && port != "" {
			return wrong("something else than a port follows its address")
		}
	} else {
		u.host, port, given = strings.Cut(rest, ":")
		if strings.Contains(port, ":") {
			return wrong("its host is not an IPv6 address in brackets")
		}
		if u.host == "" || strings.IndexFunc(u.host, func(r rune) bool { return !strings.ContainsRune(hostCharacters, r) }) >= 0 {
			return wrong("it names no host")
		}
	}
	if given {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return wrong("its port is not a number from 1 to 65535")
		}
		u.port = int(n)
	}
	return u, nil
}

// has tells whether a family is used.
func (i ICE) has(f Family) bool { return len(i.Families) == 0 || slices.Contains(i.Families, f) }

// uses tells whether an interface's addresses are offered.
func (i ICE) uses(name string) bool {
	patterns := i.Interfaces
	if len(patterns) == 0 {
		patterns = DefaultInterfaces()
	}
	used := false
	for _, p := range patterns {
		p, excluded := strings.CutPrefix(p, "!")
		if ok, err := path.Match(p, name); err != nil || !ok {
			continue
		}
		if excluded {
			return false
		}
		used = true
	}
	return used
}
