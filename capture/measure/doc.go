// Package measure takes the measure of a door's camera, its encoders, its loudspeaker and its
// microphone where they are mounted, and says of each in a sentence what an installer has to
// do.
//
//	Camera   frame rate, size and brightness of what a camera delivers
//	Encoder  how many pictures a second an encoder can code, and what it costs
//	Echo     the way from the loudspeaker to the microphone: delay, loss, distortion, clocks
//	Cancel   what an echo canceller leaves of it
//
// Each one takes the device for itself for some seconds, and returns numbers; their Findings
// judge those. It is no test of a program: it opens no device by itself, knows no
// configuration beyond the words in its advice, and keeps nothing.
//
// It starts no goroutine but a device's own Run.
package measure

// Verdict says how good something is.
type Verdict string

// The verdicts.
const (
	Good   Verdict = "good"
	Notice Verdict = "notice" // it works, and could be better
	Wrong  Verdict = "wrong"  // a visitor or a resident will notice
)

// Finding is what was found out about one thing, with what to do if it is not good.
type Finding struct {
	Verdict Verdict `json:"verdict"`
	Text    string  `json:"text"` // a sentence or two, for a person
}
