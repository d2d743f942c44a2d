package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"intercom/capture"
	"intercom/capture/measure"
	"intercom/capture/synth"
	"intercom/internal/control"
)

// How long the self-test watches the camera, and each encoder.
const (
	watchCamera  = 5 * time.Second
	watchEncoder = 2 * time.Second
)

// tested is what the self-test found out. The JSON is for programs: fields are added, not
// changed.
type tested struct {
	Time     time.Time       `json:"time"`
	Version  string          `json:"version"`
	Verdict  measure.Verdict `json:"verdict"` // the worst of all
	Camera   testedCamera    `json:"camera"`
	Encoders []testedEncoder `json:"encoders"`
	Sound    testedSound     `json:"sound"`
	Echo     testedEcho      `json:"echo"`
}

type testedCamera struct {
	Source   string            `json:"source"`
	Measured *measure.Picture  `json:"measured,omitempty"` // nil: the camera does not work
	Findings []measure.Finding `json:"findings"`
}

type testedEncoder struct {
	Codec    capture.Codec     `json:"codec"`
	Hardware string            `json:"hardware,omitempty"` // that codes it; empty: software
	Measured *measure.Speed    `json:"measured,omitempty"`
	Findings []measure.Finding `json:"findings"`
}

type testedSound struct {
	Microphone  string            `json:"microphone"`
	Loudspeaker string            `json:"loudspeaker"`
	Volume      float64           `json:"volume_db"`
	Measured    *measure.Sound    `json:"measured,omitempty"` // nil: not measured
	Findings    []measure.Finding `json:"findings"`
}

type testedEcho struct {
	Setting  string             `json:"setting"` // sound.echo
	Measured *measure.Cancelled `json:"measured,omitempty"`
	Findings []measure.Finding  `json:"findings"`
}

func runSelftest(ctx context.Context, in invocation) error {
	path, format, quiet, socket := defaultConfig, "text", false, ""
	if _, err := in.parse("selftest", 0, 0, func(fs *flag.FlagSet) {
		fs.StringVar(&path, "config", path, "configuration `FILE`; only what it says of camera and sound counts")
		fs.StringVar(&format, "format", format, "`FORMAT` of the output, text or json")
		fs.BoolVar(&quiet, "no-sound", false, "play nothing: leave loudspeaker and microphone out")
		fs.StringVar(&socket, "control", "", "`PATH` of the control socket of a station that must not be running; the configuration's if it is not set")
	}); err != nil {
		return err
	}
	if format != "text" && format != "json" {
		return exitError{exitUsage, fmt.Errorf("--format: %q is neither text nor json", format)}
	}
	c, err := mediaConfig(path)
	if err != nil {
		return err
	}
	if socket == "" {
		socket = c.Control.Socket
	}
	if err := nobodyRuns(ctx, socket); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(in.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	d, err := openDevices(c, log)
	if err != nil {
		if e := (exitError{}); !errors.As(err, &e) {
			err = exitError{exitConfig, err}
		}
		return err
	}
	t := &tester{config: c, devices: d, log: log, say: in.stderr, watchCamera: watchCamera, watchEncoder: watchEncoder}
	report, err := t.run(ctx, quiet)
	if err != nil {
		return err
	}
	if format == "json" {
		e := json.NewEncoder(in.stdout)
		e.SetIndent("", "  ")
		err = e.Encode(report)
	} else {
		err = report.print(in.stdout)
	}
	if err == nil && report.Verdict == measure.Wrong {
		err = exitError{exitFound, errors.New("something has to be put right: see the lines marked WRONG")}
	}
	return err
}

// mediaConfig reads a configuration of which only devices count: whoever mounts a door has
// its secrets not at hand, or not yet.
func mediaConfig(path string) (*config, error) {
	c := demoConfig(demoAccounts())
	account, server := c.Account, c.Server
	if err := loadFile(path, c); err != nil {
		return nil, err
	}
	c.Account, c.Server, c.ICE.Server = account, server, nil
	return c, loadConfig("", c)
}

// nobodyRuns refuses beside a station: a visitor who came now would have no picture.
func nobodyRuns(ctx context.Context, socket string) error {
	if socket == "" {
		socket = defaultSocket()
	}
	cl, err := control.Dial(ctx, socket)
	if errors.Is(err, control.ErrNotRunning) {
		return nil
	}
	if err == nil {
		cl.Close()
		return exitError{exitRefused, fmt.Errorf("a station is running (it answers at %s) and uses camera and sound card when somebody rings: end it first (systemctl stop intercom), then test, then start it again", socket)}
	}
	return err
}

// tester tests the devices of a configuration.
type tester struct {
	*devices
	config *config
	log    *slog.Logger
	say    io.Writer // what it does, for a person
	// How long the camera is watched, and each encoder.
	watchCamera, watchEncoder time.Duration

	report tested
}

func (t *tester) run(ctx context.Context, quiet bool) (*tested, error) {
	r, m, s := &t.report, t.config.Camera, t.config.Sound
	r.Time, r.Version, r.Verdict = time.Now(), version, measure.Good
	r.Camera.Source, r.Encoders = m.Source, []testedEncoder{}
	r.Sound.Microphone, r.Sound.Loudspeaker, r.Sound.Volume = s.Microphone, s.Loudspeaker, s.Volume
	r.Echo.Setting = s.Echo
	frames, err := t.testCamera(ctx)
	if err == nil {
		err = t.testEncoders(ctx, frames)
	}
	for _, f := range frames {
		f.Release()
	}
	switch {
	case err != nil:
	case quiet:
		r.Sound.Findings = t.found(note("Not measured: --no-sound."))
	case t.card == nil:
		r.Sound.Findings = t.found(note("Not measured: microphone and loudspeaker are simulated."))
	default:
		err = t.testSound(ctx)
	}
	if r.Echo.Findings == nil {
		r.Echo.Findings = t.found(note("Not measured."))
	}
	return r, err
}

// note is a finding of no weight.
func note(text string) measure.Finding {
	return measure.Finding{Verdict: measure.Good, Text: text}
}

// found counts findings.
func (t *tester) found(findings ...measure.Finding) []measure.Finding {
	t.report.Verdict = worst(t.report.Verdict, findings)
	return findings
}

// worst returns the worst verdict.
func worst(v measure.Verdict, findings []measure.Finding) measure.Verdict {
	for _, f := range findings {
		if f.Verdict == measure.Wrong || f.Verdict == measure.Notice && v == measure.Good {
			v = f.Verdict
		}
	}
	return v
}

// broken is the finding of a device that does not work.
func (t *tester) broken(err error) []measure.Finding {
	text := err.Error()
	return t.found(measure.Finding{Verdict: measure.Wrong, Text: strings.ToUpper(text[:1]) + text[1:] + "."})
}

// testCamera returns some pictures for the encoders.
func (t *tester) testCamera(ctx context.Context) ([]*capture.Frame, error) {
	m := t.config.Camera
	asked := capture.Format{Pixel: t.format.Pixel, Width: m.Width, Height: m.Height, FPS: m.FPS}
	if strings.HasPrefix(m.Source, "file:") {
		asked = t.format // it has its own
	}
	fmt.Fprintf(t.say, "watching the camera for %v\n", t.watchCamera)
	p, frames, err := measure.Camera(ctx, t.camera, asked, t.watchCamera)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		t.report.Camera.Findings = t.broken(err)
		return nil, nil
	}
	t.report.Camera.Measured, t.report.Camera.Findings = &p, t.found(p.Findings()...)
	return frames, nil
}

func (t *tester) testEncoders(ctx context.Context, frames []*capture.Frame) error {
	if t.format.Pixel == capture.AVC {
		t.report.Encoders = append(t.report.Encoders, testedEncoder{Codec: capture.H264, Findings: t.found(note("The camera codes by itself."))})
		return nil
	}
	if len(frames) == 0 { // of a camera that does not work
		made, err := t.testPictures(ctx)
		if err != nil {
			return err
		}
		frames = made
		defer func() {
			for _, f := range made {
				f.Release()
			}
		}()
	}
	for _, codec := range t.config.Camera.Codecs {
		fmt.Fprintf(t.say, "trying the encoder of %s for %v\n", codec, t.watchEncoder)
		out := testedEncoder{Codec: codec}
		if codec == capture.H264 {
			out.Hardware = t.hardware
		}
		s, err := measure.Encoder(ctx, codec, t.encoders[codec], frames, capture.Target{BitRate: t.config.Camera.BitRate}, t.watchEncoder)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			out.Findings = t.broken(err)
		default:
			out.Measured, out.Findings = &s, t.found(s.Findings()...)
		}
		t.report.Encoders = append(t.report.Encoders, out)
	}
	return nil
}

// testPictures are the test camera's.
func (t *tester) testPictures(ctx context.Context) ([]*capture.Frame, error) {
	cam, err := synth.NewCamera(synth.CameraConfig{Width: t.format.Width, Height: t.format.Height, FPS: t.format.FPS})
	if err != nil {
		return nil, err
	}
	_, frames, err := measure.Camera(ctx, cam, cam.Format(), 500*time.Millisecond)
	return frames, err
}

func (t *tester) testSound(ctx context.Context) error {
	volume := t.config.Sound.Volume
	fmt.Fprintln(t.say, "playing two sweeps, and then noise for 8 s: please be quiet meanwhile")
	s, err := measure.Echo(ctx, t.card, volume)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		t.report.Sound.Findings = t.broken(err)
		return nil
	}
	t.report.Sound.Measured, t.report.Sound.Findings = &s, t.found(s.Findings()...)
	if !s.Audible {
		return nil
	}
	tap := measure.NewTap(t.card)
	clean, status, err := cleanEcho(t.config, tap, t.log)
	if err != nil {
		return err
	}
	if status == nil {
		t.report.Echo.Findings = t.found(measure.Finding{Verdict: measure.Notice, Text: `Nothing is done about the echo: sound.echo is "off".`})
		return nil
	}
	c, err := measure.Cancel(ctx, tap, clean, volume)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		t.report.Echo.Findings = t.broken(err)
		return nil
	}
	c.Learned = status().State != control.EchoLearning
	t.report.Echo.Measured, t.report.Echo.Findings = &c, t.found(c.Findings()...)
	return nil
}

// marks are how verdicts are printed.
var marks = map[measure.Verdict]string{measure.Good: "   ok ", measure.Notice: " note ", measure.Wrong: "WRONG "}

// print writes the report for a person.
func (r *tested) print(w io.Writer) error {
	var b strings.Builder
	part := func(name string, findings []measure.Finding) {
		fmt.Fprintf(&b, "%s\n", name)
		for _, f := range findings {
			fmt.Fprintf(&b, "  %s%s\n", marks[f.Verdict], f.Text)
		}
	}
	part("Camera "+r.Camera.Source, r.Camera.Findings)
	for _, e := range r.Encoders {
		by := "software"
		if e.Hardware != "" {
			by = e.Hardware
		}
		part(fmt.Sprintf("Encoder of %s (%s)", e.Codec, by), e.Findings)
	}
	part(fmt.Sprintf("Sound: microphone %s, loudspeaker %s, volume %+.0f dB", r.Sound.Microphone, r.Sound.Loudspeaker, r.Sound.Volume), r.Sound.Findings)
	part("Echo: "+r.Echo.Setting, r.Echo.Findings)
	switch r.Verdict {
	case measure.Wrong:
		fmt.Fprintf(&b, "\nSomething has to be put right.\n")
	case measure.Notice:
		fmt.Fprintf(&b, "\nIt works; see the notes.\n")
	default:
		fmt.Fprintf(&b, "\nAll is well.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
