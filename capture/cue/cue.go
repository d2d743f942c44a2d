// Package cue makes the short sounds by which a visitor hears what the door does: that it
// calls, that somebody answered, that the door is open. They are mathematics: no files.
//
// It plays nothing: see capture/audio. It has no goroutines.
package cue

import (
	"math"
	"time"

	"intercom/capture"
)

// Name is what a cue says.
type Name string

// The cues.
const (
	Calling    Name = "calling"    // phones ring; played again and again while they do
	Connected  Name = "connected"  // a resident is heard from now on
	Unanswered Name = "unanswered" // nobody answered
	Busy       Name = "busy"       // everybody declined
	Opened     Name = "opened"     // the door is open
	Fault      Name = "fault"      // nobody could be called, or the connection was lost
	Incoming   Name = "incoming"   // a resident calls the door
	Quiet      Name = "quiet"      // nobody is called at this hour
	Refused    Name = "refused"    // the code is wrong
	Dial       Name = "dial"       // the number of a flat is to be typed
	Unknown    Name = "unknown"    // there is no such flat
	Wait       Name = "wait"       // it will be called as soon as that is possible
)

// Names are all cues.
func Names() []Name {
	return []Name{Calling, Connected, Incoming, Unanswered, Busy, Quiet, Opened, Refused, Dial, Unknown, Wait, Fault}
}

// level is the peak of a note, -14 dBFS: louder than a room, quieter than speech.
const level = 6500

// note is one tone of a cue, in Hz, and from its beginning to that of the next.
type note struct {
	hz   float64 // 0: a pause
	time time.Duration
}

const ms = time.Millisecond

var scores = map[Name][]note{
	Calling:    {{587, 350 * ms}, {494, 650 * ms}, {0, 2500 * ms}},
	Connected:  {{523, 90 * ms}, {784, 160 * ms}},
	Unanswered: {{494, 250 * ms}, {440, 250 * ms}, {392, 400 * ms}},
	Busy:       {{425, 240 * ms}, {0, 240 * ms}, {425, 240 * ms}, {0, 240 * ms}, {425, 240 * ms}},
	Opened:     {{659, 120 * ms}, {784, 120 * ms}, {1047, 400 * ms}},
	Incoming:   {{784, 150 * ms}, {523, 150 * ms}, {784, 250 * ms}},
	Quiet:      {{392, 250 * ms}, {330, 400 * ms}},
	Refused:    {{311, 120 * ms}, {0, 60 * ms}, {311, 120 * ms}, {0, 60 * ms}, {311, 240 * ms}},
	Dial:       {{659, 120 * ms}, {659, 200 * ms}},
	Unknown:    {{330, 180 * ms}, {262, 350 * ms}},
	Wait:       {{523, 120 * ms}, {0, 300 * ms}, {523, 120 * ms}},
	Fault:      {{220, 180 * ms}, {0, 80 * ms}, {208, 400 * ms}},
}

// Sounds returns all cues: samples at capture.SampleRate, which begin and end in silence.
func Sounds() map[Name][]int16 {
	sounds := map[Name][]int16{}
	for name, notes := range scores {
		var pcm []int16
		for _, n := range notes {
			pcm = append(pcm, n.sound()...)
		}
		sounds[name] = pcm
	}
	return sounds
}

// sound is a soft bell: a tone with two overtones that fades away, without clicks.
func (n note) sound() []int16 {
	const attack = 0.005 // s
	length := n.time.Seconds()
	pcm := make([]int16, int(length*capture.SampleRate))
	if n.hz == 0 {
		return pcm
	}
	for i := range pcm {
		t := float64(i) / capture.SampleRate
		w := 2 * math.Pi * n.hz * t
		shape := min(1, t/attack) * min(1, (length-t)/attack) * math.Exp(-2.5*t/length)
		pcm[i] = int16(level / 1.4 * shape * (math.Sin(w) + 0.3*math.Sin(2*w) + 0.1*math.Sin(3*w)))
	}
	return pcm
}
