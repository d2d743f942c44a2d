package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"intercom/sandbox"
	"intercom/web"
)

// demoDomain is the chat domain of the demo: a name that means this machine (RFC 6761).
const demoDomain = "chat.localhost"

// demoAccounts are the application and the users of the demo. Their passwords are known to
// everybody: the server is on loopback.
func demoAccounts() sandbox.Accounts {
	return sandbox.Accounts{
		Application: sandbox.Application{ID: 99, AuthKey: "demo-key", AuthSecret: "demo-secret"},
		Users: []sandbox.User{
			{ID: 1001, Login: "door", Password: "door-demo", FullName: "Front door"},
			{ID: 2001, Login: "anna", Password: "anna-demo", FullName: "Anna"},
			{ID: 2002, Login: "ben", Password: "ben-demo", FullName: "Ben"},
			{ID: 2009, Login: "mallory", Password: "mallory-demo", FullName: "Mallory"},
		},
	}
}

// demoConfig is the configuration of the demo's door.
func demoConfig(a sandbox.Accounts) *config {
	c := defaults()
	door := a.Users[0]
	c.Account.ApplicationID, c.Account.AuthKey, c.Account.AuthSecret = a.Application.ID, a.Application.AuthKey, a.Application.AuthSecret
	c.Account.Login, c.Account.Password = door.Login, door.Password
	c.Server.ChatDomain = demoDomain
	c.Button = []button{{Name: "call", Label: "Ring", Residents: []string{"Anna", "Ben"}}}
	c.keysInMemory = true
	may := opening{MayOpen: true, ByAccount: true}
	c.Resident = []resident{{ID: 2001, Name: "Anna", MayCall: true, opening: may}, {ID: 2002, Name: "Ben", MayCall: true, opening: may}}
	return c
}

// demoFlags are where the demo listens and what it reads.
type demoFlags struct {
	config, camera, sound, page, rest, chat, websocket, socket, sdk string
}

func (f *demoFlags) define(fs *flag.FlagSet) {
	fs.StringVar(&f.config, "config", "", "`FILE` with settings that differ from the demo's")
	fs.StringVar(&f.camera, "camera", "", "`DEVICE` instead of the synthetic camera, such as /dev/video0")
	fs.StringVar(&f.sound, "sound", "", "`CARD` instead of the synthetic microphone and loudspeaker, such as default")
	fs.StringVar(&f.page, "listen", "127.0.0.1:8080", "`ADDRESS` of the page")
	fs.StringVar(&f.rest, "rest", "127.0.0.1:0", "`ADDRESS` of the server's REST API")
	fs.StringVar(&f.chat, "chat", "127.0.0.1:0", "`ADDRESS` of the chat server")
	fs.StringVar(&f.websocket, "websocket", "127.0.0.1:0", "`ADDRESS` of the chat server for browsers")
	fs.StringVar(&f.socket, "control", "", "`PATH` of the control socket; "+defaultSocket()+" if it is not set")
	fs.StringVar(&f.sdk, "sdk", defaultSDK(), "`FOLDER` with quickblox.min.js")
}

func runDemo(ctx context.Context, in invocation) error {
	var f demoFlags
	if _, err := in.parse("demo", 0, 0, f.define); err != nil {
		return err
	}
	accounts := demoAccounts()
	c := demoConfig(accounts)
	page, err := listen("page", f.page)
	if err != nil {
		return err
	}
	defer page.Close()
	srv, addrs, err := startSandbox(sandbox.Config{Accounts: accounts, Domain: demoDomain, REST: f.rest, XMPP: f.chat, WebSocket: f.websocket})
	if err != nil {
		return err
	}
	defer srv.Close()
	c.Server.API, c.Server.Chat = "http://"+addrs.REST, "tcp://"+addrs.XMPP
	f.useDevices(c)
	if err := loadConfig(f.config, c); err != nil {
		return err
	}
	c.houseResidents()
	if f.socket != "" {
		c.Control.Socket = f.socket
	}
	log := c.logger(in)
	lock, err := newLockGuard(c, f.config, "", log)
	if err != nil {
		return err
	}
	st, err := newStation(c, in.chips, lock, log)
	if err != nil {
		return err
	}
	defer st.close()
	phone := demoPhone(accounts, c, "ws://"+addrs.WebSocket)
	handler, err := web.New(web.Config{Station: st, Phone: phone, SDK: f.sdk, Logger: log})
	if err != nil {
		return err
	}
	fmt.Fprintf(in.stdout, "rest  %s\nchat  %s\nwebsocket  %s\npage  http://%s/\n", phone.API, c.Server.Chat, phone.WebSocket, openAt(page.Addr()))
	f.tell(in.stderr)
	// The station ends first: it takes leave of its server.
	servers, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	return together(ctx,
		func(ctx context.Context) error { defer end(); return st.run(ctx) },
		func(context.Context) error { return srv.Run(servers) },
		func(context.Context) error { return servePage(servers, page, handler, log) },
	)
}

// openAt is where a browser on this machine opens what listens on an address.
func openAt(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("localhost", strconv.Itoa(tcp.Port))
	}
	return a.String()
}

// tell says what to do now, and what is missing for it.
func (f demoFlags) tell(w io.Writer) {
	if _, err := os.Stat(filepath.Join(f.sdk, "quickblox.min.js")); err != nil {
		fmt.Fprintf(w, "the phone on the page needs the QuickBlox SDK: %v; run scripts/sdk.sh, or name its folder with --sdk\n", err)
	}
	if host, _, err := net.SplitHostPort(f.page); err == nil && host != "localhost" && !net.ParseIP(host).IsLoopback() {
		fmt.Fprintln(w, "the page answers only who opens it as localhost or 127.0.0.1, through a forwarded port for example")
	}
	fmt.Fprintln(w, "open the page, choose whose phone is on it, press the button, answer, open the door; Ctrl-C ends the demo")
}

// houseResidents gives everybody a flat if the configuration has none, so that there is
// something to dial.
func (c *config) houseResidents() {
	if len(c.Flat) > 0 {
		return
	}
	for i, r := range c.Resident {
		c.Flat = append(c.Flat, flat{Name: strconv.Itoa(i + 1), Label: r.Name, Residents: []string{r.Name}})
	}
}

// useDevices has the demo's door use devices of this machine; a configuration file's settings
// come after it.
func (f demoFlags) useDevices(c *config) {
	if f.camera != "" {
		c.Camera.Source = "v4l2:" + f.camera
	}
	if f.sound != "" {
		c.Sound.Microphone, c.Sound.Loudspeaker = alsaPrefix+f.sound, alsaPrefix+f.sound
	}
}

// demoPhone is the resident's phone on the page: everybody who has an account but the door.
func demoPhone(a sandbox.Accounts, c *config, websocket string) *web.Phone {
	p := &web.Phone{
		API: c.Server.API, Chat: c.Server.ChatDomain, WebSocket: websocket,
		AppID: a.Application.ID, AuthKey: a.Application.AuthKey, AuthSecret: a.Application.AuthSecret.Reveal(), Door: a.Users[0].ID,
	}
	// The same way for media as the door's.
	p.ICEPolicy = string(c.ICE.Policy)
	for _, s := range c.ICE.Server {
		p.ICEServers = append(p.ICEServers, web.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential.Reveal()})
	}
	for _, u := range a.Users[1:] {
		p.Residents = append(p.Residents, web.Resident{ID: u.ID, Login: u.Login, Password: u.Password.Reveal(), Name: u.FullName})
	}
	return p
}

// defaultSDK is where scripts/sdk.sh unpacks the SDK: beside the program in a checkout's
// build folder, or below the working directory.
func defaultSDK() string {
	if exe, err := os.Executable(); err == nil {
		dir := filepath.Join(filepath.Dir(exe), "sdk")
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
	}
	return filepath.Join("build", "sdk")
}

// together runs parts until ctx ends or one of them does, and returns the first error.
func together(ctx context.Context, parts ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(parts))
	var wg sync.WaitGroup
	for i, run := range parts {
		wg.Go(func() {
			defer cancel()
			errs[i] = run(ctx)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// servePage serves the page until ctx ends.
func servePage(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}
