package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"intercom/hw"
	"intercom/hw/guard"
	"intercom/internal/conf"
	"intercom/internal/sdnotify"
)

// safeLevel is the state of a lock's line in which the door is shut.
const safeLevel = false

// runGuard is the process that has the lock's line, and outlives the station.
func runGuard(ctx context.Context, in invocation) error {
	path, socket, child := defaultConfig, "", false
	_, err := in.parse("guard", 0, 0, func(fs *flag.FlagSet) {
		fs.StringVar(&path, "config", path, "configuration `FILE`, of which the lock counts")
		fs.StringVar(&socket, "socket", "", "`PATH` of the guard's socket; "+guardSocket("")+" if it is not set")
		fs.BoolVar(&child, "child", false, "a station started this guard, and ends it when it ends in good order")
	})
	if err != nil {
		return err
	}
	c, err := loadLock(path)
	if err != nil {
		return err
	}
	if socket == "" {
		socket = guardSocket(c.Control.Socket)
	}
	log := c.logger(in)
	if keepsReleased("/sys/module") {
		log.Warn("this kernel keeps the level of a line whose process has died: should this one die with an open lock, it stays open until the next one; " +
			"set dtparam=strict_gpiod in config.txt and give the line a resistor to its safe level")
	}
	signal.Ignore(syscall.SIGPIPE) // who reads the log may end before
	service, err := sdnotify.OpenProcess()
	if err != nil {
		return err
	}
	g, err := guard.New(guard.Config{
		Lines: in.chips, Line: c.lockLine(), Safe: safeLevel, Child: child,
		Max: time.Duration(c.Lock.Longest), Pause: time.Duration(c.Lock.Pause),
		// One that cannot tell is ended by the service manager.
		Alive:  func() { _ = service.Tell(sdnotify.Ready, sdnotify.Watchdog) },
		Logger: log,
	})
	if err != nil {
		return exitError{exitConfig, err}
	}
	l, err := guard.Listen(socket)
	if err != nil {
		return exitError{exitListen, err}
	}
	return g.Serve(ctx, l)
}

// keepsReleased tells whether a Raspberry Pi's kernel leaves released outputs as they are.
func keepsReleased(modules string) bool {
	value, err := os.ReadFile(filepath.Join(modules, "pinctrl_bcm2835", "parameters", "persist_gpio_outputs"))
	return err == nil && strings.TrimSpace(string(value)) == "Y"
}

// runLockSafe leaves the lock safe, whatever became of the station.
func runLockSafe(_ context.Context, in invocation) error {
	path, socket := defaultConfig, ""
	_, err := in.parse("lock-safe", 0, 0, func(fs *flag.FlagSet) {
		fs.StringVar(&path, "config", path, "configuration `FILE`, of which the lock counts")
		fs.StringVar(&socket, "socket", "", "`PATH` of the guard's socket; "+guardSocket("")+" if it is not set")
	})
	if err != nil {
		return err
	}
	c, err := loadLock(path)
	if err != nil {
		return err
	}
	if socket == "" {
		socket = guardSocket(c.Control.Socket)
	}
	err = guard.NewClient(guard.ClientConfig{Path: socket}).MakeSafe()
	if err == nil {
		_, err = fmt.Fprintf(in.stdout, "lock %s: its guard drives line %s at the safe level\n", c.Lock.Name, c.Lock.Line)
		return err
	}
	if !errors.Is(err, guard.ErrNotRunning) {
		return fmt.Errorf("lock %q: %w", c.Lock.Name, err)
	}
	out, err := in.chips.Output(c.lockLine(), safeLevel)
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		return fmt.Errorf("lock %q: no guard is running, and: %w", c.Lock.Name, err)
	}
	_, err = fmt.Fprintf(in.stdout, "lock %s: no guard is running; line %s was driven to its safe level and released. "+
		"A released line has no guaranteed level: run intercom guard, or intercom run\n", c.Lock.Name, c.Lock.Line)
	return err
}

// lockLine is the lock's line as its chip has it.
func (c *config) lockLine() hw.Line { return hw.Line{Name: c.Lock.Line, ActiveLow: c.Lock.ActiveLow} }

// loadLock reads what a configuration says of the lock. The rest may be wrong: the lock is
// guarded all the same, without secrets.
func loadLock(path string) (*config, error) {
	c := defaults()
	file, err := conf.Load(path, c)
	if err != nil {
		return nil, exitError{exitConfig, err}
	}
	c.file = file
	if err := c.checkTimes(); err != nil {
		return nil, exitError{exitConfig, err}
	}
	if c.Lock.Line == "" {
		return nil, exitError{exitConfig, c.wrong("lock.line", "is empty: a simulated lock has no guard")}
	}
	return c, nil
}

// guardSocket is where the guard of a station listens: beside the station's control socket.
func guardSocket(control string) string {
	if control == "" {
		control = defaultSocket()
	}
	return strings.TrimSuffix(control, ".sock") + "-guard.sock"
}

// lockGuard is a station's side of its lock's guard.
type lockGuard struct {
	*guard.Client
	log    *slog.Logger
	config string // file
	socket string
	child  bool // we start it if it does not run
}

// newLockGuard returns nil if the lock is simulated. A socket that is given is that of a
// guard that somebody else runs.
func newLockGuard(c *config, config, socket string, log *slog.Logger) (*lockGuard, error) {
	if c.Lock.Line == "" {
		return nil, nil
	}
	g := &lockGuard{log: log, socket: socket, child: socket == ""}
	cfg := guard.ClientConfig{Path: socket}
	if g.child {
		g.socket = guardSocket(c.Control.Socket)
		cfg.Path, cfg.Start = g.socket, g.start
		var err error
		if g.config, err = filepath.Abs(config); err != nil {
			return nil, err
		}
	}
	g.Client = guard.NewClient(cfg)
	return g, nil
}

// start starts a guard that survives us: of its own session, with nothing of ours open.
func (g *lockGuard) start() error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(g.socket), 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(g.logFile(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(exe, "guard", "--config", g.config, "--socket", g.socket, "--child")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "NOTIFY_SOCKET=") })
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	g.log.Info("a guard of the lock was started", "process", cmd.Process.Pid, "log", g.logFile())
	// It ends after us, if all goes well; if not, no zombie stays. This goroutine ends with it, or
	// with the process.
	go func() {
		if err := cmd.Wait(); err != nil {
			g.log.Error("the lock's guard has ended", "cause", err, "log", g.logFile())
		}
	}()
	return nil
}

// logFile is where a guard that we start says what it has to.
func (g *lockGuard) logFile() string { return strings.TrimSuffix(g.socket, ".sock") + ".log" }

// startLimit is how long a guard that was started may take until it answers.
const startLimit = 5 * time.Second

// begin has a guard run, unless that is somebody else's business. Without one the station
// runs too, and its lock stays shut.
func (g *lockGuard) begin(ctx context.Context) {
	if g == nil || !g.child {
		return
	}
	if err := g.Running(); errors.Is(err, guard.ErrNotRunning) {
		if err := g.start(); err != nil {
			g.log.Error("the lock's guard cannot be started", "cause", err)
			return
		}
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := g.Ready(ctx); err != nil {
		g.log.Error("the lock stays shut: its guard is not in order", "cause", err, "log", g.logFile())
	}
}

// finish ends a guard that a station started.
func (g *lockGuard) finish() {
	if g == nil || !g.child {
		return
	}
	if err := g.End(); err != nil && !errors.Is(err, guard.ErrNotRunning) {
		g.log.Warn("the lock's guard does not end", "cause", err)
	}
}
