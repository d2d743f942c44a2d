package audio

import (
	"math"
	"time"

	"intercom/capture"
)

const (
	// ceiling is the loudest sample that is played, -0.5 dBFS: a mix that is louder is turned
	// down within limitSamples, and up again by limitRise a period, which takes some 200 ms.
	ceiling      = 30900
	limitSamples = capture.SampleRate / 1000
	limitRise    = 1.1

	// drainPeriods is how long the card stays open after a cue, 200 ms: what it was given last
	// is still to be heard.
	drainPeriods = 10
	// cueWait is how long a cue waits for a card that does not open: later it would tell of
	// something that is over.
	cueWait = 2 * time.Second

	// LeastVolume and MostVolume bound Config.Volume, in dB.
	LeastVolume, MostVolume = -40.0, 12.0
)

// cue is a short sound that is mixed in. The card alone changes it.
type cue struct {
	pcm    []int16
	repeat bool
	until  time.Time // it is given up then; zero: never
	at     int
	after  int // periods since it was over
}

// over tells that a cue has been played.
func (c *cue) over() bool { return c.at == len(c.pcm) && c.after >= drainPeriods }

// add adds a period to the mix.
func (c *cue) add(mix *[capture.PeriodSamples]int32) {
	for i := range mix {
		if c.at == len(c.pcm) {
			if !c.repeat {
				c.after++
				return
			}
			c.at = 0
		}
		mix[i] += int32(c.pcm[c.at])
		c.at++
	}
}

// Cue plays a sound of our own once, or again and again, beside whatever else is played, and
// in place of the last cue. It has the card opened if it is off; the microphone goes to
// nobody by that. The samples are at capture.SampleRate and are not changed afterwards; none
// end the last cue. Outside Run nothing is played.
func (s *Source) Cue(pcm []int16, repeat bool) {
	var c *cue
	if len(pcm) > 0 {
		c = &cue{pcm: pcm, repeat: repeat}
		if !repeat {
			c.until = time.Now().Add(time.Duration(len(pcm))*time.Second/capture.SampleRate + drainPeriods*capture.Period + cueWait)
		}
	}
	s.cue.Store(c)
	s.poke()
}

// cueTime returns how long Run has to wait for the end of a cue; false: there is none.
func (s *Source) cueTime() (time.Duration, bool) {
	c := s.cue.Load()
	if c == nil || c.until.IsZero() {
		return 0, c != nil
	}
	left := time.Until(c.until)
	if left <= 0 && s.cue.CompareAndSwap(c, nil) {
		return 0, false
	}
	return max(left, time.Millisecond), true
}

// blend mixes all there is into a period of the loudspeaker. The card calls it.
func (s *Source) blend(speaker []int16) {
	clear(s.mix[:])
	for _, p := range *s.players.Load() {
		p.add(&s.mix)
	}
	if c := s.cue.Load(); c != nil {
		c.add(&s.mix)
		if c.over() && s.cue.CompareAndSwap(c, nil) {
			s.poke()
		}
	}
	s.limiter.pass(&s.mix, s.volume, speaker)
}

// limiter turns a mix down that is too loud, rather than have it distorted.
type limiter struct {
	gain float64 // 0: 1, it has not been needed
}

func (l *limiter) pass(mix *[capture.PeriodSamples]int32, volume float64, out []int16) {
	peak := int32(0)
	for _, v := range mix {
		peak = max(peak, v, -v)
	}
	from := l.gain
	if from == 0 {
		from = 1
	}
	to := min(from*limitRise, 1)
	if loudest := float64(peak) * volume; loudest*to > ceiling {
		to = ceiling / loudest
	}
	l.gain = to
	ramp := capture.PeriodSamples // up slowly
	if to < from {
		ramp = limitSamples
	}
	by := (to - from) / float64(ramp)
	for i, v := range mix {
		g := to
		if i < ramp {
			g = from + by*float64(i)
		}
		s := float64(v) * volume * g
		out[i] = int16(max(-ceiling, min(math.Round(s), ceiling)))
	}
}
