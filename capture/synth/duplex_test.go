package synth

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intercom/capture"
	"intercom/capture/capturetest"
)

func newDuplex(t testing.TB, cfg DuplexConfig) *Duplex {
	t.Helper()
	d, err := NewDuplex(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDuplexContract(t *testing.T) {
	capturetest.Duplex(t, func(t testing.TB) capture.Duplex { return newDuplex(t, DuplexConfig{}) })
}

func TestDuplexConfig(t *testing.T) {
	for _, cfg := range []DuplexConfig{
		{Tone: 10}, {Tone: 9000}, {Tone: math.NaN()}, {Level: 1}, {Level: -100}, {Level: math.NaN()}, {Sound: "none.wav"},
	} {
		if _, err := NewDuplex(cfg); err == nil {
			t.Errorf("%+v: no error", cfg)
		}
	}
}

// TestToneReachesTheMeter plays what the microphone hears on the loudspeaker.
func TestToneReachesTheMeter(t *testing.T) {
	for _, test := range []struct{ hz, level float64 }{
		{100, -12}, {123.4, -30}, {440, 0}, {997, -3}, {1000, -50}, {1234.5, -12}, {2999, -20}, {4000, -12},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDuplex(t, DuplexConfig{Tone: test.hz, Level: test.level})
			if on, level, hz := d.Speaker().Level(); on || level != floor || hz != 0 {
				t.Errorf("before Run: %v, %v dBFS, %v Hz", on, level, hz)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			done := make(chan error)
			go func() {
				done <- d.Run(ctx, func(mic, speaker []int16) { copy(speaker, mic) })
			}()
			time.Sleep(450 * time.Millisecond)
			want := test.level
			if want == 0 {
				want = defaultLevel
			}
			if on, level, hz := d.Speaker().Level(); !on || math.Abs(level-want) > 0.5 || math.Abs(hz-test.hz) > 1 {
				t.Errorf("%v Hz at %v dBFS: measured %v, %.2f dBFS, %.2f Hz", test.hz, want, on, level, hz)
			}
			if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Run: %v", err)
			}
			if on, level, hz := d.Speaker().Level(); on || level != floor || hz != 0 {
				t.Errorf("after Run: %v, %v dBFS, %v Hz", on, level, hz)
			}
		})
	}
}

func TestMeterInNoise(t *testing.T) {
	var m Meter
	m.start()
	seed := uint32(1)
	for range 20 {
		pcm := capturetest.Voice(0)
		for i := range pcm {
			seed = seed*1664525 + 1013904223
			pcm[i] = pcm[i]/4 + int16(seed>>20) - 2048
		}
		m.write(pcm)
	}
	// Voice begins anew each period here, so that the pitch is blurred.
	if _, _, hz := m.Level(); math.Abs(hz-capturetest.VoicePitch) > 15 {
		t.Errorf("%v Hz in noise, want about %v", hz, capturetest.VoicePitch)
	}
	for range 20 {
		m.write(make([]int16, capture.PeriodSamples))
	}
	if on, level, hz := m.Level(); !on || level != floor || hz != 0 {
		t.Errorf("silence: %v, %v dBFS, %v Hz", on, level, hz)
	}
}

func TestMeterAllocs(t *testing.T) {
	var m Meter
	m.start()
	pcm := capturetest.Voice(0)
	if got := testing.AllocsPerRun(50, func() { m.write(pcm) }); got != 0 {
		t.Errorf("%v allocations a period, want 0", got)
	}
}

func BenchmarkMeter(b *testing.B) {
	var m Meter
	m.start()
	pcm := capturetest.Voice(0)
	b.ReportAllocs()
	for b.Loop() {
		m.write(pcm)
	}
}

// TestDuplexCatchesUp: a slow period does not make the clock slow.
func TestDuplexCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuplex(t, DuplexConfig{})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond)
		defer cancel()
		n := 0
		d.Run(ctx, func(mic, speaker []int16) {
			switch n++; {
			case n%50 == 0:
				time.Sleep(110 * time.Millisecond)
			case n == 126:
				time.Sleep(time.Second) // too much
			}
		})
		if n < 500-51 || n > 500-40 {
			t.Errorf("%d periods in 10 s of which 1 s was lost, want about 450", n)
		}
	})
}

// wavBytes is a WAV file with a tone of 500 Hz.
func wavBytes(channels, rate, samples int) []byte {
	le := binary.LittleEndian
	var data []byte
	for i := range samples {
		for c := range channels {
			s := int16(8000 * math.Sin(2*math.Pi*500*float64(i)/float64(rate)))
			data = le.AppendUint16(data, uint16(s+int16(c)))
		}
	}
	b := []byte("RIFF\x00\x00\x00\x00WAVELIST\x03\x00\x00\x00abc\x00fmt \x10\x00\x00\x00")
	b = le.AppendUint16(b, wavPCM)
	b = le.AppendUint16(b, uint16(channels))
	b = le.AppendUint32(b, uint32(rate))
	b = le.AppendUint32(b, uint32(rate*channels*2))
	b = le.AppendUint16(b, uint16(channels*2))
	b = le.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = le.AppendUint32(b, uint32(len(data)))
	b = append(b, data...)
	le.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

func TestSoundFile(t *testing.T) {
	for _, test := range []struct{ channels, rate int }{{1, 48000}, {2, 48000}, {1, 16000}, {2, 44100}, {1, 8000}, {1, 96000}} {
		path := filepath.Join(t.TempDir(), "speech.wav")
		if err := os.WriteFile(path, wavBytes(test.channels, test.rate, test.rate/2), 0o600); err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			d := newDuplex(t, DuplexConfig{Sound: path})
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			var heard []int16
			d.Run(ctx, func(mic, speaker []int16) { heard = append(heard, mic...) })
			// Two seconds of half a second: the loop has no seam.
			heard = heard[:capture.SampleRate*19/10]
			if got := capturetest.Strength(heard, 500); got < 5000 || got > 6000 {
				t.Errorf("%+v: strength %.0f at 500 Hz, want about 5650", test, got)
			}
		})
	}
}

func TestWAVErrors(t *testing.T) {
	good := wavBytes(1, 48000, 100)
	change := func(at int, to ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], to)
		return b
	}
	const format = 24 + 8 // where the format begins
	for name, test := range map[string]struct {
		wav  []byte
		want string
	}{
		"empty":        {nil, "byte 0: the file ends: not a WAV"},
		"other file":   {[]byte("YUV4MPEG2 W32 H16"), "byte 0: not a WAV"},
		"no chunks":    {good[:12], "byte 12: the file ends"},
		"compressed":   {change(format, 85), "coding 85"},
		"8 bits":       {change(format+14, 8), "with 8 bits"},
		"channels":     {change(format+2, 6), "6 channels"},
		"rate":         {change(format+4, 0, 0, 0, 0), "sampling rate 0"},
		"short format": {change(format-4, 4), "format of 4 bytes"},
		"no format":    {append(bytes.Clone(good[:12]), "data\x04\x00\x00\x00abcd"...), "byte 12: sound before its format"},
		"cut short":    {good[:len(good)-10], "200 bytes is announced"},
		"no sound":     {good[:len(good)-208], "the file ends"},
		"long sound":   {change(len(good)-204, 0, 0, 0, 0x10), "is longer than"},
		"big chunk":    {change(16, 0xff, 0xff, 0xff, 0x7f), "the file ends"},
	} {
		_, err := parseWAV(bytes.NewReader(test.wav))
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "byte ") {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
	}
	// What a pipe leaves: no size. It goes to the end of the file.
	for _, size := range [][]byte{{0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}} {
		if pcm, err := parseWAV(bytes.NewReader(change(len(good)-204, size...))); err != nil || len(pcm) != 100 {
			t.Errorf("size %x: %d samples, error %v, want 100", size, len(pcm), err)
		}
	}
	path := filepath.Join(t.TempDir(), "speech.wav")
	if err := os.WriteFile(path, good[:20], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewDuplex(DuplexConfig{Sound: path}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v does not name %s", err, path)
	}
}

func FuzzWAV(f *testing.F) {
	f.Add(wavBytes(1, 48000, 10))
	f.Add(wavBytes(2, 8000, 10))
	f.Add(wavBytes(1, 16000, 10)[:50])
	f.Fuzz(func(t *testing.T, data []byte) {
		pcm, err := parseWAV(bytes.NewReader(data))
		if err == nil && len(pcm) == 0 {
			t.Error("an empty sound")
		}
		if len(pcm) > 12*len(data) {
			t.Errorf("%d samples of %d bytes", len(pcm), len(data))
		}
	})
}
