package aec

const (
	// driftSettle is how many periods a delay is left alone that was just found, 5 s, driftTime
	// for how many it is watched then before anything is said of the clocks, 20 s, and
	// driftLeast by how many samples it must have moved.
	driftSettle = 250
	driftTime   = 1000
	driftLeast  = decimation
	// driftJump is a change of the delay, in samples, that is no drift.
	driftJump = sampleRate * 5 / 1000
)

// drift tells from how the delay moves whether microphone and loudspeaker have one clock.
type drift struct {
	watching    bool
	first, last int // delays
	since       int // the period of the first; still to come while it settles
}

// take takes a delay in samples, found in a period. It returns by how many millionths the
// microphone's clock is faster than the loudspeaker's.
func (d *drift) take(delay, period int) (ppm int, ok bool) {
	if jump := delay - d.last; !d.watching || jump > driftJump || jump < -driftJump {
		*d = drift{watching: true, first: delay, last: delay, since: period + driftSettle}
		return 0, false
	}
	d.last = delay
	if period < d.since {
		d.first = delay
		return 0, false
	}
	if period-d.since < driftTime {
		return 0, false
	}
	moved := delay - d.first
	if moved < driftLeast && moved > -driftLeast {
		return 0, true
	}
	return moved * 1_000_000 / ((period - d.since) * periodSamples), true
}
