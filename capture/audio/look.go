package audio

import (
	"context"
	"fmt"
	"time"
)

// lookEvery is between looks for a card that is off: soon enough for who plugs it in.
const lookEvery = 15 * time.Second

// startLook starts look and returns what ends it.
func (s *Source) startLook(ctx context.Context) (stop func()) {
	if s.cfg.Find == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); s.look(ctx) }()
	return func() { cancel(); <-done }
}

// look looks for the card, which is off, until ctx ends. It takes back its own complaints
// alone: that the card can be found does not say that it sounds.
func (s *Source) look(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for lost := false; ; {
		switch err := s.cfg.Find(); {
		case err != nil && !lost:
			lost = true
			s.report(fmt.Errorf("sound card: %w", err))
		case err == nil && lost:
			lost = false
			s.report(nil)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
