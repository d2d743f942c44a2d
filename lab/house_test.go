//go:build e2e

package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"intercom/internal/control"
	"intercom/lab/browser"
)

// house has our chat server as a process of its own, which can be restarted, and doors of
// its own at it. Phones in it are nothing but the SDK.
type house struct {
	server
	accounts string // file
	chat     string // host:port
	websock  string // host:port
	starts   int
	process  *process

	front func() (*door, error)
	side  func() (*door, error) // gives up ringing soon
}

// Doors of the house beside the one that the other tests know.
var (
	sideAccount  = account{1002, "side", "side-demo"}
	relayAccount = account{1003, "relay", "relay-demo"}
	filmAccount  = account{1004, "film", "film-demo"}
)

// everybody has the accounts that a chat server of the lab needs.
var everybody = []account{doorAccount, sideAccount, relayAccount, filmAccount, anna, ben, carl, mallory, olga}

// doorConfig is a door at a chat server without REST. Its "call" button rings three
// phones, the others one each.
const doorConfig = `
[account]
application_id = %d
login = "%s"
user_id = %d
password = "%s"
chat_password = "password"

[server]
api = ""
chat_domain = "%s"
chat = "tcp://%s"

[control]
socket = "%s"
%s
[sound]
tone = %d

[cues]
play = false

[access]
account_interval = "1s" # tests open one after the other

[call]
ring = "%s"
dialing = "2s"

[[lock]]
name = "door"
open = "1s"
longest = "2s"
pause = "100ms"

[[button]]
name = "call"
label = "Ring"
residents = ["anna", "ben", "carl"]
`

// startHouse starts the server; doors start with the first test that needs them.
func startHouse() (*house, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	host := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
	h := &house{accounts: filepath.Join(lab.out, "accounts.toml"), chat: host(ports[0]), websock: host(ports[1])}
	h.server.websocket = "ws://" + h.websock
	if err := writeAccounts(h.accounts); err != nil {
		return nil, err
	}
	at := func(a account, ring, more string) func() (*door, error) {
		return sync.OnceValues(func() (*door, error) { return startHouseDoor(a, h.chat, ring, more) })
	}
	h.front, h.side = at(doorAccount, "20s", ""), at(sideAccount, "4s", "")
	return h, h.start()
}

// writeAccounts writes a file with everybody's account, for `intercom sandbox`.
func writeAccounts(path string) error {
	text := fmt.Sprintf("[application]\nid = %d\nauth_key = \"demo-key\"\nauth_secret = \"demo-secret\"\n", app)
	for _, a := range everybody {
		text += fmt.Sprintf("[[user]]\nid = %d\nlogin = %q\npassword = %q\n", a.id, a.login, a.password)
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

// start starts the server, at the same addresses as before.
func (h *house) start() error {
	program, err := intercom()
	if err != nil {
		return err
	}
	h.starts++
	h.process, err = startProcess(fmt.Sprintf("house-%d", h.starts), exec.Command(program, "sandbox",
		"--accounts", h.accounts, "--domain", domain, "--rest", "127.0.0.1:0", "--chat", h.chat, "--websocket", h.websock))
	if err != nil {
		return err
	}
	return h.process.await(soon, func() error { return errors.Join(answers(h.chat), answers(h.websock)) })
}

func (h *house) stop() error { return h.process.stop() }

// startHouseDoor starts a door at a chat server without REST.
func startHouseDoor(a account, chat, ring, more string) (*door, error) {
	socket, err := newSocket()
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf(doorConfig, app, a.login, a.id, a.password, domain, chat, socket, more, doorTone, ring)
	for _, r := range []account{anna, ben, carl, olga} {
		config += fmt.Sprintf("[[button]]\nname = %q\nlabel = \"Ring\"\nresidents = [%q]\n", r.login, r.login)
		config += fmt.Sprintf("[[resident]]\nid = %d\nname = %q\nmay_open = true\nby_account = true\nmay_call = true\n", r.id, r.login)
	}
	d, err := startDoor("house-"+a.login, config, nil, nil, "run")
	if err != nil {
		return nil, err
	}
	return d, d.connect(socket)
}

// use gives one of the house's doors to a test. The server may have been restarted.
func use(t *testing.T, start func() (*door, error)) *door {
	t.Helper()
	d, err := start()
	must(t, err)
	d.until(t, returns, "at its chat server", func(s control.Status) bool { return s.Link.Up })
	d.begin(t)
	return d
}

// house gives the house to a test, and its front door.
func (s *suite) house(t *testing.T) (*house, *door) {
	t.Helper()
	h, err := s.homes()
	must(t, err)
	return h, use(t, h.front)
}

// phones opens a phone for each account, with a tone of its own.
func (h *house) phones(t *testing.T, who ...account) []*phone {
	t.Helper()
	var all []*phone
	for _, a := range who {
		all = append(all, newPhone(t, h.server, a, browser.ProbeConfig{Tone: a.tone()}))
	}
	return all
}

// tone is the frequency of the account's microphone, in Hz: unlike the others' and the
// doors'.
func (a account) tone() float64 {
	switch a {
	case anna:
		return annaTone
	case ben:
		return benTone
	}
	return 1100 + float64(a.id%100)
}

// logged returns the lines of a process's standard error that hold all of the texts.
func (p *process) logged(t *testing.T, texts ...string) (lines []string) {
	t.Helper()
	all, err := os.ReadFile(p.log)
	must(t, err)
line:
	for l := range strings.Lines(string(all)) {
		for _, text := range texts {
			if !strings.Contains(l, text) {
				continue line
			}
		}
		lines = append(lines, l)
	}
	return lines
}
