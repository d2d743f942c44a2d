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
	"sync"
	"syscall"
	"time"

	"intercom/hw/guard"
	"intercom/internal/sdnotify"
)

// runGuard is the process that has the locks' lines, and outlives the station.
func runGuard(ctx context.Context, in invocation) error {
	child, standby := false, false
	c, socket, err := in.parseLocks("guard", func(fs *flag.FlagSet) {
		fs.BoolVar(&standby, "standby", false, "wait if another guard is running, and take the lines when it ends")
		fs.BoolVar(&child, "child", false, "a station started this guard, and ends it when it ends in good order")
	})
	if err != nil {
		return err
	}
	log := c.logger(in)
	if by := keepsReleased(sysModule); by != "" {
		log.Warn("this kernel keeps the level of a line whose process has died: should this one die with an open lock, it stays open until the next one; "+strictHint, "driver", by)
	}
	signal.Ignore(syscall.SIGPIPE) // who reads the log may end before
	service, err := sdnotify.Open()
	if err != nil {
		return err
	}
	// One that cannot tell is ended by the service manager.
	alive := func() { _ = service.Tell(sdnotify.Ready, sdnotify.Watchdog) }
	g, err := guard.New(guard.Config{Lines: in.chips, Locks: c.guarded(), Child: child, Alive: alive, Logger: log})
	if err != nil {
		return exitError{exitConfig, err}
	}
	l, err := guard.Listen(socket)
	for standby && errors.Is(err, guard.ErrTaken) {
		log.Info("another guard is running: this one waits for its end", "socket", socket)
		if gone := standBy(ctx, socket, alive); gone != nil {
			return nil
		}
		l, err = guard.Listen(socket)
	}
	if err != nil {
		return exitError{exitListen, err}
	}
	return g.Serve(ctx, l)
}

// standBy returns nil as soon as no guard is running on a socket, and tells meanwhile that
// this process lives. An error says that ctx has ended.
func standBy(ctx context.Context, socket string, alive func()) error {
	wait, cancel := context.WithCancel(ctx)
	var telling sync.WaitGroup
	defer telling.Wait()
	defer cancel()
	telling.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			alive()
			select {
			case <-wait.Done():
				return
			case <-tick.C:
			}
		}
	})
	return guard.NewClient(guard.ClientConfig{Path: socket}).Gone(ctx)
}

// sysModule is where the kernel shows the parameters of its modules.
const sysModule = "/sys/module"

// strictHint is what to do about a kernel that keeps the levels of released lines.
const strictHint = "set dtparam=strict_gpiod in config.txt, and give the lock's line a resistor to its safe level"

// keepsReleased names the driver of a Raspberry Pi that leaves released outputs as they
// are; "": none does. Other drivers' lines fall back to their pull.
func keepsReleased(modules string) string {
	files, err := filepath.Glob(filepath.Join(modules, "*", "parameters", "persist_gpio_outputs"))
	if err != nil {
		return ""
	}
	for _, file := range files {
		value, err := os.ReadFile(file)
		if text := strings.TrimSpace(string(value)); err == nil && (text == "Y" || text == "1") {
			return filepath.Base(filepath.Dir(filepath.Dir(file)))
		}
	}
	return ""
}

// runLockSafe leaves the locks safe, whatever became of the station.
func runLockSafe(ctx context.Context, in invocation) error {
	c, socket, err := in.parseLocks("lock-safe", nil)
	if err != nil {
		return err
	}
	if err = askSafe(ctx, socket); err == nil {
		for _, l := range c.Lock {
			if l.Line != "" {
				fmt.Fprintf(in.stdout, "lock %s: its guard drives line %s at the safe level\n", l.Name, l.Line)
			}
		}
		return nil
	}
	if !errors.Is(err, guard.ErrNotRunning) {
		return fmt.Errorf("locks: %w", err)
	}
	var errs []error
	for _, l := range c.Lock {
		if l.Line == "" {
			continue
		}
		out, err := in.chips.Output(l.wire.named(l.Line), l.safe())
		if err == nil {
			err = out.Close()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("lock %q: no guard is running, and: %w", l.Name, err))
			continue
		}
		fmt.Fprintf(in.stdout, "lock %s: no guard is running; line %s was driven to its safe level and released. "+
			"A released line has no guaranteed level: run intercom guard, or intercom run\n", l.Name, l.Line)
	}
	return errors.Join(errs...)
}

// askSafe asks the guard to drive its lines safe. One that has just died may have one that
// takes its place.
func askSafe(ctx context.Context, socket string) error {
	client := guard.NewClient(guard.ClientConfig{Path: socket})
	for try := range 3 {
		err := client.MakeSafe()
		if !errors.Is(err, guard.ErrNotRunning) || try == 2 {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// parseLocks parses the flags of a command about locks, more among them, and returns what
// their configuration says of the locks, and the socket of their guard.
func (in invocation) parseLocks(command string, more func(*flag.FlagSet)) (c *config, socket string, err error) {
	path := defaultConfig
	_, err = in.parse(command, 0, 0, func(fs *flag.FlagSet) {
		fs.StringVar(&path, "config", path, "configuration `FILE`, of which the locks count")
		fs.StringVar(&socket, "socket", "", "`PATH` of the guard's socket; "+guardSocket("")+" if it is not set")
		if more != nil {
			more(fs)
		}
	})
	if err != nil {
		return nil, "", err
	}
	if c, err = loadLocks(path); err != nil {
		return nil, "", err
	}
	if socket == "" {
		socket = guardSocket(c.Control.Socket)
	}
	return c, socket, nil
}

// loadLocks reads what a configuration says of the locks. The rest may be wrong: the locks are
// guarded all the same, without secrets.
func loadLocks(path string) (*config, error) {
	c := defaults()
	if err := loadFile(path, c); err != nil {
		return nil, err
	}
	if err := c.checkLocks(); err != nil {
		return nil, exitError{exitConfig, err}
	}
	if len(c.guarded()) == 0 {
		return nil, exitError{exitConfig, c.wrong("lock.0.line", "is empty: a simulated lock has no guard")}
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

// lockGuard is a station's side of its locks' guard.
type lockGuard struct {
	*guard.Client
	log    *slog.Logger
	config string // file
	socket string
	child  bool // we start it if it does not run

	mu   sync.Mutex
	last <-chan struct{} // closed when the last one that we started has ended; nil: there is none
}

// newLockGuard returns nil if all locks are simulated. A socket that is given is that of a
// guard that somebody else runs.
func newLockGuard(c *config, config, socket string, log *slog.Logger) (*lockGuard, error) {
	if len(c.guarded()) == 0 {
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
	ended := make(chan struct{})
	g.mu.Lock()
	g.last = ended
	g.mu.Unlock()
	go func() {
		defer close(ended)
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
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := g.Ready(ctx); err != nil {
		g.log.Error("the lock stays shut: its guard is not in order", "cause", err, "log", g.logFile())
	}
}

// finish ends a guard that a station started, also one that is about to begin.
func (g *lockGuard) finish() {
	if g == nil || !g.child {
		return
	}
	err := g.End()
	for end := time.Now().Add(startLimit); errors.Is(err, guard.ErrNotRunning) && g.begins() && time.Now().Before(end); err = g.End() {
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil && !errors.Is(err, guard.ErrNotRunning) {
		g.log.Warn("the lock's guard does not end", "cause", err)
	}
}

// begins tells whether a guard that we started has not ended.
func (g *lockGuard) begins() bool {
	g.mu.Lock()
	last := g.last
	g.mu.Unlock()
	select {
	case <-last:
		return false
	default:
		return last != nil
	}
}
