package alsa

import (
	"encoding/binary"
	"sync/atomic"

	"intercom/capture"
)

// blockSamples is what a device hands over at a time, 10 ms.
const blockSamples = capture.PeriodSamples / 2

// blocks makes periods of the device's blocks, whatever their length. While one period is
// recorded the one before it is played, so the two are in step to the sample.
type blocks struct {
	period       func(mic, speaker []int16)
	mic, speaker [capture.PeriodSamples]int16
	at           int          // in both
	samples      atomic.Int64 // that came so far
}

// exchange takes what was heard and gives what is to be played: samples of 16 bit,
// little-endian, mono. It is called on the device's thread.
func (b *blocks) exchange(out, in []byte) {
	n := min(len(out), len(in)) / 2
	for i := range n {
		b.mic[b.at] = int16(binary.LittleEndian.Uint16(in[2*i:]))
		binary.LittleEndian.PutUint16(out[2*i:], uint16(b.speaker[b.at]))
		if b.at++; b.at == len(b.mic) {
			b.at = 0
			clear(b.speaker[:])
			b.period(b.mic[:], b.speaker[:])
		}
	}
	b.samples.Add(int64(n))
}
