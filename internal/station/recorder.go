package station

import (
	"context"
	"fmt"
	"time"

	"intercom/door"
	"intercom/internal/records"
)

const (
	// shotLimit is how long a picture of a visitor may take: a camera that was off has to
	// start.
	shotLimit = 8 * time.Second
	// pruneEvery is how often records that have become too old are looked for.
	pruneEvery = time.Hour
)

// recorder takes pictures of visitors and keeps the last one until it is asked to write it
// down. The door's loop does not wait for it.
type recorder struct {
	*Station
	orders chan door.Effect // Snapshot and Record
}

// order has something done in its turn. Whoever presses so often that it cannot follow has
// been recorded already.
func (r *recorder) order(e door.Effect) {
	select {
	case r.orders <- e:
	default:
		r.log.Warn("too many visitors at once: one is not recorded")
	}
}

// run follows orders until ctx ends.
func (r *recorder) run(ctx context.Context) error {
	prune := time.NewTicker(pruneEvery)
	defer prune.Stop()
	var picture []byte
	for {
		select {
		case e := <-r.orders:
			switch e := e.(type) {
			case door.Snapshot:
				picture = r.shoot(ctx)
			case door.Record:
				r.health.Report("records", r.write(e, picture))
				picture = nil
			}
		case <-prune.C:
			if r.cfg.Records != nil {
				r.health.Report("records", r.cfg.Records.Prune(time.Now()))
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// shoot takes a picture; nil: it could not.
func (r *recorder) shoot(ctx context.Context) []byte {
	if r.cfg.Records == nil {
		return nil // the camera is not opened for nothing
	}
	ctx, cancel := context.WithTimeout(ctx, shotLimit)
	defer cancel()
	picture, err := r.picture(ctx)
	if err != nil {
		r.log.Warn("there is no picture of the visitor", "cause", err)
		return nil
	}
	return picture
}

// picture has the camera on for as long as it takes.
func (r *recorder) picture(ctx context.Context) ([]byte, error) {
	feed, err := r.video.Open(r.cfg.Codecs[0])
	if err != nil {
		return nil, err
	}
	defer feed.Close()
	p, err := feed.Next(ctx) // the camera runs when this comes
	if err != nil {
		return nil, fmt.Errorf("wait for the camera: %w", err)
	}
	p.Release()
	return r.Snapshot(ctx)
}

func (r *recorder) write(e door.Record, picture []byte) error {
	if r.cfg.Records == nil {
		return nil
	}
	return r.cfg.Records.Add(records.Record{Time: time.Now(), Name: e.Name, Reason: e.Reason}, picture)
}
