// Package backoff spaces out the attempts of a supervisor that never gives up: full
// jitter over a window that doubles up to a cap, and starts small again only after the
// thing supervised has stayed well for a while. It sleeps for nobody and starts no
// goroutine: it says how long to wait, the caller's own select does the waiting.
package backoff

import (
	"math/rand/v2"
	"time"
)

// Defaults of the fields of Backoff.
const (
	DefaultBase    = time.Second
	DefaultCap     = 30 * time.Second
	DefaultHealthy = time.Minute
)

// Backoff counts the failures in a row of one thing. The zero value is ready, with the
// defaults. It is not safe for concurrent use: it belongs to one supervising loop.
type Backoff struct {
	Base    time.Duration // window before the first retry; 0 means DefaultBase
	Cap     time.Duration // largest window; 0 means DefaultCap; never below Base
	Healthy time.Duration // how long to be up until failures are forgotten; 0 means DefaultHealthy

	failures int
	up       time.Time // since when it is up; zero while it is down
}

// Up records that the thing came up now. That alone forgives nothing: a server that
// accepts everybody and drops them a second later must not be stormed.
func (b *Backoff) Up() { b.up = time.Now() }

// Next records that an attempt failed, or that what was up went down, and returns how
// long to wait before the next attempt: anything from zero to the window, all equally
// likely, so that a fleet which lost its server together does not return together.
func (b *Backoff) Next() time.Duration {
	if !b.up.IsZero() && time.Since(b.up) >= positive(b.Healthy, DefaultHealthy) {
		b.failures = 0
	}
	b.up = time.Time{}
	w := b.window()
	b.failures++
	return rand.N(w + 1) // w included
}

// window returns the upper bound of the next wait.
func (b *Backoff) window() time.Duration {
	base := positive(b.Base, DefaultBase)
	limit := max(base, positive(b.Cap, DefaultCap))
	w := base
	for range b.failures {
		if w >= limit/2 {
			return limit
		}
		w *= 2
	}
	return w
}

func positive(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}
