//go:build cgo

package alsa

// #include <stdlib.h>
import "C"

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/gen2brain/malgo"

	"intercom/capture"
	"intercom/internal/reclock"
)

const (
	// blockCount is how many blocks a device has room for.
	blockCount = 4

	// watchTime is between looks at whether the device runs, and at its true rate.
	watchTime = time.Second
	// fastest is how many times faster than its rate a card may seem to run: one look may
	// see what two looks should. ALSA's null device runs at a hundred times.
	fastest = 3
)

// Config names the cards: each one by its id, its name, where it is plugged in
// ("usb-0000:01:00.0-1.3"), or as a PCM of ALSA ("plughw:CARD=Device,DEV=0"); Default is the
// system's choice.
type Config struct {
	Microphone, Loudspeaker string
	Logger                  *slog.Logger // nil discards
}

// Duplex is a capture.Duplex.
type Duplex struct {
	cfg    Config
	log    *slog.Logger
	bridge atomic.Pointer[reclock.Bridge] // of the last run with two clocks; nil: it had one
}

// Stats tell of the clocks. They are of this run, or the last one.
type Stats struct {
	// TwoClocks tells that microphone and loudspeaker are on cards of their own, between which
	// sound is converted. That adds 40 ms to the way to the loudspeaker.
	TwoClocks bool
	// Skew is by how many millionths the microphone's clock is faster then.
	Skew float64
	// Gaps counts how often one card stood still for so long that sound was missing or dropped
	// on the way to the loudspeaker.
	Gaps int64
}

var _ capture.Duplex = (*Duplex)(nil)

// New checks the configuration. It opens nothing: a card may be plugged in later.
func New(c Config) (*Duplex, error) {
	if c.Microphone == "" || c.Loudspeaker == "" {
		return nil, errors.New("alsa: microphone and loudspeaker need names")
	}
	for _, n := range []string{c.Microphone, c.Loudspeaker} {
		if n == "null" {
			return nil, fmt.Errorf("alsa: %q is no sound card", n)
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Duplex{cfg: c, log: c.Logger}, nil
}

// Stats may be called from any goroutine.
func (d *Duplex) Stats() Stats {
	b := d.bridge.Load()
	if b == nil {
		return Stats{}
	}
	s := b.Stats()
	return Stats{TwoClocks: true, Skew: s.Skew * 1e6, Gaps: s.Dry + s.Drowned}
}

// Find looks for the cards and opens nothing: Run would begin with the same error. A PCM of
// ALSA's configuration is not looked for.
func (d *Duplex) Find() error {
	_, _, err := d.find()
	return err
}

// find returns ALSA's names.
func (d *Duplex) find() (mic, speaker string, err error) {
	cards, err := List()
	if err != nil {
		return "", "", err
	}
	if mic, err = pcm(cards, d.cfg.Microphone, true); err != nil {
		return "", "", fmt.Errorf("microphone %q: %w", d.cfg.Microphone, err)
	}
	if speaker, err = pcm(cards, d.cfg.Loudspeaker, false); err != nil {
		return "", "", fmt.Errorf("loudspeaker %q: %w", d.cfg.Loudspeaker, err)
	}
	return mic, speaker, nil
}

// Run is part of capture.Duplex. Its errors name the card and say what to do.
func (d *Duplex) Run(ctx context.Context, period func(mic, speaker []int16)) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	mic, speaker, err := d.find()
	if err != nil {
		return err
	}
	if err := d.run(ctx, mic, speaker, period); err != nil && ctx.Err() == nil {
		return fmt.Errorf("sound card (microphone %s, loudspeaker %s): %w", mic, speaker, err)
	}
	return ctx.Err()
}

func (d *Duplex) run(ctx context.Context, mic, speaker string, period func(mic, speaker []int16)) error {
	var said words
	// Another backend would be a silent substitute.
	library, err := malgo.InitContext([]malgo.Backend{malgo.BackendAlsa}, malgo.ContextConfig{}, said.add)
	if err != nil {
		return fmt.Errorf("ALSA's library cannot be used (%w); is libasound.so.2 installed?", err)
	}
	defer func() {
		if err := library.Uninit(); err != nil {
			d.log.Warn("release the sound library", "cause", err)
		}
		library.Free()
	}()
	stopped := make(chan struct{}, 1)
	sides, counts, err := d.sides(mic, speaker, period)
	if err != nil {
		return err
	}
	for _, s := range sides {
		device, err := open(library, s.kind, mic, speaker, malgo.DeviceCallbacks{Data: s.data, Stop: func() {
			select {
			case stopped <- struct{}{}:
			default:
			}
		}})
		if err != nil {
			return fmt.Errorf("open: %s; %s", said.or(err), cure(err))
		}
		defer func() {
			// Uninit alone would wait for ever for a thread that polls a card which is gone: Stop
			// wakes it. A device that has stopped by itself says so; that is no matter.
			_ = device.Stop()
			device.Uninit()
		}()
		if err := device.Start(); err != nil {
			return fmt.Errorf("start: %s", said.or(err))
		}
	}
	d.log.Info("sound card opened", "microphone", mic, "loudspeaker", speaker, "clocks", len(sides))
	err = watch(ctx, counts, stopped, &said)
	if s := d.Stats(); s.TwoClocks {
		d.log.Info("sound cards have clocks of their own", "millionths", math.Round(s.Skew), "gaps", s.Gaps)
	}
	return err
}

// side is a device of the library: both cards, or one of them.
type side struct {
	kind malgo.DeviceType
	data malgo.DataProc
}

// sides are the devices to be opened, and what counts their samples.
func (d *Duplex) sides(mic, speaker string, period func(mic, speaker []int16)) ([]side, []*atomic.Int64, error) {
	if oneClock(mic, speaker) {
		d.bridge.Store(nil)
		b := &blocks{period: period}
		return []side{{malgo.Duplex, func(out, in []byte, _ uint32) { b.exchange(out, in) }}}, []*atomic.Int64{&b.samples}, nil
	}
	p, err := newPair(period, d.Stats().Skew/1e6)
	if err != nil {
		return nil, nil, err
	}
	d.bridge.Store(p.bridge)
	begin := time.Now()
	return []side{
		// Who plays is first: it waits for sound, and what it has no time for yet is not dropped.
		{malgo.Playback, func(out, _ []byte, _ uint32) { p.play(out, time.Since(begin)) }},
		{malgo.Capture, func(_, in []byte, _ uint32) { p.hear(in, time.Since(begin)) }},
	}, []*atomic.Int64{&p.played, &p.heard}, nil
}

// open opens a device at our own rate and format; ALSA and the library convert.
func open(library *malgo.AllocatedContext, kind malgo.DeviceType, mic, speaker string, callbacks malgo.DeviceCallbacks) (*malgo.Device, error) {
	c := malgo.DefaultDeviceConfig(kind)
	c.SampleRate, c.PeriodSizeInFrames, c.Periods = capture.SampleRate, blockSamples, blockCount
	c.Alsa.NoMMap = 1
	for _, side := range []struct {
		of   *malgo.SubConfig
		name string
	}{{&c.Capture, mic}, {&c.Playback, speaker}} {
		id := deviceID(side.name)
		defer C.free(id)
		side.of.DeviceID, side.of.Format, side.of.Channels = id, malgo.FormatS16, 1
	}
	return malgo.InitDevice(library.Context, c, callbacks)
}

// cure is what a person can do about a card that does not open.
func cure(err error) string {
	switch {
	case errors.Is(err, malgo.ErrBusy):
		return "another program uses it"
	case errors.Is(err, malgo.ErrAccessDenied):
		return "the service's user needs the group that owns /dev/snd, often audio"
	}
	return "intercom devices lists the sound cards, and another program may be using it"
}

// deviceID is a PCM's name where the library expects it, in memory of C's; the caller frees it.
func deviceID(name string) unsafe.Pointer {
	var id malgo.DeviceID
	copy(id[:len(id)-1], name)
	return id.Pointer()
}

// watch returns when ctx ends or one of the devices does not run as a sound card does.
func watch(ctx context.Context, counts []*atomic.Int64, stopped <-chan struct{}, said *words) error {
	tick := time.NewTicker(watchTime)
	defer tick.Stop()
	seen, since := make([]int64, len(counts)), time.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-stopped:
			return fmt.Errorf("it has stopped: %s", said.or(errors.New("was it unplugged?")))
		case <-tick.C:
			now := time.Now()
			for i, c := range counts {
				n := c.Load()
				rate := float64(n-seen[i]) / now.Sub(since).Seconds()
				switch {
				case n == seen[i]:
					return errors.New("no sound for a second: it is stalled")
				case rate > fastest*capture.SampleRate:
					return fmt.Errorf("it runs %.0f times too fast: it is no sound card, but a device that throws everything away", rate/capture.SampleRate)
				}
				seen[i] = n
			}
			since = now
		}
	}
}

// words keeps what the library said last, which is what its error codes mean.
type words struct {
	mu   sync.Mutex
	last string
}

func (w *words) add(message string) {
	// "ERROR: [ALSA] Failed to open device ... No such device"
	if m := strings.TrimSpace(message); strings.Contains(m, "ERROR") || strings.Contains(m, "Failed") {
		w.mu.Lock()
		w.last = m
		w.mu.Unlock()
	}
}

// or returns it, or else the error.
func (w *words) or(err error) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == "" {
		return err.Error()
	}
	return w.last + " (" + err.Error() + ")"
}
