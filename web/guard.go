package web

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// guard refuses what only a hostile page can have sent.
//
// The Host of a request that a page elsewhere caused by rebinding its own name to
// 127.0.0.1 is still that page's name: only loopback names pass. And of the requests to
// the API that a browser sends, only those pass that a page from this very origin caused,
// or the person at the address bar: a page on another port of this machine is "same-site",
// not "same-origin".
func guard(r *http.Request) error {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if !loopback(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")) {
		return fmt.Errorf("this page is for this machine only: open it as localhost or 127.0.0.1, not as %q", r.Host)
	}
	if !strings.HasPrefix(r.URL.Path, "/api/") {
		return nil
	}
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case site == "", site == "same-origin", site == "none" && safe:
	default:
		return errors.New("request from another page")
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Host != r.Host {
			return fmt.Errorf("request from another page, %q", origin)
		}
	}
	return nil
}

// contentPolicy allows the page its own files, and connections to the phone's servers.
func contentPolicy(phone *Phone) string {
	connect, style := "'self'", "'self'"
	if phone != nil {
		// The SDK has the browser parse "[object Element]" as XML for each stanza it gets;
		// the document that tells of the error has style attributes, each of them a
		// violation in the console. Style elements stay forbidden.
		style += "; style-src-attr 'unsafe-inline'"
		for _, s := range []string{phone.API, phone.WebSocket} {
			u, err := url.Parse(s)
			if err != nil {
				continue // New has checked them
			}
			connect += " " + u.Scheme + "://" + u.Host
		}
	}
	return "default-src 'none'; script-src 'self'; style-src " + style + "; img-src 'self'; connect-src " + connect +
		"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

func (p *Page) setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "microphone=(self), camera=(self), geolocation=()")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
}
