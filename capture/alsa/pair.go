package alsa

import (
	"encoding/binary"
	"strings"
	"sync/atomic"
	"time"

	"intercom/capture"
	"intercom/internal/reclock"
)

// pairDelay is how much sound there is between two cards, in samples: a period comes at a
// time, a block goes, and both may be a block's time late.
const pairDelay = capture.PeriodSamples + 2*blockSamples

// oneClock tells whether two PCMs are of one card, as far as their names say. Devices of one
// card have one clock.
func oneClock(mic, speaker string) bool {
	card := func(pcm string) string {
		_, args, _ := strings.Cut(pcm, ":")
		name, _, _ := strings.Cut(args, ",")
		return strings.TrimPrefix(name, "CARD=")
	}
	return mic == speaker || card(mic) != "" && card(mic) == card(speaker)
}

// pair makes periods of two cards, each with a clock and a thread of its own. The
// microphone's clock is the one of the periods; what is played is brought to the other one.
type pair struct {
	period func(mic, speaker []int16)
	bridge *reclock.Bridge

	mic, speaker [capture.PeriodSamples]int16 // the microphone's thread's
	at           int                          // in mic
	block        [blockSamples]int16          // the loudspeaker's thread's

	heard, played atomic.Int64 // samples so far
}

func newPair(period func(mic, speaker []int16), skew float64) (*pair, error) {
	b, err := reclock.New(reclock.Config{Rate: capture.SampleRate, Delay: pairDelay, Skew: skew})
	return &pair{period: period, bridge: b}, err
}

// hear takes what the microphone heard until now.
func (p *pair) hear(in []byte, now time.Duration) {
	p.heard.Add(int64(len(in) / 2))
	for ; len(in) > 1; in = in[2:] {
		p.mic[p.at] = int16(binary.LittleEndian.Uint16(in))
		if p.at++; p.at == len(p.mic) {
			p.at = 0
			clear(p.speaker[:])
			p.period(p.mic[:], p.speaker[:])
			p.bridge.Write(p.speaker[:], now)
		}
	}
}

// play gives what the loudspeaker plays next.
func (p *pair) play(out []byte, now time.Duration) {
	p.played.Add(int64(len(out) / 2))
	for len(out) > 1 {
		block := p.block[:min(len(out)/2, len(p.block))]
		p.bridge.Read(block, now)
		for i, s := range block {
			binary.LittleEndian.PutUint16(out[2*i:], uint16(s))
		}
		out = out[2*len(block):]
		now += time.Duration(len(block)) * time.Second / capture.SampleRate
	}
}
