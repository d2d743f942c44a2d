// Package alsa is a microphone and a loudspeaker on the sound cards of the Linux kernel
// (ALSA). It implements capture.Duplex. On one card they are one full-duplex device, so that
// both have one clock. On two cards the microphone's clock counts: what is played is
// converted to the other one, which costs 40 ms. A card is named by what does not change when
// the machine boots.
//
// It neither codes, nor mixes, nor removes echo: see capture/audio. A PCM that is no card
// (ALSA's "null") is not taken for one; without a card there is an error, never silence.
//
// Run starts no goroutine; its period function is called on a thread of the sound library,
// as long as Run has not returned; with two cards there are two such threads, and the other one
// only plays. Without cgo only the list of cards is there.
package alsa
