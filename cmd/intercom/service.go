package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"intercom/internal/control"
	"intercom/internal/sdnotify"
	"intercom/internal/station"
)

// Times of the talk with the service manager.
const (
	serviceEvery = 5 * time.Second // unless its watchdog wants it more often
	turnLimit    = 3 * time.Second // for the station's loop to show that it turns
)

// tellService tells the service manager that the station runs, how it is, and again and
// again that its loop turns: if that hangs, the service manager ends the process and starts
// it anew. A server or a network that is not there makes no difference.
func tellService(ctx context.Context, service *sdnotify.Notifier, st *station.Station, log *slog.Logger) error {
	if service == nil {
		<-ctx.Done()
		return nil
	}
	every := serviceEvery
	if w := service.Watchdog(); w > 0 {
		every = min(every, w/4)
	}
	tell := func(messages ...string) {
		if err := service.Tell(messages...); err != nil {
			log.Warn("the service manager does not hear", "cause", err)
		}
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ready := false; ; {
		turn, cancel := context.WithTimeout(ctx, turnLimit)
		err := st.Turn(turn)
		cancel()
		switch {
		case ctx.Err() != nil:
		case err != nil:
			log.Error("the watchdog is not told that all is well", "cause", err)
		case !ready:
			ready = true
			tell(sdnotify.Ready, sdnotify.Watchdog, sdnotify.Status(summary(st.Status())))
		default:
			tell(sdnotify.Watchdog, sdnotify.Status(summary(st.Status())))
		}
		select {
		case <-ctx.Done():
			tell(sdnotify.Stopping, sdnotify.Status("the station stops"))
			return nil
		case <-tick.C:
		}
	}
}

// summary is the status in a line.
func summary(st control.Status) string {
	words := []string{st.State}
	if st.Link.Up {
		words = append(words, "the chat server is reached")
	} else {
		words = append(words, "the chat server is not reached")
	}
	for _, c := range st.Health {
		words = append(words, fmt.Sprintf("%s: %s", c.Name, c.Text))
	}
	return strings.Join(words, "; ")
}
