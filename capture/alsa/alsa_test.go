package alsa

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"intercom/capture"
)

const cardsFile = ` 0 [Loop           ]: Loopback - Loop
                      Loopback 1
 1 [Device         ]: USB-Audio - USB Audio Device
                      C-Media USB Audio Device at usb-0000:01:00.0-1.3, full speed
 2 [Headphones     ]: bcm2835_headpho - bcm2835 Headphones
                      bcm2835 Headphones
 3 [Device_1       ]: USB-Audio - USB Audio Device
                      C-Media USB Audio Device at usb-0000:01:00.0-1.4, full speed
`

const pcmFile = `00-00: Loopback PCM : Loopback PCM : playback 8 : capture 8
00-01: Loopback PCM : Loopback PCM : playback 8 : capture 8
01-00: USB Audio : USB Audio : playback 1 : capture 1
02-00: bcm2835 Headphones : bcm2835 Headphones : playback 8
02-01: something : something : capture 1
03-00: USB Audio : USB Audio : playback 1 : capture 1
`

func machine(t *testing.T, cards, pcms string) []Card {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"cards": cards, "pcm": pcms} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := list(dir)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestList(t *testing.T) {
	want := []Card{
		{0, "Loop", "Loop", "Loopback 1", true, true},
		{1, "Device", "USB Audio Device", "C-Media USB Audio Device at usb-0000:01:00.0-1.3, full speed", true, true},
		{2, "Headphones", "bcm2835 Headphones", "bcm2835 Headphones", false, true},
		{3, "Device_1", "USB Audio Device", "C-Media USB Audio Device at usb-0000:01:00.0-1.4, full speed", true, true},
	}
	if got := machine(t, cardsFile, pcmFile); !slices.Equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if got := machine(t, "--- no soundcards ---\n", ""); len(got) != 0 {
		t.Errorf("got %+v of a machine without cards", got)
	}
	if got, err := list(filepath.Join(t.TempDir(), "none")); err != nil || len(got) != 0 {
		t.Errorf("got %+v, %v of a kernel without sound", got, err)
	}
}

func TestPCM(t *testing.T) {
	cards := machine(t, cardsFile, pcmFile)
	for _, tt := range []struct {
		name    string
		capture bool
		want    string // or of the error
	}{
		{"Device", true, "plughw:CARD=Device,DEV=0"},
		{"Loop", false, "plughw:CARD=Loop,DEV=0"},
		{"usb-0000:01:00.0-1.4", true, "plughw:CARD=Device_1,DEV=0"},
		{"usb-0000:01:00.0-1", true, "no sound card has this name"},
		{"bcm2835 Headphones", false, "plughw:CARD=Headphones,DEV=0"},
		{"hw:1,0", true, "hw:1,0"},
		{Default, true, Default},

		{"USB Audio Device", true, `give one by its id, "Device" or "Device_1"`},
		{"Headphones", true, "no microphone"},
		{"null", true, "no sound card"},
		{"Other", true, "no sound card has this name"},
	} {
		got, err := pcm(cards, tt.name, tt.capture)
		if err != nil {
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
			}
		} else if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if _, err := pcm(nil, "Device", true); err == nil || !strings.Contains(err.Error(), "shows no sound card") {
		t.Errorf("without cards: %v", err)
	}
}

func FuzzCards(f *testing.F) {
	f.Add(cardsFile, pcmFile)
	f.Add("0 [", "00-00")
	f.Fuzz(func(t *testing.T, cards, pcms string) {
		c := parseCards(cards)
		markStreams(c, pcms)
		for _, card := range c {
			if card.Number < 0 {
				t.Errorf("card %+v", card)
			}
		}
	})
}

func TestBlocks(t *testing.T) {
	var heard []int16
	next := int16(0)
	b := &blocks{}
	b.period = func(mic, speaker []int16) {
		heard = append(heard, mic...)
		if len(mic) != capture.PeriodSamples || len(speaker) != capture.PeriodSamples {
			t.Errorf("period of %d and %d samples", len(mic), len(speaker))
		}
		for i := range speaker {
			next++
			speaker[i] = next
		}
	}
	var played []int16
	n := int16(0)
	// Blocks of any length, as devices have them.
	for _, length := range []int{480, 480, 1, 959, 2000, 0, 480, 333, 107} {
		in, out := make([]byte, 2*length), make([]byte, 2*length)
		for i := range length {
			n++
			binary.LittleEndian.PutUint16(in[2*i:], uint16(-n))
		}
		b.exchange(out, in)
		for i := range length {
			played = append(played, int16(binary.LittleEndian.Uint16(out[2*i:])))
		}
	}
	if len(heard) != int(n)/capture.PeriodSamples*capture.PeriodSamples || int(b.samples.Load()) != int(n) {
		t.Errorf("%d samples in periods, %d counted, of %d", len(heard), b.samples.Load(), n)
	}
	for i, v := range heard {
		if v != -int16(i+1) {
			t.Fatalf("sample %d heard is %d", i, v)
		}
	}
	for i, v := range played {
		want := max(i+1-capture.PeriodSamples, 0)
		if int(v) != want {
			t.Fatalf("sample %d played is %d, want %d: one period after it was given", i, v, want)
		}
	}
	in, out := make([]byte, 960), make([]byte, 960)
	b.period = func(_, _ []int16) {}
	if got := testing.AllocsPerRun(100, func() { b.exchange(out, in) }); got != 0 {
		t.Errorf("%v allocations a block, want 0", got)
	}
}
