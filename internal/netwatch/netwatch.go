// Package netwatch tells when the addresses or the default route of this machine change:
// a cable is pulled, a wireless network is left for another, DHCP gives a new address. It
// asks the Linux kernel by netlink (RFC 3549); elsewhere nothing is ever told.
//
// It is no network manager: it changes nothing, does not say what has changed, and knows
// nothing of whether anything can be reached. Traffic of the kernel's that alters neither
// an address that can be used nor a default route is kept to itself: lifetimes that are
// refreshed, neighbours, the interfaces of containers.
//
// All goroutines live inside Watcher.Run.
package netwatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// The kernel tells of one change in several messages. What they amount to is looked at
// when none has come for settleTime, and at the latest after settleLimit.
const (
	settleTime  = 30 * time.Millisecond
	settleLimit = 200 * time.Millisecond

	// retryTime is the wait after the kernel has refused something.
	retryTime = 5 * time.Second
)

// Config is what a Watcher needs.
type Config struct {
	// Changed is called after each change, from Run's goroutine. It must be there.
	Changed func()
	// Logger gets changes at Info; nil: nothing is logged.
	Logger *slog.Logger
}

// Watcher watches this machine's network.
type Watcher struct {
	cfg  Config
	log  *slog.Logger
	open func() (feed, error)
	look func() (snapshot, error)
}

// feed is the stream of the kernel's messages. next waits for one, and says no more than
// that there was one, or several; close ends it.
type feed interface {
	next() error
	close() error
}

// snapshot is what can be used to reach others, sorted.
type snapshot []string

// New checks the configuration and starts nothing.
func New(cfg Config) (*Watcher, error) {
	if cfg.Changed == nil {
		return nil, errors.New("netwatch: Changed is missing")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Watcher{cfg: cfg, log: cfg.Logger, open: open, look: look}, nil
}

// Run watches until ctx ends, which is not an error. What the kernel refuses is asked again.
func (w *Watcher) Run(ctx context.Context) error {
	var was snapshot // nil: not looked at yet
	for ctx.Err() == nil {
		err := w.watch(ctx, &was)
		if ctx.Err() != nil {
			return nil
		}
		w.log.Warn("network not watched", "error", err, "retry", retryTime)
		select {
		case <-ctx.Done():
		case <-time.After(retryTime):
		}
	}
	return nil
}

// watch reads one feed until it breaks.
func (w *Watcher) watch(ctx context.Context, was *snapshot) error {
	f, err := w.open()
	if err != nil {
		return err
	}
	told, broken := make(chan struct{}, 1), make(chan error, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer f.close()
	told <- struct{}{} // what was before, or has changed while nobody watched
	wg.Go(func() {
		for {
			if err := f.next(); err != nil {
				broken <- err
				return
			}
			select {
			case told <- struct{}{}:
			default:
			}
		}
	})
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-broken:
			return err
		case <-told:
		}
		if *was != nil {
			settle(ctx, told)
		}
		is, err := w.look()
		if err != nil {
			return err
		}
		if *was != nil && !slices.Equal(*was, is) {
			w.log.Info("network changed", "before", *was, "now", is)
			w.cfg.Changed()
		}
		*was = is
	}
}

// settle returns when nothing more is told.
func settle(ctx context.Context, told <-chan struct{}) {
	limit := time.After(settleLimit)
	quiet := time.NewTimer(settleTime)
	defer quiet.Stop()
	for {
		select {
		case <-told:
			quiet.Reset(settleTime)
		case <-quiet.C:
			return
		case <-limit:
			return
		case <-ctx.Done():
			return
		}
	}
}

// newSnapshot sorts what was found; it is never nil.
func newSnapshot(lines []string) snapshot {
	s := append(snapshot{}, lines...)
	slices.Sort(s)
	return slices.Compact(s)
}

// errorf is an error of one step with the kernel.
func errorf(step string, err error) error { return fmt.Errorf("netwatch: %s: %w", step, err) }
