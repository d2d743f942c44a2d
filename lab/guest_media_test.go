//go:build e2e && lab

package lab

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"intercom/lab/browser"
	"intercom/lab/vm"
)

// emulatedFPS is the least rate at the page of a picture from an emulated processor.
const emulatedFPS = 4.0

// checkPicture asserts that the page shows the camera's picture, with its running timestamp.
func (g *guest) checkPicture(t *testing.T, a *phone) {
	t.Helper()
	v, err := a.Video(t.Context(), pictureTime)
	g.isPicture(t, v, err)
}

// pictureTime is how long a picture is looked at.
const pictureTime = 3 * time.Second / 2

func (g *guest) isPicture(t *testing.T, v browser.Video, err error) {
	t.Helper()
	must(t, err)
	t.Logf("picture: %dx%d, %.1f frames/s, %.1f%% of it changes", v.Width, v.Height, v.DecodedPerSecond, 100*v.Change)
	if v.Width != 320 || v.Height != 180 || v.DecodedPerSecond < emulatedFPS || v.ShownPerSecond <= 0 || v.Brightest < leastLight || v.Change < leastChange {
		t.Errorf("the camera's picture at the page: %+v", v)
	}
}

// bars are the colours of vivid's test picture from left to right, and as far as coding
// blurs them.
var bars = [8][3]float64{{191, 191, 191}, {191, 191, 0}, {0, 191, 191}, {0, 191, 0}, {191, 0, 191}, {191, 0, 0}, {0, 0, 191}, {0, 0, 0}}

const blur = 40

// sampleBars returns the mean colour of the middle of each bar, below the text.
const sampleBars = `() => {
	const v = document.getElementById('remote'), c = new OffscreenCanvas(320, 180).getContext('2d');
	c.drawImage(v, 0, 0, 320, 180);
	return [...Array(8).keys()].map((bar) => {
		const { data } = c.getImageData(bar * 40 + 16, 170, 8, 6), sum = [0, 0, 0];
		data.forEach((value, i) => { if (i % 4 < 3) sum[i % 4] += value / 48; });
		return sum;
	});
}`

// checkColours asserts that the page shows vivid's bars.
func (g *guest) checkColours(t *testing.T, a *phone) {
	t.Helper()
	var got [8][3]float64
	must(t, a.Eval(t.Context(), sampleBars, nil, &got))
	for i, want := range bars {
		for c := range want {
			if math.Abs(got[i][c]-want[c]) > blur {
				t.Errorf("bar %d of the picture: got %.0f, want %.0f", i, got[i], want)
				break
			}
		}
	}
}

// Both tones' levels in dB below full scale (root mean square), and how far off they may be.
const (
	visitorTone  = 1000.0 // Hz, of what is played into the door's microphone
	visitorPeak  = 0.5
	visitorLevel = -9.0
	pageLevel    = -15.1 // of the probe's microphone
	levelError   = 3.0
)

// The longest gaps in sound. An emulated processor that codes a picture, too, is not in time
// always.
const (
	longestGap  = 50 * time.Millisecond
	emulatedGap = time.Second
)

// soundTime is how long sound is listened to at a time. The best of a few times counts: the
// machine that emulates may be busy.
const (
	soundTime = 3 * time.Second / 2
	listens   = 4
)

// checkSound asserts that the resident hears what the visitor says, and the visitor the
// resident: a tone each, without a gap longer than gap.
func (g *guest) checkSound(t *testing.T, a *phone, gap time.Duration) {
	t.Helper()
	visitor, err := g.Play(t.Context(), vm.Tone(visitorTone, visitorPeak, 40*time.Second))
	must(t, err)
	wrong := func(heard browser.Audio) bool {
		return checkAudio(heard, visitorTone) != nil || math.Abs(heard.DBFS-visitorLevel) > levelError || heard.Gap > float64(gap.Milliseconds())
	}
	page := make(chan func(), 1) // what is asserted of the page, which listens meanwhile
	go func() {
		var heard browser.Audio
		var err error
		for range listens {
			if heard, err = a.Audio(t.Context(), soundTime); err != nil || !wrong(heard) {
				break
			}
		}
		page <- func() {
			t.Helper()
			must(t, err)
			t.Logf("the resident hears %.1f Hz at %.1f dBFS; the longest gap is %.1f ms", heard.Frequency, heard.DBFS, heard.Gap)
			if wrong(heard) {
				t.Errorf("the visitor at the page: %q: %+v, want %.0f Hz at %.1f dBFS, no gap longer than %v", checkAudio(heard, visitorTone), heard, visitorTone, visitorLevel, gap)
			}
		}
	}()
	g.hears(t, annaTone, gap)
	(<-page)()
	must(t, visitor.Signal(t.Context(), syscall.SIGTERM))
	<-visitor.Ended()
}

// checkBoth is checkPicture and checkSound at the same time.
func (g *guest) checkBoth(t *testing.T, a *phone, gap time.Duration) {
	t.Helper()
	picture := make(chan func(), 1)
	go func() {
		v, err := a.Video(t.Context(), pictureTime)
		picture <- func() { t.Helper(); g.isPicture(t, v, err) }
	}()
	g.checkSound(t, a, gap)
	(<-picture)()
}

// hears records what the door's loudspeaker plays, and asserts that it is a tone of the
// probe's level.
func (g *guest) hears(t *testing.T, tone float64, gap time.Duration) {
	t.Helper()
	var faults []string
	var wav []byte
	for range listens {
		var err error
		wav, err = g.Record(t.Context(), soundTime)
		must(t, err)
		got, err := vm.Listen(wav)
		must(t, err)
		level := 20 * math.Log10(max(got.RMS, 1e-5))
		faults = nil
		if math.Abs(got.Frequency-tone) > toneError || math.Abs(level-pageLevel) > levelError {
			faults = append(faults, fmt.Sprintf("want %.0f Hz at %.1f dBFS", tone, pageLevel))
		}
		if got.Gap > gap || got.Length < soundTime-gap {
			faults = append(faults, fmt.Sprintf("want no gap longer than %v", gap))
		}
		t.Logf("the loudspeaker plays %.1f Hz at %.1f dBFS for %v; the longest gap is %v", got.Frequency, level, got.Length, got.Gap)
		if faults == nil {
			return
		}
	}
	must(t, os.WriteFile(filepath.Join(g.out, "loudspeaker.wav"), wav, 0o644))
	t.Errorf("the loudspeaker: %q", faults)
}
