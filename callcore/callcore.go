// Package callcore runs calls: it turns signals and media sources into WebRTC sessions
// that the QuickBlox SDKs take for one of their own. It does not decide who is called, who
// may call or when a door opens (see door and internal/station), knows no XML and no XMPP
// (see signaling), and neither captures nor plays anything (see capture).
//
// A Client belongs to one user on one signaling channel. Its sessions are made by
// NewSession or arrive as an Incoming event; what happens to them comes out of Events, one
// ordered stream of typed values. A session with several users is a ring group, in which
// the first to accept wins, or a conference, in which all who accept hear each other: see
// RingGroup and Conference.
//
// A user may have several devices, which all ring. A call is with the one that accepts:
// another that accepts later gets a hangUp, what it declines, sends or updates is not acted
// upon. The rest ring on, as nothing in the protocol stops them; they are sent an update, with
// AnsweredElsewhere, on which their app can act.
//
// A program that calls somebody is in examples/call. What the QuickBlox SDKs have a word
// for is in docs/parity.md with its counterpart here; package sdk has their names for
// states.
//
// All goroutines live inside Client.Run: the owner loop, which alone writes the state of
// sessions, one reader and one writer of the signaling channel, and for each peer a worker
// that owns its PeerConnection with the readers of its tracks. The loop's decisions are
// a pure table, in fsm.go; docs/callcore.md has its picture.
package callcore

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/transport/v4"

	"intercom/capture"
	"intercom/internal/loglimit"
	"intercom/signaling"
)

// Config is what a Client needs. Zero fields mean what their comments say.
type Config struct {
	// Channel carries the signals. It must be there; the client is its one reader.
	Channel signaling.Channel
	// Media has the camera, the microphone and the loudspeaker. It must be there.
	Media Media
	// Display is where pictures of peers are seen; nil: nowhere.
	Display Display
	// ICE says which servers help to find a path; zero: none.
	ICE ICE
	// Net is the network that media use; nil: the host's.
	Net    transport.Net
	Timers Timers
	// MaxRing is the most users that one ring group may call; zero: DefaultMaxRing. Each
	// one costs a PeerConnection while it rings.
	MaxRing int
	// MaxOpponents is the most users beside the initiator that a conference may have, our own
	// or one that we are called into; zero: DefaultMaxOpponents.
	MaxOpponents int
	// Prepared is how many connections are kept ready, each with its offer and its
	// candidates, so that a video call goes out the moment it is asked for; zero: none.
	// The users of the largest ring group need one each, at most MaxRing. Their media are
	// not opened, nor is anything allocated at a TURN server, before they are used. Their
	// addresses are those of the moment they were made: who sets this reports changes with
	// NetworkChanged.
	Prepared int
	// IncomingLimit is how many calls may ring here while another call is live: the
	// application says what comes of them. It is "incomingLimit" of the JavaScript SDK with
	// "autoReject" off; that of Android has no limit. Zero: such a call is rejected.
	IncomingLimit int
	// Logger, of which no peer can have more than internal/loglimit allows, gets state changes
	// at Info, what is degraded at Warn, and at Debug what
	// pion says; nil: nothing is logged.
	Logger *slog.Logger
}

// Media is what a call sends and where it plays what it receives. Its methods are called
// from any goroutine.
type Media interface {
	// Codecs lists what Open can open, best first; it opens nothing. There is at least
	// Opus. It is asked once, by New.
	Codecs() []capture.Codec
	// Open takes a place at an encoder. It is called for the codecs that are likely when
	// a call starts, so that the camera wakes while phones ring, and again if another
	// one is negotiated. It returns at once: a device is awaited in Feed.Next.
	Open(capture.Codec) (capture.Feed, error)
	// Play takes sound from one user. Pictures go to Config.Display.
	Play(signaling.UserID, capture.Codec) (capture.Player, error)
}

// Timers are the intervals of a call, named as in the SDKs. Zero fields have the SDKs'
// defaults.
type Timers struct {
	// Answer is how long a call rings, at both ends; 60 s.
	Answer time.Duration
	// Dialing is the time between repeated calls; 5 s.
	Dialing time.Duration
	// Disconnect is how long a connection may take to come up, or to come back after it
	// was lost; 30 s.
	Disconnect time.Duration
	// StatsReport is the time between events with statistics of each peer
	// ("statsReportTimeInterval"); zero: there are none.
	StatsReport time.Duration
}

// Defaults of Timers and Config.
const (
	defaultAnswer     = 60 * time.Second
	defaultDialing    = 5 * time.Second
	defaultDisconnect = 30 * time.Second

	DefaultMaxRing      = 8 // users of a ring group
	DefaultMaxOpponents = 3 // of a conference: four users in all, as the SDKs recommend
)

// Client runs the calls of one user.
type Client struct {
	cfg    Config
	log    *slog.Logger
	engine *engine

	requests chan request
	network  chan struct{} // a token: it has changed
	events   chan Event
	loop     *loop // of Run
	running  atomic.Bool
	done     chan struct{} // closed when Run has returned
}

// New checks the configuration and prepares what all calls share, such as the DTLS
// certificate. It starts nothing.
func New(cfg Config) (*Client, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Logger = loglimit.Logger(cfg.Logger) // peers cause most of what is logged
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("callcore: %w", err)
	}
	e, err := newEngine(cfg)
	if err != nil {
		return nil, fmt.Errorf("callcore: %w", err)
	}
	c := &Client{
		cfg:      cfg,
		log:      cfg.Logger,
		engine:   e,
		requests: make(chan request),
		network:  make(chan struct{}, 1),
		events:   make(chan Event, eventsLeft),
		done:     make(chan struct{}),
	}
	c.loop = newLoop(c)
	return c, nil
}

// complete fills in the defaults and checks the rest.
func (c *Config) complete() error {
	if c.Channel == nil {
		return fmt.Errorf("configuration: no signaling channel")
	}
	if c.Media == nil {
		return fmt.Errorf("configuration: no media")
	}
	for _, f := range []struct {
		name  string
		value *time.Duration
		zero  time.Duration
	}{
		{"answer", &c.Timers.Answer, defaultAnswer},
		{"dialing", &c.Timers.Dialing, defaultDialing},
		{"disconnect", &c.Timers.Disconnect, defaultDisconnect},
	} {
		if *f.value < 0 {
			return fmt.Errorf("configuration: the %s interval is negative: %v", f.name, *f.value)
		}
		if *f.value == 0 {
			*f.value = f.zero
		}
	}
	if c.Timers.StatsReport < 0 {
		return fmt.Errorf("configuration: the interval of statistics is negative: %v", c.Timers.StatsReport)
	}
	if c.MaxRing < 0 {
		return fmt.Errorf("configuration: the largest ring group is negative: %d", c.MaxRing)
	}
	if c.IncomingLimit < 0 {
		return fmt.Errorf("configuration: the limit of incoming calls is negative: %d", c.IncomingLimit)
	}
	if c.MaxRing == 0 {
		c.MaxRing = DefaultMaxRing
	}
	if c.MaxOpponents < 0 {
		return fmt.Errorf("configuration: the most opponents of a conference are negative: %d", c.MaxOpponents)
	}
	if c.MaxOpponents == 0 {
		c.MaxOpponents = DefaultMaxOpponents
	}
	if c.Prepared < 0 || c.Prepared > c.MaxRing {
		return fmt.Errorf("configuration: %d prepared connections: it is 0 to %d, the largest ring group", c.Prepared, c.MaxRing)
	}
	if c.ICE.Policy == "" {
		c.ICE.Policy = PolicyAll
	}
	if err := c.ICE.Check(); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return nil
}

// Events returns the stream of what happens, in order; it is closed when Run returns.
//
// Nothing in it is ever dropped while Run runs. If it is not read, signals are left
// unread in the Channel once 512 events wait beside the 256 in the stream's own buffer;
// calls under way go on. What those report themselves may add up to 4096 events: then Run
// hangs up and returns ErrEventsUnread. What is still waiting when Run returns is left in
// the stream as far as its buffer goes.
func (c *Client) Events() <-chan Event { return c.events }

// Run carries calls until ctx ends, which is not an error, or the channel is closed. It
// then hangs up what is live and returns when all its goroutines have ended. It runs
// once: after that it returns ErrRunBefore.
func (c *Client) Run(ctx context.Context) error {
	if c.running.Swap(true) {
		return fmt.Errorf("callcore: %w", ErrRunBefore)
	}
	defer close(c.done)
	ctx, cancel := context.WithCancel(ctx)
	l := c.loop
	var wg sync.WaitGroup
	wg.Go(func() { l.receive(ctx) })
	writing, stopWriting := context.WithCancel(context.WithoutCancel(ctx))
	wg.Go(func() { l.write(writing) })
	err := l.run(ctx)
	cancel()
	parting := time.AfterFunc(partingTime, stopWriting)
	wg.Wait()
	parting.Stop()
	stopWriting()
	l.workers.Wait()
	close(c.events)
	if err != nil {
		return fmt.Errorf("callcore: %w", err)
	}
	return nil
}
