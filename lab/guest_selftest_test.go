//go:build e2e && lab

package lab

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/lab/vm"
)

// selftest is of `intercom selftest --format json` what the scenario looks at.
type selftest struct {
	Verdict string
	Camera  struct {
		Measured *struct {
			Width, Height, Brightness int
			FPS                       float64
		}
		Findings []finding
	}
	Encoders []struct {
		Codec    string
		Measured *struct{ FPS, CPU float64 }
		Findings []finding
	}
	Sound struct {
		Measured *struct {
			Audible, Dead bool
			Delay         float64 `json:"delay_ms"`
			Loss          float64 `json:"loss_db"`
			Noise         float64 `json:"noise_dbfs"`
			Clipped       float64
		}
		Findings []finding
	}
	Echo struct {
		Measured *struct {
			Before  float64 `json:"before_dbfs"`
			ERLE    float64 `json:"erle_db"`
			Learned bool
		}
		Findings []finding
	}
}

type finding struct{ Verdict, Text string }

// The exit codes of the self-test.
const (
	exitRefused = 6
	exitFound   = 7
)

// tests runs the self-test in the guest, and returns its report, exit code and error text.
func (g *guest) tests(t *testing.T, args ...string) (report selftest, code int, said string) {
	t.Helper()
	const out = "/tmp/selftest.json"
	must(t, g.Put(t.Context(), out, 0o600, nil))
	script := guestProgram + " selftest --format json " + strings.Join(args, " ") + " > " + out
	p, err := g.Start(t.Context(), vm.Command{Args: []string{"sh", "-ec", script}})
	must(t, err)
	err = p.Wait(90 * time.Second) // emulated, it takes twice as long
	var e *vm.ExitError
	if errors.As(err, &e) {
		code, said = e.Code, e.Stderr
	} else {
		must(t, err)
	}
	text, err := g.Get(t.Context(), out)
	must(t, err)
	if len(text) > 0 {
		must(t, json.Unmarshal(text, &report))
		t.Logf("exit %d\n%s", code, text)
	}
	if (code == exitFound) != (report.Verdict == "wrong") {
		t.Errorf("exit %d with the verdict %q", code, report.Verdict)
	}
	return report, code, said
}

// mirror plays what the door's loudspeaker plays into its microphone, by the far end of the
// card: a box in a room, as far as the door knows.
const mirror = `arecord -q -D plughw:Loop,1,0 -t raw -f S16_LE -c 1 -r 48000 --buffer-time=80000 --period-time=20000 |
	aplay -q -D plughw:Loop,1,0 -t raw -f S16_LE -c 1 -r 48000 --buffer-time=120000 --period-time=20000`

// TestGuestSelftest has an installer measure a door on drivers of the kernel: a camera, and a
// card whose far end is a mirror; with the mirror away; with the camera in use and the card
// unplugged; and beside a running station.
func TestGuestSelftest(t *testing.T) {
	s, err := guestServer()
	must(t, err)
	g := newGuest(t)
	config := guestSettings(s, with(t, realDevices, `echo = "off" # tones are noise to what removes it`, "echo = \"cancel\"\nvolume = -6"))
	program, err := intercom()
	must(t, err)
	must(t, g.PutFile(t.Context(), guestProgram, program))
	must(t, g.Put(t.Context(), guestConfig, 0o600, []byte(config)))

	t.Run("a door", func(t *testing.T) {
		var r selftest
		for range 2 { // on a machine that is too busy the mirror breaks off, and the test says so
			room := g.start(t, "mirror", vm.Command{Args: []string{"sh", "-c", mirror}})
			r, _, _ = g.tests(t)
			_ = room.stop() // it may have ended by itself
			if e := r.Echo; e.Measured != nil && !strings.Contains(e.Findings[0].Text, "broke off") {
				break
			}
		}
		if c := r.Camera.Measured; c == nil || c.Width != 320 || c.Height != 180 || c.FPS < emulatedFPS || c.Brightness < 40 || c.Brightness > 200 {
			t.Errorf("camera: got %+v", c)
		}
		if len(r.Encoders) != 2 || r.Encoders[0].Measured == nil || r.Encoders[1].Measured == nil || r.Encoders[0].Measured.FPS <= 0 || r.Encoders[0].Measured.CPU <= 0 {
			t.Errorf("encoders: got %+v", r.Encoders)
		}
		m := r.Sound.Measured
		if m == nil || !m.Audible || m.Dead {
			t.Fatalf("sound: got %+v", r.Sound)
		}
		// Two programs and their buffers: 80 to 300 ms; a digital mirror loses and adds nothing.
		if m.Delay < 30 || m.Delay > 500 || math.Abs(m.Loss) > 3 || m.Noise > -80 || m.Clipped != 0 {
			t.Errorf("sound: got %+v, want an echo as loud as what is played, later", m)
		}
		lab.note("self-test in the guest: echo after %.1f ms, %.1f dB less", m.Delay, m.Loss)
		if e := r.Echo.Measured; e == nil || e.Before < -60 {
			t.Errorf("echo: got %+v", r.Echo)
		}
	})

	// What is coded is not what the others are about.
	must(t, g.Put(t.Context(), guestConfig, 0o600, []byte(with(t, config, "[camera]", "[camera]\ncodecs = [\"H264\"]"))))
	t.Run("camera in use, no way between", func(t *testing.T) {
		user := g.start(t, "user", vm.Command{Args: []string{"v4l2-ctl", "-d", "/dev/video0", "--stream-mmap", "--stream-to=/dev/null"}})
		must(t, user.await(soon, func() error {
			_, err := g.Shell(t.Context(), "ls -l /proc/*/fd 2>/dev/null | grep -q /dev/video0")
			return err
		}))
		time.Sleep(time.Second) // until it streams
		r, code, _ := g.tests(t)
		if code != exitFound || r.Camera.Measured != nil || len(r.Camera.Findings) != 1 || !strings.Contains(r.Camera.Findings[0].Text, "another program uses it") {
			t.Errorf("exit %d, camera %+v", code, r.Camera)
		}
		if r.Sound.Measured == nil || r.Sound.Measured.Audible || len(r.Sound.Findings) != 1 || !strings.HasPrefix(r.Sound.Findings[0].Text, "The microphone ") {
			t.Errorf("sound %+v", r.Sound)
		}
		if len(r.Encoders) != 1 || r.Encoders[0].Measured == nil {
			t.Errorf("the encoders need no camera: %+v", r.Encoders)
		}
		must(t, user.stop())
	})

	t.Run("no camera, no card", func(t *testing.T) {
		for _, d := range []vm.Device{vm.Camera, vm.Card} {
			must(t, g.Unplug(t.Context(), d))
		}
		r, code, _ := g.tests(t)
		if code != exitFound || r.Camera.Measured != nil || len(r.Camera.Findings) != 1 || !strings.Contains(r.Camera.Findings[0].Text, "vivid") {
			t.Errorf("exit %d, camera %+v", code, r.Camera)
		}
		if r.Sound.Measured != nil || len(r.Sound.Findings) != 1 || !strings.Contains(r.Sound.Findings[0].Text, "Loop") {
			t.Errorf("sound %+v", r.Sound)
		}
		for _, d := range []vm.Device{vm.Camera, vm.Card} {
			must(t, g.Replug(t.Context(), d))
		}
	})

	t.Run("beside a station", func(t *testing.T) {
		d := g.startDoor(t, config)
		d.until(t, soon, "at its chat server", func(s control.Status) bool { return s.Link.Up })
		_, code, said := g.tests(t, "--control", guestSocket)
		if code != exitRefused || !strings.Contains(said, "a station is running") {
			t.Errorf("exit %d: %s", code, said)
		}
		must(t, d.stop())
	})
}
