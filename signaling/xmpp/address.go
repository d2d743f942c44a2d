package xmpp

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// address is where and how to connect.
type address struct {
	text     string // as configured, for people
	url      *url.URL
	hostport string
	tls      bool // from the first byte
	starttls bool
	ws       bool
}

// parseAddress understands tls://host:port, starttls://host:port, wss://host:port/path
// and, for this machine or if allowed, tcp://host:port and ws://host:port/path.
func parseAddress(text string, allowPlaintext bool) (*address, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("chat address is not a URL such as tls://chat.example.com:5223")
	}
	a := &address{text: text, url: u}
	var port string
	switch u.Scheme {
	case "tls":
		a.tls, port = true, "5223"
	case "starttls":
		a.starttls, port = true, "5222"
	case "tcp":
		port = "5222"
	case "wss":
		a.tls, a.ws, port = true, true, "443"
	case "ws":
		a.ws, port = true, "80"
	default:
		return nil, fmt.Errorf("chat address %s: scheme is none of tls, starttls, wss, tcp, ws", u.Redacted())
	}
	switch {
	case u.User != nil:
		return nil, fmt.Errorf("chat address %s: credentials do not belong here", u.Redacted())
	case u.Hostname() == "":
		return nil, fmt.Errorf("chat address %s: host is missing", text)
	case u.Fragment != "", !a.ws && (u.RawQuery != "" || strings.Trim(u.Path, "/") != ""):
		return nil, fmt.Errorf("chat address %s: nothing may follow host and port", text)
	case !a.tls && !a.starttls && !allowPlaintext && !loopback(u.Hostname()):
		return nil, fmt.Errorf("chat address %s: plaintext would show the password to the network; use tls, starttls or wss", text)
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("chat address %s: port %s is outside 1 to 65535", text, p)
		}
		port = p
	}
	a.hostport = net.JoinHostPort(u.Hostname(), port)
	return a, nil
}

// loopback reports whether host is this machine by name or by number, asking nobody.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
