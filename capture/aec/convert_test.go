package aec

import (
	"math"
	"testing"

	"intercom/capture"
)

// TestConvert: what speech has goes through to 16 kHz and back, and nothing folds.
func TestConvert(t *testing.T) {
	for _, test := range []struct {
		hz          float64
		least, most float64 // dB
	}{
		{100, -0.1, 0.1}, {1000, -0.1, 0.1}, {5000, -0.5, 0.1}, {7200, -14, -10}, {9000, -200, -55}, {15000, -200, -55}, {22000, -200, -55},
	} {
		d, u := newDown(), newUp()
		in, mid, out := make([]int16, capture.PeriodSamples), make([]int16, periodSamples), make([]int16, capture.PeriodSamples)
		power, passed := 0.0, 1e-3
		for p := range 50 {
			for i := range in {
				in[i] = int16(20000 * math.Sin(2*math.Pi*test.hz*float64(p*len(in)+i)/capture.SampleRate))
			}
			d.period(in, mid)
			u.period(mid, out)
			if p > 0 {
				power, passed = power+math.Pow(rms(in), 2), passed+math.Pow(rms(out), 2)
			}
		}
		if got := 10 * math.Log10(passed/power); got < test.least || got > test.most {
			t.Errorf("%.0f Hz: %.1f dB, want %.1f to %.1f", test.hz, got, test.least, test.most)
		}
	}
}

// TestConvertLoud: what is too loud after it is limited, not turned over.
func TestConvertLoud(t *testing.T) {
	u := newUp()
	in, out := make([]int16, periodSamples), make([]int16, capture.PeriodSamples)
	for i := range in {
		in[i] = math.MinInt16
		if i%32 < 16 {
			in[i] = math.MaxInt16
		}
	}
	u.period(in, out)
	u.period(in, out)
	for i, s := range out {
		if i > 0 && math.Abs(float64(s)-float64(out[i-1])) > 30000 {
			t.Fatalf("sample %d is %d after %d", i, s, out[i-1])
		}
	}
}
