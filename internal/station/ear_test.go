//go:build cgo

package station

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"intercom/callcore"
	"intercom/callcore/callcoretest"
	"intercom/capture"
	"intercom/capture/audio"
	"intercom/capture/soft/opus"
	"intercom/signaling"
)

// clickEvery is how far apart the clicks are that a mouth makes.
const clickEvery = 500 * time.Millisecond

// head is a card without a driver: its mouth clicks, and its ear notes when it hears one. A
// period is handed over when its last sample was recorded, and played right after that.
type head struct {
	mouth bool
	mu    sync.Mutex
	heard []time.Time
}

// Run is part of capture.Duplex.
func (h *head) Run(ctx context.Context, period func(mic, speaker []int16)) error {
	const n = capture.PeriodSamples
	mic, speaker := make([]int16, n), make([]int16, n)
	tick := time.NewTicker(capture.Period)
	defer tick.Stop()
	loud := false
	for {
		var now time.Time
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now = <-tick.C:
		}
		for i := range mic {
			mic[i] = 0
			at := sampleTime(now.Add(-capture.Period), i)
			if since := time.Duration(at.UnixNano()) % clickEvery; h.mouth && since < 15*time.Millisecond {
				mic[i] = int16(15000 * math.Sin(2*math.Pi*500*since.Seconds()))
			}
		}
		clear(speaker)
		period(mic, speaker)
		for i, s := range speaker {
			if s > 3000 && !loud {
				h.mu.Lock()
				h.heard = append(h.heard, sampleTime(now, i))
				h.mu.Unlock()
			}
			if s > 3000 {
				loud = true
			}
			if i == n-1 && loud && level(speaker) < 300 {
				loud = false
			}
		}
	}
}

func sampleTime(begin time.Time, n int) time.Time {
	return begin.Add(time.Duration(n) * time.Second / capture.SampleRate)
}

func level(pcm []int16) float64 {
	sum := 0.0
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	return math.Sqrt(sum / float64(len(pcm)))
}

// voiceOnly is the media of a call with a card, and no camera.
type voiceOnly struct{ *audio.Source }

func (voiceOnly) Codecs() []capture.Codec                    { return []capture.Codec{capture.Opus} }
func (v voiceOnly) Open(capture.Codec) (capture.Feed, error) { return v.Source.Open() }
func (v voiceOnly) Play(u signaling.UserID, _ capture.Codec) (capture.Player, error) {
	return v.Source.Play(u.String())
}

// TestMouthToEar measures how long a click takes from one card to the other, with the real
// codec, over a call on the virtual network. What the drivers of two cards add is not in it.
func TestMouthToEar(t *testing.T) {
	for _, test := range []struct {
		name string
		far  time.Duration // one way through the network
		loss float64
		most time.Duration // that all this takes besides
		fec  int           // percent of loss that the encoder prepares for in the end, at least
	}{
		{"one house", time.Millisecond, 0, 65 * time.Millisecond, 5},
		{"another town", 30 * time.Millisecond, 0, 65 * time.Millisecond, 5},
		{"loss of 5 %", 30 * time.Millisecond, 0.05, 65 * time.Millisecond, 10},
		{"loss of 20 %", 30 * time.Millisecond, 0.2, 70 * time.Millisecond, 25},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := callcoretest.NewDistantWorld(t, test.far)
				mouth, ear := &head{mouth: true}, &head{}
				sound := sounding(t, mouth)
				door, phone := w.Phone(callcoretest.Spec{User: 1, Own: sound}), w.Phone(callcoretest.Spec{User: 2, Own: sounding(t, ear)})
				door.Call(signaling.Audio, 2)
				in := callcoretest.Await[callcore.Incoming](phone).Session
				if err := in.Accept(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				callcoretest.Await[callcore.MediaStarted](phone)
				if test.loss > 0 {
					w.Lose(test.loss, w.Address(phone.Net), 1)
				}
				time.Sleep(10 * time.Second)
				ear.mu.Lock()
				ear.heard = nil
				ear.mu.Unlock()
				time.Sleep(60 * time.Second)
				ear.mu.Lock()
				defer ear.mu.Unlock()
				var sum, most time.Duration
				for _, at := range ear.heard {
					d := time.Duration(at.UnixNano()) % clickEvery
					sum, most = sum+d, max(most, d)
				}
				n := len(ear.heard)
				mean := sum / time.Duration(max(n, 1))
				t.Logf("%d clicks, %v later, %v at most; of that the network %v; prepared for a loss of %d %%", n, mean.Round(time.Millisecond), most.Round(time.Millisecond), test.far, sound.Stats().Expected)
				if want := int(60*time.Second/clickEvery) * 9 / 10; n < want || mean-test.far > test.most {
					t.Errorf("%d clicks, %v later; want %d, and %v besides the network", n, mean, want, test.most)
				}
				if got := sound.Stats().Expected; got < test.fec || got > test.fec+5 {
					t.Errorf("prepared for a loss of %d percent, want %d or a little more", got, test.fec)
				}
			})
		})
	}
}

// sounding returns a running source.
func sounding(t *testing.T, card capture.Duplex) voiceOnly {
	t.Helper()
	s, err := audio.New(audio.Config{Duplex: card, NewEncoder: opus.NewEncoder, NewDecoder: opus.NewDecoder})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	synctest.Wait()
	return voiceOnly{s}
}
