package alsa

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Card is a sound card of the machine.
type Card struct {
	Number int    // it may be another one after a boot
	ID     string // such as "Device"; stable for one card of a kind
	Name   string // such as "USB Audio Device"
	Long   string // the name with where it is plugged in, such as "... at usb-0000:01:00.0-1.3, full speed"

	Captures, Plays bool
}

// List returns the machine's sound cards in the order of their numbers, none if there are
// none.
func List() ([]Card, error) { return list("/proc/asound") }

func list(dir string) ([]Card, error) {
	text, err := os.ReadFile(filepath.Join(dir, "cards"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // the kernel has no sound
	}
	if err != nil {
		return nil, fmt.Errorf("list sound cards: %w", err)
	}
	cards := parseCards(string(text))
	text, err = os.ReadFile(filepath.Join(dir, "pcm"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list sound cards: %w", err)
	}
	markStreams(cards, string(text))
	return cards, nil
}

// parseCards reads lines such as these, two for each card:
//
//	1 [Device         ]: USB-Audio - USB Audio Device
//	                     C-Media USB Audio Device at usb-0000:01:00.0-1.3, full speed
func parseCards(text string) []Card {
	var cards []Card
	for line := range strings.Lines(text) {
		number, rest, ok := strings.Cut(line, "[")
		id, rest, ok2 := strings.Cut(rest, "]:")
		n, err := strconv.Atoi(strings.TrimSpace(number))
		if !ok || !ok2 || err != nil || n < 0 {
			if last := len(cards) - 1; last >= 0 && cards[last].Long == "" {
				cards[last].Long = strings.TrimSpace(line)
			}
			continue
		}
		_, name, ok := strings.Cut(rest, " - ")
		if !ok {
			name = rest
		}
		cards = append(cards, Card{Number: n, ID: strings.TrimSpace(id), Name: strings.TrimSpace(name)})
	}
	slices.SortFunc(cards, func(a, b Card) int { return cmp.Compare(a.Number, b.Number) })
	return cards
}

// markStreams notes which cards record and play at their first device, of lines such as
//
//	00-00: Loopback PCM : Loopback PCM : playback 8 : capture 8
func markStreams(cards []Card, text string) {
	for line := range strings.Lines(text) {
		fields := strings.Split(line, ":")
		number, device, ok := strings.Cut(fields[0], "-")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || strings.Trim(device, "0") != "" {
			continue
		}
		i := slices.IndexFunc(cards, func(c Card) bool { return c.Number == n })
		if i < 0 {
			continue
		}
		for _, f := range fields[1:] {
			cards[i].Plays = cards[i].Plays || strings.HasPrefix(strings.TrimSpace(f), "playback ")
			cards[i].Captures = cards[i].Captures || strings.HasPrefix(strings.TrimSpace(f), "capture ")
		}
	}
}

// Default is the name of whatever the system's ALSA configuration says.
const Default = "default"

// usb begins what the kernel tells of where a card is plugged in.
const usb = "usb-"

// pcm returns ALSA's name for the first device of a card, with conversions to our rate and
// format. A name with a colon is one already.
func pcm(cards []Card, name string, capture bool) (string, error) {
	switch {
	case name == "null" || strings.HasPrefix(name, "null:"):
		return "", errors.New(`"null" is no sound card: it throws everything away`)
	case name == Default || strings.Contains(name, ":") && !strings.HasPrefix(name, usb):
		return name, nil
	case len(cards) == 0:
		return "", errors.New("this machine shows no sound card (/proc/asound/cards); is it plugged in?")
	}
	var found []Card
	for _, c := range cards {
		if name == c.ID || name == c.Name || strings.HasPrefix(name, usb) && strings.Contains(c.Long+",", " at "+name+",") {
			found = append(found, c)
		}
	}
	switch {
	case len(found) == 0:
		return "", errors.New("no sound card has this name; intercom devices lists them")
	case len(found) > 1:
		return "", fmt.Errorf("several sound cards have this name; give one by its id, %q or %q", found[0].ID, found[1].ID)
	case capture && !found[0].Captures:
		return "", errors.New("it has no microphone")
	case !capture && !found[0].Plays:
		return "", errors.New("it has no loudspeaker")
	}
	return "plughw:CARD=" + found[0].ID + ",DEV=0", nil
}
