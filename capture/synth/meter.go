package synth

import (
	"math"
	"math/cmplx"
	"sync"

	"intercom/capture"
)

const (
	fullScale = 32768
	// floor is the level of digital silence, in dBFS.
	floor = -96
	// audible is the level from which on a frequency is looked for, in dBFS.
	audible = -60

	window     = 8192 // samples, 171 ms, a power of two for the transform
	hop        = 5    // periods from one reading to the next, 100 ms
	lowestBin  = 50 * window / capture.SampleRate
	highestBin = 8000 * window / capture.SampleRate
)

// Meter measures what a loudspeaker plays: how loud, and at which frequency most of it is.
// Level may be called from any goroutine.
type Meter struct {
	mu   sync.Mutex
	on   bool
	dbfs float64
	hz   float64

	// The rest is the Duplex's.
	ring    [window]int16 // the latest samples
	at      int           // where the oldest of them is
	periods int           // since the last reading
	work    []complex128
	hann    []float64
	twiddle []complex128
}

// Level returns the latest reading: whether the loudspeaker is on; the level of the last
// 100 ms in dBFS, root mean square, so that a full sine wave has -3 and silence -96; and the
// strongest frequency of the last 171 ms from 50 to 8000 Hz, to about 1 Hz, or 0 if it is
// quieter than -60 dBFS.
func (m *Meter) Level() (on bool, dbfs, hz float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.on {
		return false, floor, 0
	}
	return true, m.dbfs, m.hz
}

func (m *Meter) start() {
	if m.work == nil {
		m.work = make([]complex128, window)
		m.hann = make([]float64, window)
		m.twiddle = make([]complex128, window/2)
		for i := range m.hann {
			m.hann[i] = 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/window)
		}
		for i := range m.twiddle {
			m.twiddle[i] = cmplx.Rect(1, -2*math.Pi*float64(i)/window)
		}
	}
	m.ring, m.at, m.periods = [window]int16{}, 0, 0
	m.set(true, floor, 0)
}

func (m *Meter) stop() { m.set(false, floor, 0) }

func (m *Meter) set(on bool, dbfs, hz float64) {
	m.mu.Lock()
	m.on, m.dbfs, m.hz = on, dbfs, hz
	m.mu.Unlock()
}

// write takes a period of sound.
func (m *Meter) write(pcm []int16) {
	for _, s := range pcm {
		m.ring[m.at] = s
		m.at = (m.at + 1) % window
	}
	if m.periods++; m.periods < hop {
		return
	}
	m.periods = 0
	level, hz := m.level(), 0.0
	if level >= audible {
		hz = m.frequency()
	}
	m.set(true, level, hz)
}

// level measures the last hop.
func (m *Meter) level() float64 {
	const n = hop * capture.PeriodSamples
	sum := 0.0
	for i := range n {
		s := float64(m.ring[(m.at-n+i+window)%window])
		sum += s * s
	}
	return max(floor, 10*math.Log10(sum/n/(fullScale*fullScale)))
}

// frequency looks for the peak of the spectrum, between bins by the parabola through the
// logarithms of three, which is exact to a few hundredths of a bin with Hann's window.
func (m *Meter) frequency() float64 {
	for i := range window {
		m.work[i] = complex(float64(m.ring[(m.at+i)%window])*m.hann[i], 0)
	}
	m.transform()
	power := func(k int) float64 {
		c := m.work[k]
		return real(c)*real(c) + imag(c)*imag(c) + 1e-9
	}
	best := lowestBin
	for k := lowestBin; k <= highestBin; k++ {
		if power(k) > power(best) {
			best = k
		}
	}
	a, b, c := math.Log(power(best-1)), math.Log(power(best)), math.Log(power(best+1))
	shift := 0.0
	if bend := a - 2*b + c; bend < 0 {
		shift = max(-0.5, min(0.5, (a-c)/(2*bend)))
	}
	return (float64(best) + shift) * capture.SampleRate / window
}

// transform is the fast Fourier transform of work, in place, radix 2.
func (m *Meter) transform() {
	for i, j := 1, 0; i < window; i++ {
		bit := window >> 1
		for ; j&bit != 0; bit >>= 1 {
			j ^= bit
		}
		j ^= bit
		if i < j {
			m.work[i], m.work[j] = m.work[j], m.work[i]
		}
	}
	for size := 2; size <= window; size *= 2 {
		half, step := size/2, window/size
		for base := 0; base < window; base += size {
			for k := range half {
				u := m.work[base+k]
				v := m.work[base+k+half] * m.twiddle[k*step]
				m.work[base+k], m.work[base+k+half] = u+v, u-v
			}
		}
	}
}
