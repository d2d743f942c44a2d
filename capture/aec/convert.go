package aec

import (
	"math"

	"intercom/capture"
)

const (
	// ratio is that of the device's rate to the canceller's.
	ratio = capture.SampleRate / sampleRate
	// convTaps are those of the low pass of both conversions, at 48 kHz: 1 ms of delay each, from
	// 5.8 to 8.6 kHz down by 60 dB.
	convTaps   = 96
	convCutoff = 7200 // Hz
	upTaps     = convTaps / ratio
)

// down converts periods to 16 kHz.
type down struct {
	low  [convTaps]float32
	past [convTaps - ratio + capture.PeriodSamples]float32 // the rest of the last period, and this one
}

// up converts periods to 48 kHz.
type up struct {
	low  [ratio][upTaps]float32 // of each of the samples that one makes, the latest last
	past [upTaps - 1 + periodSamples]float32
}

func newDown() *down {
	d := &down{}
	for i, v := range lowpass() {
		d.low[i] = float32(v)
	}
	return d
}

func newUp() *up {
	u := &up{}
	for i, v := range lowpass() {
		u.low[i%ratio][upTaps-1-i/ratio] = float32(ratio * v)
	}
	return u
}

// lowpass is a sinc in Blackman's window, of gain 1.
func lowpass() (h [convTaps]float64) {
	sum := 0.0
	for i := range h {
		t := float64(i) - (convTaps-1)/2.0
		w := 2 * math.Pi * (float64(i) + 0.5) / convTaps
		h[i] = math.Sin(2*math.Pi*convCutoff/capture.SampleRate*t) / t * (0.42 - 0.5*math.Cos(w) + 0.08*math.Cos(2*w))
		sum += h[i]
	}
	for i := range h {
		h[i] /= sum
	}
	return h
}

// period converts one.
func (d *down) period(in, out []int16) {
	const kept = convTaps - ratio
	for i, s := range in {
		d.past[kept+i] = float32(s)
	}
	for i := range out {
		out[i] = sample(dot(d.past[i*ratio:i*ratio+convTaps], d.low[:]))
	}
	copy(d.past[:kept], d.past[len(in):])
}

// period converts one.
func (u *up) period(in, out []int16) {
	const kept = upTaps - 1
	for i, s := range in {
		u.past[kept+i] = float32(s)
	}
	for i := range in {
		for p := range ratio {
			out[i*ratio+p] = sample(dot(u.past[i:i+upTaps], u.low[p][:]))
		}
	}
	copy(u.past[:kept], u.past[len(in):])
}

// sample rounds.
func sample(v float32) int16 {
	if v < 0 {
		return int16(max(v-0.5, math.MinInt16))
	}
	return int16(min(v+0.5, math.MaxInt16))
}
