package vm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"intercom/lab/vm/wire"
)

// Command is a program to run in the guest.
type Command struct {
	Args  []string // the first is looked up in /bin
	Env   []string // "NAME=VALUE", beyond PATH and HOME
	Stdin []byte
	// Stdout and Stderr take what the program writes; nil discards it. Both may be the
	// same: they are written to by one goroutine.
	Stdout, Stderr io.Writer
}

// stderrKept is how much of what a program wrote to its standard error is in ExitError.
const stderrKept = 4096

// ExitError is the end of a program with another status than 0.
type ExitError struct {
	Code   int    // -1 if a signal ended it
	Reason string // "exit status 1", "signal: killed"
	Stderr string // what it wrote there, at least the end of it
}

func (e *ExitError) Error() string {
	if text := strings.TrimSpace(e.Stderr); text != "" {
		return e.Reason + ": " + text
	}
	return e.Reason
}

// Process is a program that runs in the guest. It ends with the context of Start, too.
type Process struct {
	m     *Machine
	pid   int
	name  string
	ended chan struct{}
	err   error // valid once ended is closed
}

// Start starts a program in the guest. It is killed, with its children, when ctx ends.
func (m *Machine) Start(ctx context.Context, c Command) (*Process, error) {
	body, err := json.Marshal(wire.Command{Args: c.Args, Env: c.Env, Stdin: c.Stdin})
	if err != nil {
		return nil, err
	}
	name := strings.Join(c.Args, " ")
	answer, err := m.request(ctx, http.MethodPost, wire.Run, nil, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", name, err)
	}
	lines := json.NewDecoder(answer.Body)
	var first wire.Output
	err = lines.Decode(&first)
	if err == nil && first.PID == 0 {
		err = errors.New("the agent does not say its number")
	}
	if err != nil {
		answer.Body.Close()
		return nil, fmt.Errorf("run %s: %w", name, err)
	}
	p := &Process{m: m, pid: first.PID, name: name, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		defer answer.Body.Close()
		if err := p.follow(lines, c); err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			p.err = fmt.Errorf("run %s: %w", name, err)
		}
	}()
	return p, nil
}

// follow writes what the program writes until it ends.
func (p *Process) follow(lines *json.Decoder, c Command) error {
	var failed error // of a writer
	var said []byte  // on stderr
	for {
		var o wire.Output
		if err := lines.Decode(&o); err != nil {
			return errors.Join(failed, err)
		}
		said = append(said, o.Stderr...)
		said = said[max(0, len(said)-stderrKept):]
		for _, w := range []struct {
			to   io.Writer
			what []byte
		}{{c.Stdout, o.Stdout}, {c.Stderr, o.Stderr}} {
			if w.to != nil && len(w.what) > 0 {
				if _, err := w.to.Write(w.what); err != nil {
					failed = errors.Join(failed, err)
				}
			}
		}
		switch {
		case !o.Ended:
		case o.Reason == "":
			return failed
		default:
			return errors.Join(failed, &ExitError{Code: o.Code, Reason: o.Reason, Stderr: string(said)})
		}
	}
}

// Ended is closed when the program has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Wait waits until the program has ended. Its error wraps an ExitError unless the exit
// status was 0. One that still runs after limit goes on.
func (p *Process) Wait(limit time.Duration) error {
	select {
	case <-p.ended:
		return p.err
	case <-time.After(limit):
		return fmt.Errorf("run %s: it has not ended within %v", p.name, limit)
	}
}

// Signal sends a signal to the program and its children.
func (p *Process) Signal(ctx context.Context, s syscall.Signal) error {
	query := url.Values{"pid": {fmt.Sprint(p.pid)}, "signal": {fmt.Sprint(int(s))}}
	return p.m.ask(ctx, stepLimit, fmt.Sprintf("send %v to %s", s, p.name), http.MethodPost, wire.Signal, query, nil, nil)
}

// Run runs a program in the guest for at most half a minute and returns what it wrote to
// its standard output. The error has what it wrote to the other.
func (m *Machine) Run(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	var out bytes.Buffer
	p, err := m.Start(ctx, Command{Args: args, Stdout: &out})
	if err != nil {
		return "", err
	}
	<-p.ended // with ctx, at the latest
	return out.String(), p.err
}

// Shell runs a script in the guest's shell, as Run does. A command that fails ends it.
func (m *Machine) Shell(ctx context.Context, script string) (string, error) {
	return m.Run(ctx, "sh", "-ec", script)
}
