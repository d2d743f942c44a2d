package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"intercom/lab/vm/wire"
)

// run runs a program in a process group of its own, which is killed when the connection
// ends, and sends what the program writes as it comes.
func run(w http.ResponseWriter, r *http.Request) error {
	var c wire.Command
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		return err
	}
	if len(c.Args) == 0 {
		return errors.New("no program")
	}
	out := &sender{w: w, flush: http.NewResponseController(w)}
	cmd := exec.CommandContext(r.Context(), c.Args[0], c.Args[1:]...)
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Stdin = bytes.NewReader(c.Stdin)
	cmd.Stdout = stream(func(b []byte) { out.send(wire.Output{Stdout: b}) })
	cmd.Stderr = stream(func(b []byte) { out.send(wire.Output{Stderr: b}) })
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // for a child that keeps the output open
	if err := out.first(cmd); err != nil {
		return err
	}
	err := cmd.Wait()
	end := wire.Output{Ended: true, Code: cmd.ProcessState.ExitCode()}
	if err != nil {
		end.Reason = err.Error()
	}
	out.send(end)
	return nil
}

// sender sends what two goroutines of a program's output have.
type sender struct {
	mu    sync.Mutex
	w     http.ResponseWriter
	flush *http.ResponseController
}

// first starts the program and sends its number, before anything that it writes.
func (s *sender) first(cmd *exec.Cmd) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	s.sendLocked(wire.Output{PID: cmd.Process.Pid})
	return nil
}

func (s *sender) send(o wire.Output) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sendLocked(o)
}

func (s *sender) sendLocked(o wire.Output) {
	// An error means that the other side is gone; the request's context ends then.
	if answer(s.w, o) == nil {
		s.flush.Flush()
	}
}

type stream func([]byte)

func (s stream) Write(b []byte) (int, error) {
	s(b)
	return len(b), nil
}

func signal(_ http.ResponseWriter, r *http.Request) error {
	pid, err := strconv.Atoi(r.FormValue("pid"))
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(r.FormValue("signal"))
	if err != nil {
		return err
	}
	if pid <= 1 {
		return errors.New("not a program of ours")
	}
	return os.NewSyscallError("kill", syscall.Kill(-pid, syscall.Signal(number)))
}
