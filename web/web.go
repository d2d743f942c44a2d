// Package web is the page of a door station: on one side the door's panel as a visitor
// and an installer see it, on the other, in a demonstration, a resident's phone on the
// official QuickBlox JavaScript SDK. It is HTML, style sheets and modules compiled into
// the program, a small JSON API over [control.Station], and a stream of events.
//
// It is not a control plane for the open network: it answers only requests that name
// this machine by a loopback address, and only pages that it served itself. It makes no
// calls and keeps no state; the phone on the page talks to the chat server on its own.
//
// A [Page] starts no goroutine of its own. Each stream of events has one more than the
// server gave it, and ends it before the request ends.
//
// # What a test may rely on
//
// The page's elements keep these names; everything else about it may change.
//
//	#panel              data-state: offline idle dialling waiting calling incoming talking (as control.Status.State)
//	#light              data-light: what the status light shows, or offline
//	[data-button=NAME]  presses the door's button NAME
//	[data-key=KEY]      presses a key of the keypad: 0 to 9 * #
//	[data-flat=NAME]    dials flat NAME; the directory is shown while somebody types
//	#typed              what was typed; a code shows as dots
//	#panel-hangup       presses the hang-up button
//	[data-lock=NAME]    data-open: true false
//	#camera             data-on: true false
//	#speaker            data-on, data-dbfs, data-frequency
//	#link               data-up: true false
//	#health             one [data-condition=NAME] for each thing that is wrong
//	#journal            one [data-type=TYPE] for each event, newest first
//
//	#phone              data-state: offline connecting ready ringing calling talking
//	                    data-media: none live (a frame was shown), data-link: down up
//	[data-resident=LOGIN] chooses who answers the phone; so does ?as=LOGIN in the address
//	#answer #decline #open #mute #hangup #calldoor
//	#receipt            data-event: sent opened refused lost (what became of "open")
//	#notice             data-kind: info warning error; how the last call ended, what is wrong
//	#video              the visitor, picture and sound
//
// What intercom pair has shown, behind the # of the address, makes the phone a paired one.
// ?tone=HZ in the address sends a tone in place of the microphone. Performance marks, each
// with the session's id as detail: call-received, answer (the button), accept (given to
// the SDK), first-frame (shown). window.intercom is {QB, session()}.
package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"

	"intercom/internal/control"
)

// Config is what a page needs.
type Config struct {
	// Station is shown and driven. Required.
	Station control.Station
	// Phone puts a resident's phone on the page; nil: the door's panel only. The page
	// gives all of it, passwords too, to the browser: for demonstrations and tests.
	Phone *Phone
	// SDK is the folder that holds quickblox.min.js of the npm package quickblox. Where
	// it is missing the page says how to get it.
	SDK string
	// Logger takes refused requests and streams that end early; nil: nothing.
	Logger *slog.Logger
}

// Phone is an account of a QuickBlox-compatible server and the people who use it. Its
// JSON form is what /api/phone gives to the page.
type Phone struct {
	API        string      `json:"api"`       // base URL of the REST server, without a path
	Chat       string      `json:"chat"`      // the chat domain: in a JID, what is behind the @
	WebSocket  string      `json:"websocket"` // ws or wss URL of the chat server
	AppID      int64       `json:"appID"`
	AuthKey    string      `json:"authKey"`
	AuthSecret string      `json:"authSecret"`
	AccountKey string      `json:"accountKey"` // may be empty: only QuickBlox's own servers ask for it
	Door       int64       `json:"door"`       // the door's user id
	ICEServers []ICEServer `json:"iceServers"` // none: host candidates only
	ICEPolicy  string      `json:"icePolicy"`  // "all", or "relay": media through TURN only; empty is "all"
	Residents  []Resident  `json:"residents"`
}

// ICEServer is a STUN or TURN server, as RTCConfiguration has it.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// Resident is somebody whom the page can be.
type Resident struct {
	ID       int64  `json:"id"`
	Login    string `json:"login"`
	Password string `json:"password"`
	Name     string `json:"name"`
}

// Page is the handler of the page and its API, at the root of a server.
//
// The server's owner sets ReadHeaderTimeout and IdleTimeout as for any server (5 s and a
// minute are good), may set ReadTimeout and WriteTimeout, which the stream of events
// lifts for itself, and gives a BaseContext that ends with the server: a stream ends
// with its request's context, and http.Server.Shutdown waits for it.
type Page struct {
	station control.Station
	phone   *Phone
	sdk     string
	log     *slog.Logger

	mux     *http.ServeMux
	assets  map[string]asset
	policy  string        // Content-Security-Policy
	streams chan struct{} // one token for each open stream of events
}

// New checks the configuration. It reads no file outside the program.
func New(c Config) (*Page, error) {
	if c.Station == nil {
		return nil, errors.New("web: no station to show")
	}
	if c.Phone != nil {
		if err := c.Phone.check(); err != nil {
			return nil, fmt.Errorf("web: phone: %w", err)
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	assets, err := loadAssets(c.Phone != nil)
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	p := &Page{
		station: c.Station,
		phone:   c.Phone,
		sdk:     c.SDK,
		log:     c.Logger,
		mux:     http.NewServeMux(),
		assets:  assets,
		policy:  contentPolicy(c.Phone),
		streams: make(chan struct{}, maxStreams),
	}
	p.mux.HandleFunc("GET /{$}", p.serveIndex)
	p.mux.HandleFunc("GET /assets/{name}", p.serveAsset)
	p.mux.HandleFunc("GET /sdk/"+sdkFile, p.serveSDK)
	p.mux.HandleFunc("GET /api/status", p.serveStatus)
	p.mux.HandleFunc("GET /api/events", p.serveEvents)
	p.mux.HandleFunc("GET /api/phone", p.servePhone)
	p.mux.HandleFunc("POST /api/press", p.servePress)
	p.mux.HandleFunc("POST /api/type", p.serveType)
	p.mux.HandleFunc("POST /api/hangup", p.serveHangUp)
	return p, nil
}

// ServeHTTP answers one request.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.setHeaders(w.Header())
	if err := guard(r); err != nil {
		p.log.Warn("request refused", "cause", err, "method", r.Method, "path", r.URL.Path, "peer", r.RemoteAddr)
		refuse(w, http.StatusForbidden, err)
		return
	}
	p.mux.ServeHTTP(w, r)
}

func (p *Phone) check() error {
	if err := checkURL(p.API, "http", "https"); err != nil {
		return fmt.Errorf("address of the REST server: %w", err)
	}
	if err := checkURL(p.WebSocket, "ws", "wss"); err != nil {
		return fmt.Errorf("address of the chat server: %w", err)
	}
	for _, s := range []struct{ what, value string }{
		{"chat domain", p.Chat}, {"authorization key", p.AuthKey}, {"authorization secret", p.AuthSecret},
	} {
		if s.value == "" {
			return fmt.Errorf("no %s", s.what)
		}
	}
	if p.AppID <= 0 {
		return fmt.Errorf("application id %d is not positive", p.AppID)
	}
	if p.Door <= 0 {
		return fmt.Errorf("the door's user id %d is not positive", p.Door)
	}
	if p.ICEPolicy != "" && p.ICEPolicy != "all" && p.ICEPolicy != "relay" {
		return fmt.Errorf(`ICE policy %q is neither "all" nor "relay"`, p.ICEPolicy)
	}
	if len(p.Residents) == 0 {
		return errors.New("no residents")
	}
	logins := make(map[string]bool, len(p.Residents))
	for _, r := range p.Residents {
		if r.ID <= 0 || r.Login == "" || r.Password == "" {
			return fmt.Errorf("resident %q needs a positive id, a login and a password", r.Name)
		}
		if logins[r.Login] {
			return fmt.Errorf("two residents have the login %q", r.Login)
		}
		logins[r.Login] = true
	}
	return nil
}

// checkURL takes plaintext only to this machine: the page sends passwords there.
func checkURL(s, plain, secure string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return err
	case u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%q is not like %s://host:port", s, secure)
	case u.Scheme == secure:
		return nil
	case u.Scheme != plain:
		return fmt.Errorf("%q starts neither with %s:// nor with %s://", s, plain, secure)
	case !loopback(u.Hostname()):
		return fmt.Errorf("%q is plaintext and not on this machine", s)
	}
	return nil
}

// loopback tells whether a host name or address without a port means this machine
// without asking a name server.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
