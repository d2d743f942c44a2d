//go:build cgo

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"intercom/capture"
	"intercom/capture/measure"
	"intercom/internal/control"
)

// mirror is a sound card in a box: what is played is heard again, after a delay and by a
// factor. It runs as fast as it can.
type mirror struct {
	delay int // samples, whole periods
	gain  float64
}

func (m mirror) Run(ctx context.Context, period func(mic, speaker []int16)) error {
	past := make([]int16, m.delay)
	mic := make([]int16, capture.PeriodSamples)
	for n := uint32(1); ctx.Err() == nil; {
		speaker := make([]int16, capture.PeriodSamples)
		for i := range mic {
			n = n*1664525 + 1013904223 // a little noise
			mic[i] = int16(float64(past[i])*m.gain) + int16(n>>28)
		}
		period(mic, speaker)
		past = append(past[capture.PeriodSamples:], speaker...)
	}
	return ctx.Err()
}

// TestSelftest is the whole of it on a simulated box with the canceller that a door has.
func TestSelftest(t *testing.T) {
	for _, test := range []struct {
		name    string
		card    mirror
		volume  float64
		echo    string
		verdict measure.Verdict
		says    []string
	}{
		{"well mounted", mirror{2 * capture.PeriodSamples, 0.2}, 0, echoCancel, measure.Good, []string{"The echo becomes quieter by", "it takes 20.0 ms", "All is well."}},
		{"too loud", mirror{2 * capture.PeriodSamples, 0.99}, 12, echoCancel, measure.Wrong, []string{"WRONG The microphone", "turn sound.volume down by 8 dB", "Something has to be put right."}},
		{"no canceller", mirror{2 * capture.PeriodSamples, 0.2}, 0, echoOff, measure.Notice, []string{"note Nothing is done about the echo", "It works; see the notes."}},
		{"half duplex", mirror{2 * capture.PeriodSamples, 0.2}, 0, echoHalfDuplex, measure.Good, nil},
		{"no loudspeaker", mirror{2 * capture.PeriodSamples, 0}, 0, echoCancel, measure.Wrong, []string{"hears nothing of the loudspeaker"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := demoConfig(demoAccounts())
			c.Camera.Codecs = []capture.Codec{capture.H264}
			c.Sound.Volume, c.Sound.Echo = test.volume, test.echo
			d, err := openDevices(c, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			d.card = test.card
			r, err := (&tester{config: c, devices: d, log: d.log, say: &bytes.Buffer{}, watchCamera: time.Second, watchEncoder: 200 * time.Millisecond}).run(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := r.print(&out); err != nil {
				t.Fatal(err)
			}
			if testing.Verbose() {
				t.Log(out.String())
			}
			if len(r.Encoders) != 1 || r.Encoders[0].Measured == nil || r.Camera.Measured == nil {
				t.Errorf("camera or encoder was not measured:\n%s", out.String())
			}
			// A busy machine may be too slow for camera and encoder: sound alone counts.
			if got := worst(measure.Good, append(r.Sound.Findings, r.Echo.Findings...)); got != test.verdict {
				t.Errorf("got %s, want %s:\n%s", got, test.verdict, out.String())
			}
			for _, want := range test.says {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is missing in\n%s", want, out.String())
				}
			}
		})
	}
}

// TestSelftestMissing: a camera that is not there is a finding, with an exit code of its own.
func TestSelftestMissing(t *testing.T) {
	var out, errs bytes.Buffer
	file := filepath.Join(t.TempDir(), "door.toml")
	text := "[camera]\nsource = \"v4l2:/dev/none\"\ncodecs = [\"H264\"]\n[account]\npassword = \"credential:not-here\"\n" // which an installer does not have
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code := dispatch(t.Context(), []string{"selftest", "--config", file, "--no-sound", "--format", "json", "--control", t.TempDir() + "/s"}, &out, &errs)
	var got tested
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s%s", err, out.String(), errs.String())
	}
	if code != exitFound || got.Verdict != measure.Wrong || got.Camera.Measured != nil || len(got.Camera.Findings) != 1 ||
		!strings.Contains(got.Camera.Findings[0].Text, "/dev/none") || len(got.Encoders) != 1 || got.Encoders[0].Measured == nil {
		t.Errorf("exit %d, %+v", code, got)
	}
	if len(got.Sound.Findings) != 1 || !strings.Contains(got.Sound.Findings[0].Text, "--no-sound") || len(got.Echo.Findings) != 1 {
		t.Errorf("sound %+v, echo %+v", got.Sound, got.Echo)
	}
}

// TestSelftestBesideStation: a visitor has the camera first.
func TestSelftestBesideStation(t *testing.T) {
	socket, _ := begin(t, "demo", "--listen", "127.0.0.1:0")
	await(t, socket, "running", func(s control.Status) bool { return s.Link.Up })
	var out, errs bytes.Buffer
	if code := dispatch(t.Context(), []string{"selftest", "--config", write(t, ""), "--control", socket}, &out, &errs); code != exitRefused || !strings.Contains(errs.String(), "a station is running") {
		t.Errorf("exit %d, %q, want %d", code, errs.String(), exitRefused)
	}
	for args, want := range map[string]int{"selftest --format xml": exitUsage, "selftest now": exitUsage, "selftest --config /does/not/exist": exitConfig} {
		if code := dispatch(t.Context(), strings.Fields(args), &out, &errs); code != want {
			t.Errorf("%q: exit %d, want %d", args, code, want)
		}
	}
}
