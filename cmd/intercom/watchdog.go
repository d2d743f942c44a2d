package main

import (
	"log/slog"
	"time"

	"intercom/internal/conf"
	"intercom/internal/station"
	"intercom/internal/watchdog"
)

// watchdogConfig is the hardware watchdog of a machine whose process 1 does not feed it.
type watchdogConfig struct {
	Device  string        `toml:"device"`
	Timeout conf.Duration `toml:"timeout"`
}

func (c *config) checkWatchdog() error {
	if d := time.Duration(c.Watchdog.Timeout); d < watchdog.LeastTimeout || d > watchdog.MostTimeout {
		return c.wrong("watchdog.timeout", "%v is outside %v to %v", d, watchdog.LeastTimeout, watchdog.MostTimeout)
	}
	return nil
}

// newWatchdog returns what feeds the hardware watchdog while the station's loop turns; nil: there
// is none.
func newWatchdog(c *config, st *station.Station, log *slog.Logger) (*watchdog.Watchdog, error) {
	if c.Watchdog.Device == "" {
		return nil, nil
	}
	return watchdog.New(watchdog.Config{
		Device: c.Watchdog.Device, Timeout: time.Duration(c.Watchdog.Timeout),
		Alive: st.Turn, Report: func(err error) { st.Report("watchdog", err) }, Logger: log,
	})
}
