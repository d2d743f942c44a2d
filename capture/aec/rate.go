package aec

import "intercom/capture"

// Echo is cancelled at 16 kHz, in the device's periods.
const (
	sampleRate    = 16000
	periodSamples = capture.PeriodSamples * sampleRate / capture.SampleRate
)
