package quickblox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"intercom/signaling"
	"intercom/signaling/xmpp/xmpptest"
)

// prosody is a real server, Debian's, run by the test for itself.
type prosody struct {
	c2s, tls, http int
	identity       xmpptest.Identity
}

const prosodyConfig = `
daemonize = false
run_as_root = true
pidfile = "%[1]s/prosody.pid"
data_path = "%[1]s/data"
log = { { levels = { min = "info" }, to = "console" } }
modules_enabled = { "saslauth", "tls", "roster", "carbons", "ping", "disco", "websocket" }
modules_disabled = { "s2s" }
interfaces = { "127.0.0.1" }
c2s_interfaces = { "127.0.0.1" }
c2s_direct_tls_interfaces = { "127.0.0.1" }
http_interfaces = { "127.0.0.1" }
c2s_ports = { %[2]d }
c2s_direct_tls_ports = { %[3]d }
http_ports = { %[4]d }
https_ports = {}
http_default_host = "chat.localhost"
consider_websocket_secure = true
authentication = "internal_plain"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
ssl = { certificate = "%[1]s/cert.pem", key = "%[1]s/key.pem" }
VirtualHost "chat.localhost"
`

func startProsody(t *testing.T) *prosody {
	t.Helper()
	path, err := exec.LookPath("prosody")
	if err != nil {
		t.Fatal("this test needs the XMPP server prosody: apt-get install prosody")
	}
	p := &prosody{identity: xmpptest.NewIdentity(t, "chat.localhost")}
	dir := t.TempDir()
	for _, port := range []*int{&p.c2s, &p.tls, &p.http} {
		*port = freePort(t)
	}
	accounts := filepath.Join(dir, "data", "chat%2elocalhost", "accounts")
	if err := os.MkdirAll(accounts, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		filepath.Join(dir, "cert.pem"):           string(p.identity.Cert),
		filepath.Join(dir, "key.pem"):            string(p.identity.Key),
		filepath.Join(dir, "prosody.cfg.lua"):    fmt.Sprintf(prosodyConfig, dir, p.c2s, p.tls, p.http),
		filepath.Join(accounts, "2001%2d99.dat"): `return { ["password"] = "one" };`,
		filepath.Join(accounts, "2002%2d99.dat"): `return { ["password"] = "two" };`,
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.run(t, path, filepath.Join(dir, "prosody.cfg.lua"))
	return p
}

// run starts the server, waits until it listens, and ends it with the test.
func (p *prosody) run(t *testing.T, path, config string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, "--config", config)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1000)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := bufio.NewScanner(r); s.Scan(); {
			select {
			case lines <- s.Text():
			default: // said enough
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // its exit status after SIGTERM is of no interest
		w.Close()
		<-read
	})
	missing := map[string]bool{fmt.Sprint("]:", p.c2s): true, fmt.Sprint("]:", p.tls): true, fmt.Sprint("]:", p.http): true}
	var said []string
	timeout := time.After(30 * time.Second)
	for len(missing) > 0 {
		select {
		case line := <-lines:
			said = append(said, line)
			for port := range missing {
				if strings.Contains(line, "Activated service") && strings.Contains(line, port) {
					delete(missing, port)
				}
			}
		case <-timeout:
			t.Fatalf("prosody does not listen on %v; it said:\n%s", missing, strings.Join(said, "\n"))
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestProsody(t *testing.T) {
	p := startProsody(t)
	for _, address := range []string{
		fmt.Sprintf("tcp://127.0.0.1:%d", p.c2s),
		fmt.Sprintf("starttls://127.0.0.1:%d", p.c2s),
		fmt.Sprintf("tls://127.0.0.1:%d", p.tls),
		fmt.Sprintf("ws://127.0.0.1:%d/xmpp-websocket", p.http),
	} {
		t.Run(address[:strings.Index(address, ":")], func(t *testing.T) {
			edit := func(c *Config) { c.Address, c.Dial, c.TLS = address, nil, p.identity.Client }
			door := newPhone(t, &xmpptest.Server{}, 2001, func(c *Config) { edit(c); c.Resource = "door" })
			defer door.stop()
			resident := newPhone(t, &xmpptest.Server{}, 2002, edit)
			resident.stop = sync.OnceFunc(resident.stop)
			defer resident.stop()
			door.wantUp()
			resident.wantUp()

			call, err := decodeString(string(sample(t, "sent-call-video")))
			if err != nil {
				t.Fatal(err)
			}
			call.ID, call.Peer = "", 2002
			call.Info["text"] = "<\"Tür\" & 'Tor'>\n\t\U0001F6AA"
			if err := door.Send(t.Context(), call); err != nil {
				t.Fatal(err)
			}
			got := resident.wantSignal()
			want := *call
			want.Peer, want.Device = 2001, "door"
			if !reflect.DeepEqual(got, &want) {
				t.Errorf("call:\n got %+v\nwant %+v", got, &want)
			}

			// Trap 32: the longest description that Encode lets pass, to one device.
			accept := valid(signaling.Accept)
			accept.Peer, accept.Device = got.Peer, got.Device
			accept.SDP = strings.Repeat("a=x:0123456789\r\n", MaxSDP/16)
			if err := resident.Send(t.Context(), accept); err != nil {
				t.Fatal(err)
			}
			if got := door.wantSignal(); got.Kind != signaling.Accept || got.SDP != accept.SDP {
				t.Errorf("accept: got %v with %d bytes of sdp, want %d", got.Kind, len(got.SDP), len(accept.SDP))
			}
			if err := door.Probe(t.Context()); err != nil {
				t.Errorf("probe: %v", err)
			}

			ping := func(device string) error {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				return door.Ping(ctx, 2002, device)
			}
			there := resident.cfg.Resource
			if err := ping("nobody"); !errors.Is(err, signaling.ErrUnavailable) {
				t.Errorf("ping a device that never was there: %v, want %v", err, signaling.ErrUnavailable)
			}
			if err := ping(there); err != nil {
				t.Errorf("ping: %v", err)
			}
			resident.stop()
			err = ping(there)
			if errors.Is(err, context.DeadlineExceeded) {
				err = ping(there) // what is under way to a connection that is being closed is lost
			}
			if !errors.Is(err, signaling.ErrUnavailable) {
				t.Errorf("ping a device that has gone: %v, want %v", err, signaling.ErrUnavailable)
			}
		})
	}
	t.Run("wrong password", func(t *testing.T) {
		reports := make(chan error, 100)
		door := newPhone(t, &xmpptest.Server{}, 2001, func(c *Config) {
			c.Address, c.Dial = fmt.Sprintf("tcp://127.0.0.1:%d", p.c2s), nil
			c.Credentials = func(context.Context) (string, error) { return "wrong", nil }
			c.Report = func(err error) { reports <- err }
		})
		defer door.stop()
		if err := <-reports; err == nil || !strings.Contains(err.Error(), "log in as 2001-99@chat.localhost at tcp://127.0.0.1:") ||
			!strings.Contains(err.Error(), "not-authorized") {
			t.Errorf("report: got %v, want a refused login", err)
		}
	})
}
