// Package synth is a camera and a sound card made of mathematics, and of files: moving
// colour bars with a counter and a clock, a tone, a meter for a loudspeaker, YUV4MPEG2
// films and WAV sounds. The demo, the tests and a box without hardware run on it.
//
// It keeps real time with timers of package time, so that it also works in a
// testing/synctest bubble. It encodes nothing and starts no goroutine: all work is done in
// the Run of a camera or a sound card.
package synth
