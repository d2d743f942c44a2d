package audio

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestAbsentCardIsReported before anybody wants to hear something, without it being opened;
// in a call it is not looked for.
func TestAbsentCardIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSource(t)
		var absent atomic.Bool
		var looks atomic.Int64
		absent.Store(true)
		b.cfg.Find = func() error {
			looks.Add(1)
			if absent.Load() {
				return errors.New("no such card")
			}
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- b.Run(ctx) }()
		defer func() { cancel(); <-done }()
		wantReports := func(want ...string) {
			t.Helper()
			synctest.Wait()
			b.mu.Lock()
			defer b.mu.Unlock()
			if !slices.Equal(b.reports, want) {
				t.Errorf("reports %q, want %q", b.reports, want)
			}
		}
		wantReports("sound card: no such card")
		absent.Store(false)
		time.Sleep(lookEvery)
		wantReports("sound card: no such card", "well")
		if b.card.opened != 0 {
			t.Errorf("the card was opened %d times", b.card.opened)
		}
		absent.Store(true)
		time.Sleep(2 * lookEvery)
		wantReports("sound card: no such card", "well", "sound card: no such card")
		absent.Store(false) // unseen: the call hears it first
		f := b.feed(t)
		next(t, f)
		wantReports("sound card: no such card", "well", "sound card: no such card", "well")
		n := looks.Load()
		time.Sleep(10 * lookEvery)
		if looks.Load() != n {
			t.Error("the card is looked for while it is on")
		}
		b.card.fail <- errors.New("stalled")
		synctest.Wait()
		f.Close()
		time.Sleep(10 * lookEvery)
		wantReports("sound card: no such card", "well", "sound card: no such card", "well", "sound card: stalled")
	})
}
