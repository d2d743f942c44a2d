package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"intercom/hw"
	"intercom/hw/guard"
	"intercom/hw/relay"
)

// linesEnv names the folder of a process's lines: with it the test's binary is intercom.
const linesEnv = "INTERCOM_TEST_LINES"

// panicEnv has a station panic while its lock is open: in the "watch" on the guard, or
// "elsewhere".
const panicEnv = "INTERCOM_TEST_PANIC"

func TestMain(m *testing.M) {
	dir := os.Getenv(linesEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	in := invocation{chips: fileLines(dir), stdout: os.Stdout, stderr: os.Stderr}
	if os.Args[1] != "open-lock" {
		os.Exit(in.dispatch(ctx, os.Args[1:]))
	}
	if err := openLock(ctx, in.chips, os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// openLock is what a station does with its lock, and no more: it opens it once, again if
// the last station's opening was a moment ago.
func openLock(ctx context.Context, chips hw.Lines, config string) error {
	c, err := loadLocks(config)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	lock, err := newLockGuard(c, config, "", log)
	if err != nil {
		return err
	}
	lines, err := newWiring(c, chips)
	if err != nil {
		return err
	}
	lines.lock = lock
	locks := c.relay()
	locks.Lines, locks.Logger = lines, log
	r, err := relay.New(locks)
	if err != nil {
		return err
	}
	lock.begin(ctx)
	defer lock.finish()
	var wg sync.WaitGroup
	defer wg.Wait()
	panicIn := os.Getenv(panicEnv)
	wg.Go(func() {
		open := 0
		_ = lock.Watch(ctx, func(error) {
			if r.State().Locks[0].Open {
				open++
			}
			if open == 5 && panicIn == "watch" { // it is open for half a second
				panic("in the watch")
			}
			if open == 5 && panicIn == "elsewhere" {
				go panic("elsewhere")
			}
		})
	})
	wg.Go(func() {
		for r.Open(ctx, c.Lock[0].Name, 0) != nil && ctx.Err() == nil {
			time.Sleep(100 * time.Millisecond) // the guard's pause
		}
	})
	return r.Run(ctx)
}

// fileLines are lines that other processes can watch: files of their levels, which stay as
// they are when whoever had one dies.
type fileLines string

func (fileLines) Inputs(...hw.Line) (hw.Inputs, error) { return nil, errors.New("there are none") }

func (d fileLines) Output(l hw.Line, active bool) (hw.Output, error) {
	o := &fileOutput{path: filepath.Join(string(d), l.Name), activeLow: l.ActiveLow}
	takes, err := os.OpenFile(o.path+".takes", os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(takes.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		takes.Close()
		return nil, fmt.Errorf("line %q: is taken", l.Name)
	}
	o.takes = takes
	_, err = fmt.Fprintln(takes, os.Getpid())
	return o, errors.Join(err, o.Set(active))
}

type fileOutput struct {
	path      string
	activeLow bool
	takes     *os.File
}

func (o *fileOutput) Set(active bool) error {
	level := "0"
	if active != o.activeLow {
		level = "1"
	}
	// Renamed, so that nobody sees half of it.
	if err := os.WriteFile(o.path+".new", []byte(level), 0o600); err != nil {
		return err
	}
	return os.Rename(o.path+".new", o.path)
}

func (o *fileOutput) Close() error { return o.takes.Close() }

// lockBench is a folder with a lock's line, which is active low, and its configuration.
type lockBench struct {
	*testing.T
	dir, config, socket string
}

func newLockBench(t *testing.T) *lockBench {
	t.Helper()
	dir, err := os.MkdirTemp("", "ig") // short, for the socket
	if err != nil {
		t.Fatal(err)
	}
	b := &lockBench{T: t, dir: dir, config: filepath.Join(dir, "intercom.toml"), socket: filepath.Join(dir, "control-guard.sock")}
	t.Cleanup(func() { os.RemoveAll(dir) })
	// Guards outlive their stations: none may outlive the test.
	t.Cleanup(func() {
		if pid := b.guard(); pid != 0 && guard.NewClient(guard.ClientConfig{Path: b.socket}).Running() == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	text := fmt.Sprintf("[[lock]]\nname = \"door\"\nline = \"relay\"\nactive_low = true\nopen = \"10s\"\nlongest = \"10s\"\npause = \"100ms\"\n[control]\nsocket = %q\n", filepath.Join(dir, "control.sock"))
	if err := os.WriteFile(b.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}

// program prepares a process of this program on the bench's lines.
func (b *lockBench) program(out io.Writer, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), linesEnv+"="+b.dir)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd
}

// opener starts a station that opens the lock, and waits until it is open.
func (b *lockBench) opener() *exec.Cmd {
	b.Helper()
	var out bytes.Buffer
	cmd := b.program(&out, "open-lock", b.config)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if b.Failed() {
			b.Logf("%s", out.String())
		}
	})
	b.awaitOpen(true, 10*time.Second)
	return cmd
}

// takers are the processes that took the line, first to last.
func (b *lockBench) takers() []string {
	text, err := os.ReadFile(filepath.Join(b.dir, "relay.takes"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

// guard is the process that took the line last; 0: nobody did.
func (b *lockBench) guard() int {
	if all := b.takers(); len(all) > 0 {
		pid, _ := strconv.Atoi(all[len(all)-1])
		return pid
	}
	return 0
}

func (b *lockBench) isOpen() bool {
	level, err := os.ReadFile(filepath.Join(b.dir, "relay"))
	return err == nil && string(level) == "0" // active low
}

// awaitOpen waits until the line is open, or is not, and returns how long that took.
func (b *lockBench) awaitOpen(want bool, limit time.Duration) time.Duration {
	b.Helper()
	return b.await(fmt.Sprintf("the lock open: %v", want), limit, func() bool { return b.isOpen() == want })
}

func (b *lockBench) await(what string, limit time.Duration, ok func() bool) time.Duration {
	b.Helper()
	begin := time.Now()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if <-tick.C; time.Since(begin) > limit {
			b.Fatalf("%s: not within %v", what, limit)
		}
	}
	return time.Since(begin)
}

func (b *lockBench) signal(cmd *exec.Cmd, s syscall.Signal) {
	b.Helper()
	if err := cmd.Process.Signal(s); err != nil {
		b.Fatal(err)
	}
}

func TestKilledStation(t *testing.T) {
	b := newLockBench(t)
	b.signal(b.opener(), syscall.SIGKILL)
	t.Logf("killed: safe after %v", b.awaitOpen(false, time.Second))
	// The next one finds the line held by the same guard, and ends it when it is told to end.
	next := b.opener()
	if got := b.takers(); len(got) != 1 {
		t.Errorf("the line was taken by %v, want one guard for both stations", got)
	}
	b.signal(next, syscall.SIGTERM)
	if err := next.Wait(); err != nil {
		t.Errorf("the station ended with %v", err)
	}
	b.awaitOpen(false, time.Second)
	b.await("the end of the guard", 5*time.Second, func() bool {
		return errors.Is(guard.NewClient(guard.ClientConfig{Path: b.socket}).Running(), guard.ErrNotRunning)
	})
}

func TestStoppedStation(t *testing.T) {
	b := newLockBench(t)
	station := b.opener()
	b.signal(station, syscall.SIGSTOP)
	t.Logf("stopped: safe after %v", b.awaitOpen(false, 2*guard.Silence))
	b.signal(station, syscall.SIGCONT)
	b.signal(station, syscall.SIGTERM)
	if err := station.Wait(); err != nil {
		t.Errorf("the station ended with %v", err)
	}
}

func TestKilledGuard(t *testing.T) {
	b := newLockBench(t)
	b.opener()
	if err := syscall.Kill(b.guard(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// The line keeps its level, until the station has started another guard.
	t.Logf("killed: safe after %v", b.awaitOpen(false, 5*time.Second))
	if got := b.takers(); len(got) != 2 {
		t.Errorf("the line was taken by %v, want two guards", got)
	}
}

func TestLockSafe(t *testing.T) {
	b := newLockBench(t)
	run := func(want string) {
		t.Helper()
		var out bytes.Buffer
		if err := b.program(&out, "lock-safe", "--config", b.config).Run(); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("lock-safe: %v, %s; want %q", err, out.String(), want)
		}
		if b.isOpen() {
			t.Error("the lock is open")
		}
	}
	run("A released line has no guaranteed level")
	b.opener()
	run("its guard drives line relay")
	if got := b.takers(); len(got) != 2 {
		t.Errorf("the line was taken by %v, want lock-safe and the guard", got)
	}
}

func TestGuardRefuses(t *testing.T) {
	b := newLockBench(t)
	var out bytes.Buffer
	in := invocation{chips: fileLines(b.dir), stdout: &out, stderr: &out}
	empty := filepath.Join(b.dir, "empty.toml")
	if err := os.WriteFile(empty, []byte("[[lock]]\nname = \"door\"\nlongest = \"10s\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := guard.Listen(b.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, tt := range []struct {
		code int
		want string
		args []string
	}{
		{exitConfig, "empty.toml:1: lock.0.line: is empty", []string{"guard", "--config", empty}},
		{exitConfig, "lock.0.line: is empty", []string{"lock-safe", "--config", empty}},
		{exitConfig, "cannot be read", []string{"guard", "--config", filepath.Join(b.dir, "none")}},
		{exitListen, "another guard is running", []string{"guard", "--config", b.config}},
		{exitUsage, "takes no arguments", []string{"guard", "on"}},
	} {
		out.Reset()
		if got := in.dispatch(t.Context(), tt.args); got != tt.code || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%q: exit %d, %s; want %d, %q", tt.args, got, out.String(), tt.code, tt.want)
		}
	}
}

func TestKeepsReleased(t *testing.T) {
	dir := t.TempDir()
	if keepsReleased(dir) != "" {
		t.Error("a machine that is no Raspberry Pi")
	}
	file := filepath.Join(dir, "pinctrl_bcm2835", "parameters", "persist_gpio_outputs")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{"Y\n": "pinctrl_bcm2835", "N\n": ""} {
		if err := os.WriteFile(file, []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := keepsReleased(dir); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}
