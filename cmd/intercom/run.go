package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"intercom/callcore"
	"intercom/door"
	"intercom/hw"
	"intercom/internal/control"
	"intercom/internal/journal"
	"intercom/internal/loglimit"
	"intercom/internal/netwatch"
	"intercom/internal/sdnotify"
	"intercom/internal/station"
)

// defaultConfig is where a configuration is looked for.
const defaultConfig = "/etc/intercom/intercom.toml"

func runStation(ctx context.Context, in invocation) error {
	path, socket, guard := defaultConfig, "", ""
	_, err := in.parse("run", 0, 0, func(fs *flag.FlagSet) {
		fs.StringVar(&path, "config", path, "configuration `FILE`")
		fs.StringVar(&socket, "control", "", "`PATH` of the control socket, in place of the configuration's")
		fs.StringVar(&guard, "guard", "", "`PATH` of the socket of a guard that a service manager runs; without it the station starts its own")
	})
	if err != nil {
		return err
	}
	c := defaults()
	if err := loadConfig(path, c); err != nil {
		return err
	}
	if socket != "" {
		c.Control.Socket = socket
	}
	log := c.logger(in)
	lock, err := newLockGuard(c, path, guard, log)
	if err != nil {
		return err
	}
	service, err := sdnotify.Open()
	if err != nil {
		return err
	}
	st, err := newStation(c, in.chips, lock, log)
	if err != nil {
		return err
	}
	defer st.close()
	parts := []func(context.Context) error{st.run, func(ctx context.Context) error { return tellService(ctx, service, st.Station, log) }}
	dog, err := newWatchdog(c, st.Station, log)
	if err != nil {
		return err
	}
	if dog != nil {
		parts = append(parts, dog.Run)
	}
	if err := together(ctx, parts...); err != nil {
		return err // the watchdog counts on: it ends in disorder
	}
	return dog.Disarm()
}

func (c *config) logger(in invocation) *slog.Logger {
	return loglimit.Logger(slog.New(slog.NewTextHandler(in.stderr, &slog.HandlerOptions{Level: logLevels[c.Log.Level]})))
}

// built is a station with what belongs to its process.
type built struct {
	*station.Station
	log     *slog.Logger
	socket  net.Listener
	journal *journal.Journal
	lock    *lockGuard // nil: the lock is simulated
}

// newStation builds a station from a checked configuration, on the lines of chips.
func newStation(c *config, chips hw.Lines, lock *lockGuard, log *slog.Logger) (_ *built, err error) {
	b := &built{log: log, lock: lock}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if err := c.checkStart(chips); err != nil {
		return nil, exitError{exitConfig, err}
	}
	dev, err := openDevices(c, log)
	if err != nil {
		if e := (exitError{}); !errors.As(err, &e) {
			err = exitError{exitConfig, err}
		}
		return nil, err
	}
	if c.Journal.File != "" {
		if b.journal, err = c.openJournal(log); err != nil {
			return nil, err
		}
	}
	configured, err := c.parts()
	if err != nil {
		return nil, err
	}
	socket := c.Control.Socket
	if socket == "" {
		socket = defaultSocket()
	}
	if b.socket, err = control.Listen(socket); err != nil {
		return nil, exitError{exitListen, err}
	}
	cfg := c.station(dev, log)
	cfg.Journal, cfg.Configured = b.journal, configured
	if err := c.openKeys(&cfg); err != nil {
		return nil, err
	}
	if cfg.Records, err = c.openRecords(log); err != nil {
		return nil, err
	}
	cfg.WatchNetwork = watchNetwork(log)
	if lock != nil {
		cfg.WatchLock = lock.Watch
	}
	if m, ok := chips.(*machine); ok {
		cfg.WatchInputs = m.Watch
	}
	if err := c.wire(&cfg, chips, lock); err != nil {
		return nil, exitError{exitConfig, err}
	}
	if b.Station, err = station.New(cfg); err != nil {
		return nil, exitError{exitConfig, err}
	}
	return b, nil
}

// watchNetwork tells of changes of the host's addresses and routes.
func watchNetwork(log *slog.Logger) func(context.Context, func()) error {
	return func(ctx context.Context, changed func()) error {
		w, err := netwatch.New(netwatch.Config{Changed: changed, Logger: log})
		if err != nil {
			return err
		}
		return w.Run(ctx)
	}
}

func (b *built) close() {
	if b.socket != nil {
		b.socket.Close()
	}
	if b.journal != nil {
		b.journal.Close()
	}
}

// run runs the station with its control socket.
func (b *built) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		if err := control.Serve(ctx, b.socket, b.Station, b.log); err != nil && ctx.Err() == nil {
			b.log.Error("the control socket does not work any more", "cause", err)
		}
	})
	b.lock.begin(ctx)
	defer b.lock.finish()
	err := b.Station.Run(ctx)
	cancel()
	return err
}

// station is what a station of this configuration is made of on these devices, but for the
// door, and for what is opened.
func (c *config) station(dev *devices, log *slog.Logger) station.Config {
	return station.Config{
		Version: version, Logger: log,
		NewChat: func(report func(error)) (station.Chat, error) { return newChat(c, log, report) },
		Timers:  callcore.Timers{Answer: time.Duration(c.Call.Ring), Dialing: time.Duration(c.Call.Dialing)},
		ICE:     c.ice(),
		Camera:  dev.camera, FindCamera: dev.findCamera, Format: dev.format, BitRate: c.Camera.BitRate, Codecs: c.Camera.Codecs, Encoders: dev.encoders, CodeSign: dev.codeSign, NewPictureDecoder: dev.newPictureDecoder,
		Duplex: dev.duplex, FindCard: dev.findCard, NewSoundEncoder: dev.newSoundEncoder, NewSoundDecoder: dev.newSoundDecoder, Speaker: dev.speaker, Echo: dev.echo,
		Volume: c.Sound.Volume, Cues: dev.cues, Says: c.says(), ClockSet: clockSet, Attempts: c.attemptsFile(),
	}
}

func (c *config) ice() callcore.ICE {
	ice := callcore.ICE{Policy: c.ICE.Policy, Families: c.ICE.Families, Interfaces: c.ICE.Interfaces}
	for _, s := range c.ICE.Server {
		ice.Servers = append(ice.Servers, callcore.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential.Reveal()})
	}
	return ice
}

// wire sets what the door is made of: residents, buttons, lock and light, on their lines.
func (c *config) wire(s *station.Config, chips hw.Lines, lock *lockGuard) error {
	var err error
	if s.Door, err = c.door(); err != nil {
		return err
	}
	s.Buttons = c.buttons()
	lines, err := newWiring(c, chips)
	if err != nil {
		return err
	}
	lines.lock = lock
	if lines.real(c.HangUp.Name) == lines.real(c.button()) { // a real panel may have none
		s.Door.Buttons = append(s.Door.Buttons, door.Button{Name: c.HangUp.Name, HangUp: true})
		s.Buttons = append(s.Buttons, station.Button{Label: "Hang up", Line: c.HangUp.named(c.HangUp.Name)})
	}
	s.Lines, s.Press = lines, lines.presser(c.button())
	s.Keypad, _ = c.keypad()
	s.Light = c.Light.named(c.Light.Name)
	if c.Night.Line != "" {
		s.Night = c.Night.named(nightLine)
	}
	s.Locks = c.relay()
	return nil
}

// listen opens a TCP address; what names it in the error.
func listen(what, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, exitError{exitListen, fmt.Errorf("%s: %s is in use by another program; name another address (see --help)", what, address)}
	}
	return nil, exitError{exitListen, fmt.Errorf("%s: %w", what, err)}
}
