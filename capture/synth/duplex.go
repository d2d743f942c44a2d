package synth

import (
	"context"
	"fmt"
	"math"
	"time"

	"intercom/capture"
)

const (
	defaultTone  = 440 // Hz
	defaultLevel = -12 // dBFS
	// catchUp is how many periods a Duplex makes good at once after it was held up.
	catchUp = 10
)

// Frequencies of a tone, in Hz.
const (
	LeastTone = 20
	MostTone  = 8000
)

// DuplexConfig is what the microphone hears.
type DuplexConfig struct {
	// Tone is a frequency from LeastTone to MostTone. 0: 440 Hz.
	Tone float64
	// Level of the tone, root mean square, in dBFS from -90 to -3. 0: -12.
	Level float64
	// Sound is a WAV file (PCM of 16 bits, mono or stereo) that is heard, again and
	// again, in place of the tone. It is read once, by NewDuplex.
	Sound string
}

// Duplex is a sound card: its microphone hears a tone or a file, its loudspeaker is a Meter.
type Duplex struct {
	next  func([]int16) // fills a period of the microphone
	meter Meter
}

// NewDuplex checks the configuration and reads the file.
func NewDuplex(cfg DuplexConfig) (*Duplex, error) {
	d := &Duplex{}
	if cfg.Sound != "" {
		pcm, err := ReadSound(cfg.Sound)
		if err != nil {
			return nil, err
		}
		d.next = loop(pcm)
		return d, nil
	}
	if cfg.Tone == 0 {
		cfg.Tone = defaultTone
	}
	if cfg.Level == 0 {
		cfg.Level = defaultLevel
	}
	if !(cfg.Tone >= LeastTone && cfg.Tone <= MostTone) {
		return nil, fmt.Errorf("test tone: %v Hz is not from %v to %v", cfg.Tone, LeastTone, MostTone)
	}
	if !(cfg.Level >= -90 && cfg.Level <= -3) {
		return nil, fmt.Errorf("test tone: level %v dBFS is not from -90 to -3", cfg.Level)
	}
	d.next = tone(cfg.Tone, cfg.Level)
	return d, nil
}

// loop plays samples again and again.
func loop(pcm []int16) func([]int16) {
	at := 0
	return func(mic []int16) {
		for len(mic) > 0 {
			n := copy(mic, pcm[at:])
			mic, at = mic[n:], (at+n)%len(pcm)
		}
	}
}

// tone plays a sine wave.
func tone(hz, level float64) func([]int16) {
	phase, step := 0.0, 2*math.Pi*hz/capture.SampleRate
	peak := math.Sqrt2 * fullScale * math.Pow(10, level/20)
	return func(mic []int16) {
		for i := range mic {
			mic[i] = int16(min(math.Round(peak*math.Sin(phase)), math.MaxInt16))
			if phase += step; phase > 2*math.Pi {
				phase -= 2 * math.Pi
			}
		}
	}
}

// Speaker is the meter that listens to the loudspeaker.
func (d *Duplex) Speaker() *Meter { return &d.meter }

// Run calls period in real time until ctx ends; the error is the context's. When it was
// held up it makes good what it missed, up to 200 ms.
func (d *Duplex) Run(ctx context.Context, period func(mic, speaker []int16)) error {
	mic, speaker := make([]int16, capture.PeriodSamples), make([]int16, capture.PeriodSamples)
	d.meter.start()
	defer d.meter.stop()
	due := time.Now().Add(capture.Period)
	timer := time.NewTimer(capture.Period)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		now := time.Now()
		if late := now.Sub(due); late > catchUp*capture.Period {
			due = now
		}
		for !due.After(now) {
			d.next(mic)
			clear(speaker)
			period(mic, speaker)
			d.meter.write(speaker)
			due = due.Add(capture.Period)
		}
		timer.Reset(due.Sub(now))
	}
}
