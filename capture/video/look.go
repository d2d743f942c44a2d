package video

import (
	"context"
	"time"
)

// lookEvery is between looks for a camera that is off: soon enough for who plugs it in.
const lookEvery = 15 * time.Second

// look looks for the camera, which is off, until ctx ends. It takes back its own complaints
// alone: that the camera can be found does not say that it works.
func (s *Source) look(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for lost := false; ; {
		switch err := s.cfg.Find(); {
		case err != nil:
			lost = true
			s.trouble.set(theCamera, err)
		case lost:
			lost = false
			s.trouble.set(theCamera, nil)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
