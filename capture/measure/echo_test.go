package measure

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"intercom/capture"
)

// TestEcho: what is measured of a room is what the room is made of.
func TestEcho(t *testing.T) {
	for _, test := range []struct {
		name       string
		room       room
		distortion [2]float64
		verdict    Verdict
		says       string
	}{
		{"a table", room{delay: 0.04, loss: 20, noise: 1e-4}, [2]float64{0, 0.01}, Good, "20 dB less"},
		{"no delay", room{loss: 10, noise: 1e-4}, [2]float64{0, 0.01}, Good, ""},
		{"a card with 250 ms", room{delay: 0.25, loss: 20, noise: 1e-4}, [2]float64{0, 0.01}, Notice, "after 250 ms"},
		{"a card with 450 ms", room{delay: 0.45, loss: 20, noise: 1e-4}, [2]float64{0, 0.01}, Wrong, "too late"},
		{"a stairwell", room{delay: 0.06, loss: 25, reverb: 0.5, noise: 1e-4}, [2]float64{0, 0.02}, Good, ""},
		{"a street", room{delay: 0.06, loss: 20, noise: 0.012}, [2]float64{0, 0.05}, Notice, "much noise"},
		{"far apart", room{delay: 0.06, loss: 50, noise: 1e-4}, [2]float64{0, 0.05}, Notice, "very little"},
		{"too loud", room{delay: 0.06, loss: -6, noise: 1e-4}, [2]float64{0, 0.01}, Wrong, "turn sound.volume down by 7 dB"},
		{"overdriven", room{delay: 0.06, loss: -14, noise: 1e-4}, [2]float64{0.05, 1}, Wrong, "overdriven"},
		{"a bad loudspeaker", room{delay: 0.06, loss: 12, drive: 8, noise: 1e-4}, [2]float64{0.1, 0.4}, Notice, "distorts"},
		{"two clocks", room{delay: 0.06, loss: 20, drift: 100e-6, noise: 1e-4}, [2]float64{0, 0.03}, Notice, "100 millionths"},
		{"a card that loses sound", room{delay: 0.06, loss: 20, lost: 0.025, noise: 1e-4}, [2]float64{0, 0.01}, Wrong, "changed by 25 ms"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := test.room
			s, err := Echo(t.Context(), &r, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%+v", s)
			if !s.Audible || s.Dead || math.Abs(s.Delay-1000*r.delay) > 0.5 {
				t.Errorf("audible %v, delay %.2f ms, want %.2f", s.Audible, s.Delay, 1000*r.delay)
			}
			if r.reverb == 0 && r.drive == 0 && s.Clipped == 0 && math.Abs(s.Loss-r.loss) > 1 {
				t.Errorf("loss %.1f dB, want %.1f", s.Loss, r.loss)
			}
			if math.Abs(s.Noise-20*math.Log10(r.noise)) > 1.5 {
				t.Errorf("noise %.1f dBFS, want %.1f", s.Noise, 20*math.Log10(r.noise))
			}
			if s.Distortion < test.distortion[0] || s.Distortion > test.distortion[1] {
				t.Errorf("distortion %.3f, want %v", s.Distortion, test.distortion)
			}
			if math.Abs(s.Clock-1e6*r.drift) > 5 || math.Abs(s.Jumped-1000*r.lost) > 1 {
				t.Errorf("clock %.1f millionths, jumped %.1f ms, want %.0f and %.0f", s.Clock, s.Jumped, 1e6*r.drift, 1000*r.lost)
			}
			check(t, s.Findings(), test.verdict, test.says)
		})
	}
}

// check asserts what the worst of some findings is, and that one says something.
func check(t *testing.T, findings []Finding, worst Verdict, says string) {
	t.Helper()
	rank := map[Verdict]int{Good: 0, Notice: 1, Wrong: 2}
	got, said := Good, false
	for _, f := range findings {
		if rank[f.Verdict] > rank[got] {
			got = f.Verdict
		}
		said = said || strings.Contains(f.Text, says)
	}
	if got != worst || !said {
		t.Errorf("got %q, want the worst %s, and %q", findings, worst, says)
	}
}

// TestOvertones: the distortion measured is that of the curve that makes it.
func TestOvertones(t *testing.T) {
	const drive = 3
	s, err := Echo(t.Context(), &room{delay: 0.05, loss: 6, drive: drive}, 0)
	if err != nil {
		t.Fatal(err)
	}
	// By the first overtone of tanh of a sine wave with this amplitude, and its own one.
	var one, three float64
	const n = 1000
	a := drive * math.Pow(10, sweepPeak/20)
	for i := range n {
		x := 2 * math.Pi * float64(i) / n
		y := math.Tanh(a * math.Sin(x))
		one, three = one+y*math.Sin(x), three+y*math.Sin(3*x)
	}
	want := math.Abs(three / one)
	t.Logf("distortion %.4f, by theory %.4f", s.Distortion, want)
	if s.Distortion < want*0.6 || s.Distortion > want*1.5 {
		t.Errorf("distortion %.4f, want about %.4f", s.Distortion, want)
	}
}

func TestNothingHeard(t *testing.T) {
	for _, test := range []struct {
		room room
		says string
	}{
		{room{deaf: true}, "nothing at all"},
		{room{loss: 120, noise: 0.001}, "hears nothing of the loudspeaker"},
		{room{loss: 120, noise: 0.1}, "hears nothing of the loudspeaker"},
	} {
		s, err := Echo(t.Context(), &test.room, 0)
		if err != nil {
			t.Fatal(err)
		}
		if s.Audible || s.Dead != test.room.deaf {
			t.Errorf("got %+v", s)
		}
		check(t, s.Findings(), Wrong, test.says)
	}
}

// TestVolume: the sweep is as loud as the volume says, and never too loud to be played.
func TestVolume(t *testing.T) {
	for _, test := range []struct{ volume, played float64 }{{0, -12}, {-20, -32}, {12, -4}} {
		s, err := Echo(t.Context(), &room{delay: 0.02, loss: 30, noise: 1e-5}, test.volume)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(s.Played-test.played) > 0.3 || math.Abs(s.Loss-30) > 1 {
			t.Errorf("at %v dB: played %.1f dBFS with a loss of %.1f, want %v and 30", test.volume, s.Played, s.Loss, test.played)
		}
	}
}

func TestCardLost(t *testing.T) {
	if _, err := Echo(t.Context(), &room{periods: 20}, 0); err == nil {
		t.Error("a card that ends is well")
	}
	gone := errors.New("unplugged")
	if _, err := Echo(t.Context(), broken{gone}, 0); !errors.Is(err, gone) {
		t.Errorf("got %v, want the card's error", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Echo(ctx, &room{}, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

type broken struct{ err error }

func (b broken) Run(context.Context, func(mic, speaker []int16)) error { return b.err }

// quieter is a canceller that takes a part of everything away.
type quieter struct {
	card capture.Duplex
	by   float64 // dB
}

func (q quieter) Run(ctx context.Context, period func(mic, speaker []int16)) error {
	g := math.Pow(10, -q.by/20)
	return q.card.Run(ctx, func(mic, speaker []int16) {
		for i, s := range mic {
			mic[i] = int16(float64(s) * g)
		}
		period(mic, speaker)
	})
}

func TestCancel(t *testing.T) {
	for _, test := range []struct {
		by      float64
		verdict Verdict
	}{{0, Wrong}, {8, Wrong}, {15, Notice}, {25, Good}} {
		tap := NewTap(&room{delay: 0.05, loss: 6})
		c, err := Cancel(t.Context(), tap, quieter{tap, test.by}, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", c)
		if math.Abs(c.ERLE-test.by) > 0.5 || c.Before < -40 || c.Before > -20 {
			t.Errorf("got %+v, want %v dB", c, test.by)
		}
		check(t, c.Findings(), test.verdict, "")
	}
	unlearned := Cancelled{Before: -30, After: -60, ERLE: 30}
	check(t, unlearned.Findings(), Notice, "not learned")
	unheard := Cancelled{Before: -120, After: -120}
	check(t, unheard.Findings(), Notice, "broke off")
}
