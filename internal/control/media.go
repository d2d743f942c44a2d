package control

import (
	"fmt"
	"strings"
)

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
