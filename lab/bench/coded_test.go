//go:build bench

package bench

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"intercom/capture"
	"intercom/capture/capturetest"
	"intercom/capture/soft/openh264"
	"intercom/capture/soft/vpx"
)

// codedPictures are of a measurement of what encoders make of the film.
const codedPictures = 4 * fps

// writeCoded adds what encoders make of the film to the table: how near ffmpeg's pictures are
// to the film's, in dB of luma, and the bit rate after two seconds. It fails the test if
// ffmpeg finds anything wrong, or the bit rate is not as asked.
func writeCoded(t testing.TB, w io.Writer, s *stock) {
	fmt.Fprintf(w, "\t\t\t\t\t\ncoded at %d kbit/s, decoded by ffmpeg\tPSNR dB\tworst\tkbit/s\tCPU ms\t\n", bitRate/1000)
	for _, c := range []struct {
		name  string
		codec capture.Codec
		make  capture.NewEncoder
	}{{"H.264 (openh264)", capture.H264, openh264.NewEncoder}, {"VP8 (libvpx)", capture.VP8, vpx.NewEncoder}} {
		mean, worst, rate, cpu := code(t, s, c.codec, c.make)
		if rate < 0.9*bitRate || rate > 1.1*bitRate {
			t.Errorf("%s: %.0f bit/s, want %d within a tenth", c.name, rate, bitRate)
		}
		fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%.0f\t%.2f\t\n", c.name, mean, worst, rate/1000, ms(cpu))
	}
}

func code(t testing.TB, s *stock, codec capture.Codec, newEncoder capture.NewEncoder) (mean, worst, rate float64, cpu time.Duration) {
	format := capture.Format{Pixel: capture.I420, Width: width, Height: height, FPS: fps}
	var packets [][]byte
	var of []*capture.Frame // what they show: an encoder may drop some
	var now *capture.Frame
	size := 0
	e, err := newEncoder(format, func(p *capture.Packet) {
		packets, of = append(packets, bytes.Clone(p.Data)), append(of, now)
		size += len(p.Data)
	})
	must(t, err)
	defer e.Close()
	must(t, e.Set(capture.Target{BitRate: bitRate, FPS: fps}))
	start, before := time.Now(), spent()
	for n := range codedPictures {
		if n == codedPictures/2 {
			size = 0
		}
		now = s.film[n%len(s.film)]
		now.Time = start.Add(time.Duration(n) * time.Second / fps)
		must(t, e.Encode(now))
	}
	cpu = (spent() - before) / codedPictures
	worst = 99
	pictures := capturetest.Decode(t, codec, format, packets)
	for i, f := range pictures {
		db := capturetest.PSNR(t, of[i], f)
		mean += db / float64(len(pictures))
		worst = min(worst, db)
	}
	return mean, worst, float64(size*8*fps) / (codedPictures / 2), cpu
}
