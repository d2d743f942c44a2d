// Package aec keeps a box's loudspeaker out of its microphone. Both of its types wrap a
// capture.Duplex and are one: Duplex cancels the echo with speexdsp, reduces noise and evens
// out how loud visitors are; HalfDuplex turns the microphone down while the loudspeaker
// talks, and needs no library. Duplex does that, too, until it has learned the room, which
// takes about two seconds of sound, and for good in boxes whose acoustics defeat it.
//
// The echo comes later than it was played by what the card and the room need, 20 to 400 ms:
// that is measured while it runs, and measured again when it changes. It runs at 16 kHz,
// where speech is; between that and the device's 48 kHz the sound is converted.
//
// Both sides are taken to have one clock, as they have on one card. That they have not is
// noticed, and said, and not corrected.
//
// It opens no device, and starts no goroutine: everything is done within the device's
// period, in some 0.1 ms, without locks waited for or anything allocated. Without cgo
// HalfDuplex alone is there.
//
// The static library of Debian's libspeexdsp-dev is linked. A cross build says where the
// target's header files and library are with CGO_CFLAGS and CGO_LDFLAGS.
package aec
