// Package aec keeps a box's loudspeaker out of its microphone. Both of its types wrap a
// capture.Duplex and are one: Duplex cancels the echo with WebRTC's audio processing module,
// which reduces noise, too, and evens out how loud visitors are; HalfDuplex turns the
// microphone down while the loudspeaker talks, and needs no library. Duplex does that, too,
// until it has learned the room, which takes a second or two of sound, and for good in boxes
// whose acoustics defeat it. What it reaches, and speexdsp's canceller beside it, is in
// docs/sound.md.
//
// The echo comes later than it was played by what the card and the room need, 20 to 400 ms:
// that is measured while it runs, and measured again when it changes. It runs at 16 kHz,
// where speech is; between that and the device's 48 kHz the sound is converted.
//
// Both sides are taken to have one clock, as they have on one card, and as capture/alsa makes
// it of two. That they have not is noticed and said; some 30 dB are left then.
//
// It opens no device, and starts no goroutine: everything is done within the device's
// period, in some 0.1 ms, without locks waited for or anything allocated. Without cgo
// HalfDuplex alone is there.
//
// Debian's libwebrtc-audio-processing-dev is linked: 1.x, or 0.3 as a static library. They
// have nothing in common but what they do: apm.cc is over both. pkg-config says which there
// is; where it does not find 1.x, what is in pkgconfig stands in for it. A cross build says
// where the target's is with PKG_CONFIG_LIBDIR, which must hold that folder, too, for 0.3.
package aec
