//go:build lab

package vm

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func testSound(t *testing.T, m *Machine) {
	// Both ways at once, as in a call: the door's end is the default device.
	must(t, m.Put(t.Context(), "/tmp/near.wav", 0o644, Tone(600, 0.4, 6*time.Second)))
	speaker, err := m.Start(t.Context(), Command{Args: []string{"aplay", "-q", "/tmp/near.wav"}})
	must(t, err)
	visitor, err := m.Play(t.Context(), Tone(1000, 0.4, 6*time.Second))
	must(t, err)
	microphone, err := m.Start(t.Context(), Command{Args: []string{"arecord", "-q", "-f", "S16_LE", "-r", "48000", "-d", "3", "/tmp/heard.wav"}})
	must(t, err)
	played, err := m.Record(t.Context(), 2*time.Second)
	must(t, err)
	must(t, microphone.Wait(20*time.Second))
	heard, err := m.Get(t.Context(), "/tmp/heard.wav")
	must(t, err)
	for _, tt := range []struct {
		what string
		file []byte
		want float64
	}{{"the loudspeaker", played, 600}, {"the microphone", heard, 1000}} {
		got, err := Listen(tt.file)
		must(t, err)
		if math.Abs(got.Frequency-tt.want) > 5 || math.Abs(got.Peak-0.4) > 0.02 || got.Length < 3*time.Second/2 || got.Gap > 50*time.Millisecond {
			t.Errorf("%s: got %+v, want %.0f Hz with peak 0.4, without a gap", tt.what, got, tt.want)
		}
	}
	must(t, speaker.Wait(20*time.Second))
	must(t, visitor.Wait(20*time.Second))
}

// testNetwork has the guest ping this machine, unimpaired, impaired and cut off.
func testNetwork(t *testing.T, m *Machine) {
	answered := func() int {
		const ping = "ping -q -c 100 -i 0.01 -W 1 " + Host + " || true"
		_, after, _ := strings.Cut(shell(t, m, ping), "transmitted, ")
		n, err := strconv.Atoi(strings.Fields(after + " ?")[0])
		must(t, err)
		return n
	}
	if got := answered(); got != 100 {
		t.Errorf("unimpaired: %d of 100 are answered", got)
	}
	must(t, m.Impair(t.Context(), "loss 30%"))
	if got := answered(); got < 25 || got > 75 {
		t.Errorf("with a loss of 30 %% both ways: %d of 100 are answered, want about 49", got)
	}
	must(t, m.Impair(t.Context(), ""))
	must(t, m.Link(t.Context(), false))
	if got := answered(); got != 0 {
		t.Errorf("with the link cut: %d of 100 are answered", got)
	}
	must(t, m.Link(t.Context(), true))
	shell(t, m, "for i in $(seq 20); do ping -q -c 1 -W 1 "+Host+" && exit 0; done; exit 1") // the card needs a moment
	if got := answered(); got != 100 {
		t.Errorf("after all that: %d of 100 are answered", got)
	}
}

// testFeed plugs in an MJPEG camera, looks at a picture of it and unplugs it.
func testFeed(t *testing.T, m *Machine) {
	var frames [][]byte
	for _, grey := range []uint8{60, 180} {
		p := image.NewGray(image.Rect(0, 0, 320, 240))
		for i := range p.Pix {
			p.Pix[i] = grey
		}
		var b bytes.Buffer
		must(t, jpeg.Encode(&b, p, nil))
		frames = append(frames, b.Bytes())
	}
	for range 2 {
		feeder, err := m.Feed(t.Context(), Feed{Format: "MJPG", Width: 320, Height: 240, Frames: frames})
		must(t, err)
		if got := shell(t, m, "v4l2-ctl -d "+FedCamera+" --get-fmt-video"); !strings.Contains(got, "'MJPG'") || !strings.Contains(got, "320/240") {
			t.Errorf("the camera's format: got %s, want MJPG, 320x240", got)
		}
		shell(t, m, "v4l2-ctl -d "+FedCamera+" --stream-mmap --stream-count=1 --stream-to=/tmp/fed.jpeg")
		file, err := m.Get(t.Context(), "/tmp/fed.jpeg")
		must(t, err)
		p, err := jpeg.Decode(bytes.NewReader(file))
		must(t, err)
		if grey := p.At(160, 120).(color.Gray).Y; p.Bounds().Dx() != 320 || (grey != 60 && grey != 180) {
			t.Errorf("picture: got %v of grey %d, want 320x240 of grey 60 or 180", p.Bounds(), grey)
		}
		must(t, feeder.Signal(t.Context(), syscall.SIGKILL))
		if err := feeder.Wait(5 * time.Second); err == nil {
			t.Error("a feeder that was killed: got no error")
		}
		if got, err := m.Run(t.Context(), "v4l2-ctl", "-d", FedCamera, "--get-fmt-video"); err == nil {
			t.Errorf("the camera without its feeder: got %s, want none", got)
		}
	}
}
