//go:build e2e && lab

package lab

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
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"intercom/lab/vm"
)

// guest is the lab's machine for one scenario, with the doors that run in it.
type guest struct {
	*vm.Machine
	name string
	out  string // its folder in that of the run

	program, config, socket string // where a door and its files are in the machine
}

// apart has the doors of a scenario that shares the machine with others be where theirs are not, and
// returns settings for an account that theirs do not use.
func (g *guest) apart(t *testing.T, name string, who account, settings string) string {
	t.Helper()
	g.program, g.config, g.socket = "/opt/"+name+"/intercom", "/etc/intercom/"+name+".toml", "/run/"+name+".sock"
	return with(t, settings, fmt.Sprintf("login = %q", doorAccount.login), fmt.Sprintf("login = %q", who.login),
		fmt.Sprintf("password = %q", doorAccount.password), fmt.Sprintf("password = %q", who.password))
}

// sharedGuest is the machine of the scenarios that leave it as they found it.
var sharedGuest struct {
	sync.Mutex
	machine *vm.Machine // nil: none runs
	users   int         // scenarios that have it; several if they are parallel
	spoiled bool        // something has failed on it: it is no good for others
}

// newGuest gives the lab's machine to a scenario, as it is after it has booted. The logs are in
// lab/out, and when the scenario has failed, what the display shows.
func newGuest(t *testing.T) *guest {
	t.Helper()
	g := &guest{name: strings.ReplaceAll(t.Name(), "/", "-"), program: guestProgram, config: guestConfig, socket: guestSocket}
	g.out = filepath.Join(lab.out, g.name)
	must(t, os.MkdirAll(g.out, 0o755))
	s := &sharedGuest
	s.Lock()
	defer s.Unlock()
	if s.machine == nil {
		c := vm.Config{Guest: filepath.Join(lab.root, "build", "lab", "guest"), Out: g.out}
		if missing := vm.Missing(c); len(missing) > 0 {
			t.Skip(strings.Join(missing, "; "))
		}
		var err error
		s.machine, err = vm.Start(context.Background(), c)
		must(t, err)
		t.Logf("the machine booted in %v", s.machine.BootTime().Round(time.Millisecond))
		lab.atEnd(s.machine.Close)
	}
	s.users++
	g.Machine = s.machine
	t.Cleanup(func() {
		s.Lock()
		defer s.Unlock()
		if t.Failed() {
			g.report(t)
			s.spoiled = true
		}
		if s.users--; s.users > 0 {
			return
		}
		if !s.spoiled {
			if err := g.renew(); err != nil {
				t.Error(err)
				s.spoiled = true
			}
		}
		if s.spoiled {
			endSharedGuest(t)
		}
	})
	return g
}

// endSharedGuest ends the machine that scenarios share, which nobody has; the next one boots
// another. There is one machine at a time.
func endSharedGuest(t *testing.T) {
	t.Helper()
	if sharedGuest.machine == nil {
		return
	}
	if err := sharedGuest.machine.Close(); err != nil {
		t.Error(err)
	}
	sharedGuest.machine, sharedGuest.spoiled = nil, false
}

// renew leaves the machine as it was after it has booted: without programs and files of the
// scenario, with fresh devices and a good network.
func (g *guest) renew() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the test's is over
	defer cancel()
	_, err := g.Shell(ctx, `
for p in /proc/[0-9]*; do
	n=${p#/proc/}
	case $(readlink $p/exe) in /bin/agent | '') continue ;; esac
	[ $n = 1 ] || [ $n = $$ ] || kill -9 $n 2>/dev/null || true
done
rm -rf /tmp/* /run/* /opt/* /etc/intercom
for l in /sys/devices/platform/gpio-sim.*/gpiochip*/sim_gpio*/pull; do echo pull-down >$l; done
`)
	if err == nil {
		err = g.Impair(ctx, "")
	}
	for _, d := range []vm.Device{vm.Camera, vm.Card} {
		if err == nil {
			err = g.Unplug(ctx, d)
		}
		if err == nil {
			err = g.Replug(ctx, d)
		}
	}
	if err != nil {
		return fmt.Errorf("leave the machine as it was: %w", err)
	}
	return nil
}

// bootGuest boots a machine for one scenario. Out is set here.
func bootGuest(t *testing.T, c vm.Config) *guest {
	t.Helper()
	g := &guest{name: strings.ReplaceAll(t.Name(), "/", "-"), program: guestProgram, config: guestConfig, socket: guestSocket}
	g.out = filepath.Join(lab.out, g.name)
	must(t, os.MkdirAll(g.out, 0o755))
	c.Out = g.out
	if missing := vm.Missing(c); len(missing) > 0 {
		t.Skip(strings.Join(missing, "; "))
	}
	endSharedGuest(t)
	var err error
	g.Machine, err = vm.Start(t.Context(), c)
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			g.report(t)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("the machine booted in %v", g.BootTime().Round(time.Millisecond))
	return g
}

// report keeps what a failed scenario left behind in the guest.
func (g *guest) report(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the test's is over
	defer cancel()
	if err := g.Screenshot(ctx, filepath.Join(g.out, "screen.png")); err != nil {
		t.Log(err)
	}
	state, err := g.Shell(ctx, "dmesg | tail -n 30; cat /sys/kernel/debug/gpio; ps; free -m")
	if err == nil {
		err = os.WriteFile(filepath.Join(g.out, "state.txt"), []byte(state), 0o644)
	}
	if err != nil {
		t.Log(err)
	}
}

// Where the program and its files are in the guest, of scenarios that have it to themselves.
const (
	guestProgram = "/usr/bin/intercom"
	guestConfig  = "/etc/intercom/intercom.toml"
	guestSocket  = "/run/intercom.sock"
)

// startDoor runs `intercom run` in the guest with a configuration file of this text, waits
// until it reaches its chat server and begins to record its events. Its control socket is
// as good as one of this machine.
func (g *guest) startDoor(t *testing.T, config string, env ...string) *door {
	t.Helper()
	program, err := intercom()
	must(t, err)
	return g.startProgram(t, program, config, env...)
}

// startProgram is startDoor for another program than this machine's.
func (g *guest) startProgram(t *testing.T, program, config string, env ...string) *door {
	t.Helper()
	must(t, g.PutFile(t.Context(), g.program, program))
	return g.startCommand(t, config, vm.Command{Args: []string{g.program, "run", "--config", g.config, "--control", g.socket}, Env: env})
}

// startCommand is startProgram for a program that is there, by a command that runs it.
func (g *guest) startCommand(t *testing.T, config string, c vm.Command) *door {
	t.Helper()
	must(t, g.Put(t.Context(), g.config, 0o600, []byte(config)))
	d := &door{process: g.start(t, "door", c), more: make(chan struct{})}
	must(t, d.connect(g.forward(t, g.socket)))
	return d
}

// forward returns a socket of this machine behind which is one of the guest, until the scenario
// ends.
func (g *guest) forward(t *testing.T, path string) string {
	t.Helper()
	socket, err := newSocket()
	must(t, err)
	l, err := net.Listen("unix", socket)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background()) // beyond the test's: begin's cleanup asks the door
	over := make(chan error, 1)
	go func() { over <- g.Forward(ctx, l, "unix", path) }()
	t.Cleanup(func() {
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	return socket
}

// start starts a program in the guest whose log is kept in this machine. It ends with the
// scenario.
func (g *guest) start(t *testing.T, name string, c vm.Command) *process {
	t.Helper()
	p := &process{name: name + " in the guest", log: filepath.Join(g.out, name+".log"), ended: make(chan struct{})}
	log, err := os.Create(p.log)
	must(t, err)
	r, w := io.Pipe()
	c.Stdout, c.Stderr = io.MultiWriter(log, w), log
	ctx, cancel := context.WithCancel(context.Background())
	program, err := g.Start(ctx, c)
	if err != nil {
		cancel()
		log.Close()
		t.Fatal(err)
	}
	p.signal = func(s syscall.Signal) error { return program.Signal(context.Background(), s) }
	go p.read(bufio.NewReader(r))
	go func() {
		defer close(p.ended)
		<-program.Ended()
		w.Close()
		log.Close()
		p.mu.Lock()
		p.err = program.Wait(time.Second)
		p.mu.Unlock()
	}()
	t.Cleanup(func() {
		defer cancel()
		select {
		case <-p.ended:
			return // the scenario has ended it, or has failed for that
		default:
		}
		if err := p.stop(); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return p
}

// guestAccount is the door's account, and where its servers are: on this machine.
const guestAccount = `
[account]
application_id = %d
auth_key = "demo-key"
auth_secret = "demo-secret"
login = "%s"
password = "%s"

[server]
api = "%s"
chat_domain = "%s"
chat = "%s"
allow_plaintext = true

[[resident]]
id = %d
name = "Anna"
may_open = true
by_account = true
may_call = true

[[resident]]
id = %d
name = "Ben"
may_open = true
by_account = true
may_call = true

[access]
account_interval = "1s" # tests open one after the other

[call]
ring = "%v"
dialing = "2s"
`

// realDevices are the guest's. Its processor encodes small pictures at the full rate.
const realDevices = `
[camera]
source = "v4l2:vivid"
width = 320
height = 180
fps = 15
bit_rate = 300000

[sound]
microphone = "alsa:Loop"
loudspeaker = "alsa:Loop"
echo = "off" # tones are noise to what removes it

[cues]
play = false

[[button]]
name = "call"
label = "Ring"
residents = ["Anna", "Ben"]
line = "BTN_CALL"
active_low = true
pull = "up"

[hang_up]
line = "BTN_HANGUP"
active_low = true
pull = "up"

[light]
line = "LED_STATUS"

[[lock]]
name = "door"
line = "RELAY_DOOR"
open = "1s"
longest = "2s"
pause = "100ms"
`

// guestSettings configure a door in the guest; devices are realDevices or others.
func guestSettings(s *sandboxServer, devices string) string {
	return fmt.Sprintf(guestAccount, app, doorAccount.login, doorAccount.password, inGuest(s.rest), domain, inGuest(s.chat),
		anna.id, ben.id, guestRing) + devices
}

// guestRing is how long phones ring: longer than any scenario takes to answer.
const guestRing = 20 * time.Second

// inGuest is the address that something on this machine's loopback interface has in the
// guest.
func inGuest(address string) string { return strings.ReplaceAll(address, "127.0.0.1", vm.Host) }

// with replaces lines of a configuration, each old one by the new one that follows it.
func with(t *testing.T, config string, lines ...string) string {
	t.Helper()
	for i := 0; i < len(lines); i += 2 {
		changed := strings.Replace(config, lines[i]+"\n", lines[i+1]+"\n", 1)
		if changed == config {
			t.Fatalf("the configuration has no line %q", lines[i])
		}
		config = changed
	}
	return config
}

// sandboxServer is `intercom sandbox` on this machine.
type sandboxServer struct {
	server
	chat    string
	listen  []string // the program's options
	process *process
	starts  int
}

// startSandbox starts a server on ports of its own, which it has again when it is started
// again.
func startSandbox() (*sandboxServer, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	host := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
	accounts := filepath.Join(lab.out, "sandbox.toml")
	s := &sandboxServer{listen: []string{"--accounts", accounts, "--rest", host(ports[0]), "--chat", host(ports[1]), "--websocket", host(ports[2])}}
	if err := writeAccounts(accounts); err != nil {
		return nil, err
	}
	return s, s.start()
}

func (s *sandboxServer) start() error {
	program, err := intercom()
	if err != nil {
		return err
	}
	s.starts++
	s.process, err = startProcess(fmt.Sprintf("sandbox-%d", s.starts), exec.Command(program, append([]string{"sandbox"}, s.listen...)...))
	if err != nil {
		return err
	}
	for key, to := range map[string]*string{"rest": &s.rest, "chat": &s.chat, "websocket": &s.websocket} {
		if err := s.process.await(10*time.Second, func() (err error) { *to, err = s.process.address(key); return err }); err != nil {
			return err
		}
	}
	return nil
}
