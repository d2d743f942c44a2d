package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"intercom/internal/control"
)

const (
	maxStreams = 32                     // pages open at once; each polls the station
	poll       = 200 * time.Millisecond // the level meter is followed at 5 Hz
	heartbeat  = 15 * time.Second       // shows either end that the other is gone
	writeLimit = 10 * time.Second       // for a browser to take one message
	recent     = 50                     // events that a new stream begins with
	retryAfter = time.Second            // for a browser to come back, in the stream's first line
)

// serveEvents is a stream of Server-Sent Events (HTML Living Standard, section 9.2): a
// "status" message at once and whenever the status has changed, and an "event" message
// for each of the last events and each one from now on. What a browser does not take in time it loses, like any
// watcher of the station; then the stream ends and the browser opens another.
func (p *Page) serveEvents(w http.ResponseWriter, r *http.Request) {
	select {
	case p.streams <- struct{}{}:
		defer func() { <-p.streams }()
	default:
		refuse(w, http.StatusServiceUnavailable, fmt.Errorf("%d pages are open already: close one", maxStreams))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	s := &stream{w: w, rc: http.NewResponseController(w)}
	// The server's ReadTimeout would end the request's context in the middle of a stream.
	if err := s.rc.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		p.log.Warn("stream of events refused", "cause", err)
		return
	}

	ctx, cancel := context.WithCancel(r.Context())
	var watching sync.WaitGroup
	events := make(chan control.Event)
	watching.Go(func() {
		defer cancel()
		err := p.station.Watch(ctx, recent, func(e control.Event) error {
			select {
			case events <- e:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if ctx.Err() == nil {
			p.log.Warn("stream of events ended", "cause", err)
		}
	})
	err := p.follow(ctx, s, events)
	cancel()
	watching.Wait()
	if err == nil {
		err = s.extend() // for the server to end the response: the last deadline has passed
	}
	if err != nil && r.Context().Err() == nil {
		p.log.Info("stream of events ended", "cause", err, "peer", r.RemoteAddr)
	}
}

// follow writes until ctx ends or the browser takes no more.
func (p *Page) follow(ctx context.Context, s *stream, events <-chan control.Event) error {
	ticks := time.NewTicker(poll)
	defer ticks.Stop()
	beats := time.NewTicker(heartbeat)
	defer beats.Stop()

	var last []byte
	status := func() error {
		now := p.station.Status()
		at := now.Time
		now.Time = time.Time{} // alone it is no change
		key, err := json.Marshal(now)
		if err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}
		if bytes.Equal(key, last) {
			return nil
		}
		last = key
		now.Time = at
		return s.message("status", now)
	}
	if err := s.write(fmt.Appendf(nil, "retry: %d\n\n", retryAfter.Milliseconds())); err != nil {
		return err
	}
	if err := status(); err != nil {
		return err
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case e := <-events:
			err = s.message("event", e)
		case <-ticks.C:
			err = status()
		case <-beats.C:
			err = s.write([]byte(": still here\n\n"))
		}
		if err != nil {
			return err
		}
	}
}

// stream writes one browser's Server-Sent Events.
type stream struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

// message sends v as JSON. encoding/json escapes line ends, so one data line is enough.
func (s *stream) message(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return s.write(fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, data))
}

func (s *stream) write(b []byte) error {
	if err := s.extend(); err != nil {
		return err
	}
	if _, err := s.w.Write(b); err != nil {
		return err
	}
	return s.rc.Flush()
}

// extend gives the next write its time, in place of the server's WriteTimeout, which is
// for a whole response.
func (s *stream) extend() error {
	err := s.rc.SetWriteDeadline(time.Now().Add(writeLimit))
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}
