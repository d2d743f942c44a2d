package control

import (
	"fmt"
	"strings"
)

// Media is how pictures and sound fare.
type Media struct {
	Camera  Camera  `json:"camera"`
	Sound   Sound   `json:"sound"`
	Echo    *Echo   `json:"echo,omitempty"` // nil: nothing is done about it
	Viewers []Share `json:"residents"`      // those who see and hear the door now; empty: none does
}

// Camera is how the camera is. Counters are since the station started.
type Camera struct {
	State   string  `json:"state"`  // off, opening, delivering, absent (viewers see a sign)
	Pixels  string  `json:"pixels"` // of the last picture: I420, or H264 if the camera codes; empty: there was none
	Width   int     `json:"width"`
	Height  int     `json:"height"`
	FPS     float64 `json:"fps"`     // pictures a second of late
	Frames  int64   `json:"frames"`  // delivered
	Spoiled int64   `json:"spoiled"` // left out because they were short, or did not decode
	Passed  int64   `json:"passed"`  // not coded, because an encoder was busy
	Late    int64   `json:"late"`    // coded, and dropped because a connection was too slow
}

// String is for a person.
func (c Camera) String() string {
	parts := []string{c.State}
	if c.State == "delivering" {
		parts[0] = fmt.Sprintf("%s %dx%d, %.1f pictures/s", c.Pixels, c.Width, c.Height, c.FPS)
	}
	for _, n := range []struct {
		count int64
		what  string
	}{{c.Spoiled, "spoiled"}, {c.Passed, "not coded for want of time"}, {c.Late, "not sent for want of time"}} {
		if n.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n.count, n.what))
		}
	}
	return strings.Join(parts, ", ")
}

// Sound is how the sound card is. Counters are since the station started.
type Sound struct {
	State    string `json:"state"`    // off, opening (or away: health says so), on
	Overruns int64  `json:"overruns"` // periods of 20 ms of the microphone that were not coded in time
	Late     int64  `json:"late"`     // coded, and dropped because a connection was too slow
}

// String is for a person.
func (s Sound) String() string {
	parts := []string{s.State}
	if s.Overruns > 0 {
		parts = append(parts, fmt.Sprintf("%.1f s of the microphone lost for want of time", float64(s.Overruns)/50))
	}
	if s.Late > 0 {
		parts = append(parts, fmt.Sprintf("%.1f s not sent for want of time", float64(s.Late)/50))
	}
	return strings.Join(parts, ", ")
}

// Share is what is exchanged with one resident. Rates are since the status before, or since
// the call began; bit rates are of 1000 bits a second.
type Share struct {
	User      int64   `json:"user"`
	Available int     `json:"available"`     // bits a second that the network is estimated to carry to there; 0: not known
	RoundTrip float64 `json:"round_trip_ms"` // there and back; 0: not known

	Codec    string  `json:"codec,omitempty"` // of the pictures sent; empty: none are
	Width    int     `json:"width"`
	Height   int     `json:"height"`
	FPS      float64 `json:"fps"`
	BitRate  float64 `json:"kbit"`      // of the pictures
	Target   int     `json:"target"`    // bits a second asked of the encoder for this resident; 0: nothing was
	LostSent float64 `json:"lost_sent"` // share of the pictures' packets lost on the way there of late, 0 to 1

	SoundOut  float64 `json:"sound_sent_kbit"`
	SoundIn   float64 `json:"sound_received_kbit"`
	Delay     float64 `json:"delay_ms"`  // that the jitter buffer adds to the resident's voice
	Jitter    float64 `json:"jitter_ms"` // by which packets come unevenly
	Lost      int64   `json:"lost"`      // packets of the voice that never came, since the call began
	Concealed float64 `json:"concealed"` // share of the voice that was made up, since the call began, 0 to 1
}

// Sent is what goes to the resident, for a person.
func (s Share) Sent() string {
	if s.Codec == "" {
		return fmt.Sprintf("sound alone, %.0f kbit/s", s.SoundOut)
	}
	text := fmt.Sprintf("%s %dx%d, %.1f pictures/s, %.0f kbit/s", strings.TrimPrefix(s.Codec, "video/"), s.Width, s.Height, s.FPS, s.BitRate)
	if s.Target > 0 {
		text += fmt.Sprintf(" (asked for %d", s.Target/1000)
		if s.Available > 0 {
			text += fmt.Sprintf(", the network carries %d", s.Available/1000)
		}
		text += ")"
	}
	text += fmt.Sprintf(", %.0f %% lost", 100*s.LostSent)
	if s.RoundTrip > 0 {
		text += fmt.Sprintf(", %.0f ms there and back", s.RoundTrip)
	}
	return text
}

// Received is what comes from the resident, for a person.
func (s Share) Received() string {
	return fmt.Sprintf("voice %.0f kbit/s, delayed by %.0f ms, %d lost, %.1f %% made up, jitter %.0f ms",
		s.SoundIn, s.Delay, s.Lost, 100*s.Concealed, s.Jitter)
}

// Echo is what is done about the echo of the loudspeaker in the microphone, and how it fares.
// Numbers are of the call going on, or of the last one.
type Echo struct {
	State     string  `json:"state"`        // cancelled, learning (meanwhile one side talks at a time), half_duplex
	Delay     float64 `json:"delay_ms"`     // until the loudspeaker is heard; 0: not known
	ERLE      float64 `json:"erle_db"`      // by how much the echo is quieter, of late; 0: not known
	Clock     int     `json:"clock_ppm"`    // by which the microphone's clock is faster than the loudspeaker's; 0: none is
	Overdrive int64   `json:"overdriven"`   // periods of 20 ms that were too loud for the microphone
	Restarts  int64   `json:"learned_anew"` // how often the delay changed so much
}

// What an Echo's state may be.
const (
	EchoCancelled  = "cancelled"
	EchoLearning   = "learning"
	EchoHalfDuplex = "half_duplex"
)

// String is for a person.
func (e Echo) String() string {
	switch e.State {
	case EchoHalfDuplex:
		return "the microphone is turned down while the loudspeaker talks"
	case EchoLearning:
		if e.Delay == 0 {
			return "the canceller knows nothing of the room yet"
		}
	}
	parts := []string{fmt.Sprintf("%.0f dB quieter", e.ERLE), fmt.Sprintf("heard after %.0f ms", e.Delay)}
	if e.State == EchoLearning {
		parts = append(parts, "the room is not learned yet")
	}
	if e.Clock != 0 {
		parts = append(parts, fmt.Sprintf("clocks %d millionths apart", e.Clock))
	}
	if e.Overdrive != 0 {
		parts = append(parts, fmt.Sprintf("microphone overdriven %.1f s", float64(e.Overdrive)/50))
	}
	return strings.Join(parts, ", ")
}
