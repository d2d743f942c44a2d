//go:build e2e

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
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a server that a run started: in a process group of its own, which ends with
// the run however that ends. What it prints goes to a file in the run's folder.
type process struct {
	name   string
	log    string
	ended  chan struct{}              // closed when it has
	signal func(syscall.Signal) error // SIGKILL goes to its whole group

	mu      sync.Mutex
	lines   []string // of its standard output, so far
	stopped bool     // by us
	err     error    // of Wait
}

// startProcess starts a server and has the run's end stop it.
func startProcess(name string, cmd *exec.Cmd) (*process, error) {
	p := &process{
		name:  name,
		log:   filepath.Join(lab.out, name+".log"),
		ended: make(chan struct{}),
	}
	p.signal = func(s syscall.Signal) error {
		if s == syscall.SIGKILL {
			return syscall.Kill(-cmd.Process.Pid, s)
		}
		return cmd.Process.Signal(s)
	}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	started := make(chan error)
	go func() {
		// The kernel sends Pdeathsig when the thread ends that started the process.
		runtime.LockOSThread()
		defer close(p.ended)
		defer log.Close()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.read(io.TeeReader(out, log))
		err = cmd.Wait()
		p.mu.Lock()
		p.err = err
		p.mu.Unlock()
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	lab.atEnd(p.stop)
	return p, nil
}

func (p *process) read(out io.Reader) {
	for s := bufio.NewScanner(out); s.Scan(); {
		p.mu.Lock()
		p.lines = append(p.lines, s.Text())
		p.mu.Unlock()
	}
}

// stop asks the server to end and waits until it has; one that does not is killed, which
// is an error. One that has ended by itself is an error too. Once stopped, it stays so.
func (p *process) stop() error {
	p.mu.Lock()
	again := p.stopped
	p.stopped = true
	p.mu.Unlock()
	if again {
		return nil
	}
	select {
	case <-p.ended:
		return p.diagnose("ended by itself")
	default:
	}
	p.signal(syscall.SIGTERM)
	if p.endsWithin(10 * time.Second) {
		return nil
	}
	err := p.signal(syscall.SIGKILL) // of a guest that stands still it is an error
	if !p.endsWithin(10 * time.Second) {
		return p.diagnose(fmt.Sprintf("cannot be killed (%v)", err))
	}
	return p.diagnose("did not end when it was asked to")
}

func (p *process) endsWithin(limit time.Duration) bool {
	select {
	case <-p.ended:
		return true
	case <-time.After(limit):
		return false
	}
}

// diagnose is an error that quotes the end of the server's log.
func (p *process) diagnose(what string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	text, _ := os.ReadFile(p.log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	lines = lines[max(0, len(lines)-15):]
	return fmt.Errorf("%s %s (%v):\n\t%s", p.name, what, p.err, strings.Join(lines, "\n\t"))
}

// await waits until ready returns no error; its last error is the reason when that takes
// longer than limit or the server ends.
func (p *process) await(limit time.Duration, ready func() error) error {
	for late := time.After(limit); ; {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return p.diagnose("ended by itself")
		case <-late:
			return p.diagnose(fmt.Sprintf("is not ready after %v: %v", limit, err))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// address returns what the server printed after key: lines "key  value".
func (p *process) address(key string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lines {
		if f := strings.Fields(l); len(f) == 2 && f[0] == key {
			return f[1], nil
		}
	}
	return "", fmt.Errorf("it has not printed a line %q", key)
}

// answers is an error unless something listens on the address.
func answers(address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return c.Close()
}

// freePorts returns ports of the loopback interface that were free a moment ago.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // together, so that all differ
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
