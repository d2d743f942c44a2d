package vm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"intercom/lab/vm/wire"
)

// Limits of single steps, generous: they are for what does not come at all.
const (
	turnLimit  = 20 * time.Minute // for a machine of another process to end
	readyLimit = 90 * time.Second
	stepLimit  = 30 * time.Second
	closeLimit = 5 * time.Second
)

// defaultMemory is the guest's, in MB. It uses some 150 of them before any program.
const defaultMemory = 768

// Host is the address that this machine's loopback interface has in the guest: a server
// on 127.0.0.1 is reached there.
const Host = "10.0.2.2"

// Config says what to boot.
type Config struct {
	// Guest is the folder that lab/guest/build.sh made: build/lab/guest in the repository.
	Guest string
	// Arch is "amd64", which is the default; or "arm64", a machine without camera, card, lines
	// and display; or "raspi3b", a Raspberry Pi 3 that has its GPIO chip and nothing else: no
	// network, so that Link and Impair fail. The Guest of the latter two is build/lab/arm64,
	// by lab/guest/arm64.sh.
	Arch string
	// Out is an existing folder for serial.log, what the kernel and init print, and
	// qemu.log.
	Out string
	// Memory is the guest's in MB; 0 means 768. A Raspberry Pi has its own.
	Memory int
	// Files are in the guest from the start: by their paths there, files of this machine. The
	// agent's network of a Raspberry Pi is not for large ones.
	Files map[string]string
	// Options go to the kernel's command line: lab/guest/init lists those with "lab.".
	Options []string
	// Watchdog is what QEMU does when nobody feeds the hardware watchdog any more: "pause",
	// which is the default, "reset" or "poweroff". In each case there is an event WATCHDOG.
	Watchdog string
	// Console attaches the guest's serial console to this process's terminal instead of
	// serial.log.
	Console bool
}

// Machine is a running guest. Its methods may be used at the same time.
type Machine struct {
	cmd     *exec.Cmd
	out     string
	turn    *os.File // holds the lock
	monitor *monitor
	agent   string // its address on this machine
	http    *http.Client
	booted  time.Duration
	ended   chan struct{} // closed when QEMU has
	err     error         // of Wait; valid once ended is closed
}

// Start waits for its turn, boots a machine and returns when its devices are there and its
// agent answers. The caller must Close it.
func Start(ctx context.Context, c Config) (_ *Machine, err error) {
	if c.Watchdog == "" {
		c.Watchdog = "pause"
	}
	if missing := Missing(c); len(missing) > 0 {
		return nil, fmt.Errorf("start machine: %s", strings.Join(missing, "; "))
	}
	m := &Machine{out: c.Out, ended: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start machine: %w", err), m.Close())
		}
	}()
	if m.turn, err = takeTurn(ctx, filepath.Join(filepath.Dir(c.Guest), "machine.lock")); err != nil {
		return m, err
	}
	begun := time.Now()
	if err := m.launch(c); err != nil {
		return m, err
	}
	if err := m.ready(ctx); err != nil {
		return m, err
	}
	m.booted = time.Since(begun)
	return m, nil
}

// takeTurn waits until no other process holds the lock; the kernel gives it back when its
// holder dies.
func takeTurn(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	for late := time.Now().Add(turnLimit); ; {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(late) {
			f.Close()
			return nil, fmt.Errorf("wait for the machine that runs to end: lock %s: %w", path, err)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		}
	}
}

// launch starts QEMU. Its monitor is one end of a pair of sockets.
func (m *Machine) launch(c Config) error {
	a, err := architectureOf(c.Arch)
	if err != nil {
		return err
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "monitor"), os.NewFile(uintptr(pair[1]), "monitor")
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(m.out, "qemu.log"))
	if err != nil {
		conn.Close()
		return err
	}
	root, err := withFiles(c)
	if err != nil {
		conn.Close()
		log.Close()
		return err
	}
	m.cmd = exec.Command(a.program, arguments(c, a, root)...)
	m.cmd.ExtraFiles = []*os.File{theirs} // 3
	m.cmd.Stdout, m.cmd.Stderr = log, log
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if c.Console {
		// In our process group, or the terminal would stop it.
		m.cmd.Stdin, m.cmd.Stdout, m.cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		m.cmd.SysProcAttr.Setpgid = false
	}
	started := make(chan error)
	go func() {
		// The kernel sends Pdeathsig when the thread ends that started the process.
		runtime.LockOSThread()
		defer close(m.ended)
		defer log.Close()
		err := m.cmd.Start()
		started <- err
		if err == nil {
			m.err = m.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		conn.Close()
		m.cmd = nil
		return err
	}
	m.monitor = newMonitor(conn)
	return nil
}

// ready waits until the agent answers, which is when all devices are there.
func (m *Machine) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	if err := m.monitor.greet(ctx); err != nil {
		return m.explain(err)
	}
	var err error
	if m.agent, err = m.forwarded(ctx); err != nil {
		return m.explain(err)
	}
	m.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	for {
		// A question that changes nothing: one that we have given up on may still arrive, later.
		if err = m.ask(ctx, 2*time.Second, "ask the agent", http.MethodGet, wire.File, url.Values{"path": {"/proc/uptime"}}, nil, nil); err == nil {
			return m.setClock(ctx)
		}
		select {
		case <-m.ended:
			return m.explain(errors.New("it has ended"))
		case <-ctx.Done():
			return m.explain(fmt.Errorf("it is not ready: %w", err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// explain adds the ends of the machine's logs to an error.
func (m *Machine) explain(err error) error {
	var more strings.Builder
	for _, name := range []string{"qemu.log", "serial.log"} {
		text, _ := os.ReadFile(filepath.Join(m.out, name))
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		if lines = lines[max(0, len(lines)-10):]; lines[0] != "" {
			fmt.Fprintf(&more, "\n%s ends:\n\t%s", name, strings.Join(lines, "\n\t"))
		}
	}
	return fmt.Errorf("%w%s", err, more.String())
}

// BootTime is how long it took from the start of QEMU until the agent answered.
func (m *Machine) BootTime() time.Duration { return m.booted }

// Ended is closed when the machine has ended: by Close, by a watchdog that says "poweroff"
// or by the guest's own doing.
func (m *Machine) Ended() <-chan struct{} { return m.ended }

// Close ends the machine and waits until it is gone. It may be called twice.
func (m *Machine) Close() error {
	if m.cmd != nil {
		if m.monitor != nil {
			ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
			m.monitor.do(ctx, "quit", nil, nil) // if it does not, it is killed
			cancel()
		}
		select {
		case <-m.ended:
		case <-time.After(closeLimit):
			m.cmd.Process.Kill()
			<-m.ended
		}
	}
	if m.monitor != nil {
		m.monitor.close()
		m.monitor = nil
	}
	if m.http != nil {
		m.http.CloseIdleConnections()
	}
	if m.turn != nil {
		m.turn.Close()
		m.turn = nil
	}
	return nil
}
