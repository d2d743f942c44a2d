//go:build e2e

package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// prosody is the XMPP server of Debian's packages, in a folder of its own; the system's
// service, if there is one, is not touched. It knows the accounts of the demo.
type prosody struct {
	chat      string // tcp://host:port
	websocket string // ws://host:port/path

	config  string // file
	ports   []int  // of the two
	starts  int
	process *process
}

// The accounts, and the application and domain they are in, are those of the demo.
const (
	app    = 99
	domain = "chat.localhost"
)

type account struct {
	id       int64
	login    string
	password string
}

var (
	doorAccount = account{1001, "door", "door-demo"}
	anna        = account{2001, "anna", "anna-demo"}
	ben         = account{2002, "ben", "ben-demo"}
	carl        = account{2003, "carl", "carl-demo"}
	mallory     = account{2009, "mallory", "mallory-demo"} // lives elsewhere
	olga        = account{901, "olga", "olga-demo"}        // was there before the doors: her id is below theirs
)

const prosodyConfig = `-- Written by the end-to-end tests, for one run.
run_as_root = true
pidfile = "%[1]s/prosody.pid"
data_path = "%[1]s/data"
plugin_paths = {}
certificates = "%[1]s"
log = { info = "*console" }
modules_enabled = { "saslauth", "roster", "carbons", "ping", "websocket" }
modules_disabled = { "s2s", "offline", "tls" }
authentication = "internal_plain"
storage = "internal"
-- Loopback only, and so without TLS.
interfaces = { "127.0.0.1" }
c2s_ports = { %[2]d }
c2s_direct_tls_ports = {}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
http_ports = { %[3]d }
http_interfaces = { "127.0.0.1" }
https_ports = {}
consider_websocket_secure = true
http_default_host = "%[4]s"
VirtualHost "%[4]s"
`

func startProsody() (*prosody, error) {
	dir := filepath.Join(lab.out, "prosody")
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	// Account files, as Prosody's datamanager names them, spare a run of prosodyctl each.
	hex := strings.NewReplacer(".", "%2e", "-", "%2d")
	accounts := filepath.Join(dir, "data", hex.Replace(domain), "accounts")
	if err := os.MkdirAll(accounts, 0o755); err != nil {
		return nil, err
	}
	for _, a := range everybody {
		name := hex.Replace(fmt.Sprintf("%d-%d", a.id, app)) + ".dat"
		text := fmt.Sprintf("return { [\"password\"] = %q; };\n", a.password)
		err = errors.Join(err, os.WriteFile(filepath.Join(accounts, name), []byte(text), 0o600))
	}
	config := filepath.Join(dir, "prosody.cfg.lua")
	text := fmt.Sprintf(prosodyConfig, dir, ports[0], ports[1], domain)
	if err := errors.Join(err, os.WriteFile(config, []byte(text), 0o600)); err != nil {
		return nil, err
	}
	p := &prosody{
		chat:      fmt.Sprintf("tcp://127.0.0.1:%d", ports[0]),
		websocket: fmt.Sprintf("ws://127.0.0.1:%d/xmpp-websocket", ports[1]),
		config:    config,
		ports:     ports,
	}
	return p, p.start()
}

// start starts the server, at the same addresses as before.
func (p *prosody) start() (err error) {
	p.starts++
	if p.process, err = startProcess(fmt.Sprintf("prosody-%d", p.starts), exec.Command("prosody", "-F", "--config", p.config)); err != nil {
		return err
	}
	return p.process.await(30*time.Second, func() (err error) {
		for _, port := range p.ports {
			err = errors.Join(err, answers(fmt.Sprintf("127.0.0.1:%d", port)))
		}
		return err
	})
}

func (p *prosody) stop() error { return p.process.stop() }
