//go:build e2e && lab

package lab

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"intercom/internal/control"
	"intercom/lab/browser"
	"intercom/lab/vm"
)

// TestGuestUnplugged takes the camera and then the sound card away in a call, and brings them
// back: the call goes on with what is left.
func TestGuestUnplugged(t *testing.T) {
	s, err := guestServer()
	must(t, err)
	g := newGuest(t)
	d := g.startDoor(t, guestSettings(s, realDevices))
	d.begin(t)
	begun := d.count()
	a := newPhone(t, s.server, anna, browser.ProbeConfig{Tone: annaTone})
	g.visit(t, d, a)
	a.sees(t)

	must(t, g.Unplug(t.Context(), vm.Camera))
	d.suffers(t, "camera", "vivid")
	g.checkSound(t, a, longestGap)
	must(t, g.Replug(t.Context(), vm.Camera))
	d.recovers(t, "camera")
	a.sees(t)
	g.checkPicture(t, a)
	g.checkColours(t, a)

	must(t, g.Unplug(t.Context(), vm.Card))
	d.suffers(t, "sound", "Loop")
	g.checkPicture(t, a)
	must(t, g.Replug(t.Context(), vm.Card))
	d.recovers(t, "sound")
	g.checkBoth(t, a, emulatedGap)

	d.never(t, begun, control.Ended)
	a.hangsUp(t, d)
}

// TestGuestFed has a camera that comes and goes as a program feeds it: MJPEG by v4l2loopback.
func TestGuestFed(t *testing.T) {
	s, err := guestServer()
	must(t, err)
	g := newGuest(t)
	d := g.startDoor(t, guestSettings(s, with(t, realDevices, `source = "v4l2:vivid"`, "source = \"v4l2:Feed\"\npixels = \"mjpeg\"")))
	d.begin(t)
	begun := d.count()
	a := newPhone(t, s.server, anna, browser.ProbeConfig{Tone: annaTone})

	// Nothing feeds it: the door works without.
	g.tap(t, vm.ButtonCall)
	a.next(t, soon, "call-received")
	must(t, a.Click(t.Context(), quick, "#answer"))
	d.expect(t, soon, control.Connected)
	d.suffers(t, "camera", "Feed")

	feeder, err := g.Feed(t.Context(), film(t, 320, 180))
	must(t, err)
	d.recovers(t, "camera")
	a.sees(t)
	g.checkPicture(t, a)
	g.checkGround(t, a)

	unfeed(t, feeder)
	d.suffers(t, "camera", "Feed")
	d.never(t, begun, control.Ended)
	feeder, err = g.Feed(t.Context(), film(t, 320, 180))
	must(t, err)
	d.recovers(t, "camera")
	a.sees(t)
	g.checkPicture(t, a)
	unfeed(t, feeder)
	d.suffers(t, "camera", "Feed")

	// One that lies: its pictures have another size than it says.
	lie := film(t, 160, 120)
	lie.Width, lie.Height = 320, 180
	_, err = g.Feed(t.Context(), lie)
	must(t, err)
	d.until(t, soon, "complaining about the size", func(s control.Status) bool {
		return slices.ContainsFunc(s.Health, func(c control.Condition) bool {
			return c.Name == "camera" && strings.Contains(c.Text, "/dev/video10") && strings.Contains(c.Text, "another size")
		})
	})
	d.never(t, begun, control.Ended)
	a.hangsUp(t, d)
}

// film is MJPEG of a white bar that goes over a coloured ground.
func film(t *testing.T, width, height int) vm.Feed {
	t.Helper()
	f := vm.Feed{Format: "MJPG", Width: width, Height: height}
	const frames = 30
	for n := range frames {
		p := image.NewRGBA(image.Rect(0, 0, width, height))
		draw.Draw(p, p.Bounds(), image.NewUniform(ground), image.Point{}, draw.Src)
		x := n * width / frames
		draw.Draw(p, image.Rect(x, height/4, x+width/10, height*3/4), image.White, image.Point{}, draw.Src)
		var b bytes.Buffer
		must(t, jpeg.Encode(&b, p, nil))
		f.Frames = append(f.Frames, b.Bytes())
	}
	return f
}

var ground = color.RGBA{R: 40, G: 90, B: 160, A: 255}

// unfeed kills the program that feeds a camera.
func unfeed(t *testing.T, feeder *vm.Process) {
	t.Helper()
	must(t, feeder.Signal(t.Context(), syscall.SIGKILL))
	<-feeder.Ended()
}

// checkGround asserts that the page shows the feeder's picture in its colours.
func (g *guest) checkGround(t *testing.T, a *phone) {
	t.Helper()
	var got [8][3]float64
	must(t, a.Eval(t.Context(), sampleBars, nil, &got))
	for c, want := range []uint8{ground.R, ground.G, ground.B} {
		if d := got[3][c] - float64(want); d < -blur || d > blur {
			t.Errorf("the picture's ground: got %.0f, want about %v", got[3], ground)
		}
	}
}

// suffers waits until the door complains of a part, and names the device.
func (d *door) suffers(t *testing.T, part, device string) {
	t.Helper()
	s := d.until(t, 20*time.Second, "complaining about the "+part, func(s control.Status) bool {
		return slices.ContainsFunc(s.Health, func(c control.Condition) bool { return c.Name == part })
	})
	for _, c := range s.Health {
		t.Logf("%s: %s", c.Name, c.Text)
		if c.Name == part && !strings.Contains(c.Text, device) {
			t.Errorf("%s: %q does not name %q", c.Name, c.Text, device)
		}
	}
}

// recovers waits until the door does not complain of a part any more.
func (d *door) recovers(t *testing.T, part string) {
	t.Helper()
	d.until(t, 20*time.Second, "without complaint about the "+part, func(s control.Status) bool {
		return !slices.ContainsFunc(s.Health, func(c control.Condition) bool { return c.Name == part })
	})
}

// sees waits until the page shows new frames.
func (p *phone) sees(t *testing.T) {
	t.Helper()
	must(t, p.Eval(t.Context(), `() => Promise.race([
		new Promise((shown) => {
			const video = document.getElementById('remote');
			let frames = 0;
			const next = () => (++frames === 5 ? shown() : video.requestVideoFrameCallback(next));
			video.requestVideoFrameCallback(next);
		}),
		new Promise((_, late) => { setTimeout(() => late(new Error('no new frames in 15 s')), 15000); }),
	])`, nil, nil))
}
