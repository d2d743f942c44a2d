//go:build cgo

package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"intercom/hw"
	"intercom/hw/cdev"
	"intercom/internal/control"
	"intercom/sandbox"
)

// begin runs a command until the test ends and returns its control socket and output. It
// must end with exit code 0 then.
func begin(t *testing.T, args ...string) (socket string, out *output) {
	t.Helper()
	return beginOn(t, cdev.Lines{}, args...)
}

// beginOn is begin on other lines.
func beginOn(t *testing.T, chips hw.Lines, args ...string) (socket string, out *output) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ic") // short: a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "s")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	out = &output{}
	go func() {
		done <- invocation{chips: chips, stdout: out, stderr: out}.dispatch(ctx, append(args, "--control", socket))
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case code := <-done:
			if code != 0 {
				t.Errorf("%q: exit %d, want 0\n%s", args, code, out)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%q does not end\n%s", args, out)
		}
	})
	return socket, out
}

// await asks for the status until ok likes it.
func await(t *testing.T, socket, what string, ok func(control.Status) bool) control.Status {
	t.Helper()
	var last any
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := control.Dial(ctx, socket)
		if err == nil {
			var st control.Status
			st, err = c.Status(ctx)
			c.Close()
			if err == nil && ok(st) {
				return st
			}
			last = st
		}
		if err != nil {
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not in time; last was %+v", what, last)
		}
	}
}

// runServer runs a sandbox with the demo's accounts until stop is called, at the latest at
// the end of the test.
func runServer(t *testing.T, cfg sandbox.Config) (addrs sandbox.Addrs, stop func()) {
	t.Helper()
	cfg.Accounts = demoAccounts()
	srv, err := sandbox.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if addrs, err = srv.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("sandbox: %v", err)
		}
	})
	t.Cleanup(stop)
	return addrs, stop
}

// doorFile writes a configuration for a server of ours.
func doorFile(t *testing.T, rest, chat, password string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "intercom.toml")
	if err := os.WriteFile(path, []byte(doorText(rest, chat, password)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRunWithWrongPassword(t *testing.T) {
	addrs, _ := runServer(t, sandbox.Config{REST: "127.0.0.1:0", XMPP: "127.0.0.1:0"})
	socket, out := begin(t, "run", "--config", doorFile(t, addrs.REST, addrs.XMPP, "wrong"))
	st := await(t, socket, "the wrong password", func(st control.Status) bool { return len(st.Health) > 0 })
	if h := st.Health[0]; st.Link.Up || h.Name != "chat" || !strings.Contains(h.Text, "account.password") || !strings.Contains(st.Link.Reason, "401") {
		t.Errorf("got %+v, link %+v", h, st.Link)
	}
	if strings.Contains(out.String(), "wrong") {
		t.Errorf("the password is in the output:\n%s", out)
	}
}

func TestRunWaitsForTheServer(t *testing.T) {
	// An address that nobody listens on, until we do.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rest := l.Addr().String()
	l.Close()
	l, err = net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	chat := l.Addr().String()
	l.Close()
	socket, _ := begin(t, "run", "--config", doorFile(t, rest, chat, "door-demo"))
	st := await(t, socket, "the unreachable server", func(st control.Status) bool { return len(st.Health) > 0 })
	if !strings.Contains(st.Link.Reason, rest) || !strings.Contains(st.Link.Reason, "connection refused") || st.Light != "fault" {
		t.Errorf("link %+v, light %s", st.Link, st.Light)
	}
	_, stop := runServer(t, sandbox.Config{REST: rest, XMPP: chat})
	await(t, socket, "the server that came", func(st control.Status) bool { return st.Link.Up && len(st.Health) == 0 })
	stop()
	await(t, socket, "the server that went", func(st control.Status) bool { return !st.Link.Up })
}

func TestDemo(t *testing.T) {
	socket, out := begin(t, "demo", "--listen", "127.0.0.1:0")
	await(t, socket, "the link", func(st control.Status) bool { return st.Link.Up })
	for _, word := range []string{"rest  http://127.0.0.1:", "chat  tcp://127.0.0.1:", "websocket  ws://127.0.0.1:", "page  http://127.0.0.1:"} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("the demo did not print %q:\n%s", word, out)
		}
	}
	var stdout, stderr bytes.Buffer
	run := func(code int, args ...string) string {
		t.Helper()
		stdout.Reset()
		stderr.Reset()
		if got := dispatch(t.Context(), append(args, "--control", socket), &stdout, &stderr); got != code {
			t.Errorf("%q: exit %d, want %d: %s", args, got, code, stderr.String())
		}
		return stdout.String() + stderr.String()
	}
	run(0, "press", "call")
	await(t, socket, "calling", func(st control.Status) bool { return st.State == "calling" && st.Camera })
	if got := run(0, "status"); !strings.Contains(got, "calling") || !strings.Contains(got, "health") {
		t.Errorf("status: %s", got)
	}
	if got := run(0, "status", "--format", "json"); !strings.Contains(got, `"state": "calling"`) {
		t.Errorf("status as JSON: %s", got)
	}
	if got := run(exitRefused, "press", "bell"); !strings.Contains(got, `no button "bell"; there are: call, hang-up`) {
		t.Errorf("unknown button: %s", got)
	}
	run(0, "hangup")
	await(t, socket, "idle", func(st control.Status) bool { return st.State == "idle" && !st.Camera })
	if got := run(exitListen, "demo", "--listen", "127.0.0.1:0"); !strings.Contains(got, socket) {
		t.Errorf("a second one on the same socket: %s", got)
	}
}
