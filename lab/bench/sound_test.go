//go:build bench

package bench

import (
	"context"
	"testing"

	"intercom/capture"
	"intercom/capture/aec"
	"intercom/capture/soft/opus"
)

// These are measured in pieces of a second, of which the median counts.
const pieces, piecePeriods = 20, 50

// periods measures what do does with periods of sound.
func periods(do func()) []cost {
	costs := make([]cost, pieces)
	for i := range costs {
		cpu, allocs := spent(), allocated()
		for range piecePeriods {
			do()
		}
		costs[i].cpu = (spent() - cpu) / piecePeriods
		costs[i].allocs = float64(allocated()-allocs) / piecePeriods
		costs[i].ratio = float64(costs[i].cpu) / float64(capture.Period)
	}
	return costs
}

// noise is a period with something of a voice.
func noise() []int16 {
	pcm, seed := make([]int16, capture.PeriodSamples), uint32(1)
	for i := range pcm {
		seed = seed*1664525 + 1013904223
		pcm[i] = int16(seed>>20) - 2048 + int16(8000*(i%96)/96)
	}
	return pcm
}

func opusPeriods(t testing.TB) []cost {
	e, err := opus.NewEncoder()
	must(t, err)
	defer e.Close()
	pcm, out := noise(), make([]byte, 1500)
	return periods(func() {
		_, err := e.Encode(pcm, out)
		must(t, err)
	})
}

// card is a sound card that hears half of what it plays, and has no clock: it runs as fast as
// it can.
type card struct{ costs []cost }

// Run is part of capture.Duplex.
func (c *card) Run(_ context.Context, period func(mic, speaker []int16)) error {
	mic, speaker := noise(), make([]int16, capture.PeriodSamples)
	c.costs = periods(func() {
		period(mic, speaker)
		for i, s := range speaker {
			mic[i] = s / 2
		}
	})
	return nil
}

func echoPeriods(t testing.TB) []cost {
	c, far := new(card), noise()
	d, err := aec.New(aec.Config{Device: c})
	must(t, err)
	must(t, d.Run(t.Context(), func(_, speaker []int16) { copy(speaker, far) }))
	return c.costs
}
