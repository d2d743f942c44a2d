// Package reclock carries sound from one clock to another: from a microphone's card, say, by
// which a program makes it, to a loudspeaker's, which plays it a little faster or slower. A
// Bridge between them holds a constant delay, and makes a little more or less of the sound
// than it was given, so that neither side ever waits, leaves out or repeats anything.
//
// How much more is what a slow control loop finds out from how the sound in between grows or
// shrinks: within some 20 s to a few millionths, which no ear hears and an echo canceller
// can follow. It is no converter between sample rates, and corrects clocks that differ by
// no more than half a percent.
//
// It starts no goroutine and reads no clock: Write and Read are called by two threads, each
// with the time. What they share is locked for as long as it takes to copy a period.
package reclock
