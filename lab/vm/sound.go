package vm

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// recordRate is that of the WAV files here, in Hz. They are 16 bit, mono.
const recordRate = 48000

// wavHeader is the size of the header that Tone writes and arecord does.
const wavHeader = 44

// Tone returns a WAV file of a sine wave; amplitude 1 is full scale.
func Tone(hz, amplitude float64, d time.Duration) []byte {
	samples := int(d.Seconds() * recordRate)
	b := append(make([]byte, 0, wavHeader+2*samples), "RIFF"...)
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(wavHeader-8+2*samples))
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, 16)
	b = le.AppendUint16(b, 1) // PCM
	b = le.AppendUint16(b, 1) // channel
	b = le.AppendUint32(b, recordRate)
	b = le.AppendUint32(b, 2*recordRate)
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = le.AppendUint32(b, uint32(2*samples))
	for i := range samples {
		s := amplitude * math.MaxInt16 * math.Sin(2*math.Pi*hz*float64(i)/recordRate)
		b = le.AppendUint16(b, uint16(int16(math.Round(s))))
	}
	return b
}

// Sound is what is in a recording of a tone, between the first moment that is not silent
// and the last.
type Sound struct {
	Length    time.Duration
	Frequency float64       // in Hz, by the zero crossings where it sounds; of a tone alone
	Peak      float64       // of 1, full scale
	RMS       float64       // of 1, where it sounds
	Gap       time.Duration // the longest silence within
}

// silent is the level below which a sample is silence, of full scale.
const silent = 0.01

// Listen measures a WAV file as Record makes them. All is zero if it is silent.
func Listen(wav []byte) (Sound, error) {
	if len(wav) < wavHeader || string(wav[:4]) != "RIFF" {
		return Sound{}, errors.New("listen: not a WAV file")
	}
	wav = wav[wavHeader:]
	samples := make([]float64, len(wav)/2)
	first, last := -1, -1
	for i := range samples {
		samples[i] = float64(int16(binary.LittleEndian.Uint16(wav[2*i:]))) / -math.MinInt16
		if math.Abs(samples[i]) >= silent {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return Sound{}, nil
	}
	return measure(samples[first : last+1]), nil
}

// shortGap is a silence that counts as a gap. Between two samples of a tone there may be
// shorter ones.
const shortGap = recordRate / 200

func measure(samples []float64) Sound {
	duration := func(n int) time.Duration { return time.Duration(n) * time.Second / recordRate }
	s := Sound{Length: duration(len(samples))}
	sum, quiet, gaps, periods := 0.0, 0, 0, 0
	last, sounding := -1.0, 0.0 // the last crossing, and the time of whole periods, in samples
	below := false              // has been since the last crossing: a little noise around zero is none
	for i, v := range samples {
		sum += v * v
		s.Peak = max(s.Peak, math.Abs(v))
		if quiet++; math.Abs(v) >= silent {
			quiet = 0
		}
		s.Gap = max(s.Gap, duration(quiet))
		switch {
		case quiet == shortGap:
			gaps += shortGap
			last, below = -1, false // the period that it ends is none
		case quiet > shortGap:
			gaps++
		case v <= -silent:
			below = true
		case below && v > 0:
			below = false
			now := float64(i) - v/(v-samples[i-1])
			if last >= 0 {
				periods++
				sounding += now - last
			}
			last = now
		}
	}
	s.RMS = math.Sqrt(sum / float64(len(samples)-gaps))
	if periods > 0 {
		s.Frequency = float64(periods) * recordRate / sounding
	}
	return s
}
