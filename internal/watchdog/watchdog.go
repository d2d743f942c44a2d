// Package watchdog feeds a machine's hardware watchdog for as long as a program shows that it
// works. When the program hangs, dies or is killed nobody feeds it, and the hardware restarts
// the machine, unless the program is started again and works before that. It is for machines
// whose process 1 does not do this: systemd does (RuntimeWatchdogSec), and has the device for
// itself then.
//
// It does not judge what works: Config.Alive does. It restarts no program, and it starts no
// goroutine: everything happens in Run, whose caller owns it.
package watchdog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Timeouts that are accepted. A shorter one restarts machines that are merely busy. Some
// hardware cannot count far: a Raspberry Pi's ends at 15 s.
const (
	LeastTimeout = 5 * time.Second
	MostTimeout  = 5 * time.Minute
)

// feedings is how often the program is asked, and the watchdog fed, within its timeout.
const feedings = 4

// Config is what a Watchdog is made of.
type Config struct {
	// Device is the watchdog's, such as "/dev/watchdog0".
	Device string
	// Timeout is how long the hardware waits for its food, in whole seconds. What the driver
	// grants counts.
	Timeout time.Duration
	// Alive returns nil if the program works. ctx ends before it would be asked again.
	Alive func(ctx context.Context) error
	// Report is told why the watchdog cannot be used, and nil when it can be. It may be nil.
	Report func(error)
	Logger *slog.Logger // nil discards
}

// Watchdog is one, and who feeds it.
type Watchdog struct {
	cfg  Config
	log  *slog.Logger
	open func(path string) (device, error)

	dev     device // nil: it does not run for us
	timeout time.Duration
	dead    bool // what Alive said last
}

// device is an open watchdog, which runs.
type device interface {
	// setTimeout returns what is granted.
	setTimeout(time.Duration) (time.Duration, error)
	feed() error
	// disarm stops it and closes it. stopped is false if it runs on, which is what nowayout
	// is for: a driver's option that lets nobody stop it.
	disarm() (stopped bool, err error)
	// abandon closes it, and it runs on.
	abandon()
}

// New checks the configuration. It opens nothing.
func New(cfg Config) (*Watchdog, error) {
	switch {
	case cfg.Device == "":
		return nil, errors.New("watchdog: no device")
	case cfg.Alive == nil:
		return nil, errors.New("watchdog: nobody tells whether the program works")
	case cfg.Timeout < LeastTimeout || cfg.Timeout > MostTimeout:
		return nil, fmt.Errorf("watchdog: a timeout of %v is outside %v to %v", cfg.Timeout, LeastTimeout, MostTimeout)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Report == nil {
		cfg.Report = func(error) {}
	}
	return &Watchdog{cfg: cfg, log: cfg.Logger, open: openDevice, timeout: cfg.Timeout}, nil
}

// Run feeds the watchdog while the program works, until ctx ends. It is not started before
// the program has worked once: a program that cannot start would else have the machine
// restart for ever. A device that cannot be opened, or fails, is reported and tried again.
//
// When Run returns the watchdog still counts: Disarm stops it.
func (w *Watchdog) Run(ctx context.Context) error {
	for {
		asked := time.Now()
		w.ask(ctx, w.timeout/feedings)
		select {
		case <-time.After(time.Until(asked.Add(w.timeout / feedings))):
		case <-ctx.Done():
			return nil
		}
	}
}

// ask feeds the watchdog if the program works, before anything else: to say something may take
// long.
func (w *Watchdog) ask(ctx context.Context, limit time.Duration) {
	asked, cancel := context.WithTimeout(ctx, limit)
	err := w.cfg.Alive(asked)
	cancel()
	switch {
	case ctx.Err() != nil:
	case err != nil:
		if !w.dead {
			w.log.Error("the hardware watchdog is not fed any more", "cause", err, "restart", w.timeout)
		}
		w.dead = true
	default:
		err := w.feed()
		if w.dead {
			w.log.Info("the hardware watchdog is fed again")
		}
		w.dead = false
		w.cfg.Report(err)
	}
}

func (w *Watchdog) feed() error {
	if w.dev == nil {
		return w.start()
	}
	if err := w.dev.feed(); err != nil {
		w.dev.abandon()
		w.dev = nil
		return fmt.Errorf("feed %s: %w", w.cfg.Device, err)
	}
	return nil
}

// start opens the device, which starts it.
func (w *Watchdog) start() error {
	dev, err := w.open(w.cfg.Device)
	if err != nil {
		return err
	}
	granted, err := dev.setTimeout(w.cfg.Timeout)
	if err != nil {
		_, _ = dev.disarm() // the first error is the one to tell
		return fmt.Errorf("set the timeout of %s to %v: %w", w.cfg.Device, w.cfg.Timeout, err)
	}
	w.dev, w.timeout = dev, granted
	w.log.Info("the hardware watchdog runs", "device", w.cfg.Device, "timeout", granted)
	return nil
}

// Disarm stops the watchdog: for a program that ends in good order, after Run has returned.
// Without it the machine restarts. It may be called on a nil Watchdog.
func (w *Watchdog) Disarm() error {
	if w == nil || w.dev == nil {
		return nil
	}
	stopped, err := w.dev.disarm()
	w.dev = nil
	switch {
	case err != nil:
		return fmt.Errorf("stop %s: %w", w.cfg.Device, err)
	case !stopped:
		w.log.Warn("the hardware watchdog cannot be stopped (nowayout): the machine restarts unless it is fed in time",
			"device", w.cfg.Device, "timeout", w.timeout)
	default:
		w.log.Info("the hardware watchdog is stopped", "device", w.cfg.Device)
	}
	return nil
}
