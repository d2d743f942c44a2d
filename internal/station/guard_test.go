package station

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"intercom/internal/control"
)

func TestGuardOfTheLockIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := make(chan error)
		r := newRig(t, func(c *Config) {
			c.WatchLock = func(ctx context.Context, report func(error)) error {
				for {
					select {
					case err := <-state:
						report(err)
					case <-ctx.Done():
						return nil
					}
				}
			}
		})
		gone := func() bool {
			time.Sleep(settle + time.Second)
			synctest.Wait()
			return slices.ContainsFunc(r.Status().Health, func(c control.Condition) bool { return c.Name == "lock guard" && c.Text == "is gone" })
		}
		if gone() {
			t.Error("it is gone before it was said")
		}
		state <- errors.New("is gone")
		if !gone() {
			t.Errorf("health: %+v", r.Status().Health)
		}
		state <- nil
		if gone() {
			t.Error("it is gone after it came back")
		}
		r.end()
	})
}

func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		for range 3 {
			if err := r.Turn(t.Context()); err != nil {
				t.Error(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		hung := Station{done: make(chan struct{})}
		if err := hung.Turn(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a loop that hangs: %v", err)
		}
		r.end()
		if err := r.Turn(t.Context()); !errors.Is(err, errStopping) {
			t.Errorf("after the end: %v", err)
		}
	})
}
