// Package station puts one door together: it runs the parts (chat, calls, camera, sound,
// lines, the lock's guard), turns what they report into inputs of door's table, and
// carries its effects out. It decides nothing itself, and it opens no device: cmd/intercom
// picks those.
//
// All goroutines live inside Station.Run: one for each part, one that reads the inputs, one that
// writes the journal, and the loop that alone owns the door's state.
package station

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/transport/v4"

	"intercom/callcore"
	"intercom/capture"
	"intercom/capture/audio"
	"intercom/capture/cue"
	"intercom/capture/video"
	"intercom/door"
	"intercom/hw"
	"intercom/hw/press"
	"intercom/hw/relay"
	"intercom/internal/control"
	"intercom/internal/health"
	"intercom/internal/journal"
	"intercom/internal/keyring"
	"intercom/internal/loglimit"
	"intercom/internal/records"
	"intercom/signaling"
)

// Chat is the connection to the chat server, kept up by Run until ctx ends.
type Chat interface {
	signaling.Channel
	Run(ctx context.Context) error
}

// Config is what a station is made of. Everything must be there unless it says otherwise.
type Config struct {
	Version string
	Door    door.Config
	// Buttons has a line for each of the door's buttons, and what it is called on a page.
	Buttons []Button
	Keypad  []Key        // of one keypad, or none
	Presses press.Config // what is long, stuck and a storm
	Lines   hw.Lines
	// Keyring has the keys of paired phones; nil: none can be paired.
	Keyring *keyring.Ring
	// Attempts is the file in which wrong codes outlive a restart; empty: they do not.
	Attempts string
	Light    hw.Line // shows by its blinking what the door does
	Night    hw.Line // of an infrared lamp or its filter: active while the camera is on and it is dark; no name: there is none
	// Locks are the locks' lines and times, and what is wired beside them; the first one is the
	// door that is meant where none is named. Lines, Logger and Report are set by New.
	Locks relay.Config
	// WatchLock tells report what is wrong with the process that has the locks' lines, and
	// nil when it is well, until ctx ends; nil: this process has the lines.
	WatchLock func(ctx context.Context, report func(error)) error

	// WatchInputs tells report which input devices are not there, and nil when all are, until ctx
	// ends; nil: there are none that come and go.
	WatchInputs func(ctx context.Context, report func(error)) error

	// NewChat makes the connection; report is told what is wrong with it, and nil when it
	// is up.
	NewChat func(report func(error)) (Chat, error)
	ICE     callcore.ICE
	Timers  callcore.Timers
	Net     transport.Net // for media; nil: the host's
	// WatchNetwork calls changed whenever addresses or routes of the host have, until ctx
	// ends; nil: a change is noticed by what it breaks.
	WatchNetwork func(ctx context.Context, changed func()) error

	Camera capture.Camera
	// FindCamera and FindCard say whether camera and sound card are there without opening
	// them, and what to do; nil: they always are.
	FindCamera, FindCard func() error
	Format               capture.Format
	BitRate              int             // of the picture, bits a second, at most
	Codecs               []capture.Codec // of the picture, best first; each has an encoder
	Encoders             map[capture.Codec]capture.NewEncoder
	// CodeSign and NewPictureDecoder are for a camera that codes by itself; see video.Config.
	CodeSign          capture.NewEncoder
	NewPictureDecoder func() (video.Decoder, error)

	Duplex          capture.Duplex
	NewSoundEncoder func() (capture.SoundEncoder, error)
	NewSoundDecoder func() (capture.SoundDecoder, error)
	Volume          float64 // of the loudspeaker, in dB; see audio.Config
	// Cues are the sounds that a visitor hears of what the door does, at capture.SampleRate;
	// what is missing is not heard.
	Cues map[cue.Name][]int16
	// Says is what the cues say, for who reads it on a page.
	Says map[cue.Name]string
	// Records keeps visitors whom nobody answered; nil: nothing is kept.
	Records *records.Store
	// ClockSet tells whether the clock can be trusted; nil: it can.
	ClockSet func() bool
	// Speaker measures what the loudspeaker plays; nil if nothing can.
	Speaker func() (on bool, dbfs, hz float64)
	// Echo tells what is done about the loudspeaker's echo; nil: nothing is.
	Echo func() control.Echo

	// Press presses and releases a button's line for `intercom press` and the page; nil:
	// the press is taken as if the line had reported it.
	Press   func(name string) error
	Journal *journal.Journal // nil: none is kept
	// Configured has a hash of each part of the configuration, for the journal; it must not
	// show secrets.
	Configured map[string]string
	Logger     *slog.Logger // nil: nothing is logged
}

// Button is a button's wiring and label.
type Button struct {
	Label string
	Line  hw.Line // its name is the button's
}

// Key is a key of the keypad: its line, and what it means to the door.
type Key struct {
	Line   hw.Line
	Symbol rune
}

// settle is how long something must be wrong before it is called so: what repairs itself
// at once alarms nobody.
const settle = 2 * time.Second

// Station is one door. Its methods may be called from any goroutine.
type Station struct {
	cfg    Config
	log    *slog.Logger
	chat   Chat
	calls  *callcore.Client
	video  *video.Source
	sound  *audio.Source
	guard  *relay.Guard
	inputs hw.Inputs
	panel  *press.Panel // of inputs; readButtons has it
	light  hw.Output
	night  *nightLamp // nil: there is none

	rations  rations // of the journal
	hub      control.Hub
	health   *health.Registry
	attempts *attempts // nil: none are kept
	journal  chan control.Event
	asks     chan door.Input // from outside: the loop takes them
	faults   chan struct{}   // the list of what is wrong has changed
	turns    chan struct{}   // the loop takes one whenever it has the time: see Turn
	done     chan struct{}   // closed when Run has returned
	ran      atomic.Bool

	shares shares // of the status

	mu     sync.Mutex // guards what the loop shows of itself
	status control.Status
	talk   *callcore.Session // of status.Call, once somebody has answered
	said   time.Time         // status.Says
}

// New takes the lines, but for the locks' and those beside them, which their guard takes when
// Run begins, the locks at the safe level, and makes the parts. It starts nothing.
func New(cfg Config) (*Station, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Logger = loglimit.Logger(cfg.Logger)
	s := &Station{
		cfg: cfg, log: cfg.Logger,
		journal: make(chan control.Event, 256),
		asks:    make(chan door.Input),
		faults:  make(chan struct{}, 1),
		turns:   make(chan struct{}),
		done:    make(chan struct{}),
	}
	if s.cfg.Door.Access.Seed == ([32]byte{}) {
		_, _ = rand.Read(s.cfg.Door.Access.Seed[:]) // never fails (crypto/rand)
	}
	s.health = health.New(settle, s.healthChanged)
	s.attempts = newAttempts(cfg.Attempts, s.report(attemptsCondition))
	if err := s.takeLines(); err != nil {
		s.releaseLines()
		return nil, err
	}
	if err := s.makeParts(); err != nil {
		s.releaseLines()
		return nil, err
	}
	return s, nil
}

func (s *Station) takeLines() error {
	var err error
	if s.light, err = s.cfg.Lines.Output(s.cfg.Light, false); err != nil {
		return fmt.Errorf("take the light: %w", err)
	}
	if s.inputs, err = s.cfg.Lines.Inputs(s.inputLines()...); err != nil {
		return fmt.Errorf("take the buttons: %w", err)
	}
	if err := s.newPanel(); err != nil {
		return err
	}
	return s.takeNight()
}

func (s *Station) makeParts() error {
	locks := s.cfg.Locks
	locks.Lines, locks.Logger, locks.Report = s.cfg.Lines, s.log, s.reportLock
	var err error
	if s.guard, err = relay.New(locks); err != nil {
		return err
	}
	s.video, err = video.New(video.Config{
		Camera: s.cfg.Camera, Find: s.cfg.FindCamera, Encoders: s.cfg.Encoders, Format: s.cfg.Format, BitRate: s.cfg.BitRate,
		Logger: s.log, Report: s.report("camera"),
		Dark: s.darkened, Lamp: s.lamp(), CodeSign: s.cfg.CodeSign, NewDecoder: s.cfg.NewPictureDecoder,
	})
	if err != nil {
		return err
	}
	s.sound, err = audio.New(audio.Config{
		Duplex: s.cfg.Duplex, Find: s.cfg.FindCard, NewEncoder: s.cfg.NewSoundEncoder, NewDecoder: s.cfg.NewSoundDecoder, Volume: s.cfg.Volume,
		Logger: s.log, Report: s.report("sound"),
	})
	if err != nil {
		return err
	}
	if s.chat, err = s.cfg.NewChat(s.report("chat")); err != nil {
		return err
	}
	s.calls, err = callcore.New(callcore.Config{
		Channel: s.chat, Media: media{s}, ICE: s.cfg.ICE, Timers: s.cfg.Timers, Net: s.cfg.Net, Logger: s.log,
		Prepared: s.largestRing(),
	})
	return err
}

// largestRing is how many residents' phones ring at once, at most.
func (s *Station) largestRing() int {
	n := 0
	for _, b := range s.cfg.Door.Buttons {
		n = max(n, len(b.Residents))
	}
	for _, f := range s.cfg.Door.Flats {
		for _, step := range f.Steps {
			n = max(n, len(step.Residents))
		}
	}
	return min(n, callcore.DefaultMaxRing)
}

// releaseLines gives back what New took; the lock's line is its guard's.
func (s *Station) releaseLines() {
	if s.inputs != nil {
		s.inputs.Close()
	}
	if s.light != nil {
		s.light.Close()
	}
	if s.night != nil {
		s.night.line.Close()
	}
}

// report returns the function by which a part says how it is.
func (s *Station) report(part string) func(error) {
	return func(err error) { s.Report(part, err) }
}

// Run runs the station until ctx ends, which is not an error. A part that ends before is:
// each of them repairs itself for as long as it can.
func (s *Station) Run(ctx context.Context) error {
	if s.ran.Swap(true) {
		return errors.New("the station has been run already")
	}
	defer close(s.done)
	defer s.releaseLines()
	state, err := door.New(s.cfg.Door)
	if err != nil {
		return err
	}
	if s.cfg.Keyring != nil {
		s.Report(keysCondition, s.cfg.Keyring.Lost())
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l, presses := newLoop(s, state), make(chan press.Event)
	parts, link := group{fail: cancel}, group{fail: cancel}
	var unsafe error // what the guard of the locks says when it ends
	parts.start(ctx, part{"guard of the locks", func(ctx context.Context) error { unsafe = s.guard.Run(ctx); return unsafe }})
	for _, p := range s.parts() {
		parts.start(ctx, p)
	}
	parts.start(ctx, part{"buttons", func(ctx context.Context) error { return s.readButtons(ctx, presses) }})
	parts.start(ctx, part{"light", l.lamp.run})
	parts.start(ctx, part{"recorder", l.recorder.run})
	// The chat ends after the calls, whose last hangUps it has to send: without them phones
	// would ring on at a door that is gone.
	linkCtx, closeLink := context.WithCancel(context.WithoutCancel(ctx))
	defer closeLink()
	link.start(linkCtx, part{"chat", s.chat.Run})
	// The journal is the last to end: it takes down that the others did. So are wrong codes.
	jctx, closeJournal := context.WithCancel(context.WithoutCancel(ctx))
	var writer sync.WaitGroup
	writer.Go(func() { s.writeJournal(jctx) })
	if s.attempts != nil {
		writer.Go(func() { s.attempts.run(jctx) })
	}
	l.run(ctx, presses)
	parts.running.Wait()
	closeLink()
	link.running.Wait()
	l.finish(ctx)
	s.health.Close()
	closeJournal()
	writer.Wait()
	if unsafe != nil {
		return unsafe // however Run was ended: somebody has to look at the door
	}
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// publish tells everybody who listens what happened.
func (s *Station) publish(e control.Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	s.hub.Publish(e)
	if !s.rations.take(e) {
		return
	}
	s.log.Info(e.Text, "event", e.Type)
	select {
	case s.journal <- e:
	default:
		s.loseEvent()
		s.health.Report("journal", errors.New("the disk is too slow: an event was not written"))
	}
}

// healthChanged is called by the registry, from the goroutine of a part or of a timer.
func (s *Station) healthChanged(c health.Condition, wrong bool) {
	e, level := control.Event{Type: control.HealthChanged, Name: c.Name, Text: c.Name + " is well again"}, slog.LevelInfo
	if wrong {
		level = slog.LevelWarn
		e.Reason, e.Text = c.Text, c.Name+": "+c.Text
	}
	e.Time = time.Now()
	s.hub.Publish(e)
	// Not publish: it may report, which a call by the registry must not.
	if s.rations.take(e) {
		s.log.Log(context.Background(), level, e.Text, "event", e.Type)
		select {
		case s.journal <- e:
		default:
			s.loseEvent()
		}
	}
	select {
	case s.faults <- struct{}{}:
	default:
	}
}
